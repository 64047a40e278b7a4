"""Releases never change, so what was read, checked and encoded once is served from memory again."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any

MAXIMUM_BYTES = 128 * 1024 * 1024
MAXIMUM_KNOWN = 10_000


@dataclass(frozen=True, slots=True)
class ReleaseRecord:
    """What is known of a release without its table. ``custodians`` are the bodies that decided on it;
    ``payload`` is the content of the statement."""

    release: str
    request: str
    body: str
    custodians: frozenset[str]
    table_digest: str
    file_digest: str
    path: str
    statement: str
    payload: dict[str, Any]


class ReleaseCache:
    """Records of releases, encoded tables by format, and who has fetched what. Bounded; the least used goes."""

    def __init__(self, maximum_bytes: int = MAXIMUM_BYTES) -> None:
        self._maximum = maximum_bytes
        self._size = 0
        self._encoded: OrderedDict[tuple[str, Hashable], bytes] = OrderedDict()
        self._records: OrderedDict[str, ReleaseRecord] = OrderedDict()
        self._fetched: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._lock = threading.Lock()

    def record(self, release: str, load: Callable[[], ReleaseRecord]) -> ReleaseRecord:
        """The record, by ``load`` where it is not known yet."""
        with self._lock:
            known = self._records.get(release)
        if known is None:
            known = load()
            with self._lock:
                _keep(self._records, release, known)
        return known

    def encoded(self, release: str, form: Hashable, encode: Callable[[], bytes]) -> bytes:
        """The table in the format ``form``, by ``encode`` where it is not at hand."""
        key = (release, form)
        with self._lock:
            if key in self._encoded:
                self._encoded.move_to_end(key)
                return self._encoded[key]
        content = encode()
        with self._lock:
            if key not in self._encoded and len(content) <= self._maximum:
                self._encoded[key] = content
                self._size += len(content)
                while self._size > self._maximum:
                    _, dropped = self._encoded.popitem(last=False)
                    self._size -= len(dropped)
        return content

    def first_fetch(self, subject: str, release: str) -> bool:
        """Whether ``subject`` has not fetched this release since the node started, as far as is remembered."""
        with self._lock:
            return (subject, release) not in self._fetched

    def remember_fetch(self, subject: str, release: str) -> None:
        with self._lock:
            _keep(self._fetched, (subject, release), None)


def _keep(known: OrderedDict[Any, Any], key: Hashable, value: object) -> None:
    known[key] = value
    if len(known) > MAXIMUM_KNOWN:
        known.popitem(last=False)
