"""Large messages of other nodes are held to a few at a time, before anybody has seen a signature."""

from __future__ import annotations

import anyio
from starlette.types import Message, Receive, Scope, Send

from federation.api.limits import LARGE_AT_ONCE, BodyGuard
from federation.wire.http import MEDIA_TYPE, MESSAGES

LARGEST, SMALL = 10_000, 100


def test_a_few_of_the_largest_are_held_at_a_time() -> None:
    async def scenario() -> None:
        finish, at_work = anyio.Event(), []

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            at_work.append(scope["path"])
            await finish.wait()

        guard = BodyGuard(app, maximum_bytes=SMALL, message_bytes=LARGEST, upload_bytes=LARGEST)

        async def call(size: int, answers: list[int]) -> None:
            async def receive() -> Message:
                return {"type": "http.request", "body": b"x" * size, "more_body": False}

            async def send(message: Message) -> None:
                if message["type"] == "http.response.start":
                    answers.append(message["status"])

            headers = [(b"content-type", MEDIA_TYPE.encode())]
            scope = {"type": "http", "method": "POST", "path": MESSAGES, "headers": headers}
            await guard(scope, receive, send)

        answers: list[int] = []
        async with anyio.create_task_group() as calls:
            for _ in range(LARGE_AT_ONCE):
                calls.start_soon(call, LARGEST, answers)
            await anyio.sleep(0.01)
            await call(LARGEST, answers)
            assert answers == [503]
            await call(LARGEST + 1, answers)
            assert answers == [503, 413]
            # Small ones pass whatever the large ones hold.
            calls.start_soon(call, SMALL, answers)
            await anyio.sleep(0.01)
            assert len(at_work) == LARGE_AT_ONCE + 1
            finish.set()
        # What was held is let go of.
        await call(LARGEST, answers)
        assert answers == [503, 413]

    anyio.run(scenario)
