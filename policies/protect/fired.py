"""Which rule withholds which cells. Protection knows it anyway; whoever decides on a request is told how many."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from functools import reduce

import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.bool_]


class Rule(StrEnum):
    """Why a cell is withheld. In what is released all of them look alike."""

    MINIMUM_FREQUENCY = "minimum_frequency"
    SECOND_UNITS = "minimum_second_units"
    CLASS_DISCLOSURE = "class_disclosure"
    DOMINANCE = "dominance"
    VARIATION = "coefficient_of_variation"
    QUANTILE_SIDES = "quantile_sides"
    COMPLEMENT = "complement"
    ZERO = "zero"
    HIDDEN_THRESHOLD = "hidden_threshold"

    @property
    def meaning(self) -> str:
        return {
            Rule.MINIMUM_FREQUENCY: "fewer contributors than the minimum",
            Rule.SECOND_UNITS: "fewer of the second unit than the minimum",
            Rule.CLASS_DISCLOSURE: "everybody in the row falls in one category",
            Rule.DOMINANCE: "a few contributors make up too much (dominance or p%)",
            Rule.VARIATION: "the estimate varies too much",
            Rule.QUANTILE_SIDES: "too few contributors on one side of the percentile",
            Rule.COMPLEMENT: "what a set of the requester's own leaves out is too small",
            Rule.ZERO: "it would be zero, and zeros are not shown",
            Rule.HIDDEN_THRESHOLD: "it rests on a figure that is withheld",
        }[self]


Fired = Mapping[Rule, Mask]
"""By rule the cells on which it fires; a cell can be under several."""


def anywhere(fired: Fired) -> Mask:
    """The cells on which any rule fires."""
    return reduce(np.logical_or, fired.values())


def together(*several: Fired) -> dict[Rule, Mask]:
    """By rule the cells on which it fires in any of ``several``."""
    found: dict[Rule, Mask] = {}
    for fired in several:
        for rule, mask in fired.items():
            found[rule] = found[rule] | mask if rule in found else mask
    return found
