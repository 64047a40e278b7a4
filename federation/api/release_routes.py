"""Routes to released answers, their statements, and the keys that verify them."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
from fastapi import APIRouter, Depends, Request, Response

from federation.api import examples
from federation.api.bodies import VerifyBody
from federation.api.dependencies import Caller, NodeDep, caller
from federation.api.formats import encode
from federation.api.negotiation import MediaType, negotiate
from federation.service import recalls, releases
from federation.service.release_cache import ReleaseRecord
from federation.service.releases import About, VerificationView

router = APIRouter(prefix="/v1", tags=["releases"])

CHECKED = "private, no-cache"
"""A release never changes, but may be recalled: who keeps it asks before using it again."""
_EXAMPLE_CSV = (
    '"region","region__status","people","people__status"\n"Wales","",1234,""\n"Scotland","",,"[c]"\n'
)
FORMATS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The table, in the format that was asked for.",
        "content": {
            MediaType.JSON: {
                "example": {
                    "release": "rel_5f0c…",
                    "source": "Example office: People, 2025.",
                    "notes": [],
                    "columns": [
                        {"name": "people", "type": "int64"},
                        {"name": "people__status", "type": "string"},
                    ],
                    "data": [{"people": None, "people__status": "[c]"}],
                    "legend": {"[c]": "confidential: withheld to protect the people it is about"},
                }
            },
            MediaType.CSV: {"example": _EXAMPLE_CSV},
            MediaType.ARROW: {"schema": {"type": "string", "format": "binary"}},
            MediaType.PARQUET: {"schema": {"type": "string", "format": "binary"}},
        },
    },
    304: {"description": "The caller has this very table already (If-None-Match)."},
}


@router.get("/releases/{release}", response_class=Response, responses=FORMATS)
def release(node: NodeDep, principal: Caller, http: Request, release: str) -> Response:
    """A released table as JSON, CSV, Arrow IPC or Parquet, by `Accept`. Beside each column `x` stands `x__status`."""
    media_type = negotiate(http.headers.get("accept", ""))
    record = releases.find(node, principal, release)
    recalls.require_standing(node, release)
    digest = record.table_digest.removeprefix("sha256:")
    etag = f'"{digest}-{media_type.name.lower()}"'
    headers = {
        "ETag": etag,
        "Cache-Control": CHECKED,
        "Vary": "Accept, Authorization",
        "Link": f'</v1/releases/{release}/statement>; rel="describedby"; type="application/jose"',
    }
    if etag in {tag.strip() for tag in http.headers.get("if-none-match", "").split(",")}:
        return Response(status_code=304, headers=headers)

    def encoder(table: pa.Table, found: ReleaseRecord) -> bytes:
        said = releases.about(found)
        beside = {"release": said.release, "source": said.source, "notes": said.notes}
        return encode(table, found.statement, beside, media_type)

    content = releases.content(node, principal, record, media_type, encoder)
    return Response(content, media_type=str(media_type), headers=headers)


@router.get("/releases/{release}/about", responses=examples.example(200, examples.ABOUT))
def about(node: NodeDep, principal: Caller, release: str) -> About:
    """What is said beside the table: the question, the source line, notes."""
    return releases.about(releases.find(node, principal, release))


@router.get("/releases/{release}/provenance")
def provenance(node: NodeDep, principal: Caller, release: str) -> dict[str, Any]:
    """The statement in the terms of W3C PROV-O, as JSON-LD. What is signed is the statement."""
    return releases.provenance(releases.find(node, principal, release))


@router.get(
    "/releases/{release}/crate",
    response_class=Response,
    responses={200: {"content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}}}},
)
def crate(node: NodeDep, principal: Caller, release: str) -> Response:
    """The release as a Five Safes RO-Crate (ZIP): table, signed statement, provenance, keys."""
    record = releases.find(node, principal, release)
    recalls.require_standing(node, release)

    def encoder(table: pa.Table, found: ReleaseRecord) -> bytes:
        tables = {
            "answer.parquet": encode(table, found.statement, {}, MediaType.PARQUET),
            "answer.csv": encode(table, found.statement, {}, MediaType.CSV),
        }
        return releases.crate(node, found, tables)

    content = releases.content(node, principal, record, "crate", encoder)
    disposition = f'attachment; filename="{release}.zip"'
    headers = {"Cache-Control": CHECKED, "Content-Disposition": disposition}
    return Response(content, media_type="application/zip", headers=headers)


@router.get(
    "/releases/{release}/statement",
    response_class=Response,
    responses={200: {"content": {"application/jose": {"schema": {"type": "string"}}}}},
)
def statement(node: NodeDep, principal: Caller, release: str) -> Response:
    """The signed provenance statement, a JWS in compact serialisation."""
    record = releases.find(node, principal, release)
    return Response(record.statement, media_type="application/jose", headers={"Cache-Control": CHECKED})


@router.post("/verify", dependencies=[Depends(caller)])
def verify(node: NodeDep, body: VerifyBody) -> VerificationView:
    """Whether this node signed a statement for one of its releases. Its keys show offline who signed it."""
    return releases.verify(node, body.statement, body.table_digest)
