"""One question to one node: sent as SQL, and the release that comes back held to what the node signed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from pydantic import ValidationError

from catalogue.catalogue import BoundDataset
from connectors.protocol import CancelSignal
from federation.client.verify import VerificationError, verify_statement
from federation.holders.messages import CellsQuestion, MessageUnreadable, PublicNoise, read_answer
from federation.holders.protocol import Asker, PartGiven
from federation.holders.reading import TableDiffers, read_cells
from federation.release.statement import Statement
from federation.wire.channel import Channel, MessageKind, NodeUnavailable, Unavailability
from federation.wire.peers import Peers
from policies.cell_question import CellQuestion
from policies.cell_sql import cell_sql
from policies.parts import PartCells
from policies.plan import CellQuery

UNTRUE = (VerificationError, ValidationError, TableDiffers)
"""What is raised for a statement, or a table, that is not what a node signed."""


@dataclass(frozen=True, slots=True)
class NodeAnswer:
    """The cells that a node gave, what it released them in, and what is public of their noise."""

    cells: PartCells
    given: PartGiven
    sparse: bool
    noise: PublicNoise


@dataclass(frozen=True)
class Asking:
    """Asks peers for cells. Their statements are verified with the keys that the settings give them."""

    channel: Channel
    peers: Peers

    def ask(
        self,
        node: str,
        question: CellQuestion,
        query: CellQuery,
        dataset: BoundDataset,
        asker: Asker,
        *,
        deadline: float,
        cancel: CancelSignal,
    ) -> NodeAnswer:
        """What ``node`` gives for ``question``, which is ``query`` or a part of it.

        Raises:
            NodeUnavailable: it gave nothing that can be relied on; the reason says why.
            RefusalError: the question can't be written as SQL.
        """
        written = cell_sql(question, dataset, dataset.held.location)
        message = CellsQuestion.of(asker, node, written.sql, question.digest(dataset))
        body = message.model_dump(mode="json")
        reply = self.channel.ask(node, MessageKind.CELLS, body, deadline=deadline, cancel=cancel)
        try:
            answer = read_answer(reply)
            table = answer.decoded()
            given = self.given(node, answer.statement, table, message, dataset)
            if given.release != answer.release:
                raise TableDiffers("the statement is about another release")
            cells = read_cells(table, written, question, query, sparse=answer.sparse)
        except (MessageUnreadable, *UNTRUE) as error:
            raise NodeUnavailable(node, Unavailability.BAD_REPLY, reference_of(error)) from None
        return NodeAnswer(cells, given, answer.sparse, answer.noise)

    def given(
        self, node: str, token: str, table: pa.Table | None, message: CellsQuestion, dataset: BoundDataset
    ) -> PartGiven:
        """What a node's statement says that it released for the question of ``message``.

        Raises:
            VerificationError, ValidationError, TableDiffers: it is not the node's, or about something else.
        """
        statement = self._statement(node, token, table)
        if not _answers(statement, message, dataset):
            raise TableDiffers("the statement is about another question")
        subject = statement.about_whom[0]
        return PartGiven(
            node=node,
            release=statement.release,
            statement_digest=f"sha256:{hashlib.sha256(token.encode()).hexdigest()}",
            table_digest=statement.table.digest,
            snapshot=subject.snapshot,
            key_epoch=subject.key_epoch,
            decisions=statement.authority.decisions,
        )

    def _statement(self, node: str, token: str, table: pa.Table | None) -> Statement:
        peer = self.peers[node]
        public: Mapping[str, Any] = {
            **self.peers.key_of(peer).as_dict(private=False),
            "kid": peer.key_id,
            "use": "sig",
        }
        statement = Statement.model_validate(dict(verify_statement(token, {"keys": [public]}, table).payload))
        if statement.who.node != node:
            raise TableDiffers("the statement is another node's")
        return statement


def _answers(statement: Statement, message: CellsQuestion, dataset: BoundDataset) -> bool:
    """Whether a statement is about this question, put for this body under this agreement."""
    authority = statement.authority
    return (
        statement.context.sql == message.sql
        and statement.context.purpose == message.purpose
        and authority.recipient.id == message.body
        and authority.agreement.id == message.agreement
        and [subject.dataset for subject in statement.about_whom] == [dataset.held.location]
    )


def reference_of(error: Exception) -> str:
    fault = getattr(error, "fault", None)
    return str(fault) if fault is not None else str(getattr(error, "code", "statement_malformed"))
