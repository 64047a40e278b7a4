"""Where other nodes send messages: signed tokens in, signed tokens out. Not for people, so not in the OpenAPI document.

Verifying, recording and answering run in threads of their own number: however long other nodes have to wait for a run,
people are served.
"""

from __future__ import annotations

import time
from typing import cast

import anyio
from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Depends, Request, Response

from federation.api.dependencies import NodeDep, anybody
from federation.service.errors import ServiceCode, ServiceError
from federation.wire.channel import MessageKind
from federation.wire.envelope import Message, MessageFault, MessageRefused
from federation.wire.http import MEDIA_TYPE, MESSAGES, POLL, REPLIES, text_of
from federation.wire.poller import WAIT_SECONDS
from federation.wire.wire import Wire

AT_ONCE = 32
LOOK_SECONDS = 0.05

router = APIRouter(dependencies=[Depends(anybody)], include_in_schema=False)


@router.post(MESSAGES)
async def messages(node: NodeDep, request: Request) -> Response:
    """The signed answer to a signed question."""
    threads = cast(CapacityLimiter, request.app.state.message_threads)
    if threads.available_tokens < 1:
        raise ServiceError(ServiceCode.NOT_READY, "too many messages at once", retry_after=5)
    token = text_of(await request.body())
    answer = await to_thread.run_sync(node.wire.desk.receive, token, limiter=threads)
    return Response(answer, media_type=MEDIA_TYPE)


@router.post(POLL)
async def poll(node: NodeDep, request: Request) -> Response:
    """A message that waits for the peer that asks, or none after a while."""
    token = text_of(await request.body())
    message = await to_thread.run_sync(node.wire.correspondence.read, token)
    had = message.body.get("had")
    if message.kind != MessageKind.POLL or not isinstance(had, list):
        raise MessageRefused(MessageFault.MALFORMED)
    ids = {each for each in had if isinstance(each, str)}
    until = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < until and not await request.is_disconnected():
        waiting = node.wire.mailbox.fetch(message.issuer, ids)
        if waiting is not None:
            return Response(waiting, media_type=MEDIA_TYPE)
        await anyio.sleep(LOOK_SECONDS)
    return Response(status_code=204)


@router.post(REPLIES)
async def replies(node: NodeDep, request: Request) -> Response:
    """Take the answer of a peer that polls to whoever waits for it, who records it."""
    token = text_of(await request.body())
    await to_thread.run_sync(_deliver, node.wire, token)
    return Response(status_code=204)


def _deliver(wire: Wire, token: str) -> None:
    message: Message = wire.correspondence.verify(token)
    question = message.in_reply_to
    if question is None or not wire.mailbox.deliver(message.issuer, question, token):
        raise MessageRefused(MessageFault.WRONG_ANSWER)
