"""Released answers, for those whom they were released to and those who have to account for them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from federation.audit.chain import append
from federation.audit.events import AuditAction, AuditEvent, Detail
from federation.client.verify import VerificationError, VerificationFault, verify_statement
from federation.identity.principal import Principal
from federation.identity.recorded import for_whom
from federation.release.crate import archive, to_crate
from federation.release.files import FileDamaged
from federation.release.prov import to_prov
from federation.release.statement import Statement
from federation.service.errors import ServiceCode, ServiceError
from federation.service.node import Node
from federation.service.permissions import Act, permitted
from federation.service.release_cache import ReleaseRecord
from federation.state import releases as store
from federation.state.errors import NotFound
from federation.state.requests import get_request

Encoder = Callable[[pa.Table, ReleaseRecord], bytes]


@dataclass(frozen=True, slots=True)
class About:
    """What is said beside a released table."""

    release: str
    request: str
    question: str
    source: str
    notes: list[str]
    table_digest: str


@dataclass(frozen=True, slots=True)
class VerificationView:
    """Whether this node issued a statement, and what it says. ``table_matches`` is there if a digest was given."""

    valid: bool
    fault: str | None
    message: str
    table_matches: bool | None
    statement: dict[str, object] | None


def find(node: Node, principal: Principal, release_id: str) -> ReleaseRecord:
    """The record of a release. NOT_FOUND for one that is not the reader's to see, too."""
    record = node.release_cache.record(release_id, lambda: _load(node, release_id))
    decided = permitted(principal, Act.SEE_CUSTODY) and principal.body in record.custodians
    if principal.body == record.body or decided or permitted(principal, Act.SEE_ALL):
        return record
    raise ServiceError(ServiceCode.NOT_FOUND, "there is no such release")


def content(node: Node, principal: Principal, record: ReleaseRecord, form: str, encode: Encoder) -> bytes:
    """The table as bytes, by ``encode`` the first time. The first fetch by each reader is audited before it.

    Raises:
        ServiceError: INTERNAL_ERROR, the stored file is missing or damaged.
    """
    reader = f"{principal.subject} for {principal.body}"
    if node.release_cache.first_fetch(reader, record.release):
        details = for_whom(principal) | {Detail.TABLE_DIGEST: record.table_digest}
        event = AuditEvent(
            principal.subject, AuditAction.RELEASE_FETCHED, record.release, node.clock(), details
        )
        with node.database.write() as session:
            append(session, event)
        node.release_cache.remember_fetch(reader, record.release)

    def read() -> bytes:
        try:
            table = node.files.read(record.path, record.file_digest)
        except FileDamaged:
            detail = "the stored release is missing or damaged: its operator has to restore it"
            raise ServiceError(ServiceCode.INTERNAL_ERROR, detail) from None
        return encode(table.replace_schema_metadata(None), record)

    return node.release_cache.encoded(record.release, form, read)


def about(record: ReleaseRecord) -> About:
    payload = record.payload
    titles = "; ".join(
        f"{subject['title']}, {subject['reference_period']}" for subject in payload["about_whom"]
    )
    publishers = ", ".join(body["title"] for body in payload["who"]["publishers"])
    day = str(payload["when"]["released_at"])[:10]
    source = f"{publishers}: {titles}. Released by {payload['who']['node']} on {day} ({record.release})."
    return About(
        release=record.release,
        request=record.request,
        question=payload["context"]["question"],
        source=source,
        notes=list(payload["context"]["notes"]),
        table_digest=record.table_digest,
    )


def provenance(record: ReleaseRecord) -> dict[str, Any]:
    """The statement of a release in the terms of W3C PROV-O."""
    return to_prov(Statement.model_validate(record.payload))


CRATE_FILES = {
    "answer.parquet": (
        "application/vnd.apache.parquet",
        "The released table, with its signed statement inside",
    ),
    "answer.csv": ("text/csv", "The released table; its statement is beside it"),
    "answer.csv.jws": ("application/jose", "The signed provenance statement"),
    "provenance.jsonld": ("application/ld+json", "The statement in the terms of W3C PROV-O; not signed"),
    "node-keys.json": ("application/jwk-set+json", "The keys of the node, to verify the statement with"),
}


def crate(node: Node, record: ReleaseRecord, tables: Mapping[str, bytes]) -> bytes:
    """A release as a Five Safes RO-Crate. ``tables`` are the table's files among ``CRATE_FILES``."""
    contents = {
        **tables,
        "answer.csv.jws": record.statement.encode(),
        "provenance.jsonld": _json(provenance(record)),
        "node-keys.json": _json(node.signing_key.public_jwks()),
    }
    return archive(to_crate(Statement.model_validate(record.payload), CRATE_FILES), contents)


def _json(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, indent=2, ensure_ascii=False).encode()


def verify(node: Node, statement: str, table_digest: str | None) -> VerificationView:
    """Whether this node signed ``statement`` for one of its releases, and whether it is about the table with this
    digest. Who has stolen a key signs as the node does, but what is not among its releases it has not issued."""
    try:
        payload = verify_statement(statement, node.signing_key.public_jwks()).payload
        if not issued(node, payload):
            raise VerificationError(VerificationFault.NOT_ISSUED)
    except VerificationError as error:
        return VerificationView(False, str(error.fault), str(error), None, None)
    matches = None if table_digest is None else payload["table"]["digest"] == table_digest
    message = "this node signed the statement"
    if matches is not None:
        message += " and it is about this table" if matches else ", but it is about another table"
    return VerificationView(matches is not False, None, message, matches, dict(payload))


def issued(node: Node, payload: Mapping[str, Any]) -> bool:
    """Whether a signed statement is, word for word, that of one of this node's releases."""
    try:
        with node.database.read() as session:
            kept = store.get_release(session, str(payload.get("release"))).statement
    except NotFound:
        return False
    return verify_statement(kept, node.signing_key.public_jwks()).payload == payload


def _load(node: Node, release_id: str) -> ReleaseRecord:
    try:
        with node.database.read() as session:
            release = store.get_release(session, release_id)
            request = get_request(session, release.request_id)
    except NotFound:
        raise ServiceError(ServiceCode.NOT_FOUND, "there is no such release") from None
    payload = dict(verify_statement(release.statement, node.signing_key.public_jwks()).payload)
    return ReleaseRecord(
        release=release.id,
        request=request.id,
        body=request.body,
        custodians=request.reviewers,
        table_digest=release.table_digest,
        file_digest=release.file_digest,
        path=release.path,
        statement=release.statement,
        payload=payload,
    )
