"""What a hub asks of this node: one cell query, answered with a release."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from federation.holders.messages import CellsAnswer, MessageUnreadable, PublicNoise, read_question
from federation.service import releases
from federation.service.asked import Asked, finished, understood, usable_request
from federation.service.errors import ServiceError
from federation.service.node import Node
from federation.service.views import RunView
from federation.wire.channel import Declined, Sender, Unavailability
from federation.wire.tables import encode_table
from policies.protect.rules import count_error


def answer_cells(node: Node, sender: Sender, body: Mapping[str, Any]) -> Mapping[str, Any]:
    """The release of one cell query that a hub asks for on somebody's behalf.

    The hub's word counts for who asks, and for nothing else: this node's catalogue, agreement, profile and custodian
    decide. Where a person has to decide, the request waits here and the hub is told its id.

    Raises:
        Declined: there is no release, with the reason and a reference.
    """
    try:
        message = read_question(body)
    except MessageUnreadable as error:
        raise Declined(Unavailability.REFUSED, error.code) from None
    try:
        asked = understood(node, sender, message)
        run = finished(node, asked, usable_request(node, asked), sender)
        return _released(node, asked, run)
    except ServiceError as error:
        raise Declined(Unavailability.FAILED, str(error.code)) from None


def _released(node: Node, asked: Asked, run: RunView) -> Mapping[str, Any]:
    assert run.release is not None
    record = releases.find(node, asked.principal, run.release)
    content = releases.content(
        node, asked.principal, record, "message", lambda table, _: encode_table(table).encode()
    )
    error = count_error(asked.profile)
    answer = CellsAnswer(
        release=record.release,
        table=content.decode(),
        statement=record.statement,
        sparse=asked.query.size > asked.profile.limits.dense_cells,
        noise=PublicNoise(maximum_error=error.largest, variance=error.variance),
    )
    return answer.model_dump(mode="json")
