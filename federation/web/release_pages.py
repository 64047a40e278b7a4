"""An answer: the table with its marks, a chart, a map, the source, and the files to take away."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Annotated, Any

import pyarrow as pa
from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse

from catalogue.catalogue import BoundDataset
from federation.api.dependencies import NodeDep
from federation.api.formats import encode
from federation.api.negotiation import MediaType
from federation.release.statement import Statement
from federation.service import comments, recalls, releases
from federation.service.errors import ServiceCode, ServiceError
from federation.service.node import Node
from federation.service.permissions import Act, permitted
from federation.service.release_cache import ReleaseRecord
from federation.state.models import SubjectKind
from federation.web.chart import chart_of
from federation.web.figures import ROWS_ON_A_PAGE, figures_of
from federation.web.language import mark
from federation.web.maps import drawing_of
from federation.web.paging import Paging
from federation.web.rendering import page
from federation.web.visitor import Fault, Fields, OnceDep, Reader, Sender, first, text_of

router = APIRouter()
ROWS_DRAWN = 500
ELSEWHERE = " (elsewhere)"
FILES: Mapping[str, MediaType] = {
    "csv": MediaType.CSV,
    "parquet": MediaType.PARQUET,
    "arrow": MediaType.ARROW,
}


@router.get("/releases/{release}")
def release(
    node: NodeDep,
    request: Request,
    principal: Reader,
    release: str,
    show: Annotated[int, Query(ge=0, le=1000)] = 0,
    number: Annotated[int, Query(alias="page", ge=1, le=1000)] = 1,
) -> Response:
    """The answer. ``show`` is which of the figures the chart and the map draw."""
    record = releases.find(node, principal, release)
    gone = recalls.recalled(node, release)
    if gone is not None:
        return page(request, "recalled.html", status=410, about=releases.about(record), recall=gone)
    return _answer(node, request, principal, record, show, number)


def _answer(
    node: Node,
    request: Request,
    principal: Reader,
    record: ReleaseRecord,
    show: int,
    number: int,
    faults: Sequence[Fault] = (),
) -> Response:
    with pa.ipc.open_stream(_content(node, principal, record, MediaType.ARROW)) as reader:
        table = reader.read_all()
    names = partial(name_of, _variables(node, record))
    figures = figures_of(table, names, offset=(number - 1) * ROWS_ON_A_PAGE)
    drawn = figures_of(table, names, limit=ROWS_DRAWN)
    column = drawn.measures[min(show, len(drawn.measures) - 1)] if drawn.measures else None
    return page(
        request,
        "release.html",
        status=422 if faults else 200,
        record=record,
        about=releases.about(record),
        statement=Statement.model_validate(record.payload),
        figures=figures,
        shown=show,
        chart=None if column is None else chart_of(drawn, column),
        drawing=None if column is None else drawing_of(drawn, column, request.app.state.maps),
        paging=Paging.of(request, number, figures.total_rows, ROWS_ON_A_PAGE),
        comments=comments.listing(node, principal, SubjectKind.RELEASE, record.release),
        recalls=permitted(principal, Act.DECIDE) and principal.body in record.custodians,
        faults=list(faults),
    )


@router.post("/releases/{release}/recall")
def recall(
    node: NodeDep, request: Request, principal: Sender, form: Fields, once: OnceDep, release: str
) -> Response:
    """A custodian takes a wrong answer back."""
    faults: list[Fault] = []
    reason = text_of(first(form, "reason"), "reason", mark("Give a reason: anybody may read it"), faults)
    if faults:
        recalls.require_standing(node, release)
        return _answer(node, request, principal, releases.find(node, principal, release), 0, 1, faults)
    recalls.recall(node, principal, release, reason, once)
    return RedirectResponse(f"/releases/{release}", 303)


@router.get("/releases/{release}/statement.jws")
def statement(node: NodeDep, principal: Reader, release: str) -> Response:
    """The signed statement, as a file."""
    record = releases.find(node, principal, release)
    return _file(record.statement.encode(), "application/jose", f"{release}.jws")


@router.get("/releases/{release}/table.{kind}")
def table(node: NodeDep, principal: Reader, release: str, kind: str) -> Response:
    """The table, as a file."""
    if kind not in FILES:
        raise ServiceError(ServiceCode.NOT_FOUND, "a table can be had as csv, parquet or arrow")
    record = releases.find(node, principal, release)
    recalls.require_standing(node, release)
    return _file(_content(node, principal, record, FILES[kind]), FILES[kind], f"{release}.{kind}")


def name_of(variables: Mapping[str, Mapping[str, str]], column: str, value: str) -> str:
    """What a code list calls a value, where the column is named as a variable is; else the value."""
    plain = value.removesuffix(ELSEWHERE)
    return variables.get(column, {}).get(plain, plain) + value[len(plain) :]


def _variables(node: Node, record: ReleaseRecord) -> dict[str, Mapping[str, str]]:
    found: dict[str, Mapping[str, str]] = {}
    for subject in record.payload["about_whom"]:
        dataset = node.catalogue.datasets.get(subject["dataset"])
        if dataset is None:
            continue
        for name in dataset.document.variables:
            codes = _codes(dataset, name)
            if codes:
                found.setdefault(name, codes)
    return found


def _codes(dataset: BoundDataset, variable: str) -> dict[str, str]:
    """The names of all codes that a variable's column may hold: of its level, and of coarser ones in their place."""
    dimension = dataset.dimension_of(variable)
    if dimension is None or dimension.codelist is None:
        return {}
    return {
        str(code): str(name)
        for level in dimension.codelist.levels
        for code, name in zip(level.codes, level.names, strict=True)
        if code is not None and name
    }


def _content(node: Node, principal: Reader, record: ReleaseRecord, media_type: MediaType) -> bytes:
    def encoder(found: pa.Table, of: ReleaseRecord) -> bytes:
        said = releases.about(of)
        beside: dict[str, Any] = {"release": said.release, "source": said.source, "notes": said.notes}
        return encode(found, of.statement, beside, media_type)

    return releases.content(node, principal, record, media_type, encoder)


def _file(content: bytes, media_type: str, name: str) -> Response:
    headers = {
        "Content-Disposition": f'attachment; filename="{name}"',
        "Cache-Control": "private, max-age=31536000, immutable",
        "Vary": "Cookie",
    }
    return Response(content, media_type=str(media_type), headers=headers)
