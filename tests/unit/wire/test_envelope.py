"""What is accepted as a message, what is not and why, and that the format stays what it is."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc import jws
from joserfc.jwk import OctKey, OKPKey

from federation.client.digest import canonical_json
from federation.release.keys import SigningKey
from federation.settings import PeerSettings
from federation.wire.channel import MessageKind
from federation.wire.envelope import (
    FORMAT,
    MESSAGE_TYPE,
    Message,
    MessageFault,
    MessageRefused,
    new_message_id,
    seal,
    unseal,
)
from federation.wire.exchange_key import ExchangeKey
from federation.wire.peers import Peers
from tests.support.wire import LARGEST, SKEW, public_part

NOW = datetime(2026, 1, 5, 9, 0, 30, tzinfo=UTC)
VECTOR = json.loads((Path(__file__).parent / "message-1.json").read_text("utf-8"))
ENGLAND, WALES, STRANGER = (SigningKey.generate() for _ in range(3))


def peers(**keys: SigningKey) -> Peers:
    return Peers(
        {
            name: PeerSettings(
                title=name.title(), signing_key=public_part(key), exchange_key=ExchangeKey.generate().public
            )
            for name, key in keys.items()
        }
    )


KNOWN = peers(england=ENGLAND, wales=WALES)


def message(**changes: Any) -> Message:
    asked = Message(
        id=new_message_id(),
        kind=MessageKind.CELLS,
        issuer="england",
        audience="hub",
        issued_at=NOW,
        expires_at=NOW + timedelta(minutes=5),
        in_reply_to=None,
        body={"sql": "SELECT count(*) FROM people"},
    )
    return replace(asked, **changes)


def opened(token: str, now: datetime = NOW, largest: int = LARGEST, known: Peers = KNOWN) -> Message:
    return unseal(token, known, audience="hub", now=now, skew=SKEW, largest=largest)


def fault(token: str, **how: Any) -> MessageFault:
    with pytest.raises(MessageRefused) as refused:
        opened(token, **how)
    return refused.value.fault


def signed(payload: bytes, key: SigningKey = ENGLAND, typ: str = MESSAGE_TYPE) -> str:
    return key.sign(payload, typ)


def payload(**changes: Any) -> dict[str, Any]:
    """The members of a sound message, some of them changed; None takes one away."""
    token = seal(message(), ENGLAND)
    middle = token.split(".")[1]
    members = json.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))
    return {name: value for name, value in (members | changes).items() if value is not ...}


def test_what_was_sealed_is_what_is_read() -> None:
    asked = message()
    assert opened(seal(asked, ENGLAND)) == asked


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(st.text(), JSON, max_size=4))
def test_every_body_of_json_comes_back_as_it_was(body: dict[str, Any]) -> None:
    assert opened(seal(message(body=body), ENGLAND)).body == body


def test_the_format_is_the_one_that_was_fixed() -> None:
    """Two versions of the software that both speak federation-message/1 understand each other."""
    key = SigningKey(OKPKey.import_key(VECTOR["private_key"]))
    known = peers(england=key)
    assert key.key_id == VECTOR["key_id"] == known["england"].key_id
    read = opened(VECTOR["token"], known=known)
    assert {**VECTOR["payload"], "format": FORMAT} == VECTOR["payload"]
    assert (read.id, read.kind, read.issuer) == (VECTOR["payload"]["id"], "cells", "england")
    assert read.body == VECTOR["payload"]["body"]
    assert read.expires_at - read.issued_at == timedelta(minutes=5)
    assert seal(read, key) == VECTOR["token"]


def test_no_algorithm_is_no_signature() -> None:
    def part(value: object) -> str:
        return base64.urlsafe_b64encode(canonical_json(value)).decode().rstrip("=")

    header = {"alg": "none", "kid": ENGLAND.key_id, "typ": MESSAGE_TYPE}
    assert fault(f"{part(header)}.{part(payload())}.") is MessageFault.MALFORMED
    assert fault(f"{part(header)}.{part(payload())}.AA") is MessageFault.MALFORMED


def test_a_public_key_is_no_password() -> None:
    """The classic confusion: a MAC under the bytes of the public key."""
    public = public_part(ENGLAND)
    header = {"alg": "HS256", "kid": ENGLAND.key_id, "typ": MESSAGE_TYPE}
    token = jws.serialize_compact(header, canonical_json(payload()), OctKey.import_key(public))
    assert fault(token) is MessageFault.MALFORMED


@pytest.mark.parametrize(
    "extra", [{"jwk": {"kty": "OKP"}}, {"jku": "https://example.org"}, {"crit": ["exp"]}]
)
def test_a_header_names_algorithm_key_and_type_and_no_more(extra: dict[str, Any]) -> None:
    header = {"alg": "Ed25519", "kid": ENGLAND.key_id, "typ": MESSAGE_TYPE, **extra}
    first = base64.urlsafe_b64encode(canonical_json(header)).decode().rstrip("=")
    _, *rest = seal(message(), ENGLAND).split(".")
    assert fault(".".join((first, *rest))) is MessageFault.MALFORMED


def test_a_peer_does_not_speak_for_another() -> None:
    assert fault(seal(message(issuer="wales"), ENGLAND)) is MessageFault.BAD_SIGNATURE
    # The key id of one, the signature of the other.
    header, middle, _ = seal(message(), ENGLAND).split(".")
    stolen = WALES.sign(canonical_json(payload()), MESSAGE_TYPE).split(".")[2]
    assert fault(f"{header}.{middle}.{stolen}") is MessageFault.BAD_SIGNATURE


def test_a_stranger_is_told_so() -> None:
    assert fault(seal(message(), STRANGER)) is MessageFault.UNKNOWN_SENDER
    assert fault(seal(message(issuer="scotland"), STRANGER)) is MessageFault.UNKNOWN_SENDER
    assert fault(seal(message(), ENGLAND), known=peers()) is MessageFault.UNKNOWN_SENDER


def test_it_is_for_the_node_that_it_names() -> None:
    assert fault(seal(message(audience="wales"), ENGLAND)) is MessageFault.WRONG_AUDIENCE


def test_it_is_in_force_from_then_to_then_and_clocks_may_differ_a_little() -> None:
    token = seal(message(), ENGLAND)
    end = NOW + timedelta(minutes=5) + SKEW
    assert opened(token, now=end - timedelta(microseconds=1))
    assert fault(token, now=end) is MessageFault.EXPIRED
    assert opened(token, now=NOW - SKEW)
    assert fault(token, now=NOW - SKEW - timedelta(microseconds=1)) is MessageFault.FROM_THE_FUTURE


def test_every_changed_byte_is_noticed() -> None:
    token = seal(message(), ENGLAND)
    for place in range(0, len(token), 7):
        if token[place] == ".":
            continue
        other = "A" if token[place] != "A" else "B"
        assert fault(f"{token[:place]}{other}{token[place + 1 :]}") in (
            MessageFault.BAD_SIGNATURE,
            MessageFault.MALFORMED,
            MessageFault.UNKNOWN_SENDER,
        ), place


def test_what_else_was_signed_with_the_key_is_no_message() -> None:
    assert fault(signed(canonical_json(payload()), typ="federation-statement+jws")) is MessageFault.MALFORMED


def test_another_version_is_told_which_is_spoken() -> None:
    for version in ("federation-message/2", "federation-message/10"):
        token = signed(canonical_json({"format": version, "anything": 1}))
        assert fault(token) is MessageFault.VERSION
    assert FORMAT in MessageFault.VERSION.meaning
    assert fault(signed(canonical_json(payload(format="federation-message/x")))) is MessageFault.MALFORMED


def test_it_is_measured_before_it_is_read() -> None:
    token = seal(message(body={"x": "y" * 10_000}), ENGLAND)
    assert opened(token, largest=len(token))
    assert fault(token, largest=len(token) - 1) is MessageFault.TOO_LARGE


def test_one_larger_than_the_library_allows_by_itself_is_read() -> None:
    body = {"table": "A" * 2_000_000}
    assert opened(seal(message(body=body), ENGLAND)).body == body


CONTENTS: dict[str, Callable[[], bytes]] = {
    "not json": lambda: b"no JSON",
    "not text": lambda: b"\xff\xfe",
    "nothing": lambda: b"{}",
    "a list": lambda: b"[]",
    "deep": lambda: b"[" * 100_000,
    "spaces": lambda: json.dumps(payload()).encode(),
    "twice": lambda: canonical_json(payload()).replace(b'"kind":', b'"kind":"ping","kind":'),
    "not a number": lambda: canonical_json(payload(body={"x": 1})).replace(b'"x":1', b'"x":NaN'),
    "a huge number": lambda: canonical_json(payload(body={"x": 1})).replace(b'"x":1', b'"x":' + b"9" * 5000),
    "another member": lambda: canonical_json(payload(more=1)),
    "a member less": lambda: canonical_json(payload(in_reply_to=...)),
    "a number as id": lambda: canonical_json(payload(id=1)),
    "another id": lambda: canonical_json(payload(id="../../etc/passwd")),
    "a body that is a list": lambda: canonical_json(payload(body=[])),
    "a text as time": lambda: canonical_json(payload(issued_at="yesterday")),
    "a time without a zone": lambda: canonical_json(payload(issued_at="2026-01-05T09:00:30.000000")),
    "no such day": lambda: canonical_json(payload(issued_at="2026-02-30T09:00:30.000000Z")),
    "the first year": lambda: canonical_json(payload(issued_at="0001-01-01T00:00:00.000000Z")),
    "the last year": lambda: canonical_json(payload(expires_at="9999-12-31T23:59:59.999999Z")),
    "an end before its begin": lambda: canonical_json(payload(expires_at="2026-01-05T08:00:00.000000Z")),
    "in force too long": lambda: canonical_json(payload(expires_at="2026-01-05T10:00:31.000000Z")),
    "an answer to nothing": lambda: canonical_json(payload(in_reply_to="")),
}


@pytest.mark.parametrize("name", list(CONTENTS))
def test_what_is_no_message_is_none_however_well_signed(name: str) -> None:
    assert fault(signed(CONTENTS[name]())) is MessageFault.MALFORMED


@pytest.mark.parametrize("token", ["", "..", "a.b.c", "ä.b.c", "a.b.c.d", "{}", "\n", "a" * 1000, "a.b.c\n"])
def test_what_is_no_token_is_none(token: str) -> None:
    assert fault(token) is MessageFault.MALFORMED


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet="abAB01-_.é\n", max_size=60))
def test_no_text_is_worse_than_refused(token: str) -> None:
    assert fault(token) is MessageFault.MALFORMED


def test_no_message_can_be_written_that_json_has_no_words_for() -> None:
    with pytest.raises(ValueError, match="JSON"):
        seal(message(body={"x": float("nan")}), ENGLAND)


def test_every_fault_says_what_is_wrong() -> None:
    assert all(each.meaning for each in MessageFault)
