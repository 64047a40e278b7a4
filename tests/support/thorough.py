"""How much is tried: everything where the environment asks for it (``make test-all``), else what ten minutes hold."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TypeVar

import pytest

THOROUGH = os.environ.get("FEDERATION_THOROUGH_TESTS") == "1"
ONLY_THOROUGH = "left out of the everyday tests: 'make test-all' sets FEDERATION_THOROUGH_TESTS"
SHARE = 4
"""One in so many of what is generated is tried every day."""

T = TypeVar("T")

thorough = pytest.mark.skipif(not THOROUGH, reason=ONLY_THOROUGH)
"""A test of whole processes or of long fuzzing, whose subject everyday tests cover in less time."""


def share(examples: int) -> int:
    """How many of so many generated examples to try."""
    return examples if THOROUGH else max(1, examples // SHARE)


def some(texts: Sequence[T]) -> Sequence[T]:
    """All of the examples, or one in SHARE, spread evenly."""
    return texts if THOROUGH else texts[::SHARE]
