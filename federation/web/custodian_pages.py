"""The custodian's own pages: the inbox, and what has been released about a dataset."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from federation.api.dependencies import NodeDep
from federation.service import catalogue_view, custody
from federation.web.rendering import page
from federation.web.visitor import Reader

router = APIRouter()


@router.get("/inbox")
def inbox(node: NodeDep, request: Request, principal: Reader) -> Response:
    """What waits for the reader to decide, the longest wait first."""
    now = node.clock()
    waiting = [(view, (now - view.created_at).days) for view in custody.inbox(node, principal)]
    datasets = [each for each in catalogue_view.datasets(node.catalogue) if each.custodian == principal.body]
    return page(request, "inbox.html", waiting=waiting, datasets=datasets)


@router.get("/datasets/{dataset}/released")
def released(node: NodeDep, request: Request, principal: Reader, dataset: str) -> Response:
    """All that became known of a dataset: to whom, when, and how much may yet."""
    return page(
        request,
        "released.html",
        dataset=catalogue_view.dataset(node.catalogue, dataset),
        released=custody.released(node, principal, dataset),
        limit=custody.DATASET_RELEASES,
    )
