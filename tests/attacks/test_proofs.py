"""Whoever has something to hide makes proofs say something else: edited exports, statements signed by old keys."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest

from federation.audit.chain import ChainLink, append, events, head
from federation.audit.checkpoint import sign_checkpoint, verify_checkpoint
from federation.audit.events import AuditAction, AuditEvent, Detail, event_hash
from federation.audit.export import ExportUnreadable, line_of, verify_export
from federation.client.verify import VerificationError, VerificationFault, verify_statement
from federation.release.keys import SigningKey, rotate
from federation.release.statement import sign_statement
from federation.state.database import Database
from tests.support.statements import NOON, statement

Lines = list[bytes]
LENGTH = 6


@pytest.fixture
def export(tmp_path: Path) -> Iterator[tuple[Lines, ChainLink]]:
    """An export as a node gives it, and a checkpoint of before."""
    database = Database.open(tmp_path / "state.sqlite")
    with database.write() as session:
        for number in range(LENGTH - 1):
            append(
                session,
                AuditEvent("ann", AuditAction.RELEASE_FETCHED, f"rel_{number}", NOON, {Detail.CELLS: 1}),
            )
        checkpoint = head(session)
        append(session, AuditEvent("ada", AuditAction.AUDIT_EXPORTED, "node", NOON))
        yield [line_of(record) for record in events(session)], checkpoint
    database.close()


def _rewritten(lines: Lines) -> Lines:
    """Everything from the third event on made anew, hashes too, as somebody with the software can."""
    made, previous = lines[:2], json.loads(lines[1])["hash"]
    for line in lines[2:]:
        fields = json.loads(line) | {"previous": previous}
        fields["actor"] = fields["actor"].replace("ann", "eve")
        del fields["hash"]
        previous = event_hash(**fields)
        made.append(json.dumps(fields | {"hash": previous}, sort_keys=True, separators=(",", ":")).encode())
    return made


def _twice(lines: Lines) -> Lines:
    """A member twice: the last one counts for a parser, the first for whoever reads the file."""
    return [lines[0].replace(b'{"action"', b'{"actor":"eve","action"'), *lines[1:]]


SEEN: dict[str, Callable[[Lines], Lines]] = {
    "an event edited": lambda lines: [lines[0].replace(b"ann", b"eve"), *lines[1:]],
    "an event removed": lambda lines: lines[:2] + lines[3:],
    "the first removed": lambda lines: lines[1:],
    "two swapped": lambda lines: [lines[1], lines[0], *lines[2:]],
    "one repeated": lambda lines: [lines[0], *lines],
    "the end cut off": lambda lines: lines[:-1],
    "more cut off": lambda lines: lines[:2],
    "nothing left": lambda lines: [],
    "a member twice": _twice,
    "another order of members": lambda lines: [
        json.dumps(dict(reversed(json.loads(lines[0]).items())), separators=(",", ":")).encode(), *lines[1:]
    ],
    "a number as truth": lambda lines: [lines[0].replace(b'"sequence":1', b'"sequence":true'), *lines[1:]],
    "an empty line": lambda lines: [*lines, b""],
    "a word after it": lambda lines: [*lines, b"fine"],
}  # fmt: skip


@pytest.mark.parametrize("what", SEEN)
def test_an_export_that_was_tampered_with_is_found_without_a_checkpoint(
    export: tuple[Lines, ChainLink], what: str
) -> None:
    lines, _ = export
    assert verify_export(lines).whole
    with suppress(ExportUnreadable):
        assert not verify_export(SEEN[what](lines)).whole


def test_an_export_written_anew_is_found_by_a_checkpoint(export: tuple[Lines, ChainLink]) -> None:
    lines, checkpoint = export
    assert verify_export(lines, checkpoint).whole
    assert verify_export(_rewritten(lines)).whole, "nothing in it shows that"
    assert not verify_export(_rewritten(lines), checkpoint).whole


def fault_of(token: str, jwks: dict[str, object]) -> VerificationFault | None:
    try:
        verify_statement(token, jwks)
    except VerificationError as error:
        return error.fault
    return None


def test_a_retired_key_signs_nothing_later_than_its_end(tmp_path: Path) -> None:
    old = SigningKey.load(tmp_path, {}, first_start=True)
    before, after = statement(), statement()
    after = after.model_copy(
        update={"when": after.when.model_copy(update={"released_at": NOON + timedelta(seconds=1)})}
    )
    rotate(tmp_path, NOON)
    published = SigningKey.load(tmp_path, {}, first_start=False).public_jwks()
    assert fault_of(sign_statement(before, old), published) is None
    assert fault_of(sign_statement(after, old), published) is VerificationFault.RETIRED_KEY
    assert fault_of(sign_statement(after, old), old.public_jwks()) is None, "the key was in use then"
    early, late = (
        sign_checkpoint("node", ChainLink(3, "0" * 64), NOON + timedelta(days=n), old) for n in (0, 1)
    )
    assert verify_checkpoint(early, published).sequence == 3
    with pytest.raises(VerificationError, match="after its key was retired"):
        verify_checkpoint(late, published)


@pytest.mark.parametrize(
    "when", [None, {}, {"released_at": 5}, {"released_at": "2026-01-01T00:00:00"}, "noon"]
)
def test_what_a_retired_key_signed_without_a_time_is_no_statement(tmp_path: Path, when: object) -> None:
    old = SigningKey.load(tmp_path, {}, first_start=True)
    rotate(tmp_path, NOON)
    published = SigningKey.load(tmp_path, {}, first_start=False).public_jwks()
    payload = json.dumps(statement().model_dump(mode="json") | {"when": when}).encode()
    assert fault_of(old.sign(payload, "federation-statement+jws"), published) is VerificationFault.MALFORMED


def test_a_key_that_was_taken_out_verifies_nothing_and_none_is_smuggled_in(tmp_path: Path) -> None:
    old = SigningKey.load(tmp_path, {}, first_start=True)
    rotate(tmp_path, NOON)
    now = SigningKey.load(tmp_path, {}, first_start=False)
    without = {"keys": now.public_jwks()["keys"][:1]}
    token = sign_statement(statement(), old)
    assert fault_of(token, without) is VerificationFault.UNKNOWN_KEY
    header, payload, signature = token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(header + "=="))
    for change in ({"kid": now.key_id}, {"kid": None}, {"jwk": old.public_jwks()["keys"][0]}):
        forged = base64.urlsafe_b64encode(json.dumps(claims | change).encode()).rstrip(b"=").decode()
        assert fault_of(f"{forged}.{payload}.{signature}", now.public_jwks()) is not None
