"""Digests of what a custodian declared: what approvals bind and versions are made of.

A digest is the SHA-256 of a canonical JSON text (RFC 8785 in spirit: sorted keys, no blanks; sets sorted,
decimals by value), so that reformatting a file or reordering its keys changes nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from enum import Enum

from pydantic import BaseModel

from catalogue.codelists import CodeList


def document_digest(document: BaseModel) -> str:
    """The digest of one document: of a dataset, a profile, an agreement and so on."""
    return _digest({"kind": type(document).__name__, **document.model_dump()})


def codelist_digest(codelist: CodeList) -> str:
    return _digest(
        {
            "name": codelist.name,
            "title": codelist.title,
            "source": codelist.source,
            "vintage": codelist.vintage,
            "kind": codelist.kind,
            "levels": [[level.name, level.title, level.codes, level.names] for level in codelist.levels],
            "groupings": {
                name: [
                    grouping.title,
                    [[part.code, part.title, list(part.leaves)] for part in grouping.parts],
                ]
                for name, grouping in codelist.groupings.items()
            },
            "population": codelist.population,
        }
    )


def catalogue_version(documents: Iterable[BaseModel], codelists: Iterable[CodeList]) -> str:
    """The digest over all of a catalogue, in whatever order its files were read."""
    parts = sorted([document_digest(document) for document in documents] + [c.digest for c in codelists])
    return _digest(parts)


def _digest(value: object) -> str:
    text = json.dumps(_canonical(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _canonical(value: object) -> object:
    if isinstance(value, Mapping):
        return {str(key): _canonical(item) for key, item in value.items()}
    if isinstance(value, (frozenset, set)):
        return sorted((_canonical(item) for item in value), key=str)
    if isinstance(value, (list, tuple)):
        return [_canonical(item) for item in value]
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, Decimal):
        return format(value.normalize(), "f")
    if isinstance(value, date):
        return value.isoformat()
    return value
