"""Whatever other nodes send as their answers: a session that all signed, or a SessionError."""

from __future__ import annotations

import base64
import json
import pickle
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import OKPKey
from pydantic import ValidationError

from federation.client.digest import canonical_json
from federation.masked.masks import MaskError, Seat, commitment
from federation.masked.session import (
    ANSWER_TYPE,
    EligibilityAnswer,
    Roster,
    Seated,
    Session,
    SessionError,
    Terms,
)
from federation.release.keys import SigningKey
from federation.wire.exchange_key import ExchangeKey
from policies.protect.joint import Share

KEYS = [SigningKey(OKPKey.generate_key("Ed25519")) for _ in range(3)]
ROSTER = Roster(
    seats=tuple(
        Seated(node=name, signing_key=key.public_x, exchange_key=ExchangeKey.generate().public)
        for name, key in zip("abc", KEYS, strict=True)
    )
)
DIGEST = f"sha256:{'0' * 64}"
TERMS = Terms(
    question=DIGEST, population=("s", "p", "u"), profile="0" * 64, noise="0" * 64, key_epoch=1, counts=9
)
MASK = np.arange(9) % 2 == 0


def answer(by: str, **changes: Any) -> dict[str, Any]:
    whole = EligibilityAnswer.of(by, ROSTER, TERMS, "snapshot", DIGEST, "rel_1", MASK)
    return whole.model_dump(mode="json") | changes


def signed(changed: object) -> list[str]:
    """Answers of all three, the second being whatever it is, with a true signature."""
    contents = [answer("a"), changed, answer("c")]
    return [
        key.sign(json.dumps(each).encode(), ANSWER_TYPE) for key, each in zip(KEYS, contents, strict=True)
    ]


@pytest.mark.parametrize("name", ["exchange_key", "signing_key"])
def test_two_nodes_of_a_roster_never_have_one_key(name: str) -> None:
    """What the node between them adds for one it takes away for the other, so that its counts would be bare."""
    first, second, third = ROSTER.seats
    same = third.model_copy(update={name: getattr(first, name)})
    with pytest.raises(ValidationError, match="keys of its own"):
        Roster(seats=(first, second, same))


def test_what_all_signed_is_a_session() -> None:
    session = Session.verified(ROSTER, signed(answer("b")))
    assert session.snapshots == dict.fromkeys("abc", "snapshot")
    assert all(mask.tolist() == MASK.tolist() for mask in session.publishes)
    again = Session.verified(ROSTER, signed(answer("b", release="rel_2")))
    assert again.digest == session.digest
    for change in ({"share": f"sha256:{'1' * 64}"}, {"snapshot": "other"}):
        assert Session.verified(ROSTER, signed(answer("b", **change))).digest != session.digest


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"publishes": "é"}, "joint_answer_unreadable"),
        ({"publishes": "AA=="}, "joint_answer_unreadable"),
        ({"publishes": "AAAA"}, "joint_answer_unreadable"),
        ({"node": "c"}, "joint_answer_of_another_roster"),
        ({"roster": DIGEST}, "joint_answer_of_another_roster"),
        ({"terms": TERMS.model_dump(mode="json") | {"counts": 10**30}}, "joint_terms_differ"),
        ({"format": "federation-joint/2"}, "joint_answer_not_signed"),
        ({"more": 1}, "joint_answer_not_signed"),
    ],
)
def test_an_answer_that_does_not_fit_names_its_node(changes: dict[str, Any], code: str) -> None:
    with pytest.raises(SessionError) as found:
        Session.verified(ROSTER, signed(answer("b", **changes)))
    assert (found.value.code, found.value.node) == (code, "b")


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
anything = st.recursive(
    scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8
)
members = st.sampled_from(sorted(answer("b")))


@given(members, anything)
def test_a_signed_answer_with_anything_in_it_is_a_session_or_an_error(name: str, value: object) -> None:
    with suppress(SessionError):
        Session.verified(ROSTER, signed(answer("b") | {name: value}))


@given(st.text() | st.binary().map(lambda raw: ".".join([base64.urlsafe_b64encode(raw).decode()] * 3)))
def test_a_text_that_nobody_signed_is_an_error(text: str) -> None:
    whole = signed(answer("b"))
    with pytest.raises(SessionError, match="joint_answer_not_signed"):
        Session.verified(ROSTER, [whole[0], text, whole[2]])


def test_an_answer_of_too_many_brackets_is_an_error() -> None:
    whole = signed(answer("b"))
    deep = KEYS[1].sign(b"[" * 100_000, ANSWER_TYPE)
    with pytest.raises(SessionError, match="joint_answer_not_signed"):
        Session.verified(ROSTER, [whole[0], deep, whole[2]])


def test_something_else_that_a_node_signed_is_no_answer() -> None:
    whole = signed(answer("b"))
    other = KEYS[1].sign(canonical_json(answer("b")), "another+jws")
    with pytest.raises(SessionError, match="joint_answer_not_signed"):
        Session.verified(ROSTER, [whole[0], other, whole[2]])


@given(st.binary(max_size=200))
def test_sealed_bytes_of_anybody_are_an_error(sealed: bytes) -> None:
    own = ExchangeKey.generate()
    seat = Seat(own, [own.public, *ROSTER.exchange_keys[1:]], 0, b"session")
    with pytest.raises(MaskError):
        seat.open(sealed, 1, 3)


def test_a_share_neither_leaves_its_process_nor_shows_itself() -> None:
    share = Share(np.array([4711]), np.array([815]), np.array([True]), "snapshot")
    assert not {"4711", "815", "True"} & set(repr(share).replace("(", " ").replace("[", " ").split())
    assert "4711" not in f"{share} {share!r}"
    with pytest.raises(TypeError):
        pickle.dumps(share)
    with pytest.raises(TypeError):
        json.dumps(share)


def test_a_commitment_is_of_one_node_one_context_and_its_numbers_alone() -> None:
    own, other = ExchangeKey.generate(), ExchangeKey.generate()
    counts, keys = np.array([1, 2]), np.array([3])
    found = {
        commitment(own, b"context", counts, keys),
        commitment(other, b"context", counts, keys),
        commitment(own, b"another", counts, keys),
        commitment(own, b"context", counts, keys + 1),
        commitment(own, b"context", np.array([1]), np.array([2, 3])),
    }
    assert len(found) == 5
