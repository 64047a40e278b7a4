"""The envelope of a message: a JSON Web Signature (RFC 7515) over canonical JSON that names its parties and its time.

The payload of ``federation-message/1`` has these members and no other:

===============  ==================================================================================
``format``       ``federation-message/1``; another number is another version
``id``           ``msg_`` and 30 hexadecimal digits, never used again
``kind``         what it asks, or answers (``MessageKind``)
``issuer``       the node that signed it; the key is that of this peer
``audience``     the node that it is for
``issued_at``    UTC, ISO 8601 with microseconds and Z
``expires_at``   likewise, at most an hour later
``in_reply_to``  the id of the question that it answers; null for a question
``body``         an object, as its kind has it
===============  ==================================================================================

Here is what can be said of a message without a database; that it was never seen before is said by
``federation.wire.correspondence``.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, NoReturn

from joserfc import jws
from joserfc.errors import JoseError

from federation.client.digest import canonical_json
from federation.client.verify import ALGORITHM
from federation.release.keys import SigningKey
from federation.wire.peers import Peers

FORMAT = "federation-message/1"
MESSAGE_TYPE = "federation-message+jws"
LONGEST_LIFE = timedelta(hours=1)

_ID = re.compile(r"msg_[0-9a-f]{30}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", re.ASCII)
_TOKEN = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+", re.ASCII)
_VERSIONED = re.compile(r"federation-message/[0-9]{1,9}")
MEMBERS = {
    *("format", "id", "kind", "issuer", "audience"),
    *("issued_at", "expires_at", "in_reply_to", "body"),
}


class MessageFault(StrEnum):
    """Why a message is not accepted. Decided in this order, so that nothing unsigned is read any further."""

    TOO_LARGE = "message_too_large"
    MALFORMED = "message_malformed"
    UNKNOWN_SENDER = "message_sender_unknown"
    BAD_SIGNATURE = "message_signature_invalid"
    VERSION = "message_version_unknown"
    WRONG_AUDIENCE = "message_for_another_node"
    EXPIRED = "message_expired"
    FROM_THE_FUTURE = "message_from_the_future"
    WRONG_ANSWER = "message_answers_another"
    REPLAYED = "message_seen_before"

    @property
    def meaning(self) -> str:
        return _MEANINGS[self]


_MEANINGS = {
    MessageFault.TOO_LARGE: "the message is larger than this node takes",
    MessageFault.MALFORMED: "this is no message",
    MessageFault.UNKNOWN_SENDER: "the message was signed with the key of nobody that this node knows",
    MessageFault.BAD_SIGNATURE: "the signature does not fit the message",
    MessageFault.VERSION: f"this node speaks {FORMAT} and no other version",
    MessageFault.WRONG_AUDIENCE: "the message is for another node",
    MessageFault.EXPIRED: "the message has expired, or the clocks of the two nodes differ",
    MessageFault.FROM_THE_FUTURE: "the clocks of the two nodes differ",
    MessageFault.WRONG_ANSWER: "the message answers something else, or asks where an answer is expected",
    MessageFault.REPLAYED: "the message was seen before",
}


class MessageRefused(Exception):
    """A message is not accepted, and nothing of it may be relied on."""

    def __init__(self, fault: MessageFault) -> None:
        super().__init__(fault.meaning)
        self.fault = fault


@dataclass(frozen=True, slots=True)
class Message:
    """A message as signed. ``kind`` is a text: it may come from a newer node."""

    id: str
    kind: str
    issuer: str
    audience: str
    issued_at: datetime
    expires_at: datetime
    in_reply_to: str | None
    body: Mapping[str, Any]


def new_message_id() -> str:
    """An id that nobody can guess."""
    return f"msg_{secrets.token_hex(15)}"


def seal(message: Message, key: SigningKey) -> str:
    """The message as a JWS in compact serialisation.

    Raises:
        ValueError: the body holds what JSON has no words for.
    """
    payload = {
        "format": FORMAT,
        "id": message.id,
        "kind": str(message.kind),
        "issuer": message.issuer,
        "audience": message.audience,
        "issued_at": _text(message.issued_at),
        "expires_at": _text(message.expires_at),
        "in_reply_to": message.in_reply_to,
        "body": dict(message.body),
    }
    return key.sign(canonical_json(payload), MESSAGE_TYPE)


def unseal(
    token: str, peers: Peers, *, audience: str, now: datetime, skew: timedelta, largest: int
) -> Message:
    """The message in ``token``, if a peer signed it for ``audience`` and it is in force.

    Args:
        skew: by how much the clocks of two nodes may differ.
        largest: bytes that a token may have.

    Raises:
        MessageRefused: with the fault.
    """
    if len(token) > largest:
        raise MessageRefused(MessageFault.TOO_LARGE)
    payload, issuer = _verified(token, peers, largest)
    message = _message(payload)
    if message.issuer != issuer:
        raise MessageRefused(MessageFault.BAD_SIGNATURE)
    if message.audience != audience:
        raise MessageRefused(MessageFault.WRONG_AUDIENCE)
    if message.expires_at <= now - skew:
        raise MessageRefused(MessageFault.EXPIRED)
    if message.issued_at > now + skew:
        raise MessageRefused(MessageFault.FROM_THE_FUTURE)
    return message


def _verified(token: str, peers: Peers, largest: int) -> tuple[dict[str, Any], str]:
    """The payload, and the peer whose key signed it."""
    if not _TOKEN.fullmatch(token):
        raise MessageRefused(MessageFault.MALFORMED)
    registry = jws.JWSRegistry(algorithms=[ALGORITHM])
    registry.max_payload_length = largest
    try:
        signed = jws.extract_compact(token.encode(), registry=registry)
        header = signed.headers()
        if set(header) != {"alg", "kid", "typ"} or header["typ"] != MESSAGE_TYPE:
            raise MessageRefused(MessageFault.MALFORMED)
        peer = peers.by_key(header["kid"])
        if peer is None:
            raise MessageRefused(MessageFault.UNKNOWN_SENDER)
        genuine = jws.validate_compact(signed, peers.key_of(peer), registry=registry)
    except (JoseError, ValueError, KeyError, TypeError, RecursionError):
        raise MessageRefused(MessageFault.MALFORMED) from None
    if not genuine:
        raise MessageRefused(MessageFault.BAD_SIGNATURE)
    return _canonical(signed.payload), peer.name


def _canonical(content: bytes) -> dict[str, Any]:
    """The object in canonical JSON: one message has one text, with no member twice and no number that is none."""
    try:
        payload = json.loads(content, parse_constant=_no_number)
        same = canonical_json(payload) == content
    except (ValueError, RecursionError):
        same = False
    if not same or not isinstance(payload, dict):
        raise MessageRefused(MessageFault.MALFORMED)
    return payload


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _message(payload: dict[str, Any]) -> Message:
    version = payload.get("format")
    if version != FORMAT:
        known = isinstance(version, str) and _VERSIONED.fullmatch(version)
        raise MessageRefused(MessageFault.VERSION if known else MessageFault.MALFORMED)
    texts = ("id", "kind", "issuer", "audience", "issued_at", "expires_at")
    reply = payload.get("in_reply_to")
    if (
        set(payload) != MEMBERS
        or not all(isinstance(payload[name], str) for name in texts)
        or not isinstance(payload["body"], dict)
        or not _ID.fullmatch(payload["id"])
        or not (reply is None or (isinstance(reply, str) and _ID.fullmatch(reply)))
    ):
        raise MessageRefused(MessageFault.MALFORMED)
    issued, expires = _time(payload["issued_at"]), _time(payload["expires_at"])
    if not issued < expires <= issued + LONGEST_LIFE:
        raise MessageRefused(MessageFault.MALFORMED)
    return Message(
        id=payload["id"],
        kind=payload["kind"],
        issuer=payload["issuer"],
        audience=payload["audience"],
        issued_at=issued,
        expires_at=expires,
        in_reply_to=reply,
        body=payload["body"],
    )


def _text(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _time(text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text) if _TIME.fullmatch(text) else None
    except ValueError:
        time = None
    if time is None or not datetime(2000, 1, 1, tzinfo=UTC) < time < datetime(9000, 1, 1, tzinfo=UTC):
        raise MessageRefused(MessageFault.MALFORMED)
    return time
