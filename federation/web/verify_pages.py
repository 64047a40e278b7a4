"""Verifying a copy of an answer: for anybody who holds one, without signing in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile

from federation.api.dependencies import NodeDep, anybody
from federation.api.limits import UPLOADS
from federation.client.verify import VerificationFault, is_token
from federation.client.verify_file import FileKind, kind_of
from federation.service.node import Node
from federation.service.proofs import LONGEST_STATEMENT, ProofView, prove
from federation.web.language import mark
from federation.web.rendering import page
from federation.web.visitor import Fault, Perhaps

router = APIRouter(dependencies=[Depends(anybody)])

FAULTS: Mapping[VerificationFault, str] = {
    VerificationFault.MALFORMED: mark(
        "The statement is not one that a node signed. Part of it may be missing."
    ),
    VerificationFault.UNKNOWN_KEY: mark(
        "The statement was not signed with a key of this node. It may come from another node: verify it there."
    ),
    VerificationFault.BAD_SIGNATURE: mark(
        "The signature does not fit the statement. One of them was changed after this node signed."
    ),
    VerificationFault.RETIRED_KEY: mark(
        "The statement says that it was signed after its key was retired, so this node did not sign it."
    ),
    VerificationFault.NOT_ISSUED: mark(
        "A key of this node signed the statement, but no answer of this node has it. Do not rely on it, and tell the "
        "node's keeper."
    ),
    VerificationFault.WRONG_TYPE: mark("This node signed it, but it is not a statement about an answer."),
    VerificationFault.MISSING: mark(
        "There is no signed statement in the file. Give the statement beside it."
    ),
    VerificationFault.TABLE_DIFFERS: mark(
        "This node signed the statement, but not this table. A figure, a column or the order of rows was changed."
    ),
}


@router.get(UPLOADS)
def show(node: NodeDep, request: Request, principal: Perhaps) -> Response:  # noqa: ARG001  # so that the page knows its reader
    """Where to put a copy of an answer."""
    return _page(node, request)


async def _sent(request: Request) -> tuple[bytes, str]:
    """The answer's file and the statement, as far as the form has them."""
    form = await request.form(max_files=2, max_fields=4, max_part_size=LONGEST_STATEMENT)
    content, beside = [await _bytes(form.get(name)) for name in ("file", "statement_file")]
    pasted = form.get("statement")
    said = beside.decode("ascii", "replace") or (pasted if isinstance(pasted, str) else "")
    if not said and is_token(alone := content.decode("ascii", "replace").strip()):
        return b"", alone  # a statement by itself
    return content, "".join(said.split())


async def _bytes(part: UploadFile | str | None) -> bytes:
    return await part.read() if isinstance(part, UploadFile) else b""


@router.post(UPLOADS)
async def verify(
    node: NodeDep,
    request: Request,
    principal: Perhaps,  # noqa: ARG001
    sent: Annotated[tuple[bytes, str], Depends(_sent)],
) -> Response:
    """What came of it, in plain words. Nothing of what is sent is kept."""
    content, statement = sent
    faults = _faults(content, statement)
    if faults:
        return _page(node, request, faults=faults)
    found = await run_in_threadpool(prove, node, content or None, statement or None)
    return _page(node, request, found)


def _page(
    node: Node, request: Request, found: ProofView | None = None, faults: Sequence[Fault] = ()
) -> Response:
    return page(
        request,
        "verify.html",
        status=422 if faults else 200,
        found=found,
        why=None if found is None or found.fault is None else FAULTS[found.fault],
        faults=faults,
        largest=node.settings.limits.upload_bytes,
    )


def _faults(content: bytes, statement: str) -> list[Fault]:
    """What is missing, or can't be verified whatever it holds."""
    if not content and not statement:
        return [{"text": mark("Choose a file, or give a signed statement"), "href": "#file"}]
    if len(statement) > LONGEST_STATEMENT:
        return [{"text": mark("This is too long for a signed statement"), "href": "#statement"}]
    if content.lstrip()[:1] in (b"{", b"["):
        return [
            {
                "text": mark("JSON does not keep every digit: choose a Parquet, Arrow or CSV file"),
                "href": "#file",
            }
        ]
    if content and not statement and kind_of(content) is FileKind.CSV:
        return [
            {
                "text": mark("A CSV file does not hold its signed statement: give the statement too"),
                "href": "#statement",
            }
        ]
    return []
