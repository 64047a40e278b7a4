"""What all nodes of a joint count must agree on before any of them gives a number, and how each says so."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from federation.client.digest import canonical_json
from federation.client.verify import ALGORITHM
from federation.release.keys import SigningKey

Mask = npt.NDArray[np.bool_]

MINIMUM_NODES = 3
"""With two, each would learn the other's part from the total."""

ANSWER_TYPE = "federation-joint+jws"
LARGEST_ANSWER = 1 << 20

Digest = Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")]
Key = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{43}$")]


class SessionError(Exception):
    """What the nodes say does not fit together. ``code`` is stable, and nothing of what they said stands in it;
    ``node`` is the one whose answer it is about, where it is about one."""

    def __init__(self, code: str, node: str | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.node = node


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Seated(Part):
    """A node that takes part, with its public keys (``x`` of the JSON Web Keys)."""

    node: str
    signing_key: Key
    exchange_key: Key


class Roster(Part):
    """Who takes part, in the order of their names, so that no order of asking makes another roster."""

    seats: Annotated[tuple[Seated, ...], Field(min_length=MINIMUM_NODES)]

    @model_validator(mode="after")
    def _in_order(self) -> Roster:
        names = [seat.node for seat in self.seats]
        if names != sorted(set(names)):
            raise ValueError("a roster names each node once, in the order of their names")
        for keys in (self.exchange_keys, [seat.signing_key for seat in self.seats]):
            # Of two nodes with one key the masks would be the same: between them, a third's would cancel.
            if len(set(keys)) != len(names):
                raise ValueError("every node of a roster has keys of its own")
        return self

    @property
    def digest(self) -> str:
        return _digest(self.model_dump(mode="json"))

    @property
    def exchange_keys(self) -> tuple[str, ...]:
        return tuple(seat.exchange_key for seat in self.seats)

    def position(self, node: str) -> int:
        """The node's place.

        Raises:
            SessionError: it has none.
        """
        for position, seat in enumerate(self.seats):
            if seat.node == node:
                return position
        raise SessionError("joint_roster_lacks_node")


class Terms(Part):
    """What a joint count stands on, as one node has it: the same at all nodes, or there is none.

    ``question`` is the digest of the canonical cells and code lists as the node's own compiler reads the SQL,
    ``population`` the series, reference period and unit;
    ``noise`` shows that nodes share a noise secret, and not which; ``profile`` is the digest of the disclosure profile.
    """

    question: Digest
    population: tuple[str, str, str]
    profile: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    noise: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    key_epoch: Annotated[int, Field(ge=1)]
    counts: Annotated[int, Field(ge=0)]


class EligibilityAnswer(Part):
    """Round A: where a node by itself would publish, of which snapshot, for which roster. ``publishes`` has one bit a
    count, packed, in base64; ``share`` binds the node to its counts and keys (``masks.commitment``); ``release`` is the
    release at the node that holds the same bits as a table."""

    format: Literal["federation-joint/1"] = "federation-joint/1"
    node: str
    roster: Digest
    terms: Terms
    snapshot: str
    share: Digest
    release: str
    publishes: str

    @classmethod
    def of(
        cls,
        node: str,
        roster: Roster,
        terms: Terms,
        snapshot: str,
        share: str,
        release: str,
        publishes: Mask,
    ) -> EligibilityAnswer:
        bits = base64.b64encode(np.packbits(publishes).tobytes()).decode()
        return cls(
            node=node,
            roster=roster.digest,
            terms=terms,
            snapshot=snapshot,
            share=share,
            release=release,
            publishes=bits,
        )

    @property
    def mask(self) -> Mask:
        """Raises SessionError where there are not as many bits as counts."""
        try:
            packed = np.frombuffer(base64.b64decode(self.publishes, validate=True), dtype=np.uint8)
        except ValueError:
            raise SessionError("joint_answer_unreadable", self.node) from None
        if packed.size != -(-self.terms.counts // 8):
            raise SessionError("joint_answer_unreadable", self.node)
        return np.unpackbits(packed, count=self.terms.counts).astype(np.bool_)

    def signed(self, key: SigningKey) -> str:
        return key.sign(canonical_json(self.model_dump(mode="json")), ANSWER_TYPE)


class Session(Part):
    """One joint count: who takes part, and what each answered in round A, in the order of the roster."""

    roster: Roster
    answers: tuple[EligibilityAnswer, ...]

    @classmethod
    def verified(cls, roster: Roster, signed: Sequence[str]) -> Session:
        """The session that signed answers make.

        Raises:
            SessionError: an answer is missing, unreadable, not signed by its node, for another roster, or on other
                terms.
        """
        if len(signed) != len(roster.seats):
            raise SessionError("joint_answers_missing")
        answers = tuple(_opened(text, seat) for text, seat in zip(signed, roster.seats, strict=True))
        for answer, seat in zip(answers, roster.seats, strict=True):
            if answer.node != seat.node or answer.roster != roster.digest:
                raise SessionError("joint_answer_of_another_roster", seat.node)
            if answer.terms != answers[0].terms:
                raise SessionError("joint_terms_differ", seat.node)
        session = cls(roster=roster, answers=answers)
        session.publishes  # noqa: B018 - raises here, where it is expected, and not later
        return session

    @property
    def terms(self) -> Terms:
        return self.answers[0].terms

    @property
    def snapshots(self) -> Mapping[str, str]:
        return {answer.node: answer.snapshot for answer in self.answers}

    @property
    def publishes(self) -> list[Mask]:
        return [answer.mask for answer in self.answers]

    @property
    def digest(self) -> str:
        """Over roster, terms, snapshots, shares and what everybody would publish, and so over the cells that are given.

        The releases' ids are left out: a question that is asked again is the same session, with the same masks.
        """
        answers = [answer.model_dump(mode="json", exclude={"release"}) for answer in self.answers]
        return _digest({"roster": self.roster.model_dump(mode="json"), "answers": answers})

    @property
    def binding(self) -> bytes:
        return self.digest.encode()


def _opened(signed: str, seat: Seated) -> EligibilityAnswer:
    if len(signed) > LARGEST_ANSWER:
        raise SessionError("joint_answer_unreadable", seat.node)
    try:
        public = OKPKey.import_key({"kty": "OKP", "crv": "Ed25519", "x": seat.signing_key})
        opened = jws.deserialize_compact(signed, public, algorithms=[ALGORITHM])
        if opened.headers().get("typ") != ANSWER_TYPE:
            raise SessionError("joint_answer_not_signed", seat.node)
        return EligibilityAnswer.model_validate(json.loads(opened.payload))
    except (JoseError, ValueError, TypeError, ValidationError, RecursionError):
        raise SessionError("joint_answer_not_signed", seat.node) from None


def _digest(value: object) -> str:
    return f"sha256:{hashlib.sha256(canonical_json(value)).hexdigest()}"
