"""Offline verification of a provenance statement: all it needs is the node's public keys and the table.

A statement is a JSON Web Signature (RFC 7515, compact serialisation) with the algorithm Ed25519 (RFC 8037,
RFC 9864) whose payload names the table by its digest (``federation.client.digest``).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import pyarrow as pa
import pyarrow.csv as pa_csv
from joserfc import jws
from joserfc.errors import BadSignatureError, InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet

from federation.client.digest import DigestError, columns_of, schema_of, table_digest

ALGORITHM = "Ed25519"
STATEMENT_TYPE = "federation-statement+jws"
RELEASED_AT = ("when", "released_at")
"""Where a statement has the time at which it was signed."""
METADATA_KEY = b"federation.statement"
"""The key of the statement (JWS, ASCII) in the schema metadata of Arrow IPC and Parquet downloads."""


class VerificationFault(StrEnum):
    """Why a statement is not accepted."""

    MALFORMED = "statement_malformed"
    UNKNOWN_KEY = "statement_key_unknown"
    RETIRED_KEY = "statement_key_retired"
    BAD_SIGNATURE = "statement_signature_invalid"
    WRONG_TYPE = "statement_type_wrong"
    NOT_ISSUED = "statement_not_issued"
    MISSING = "statement_missing"
    TABLE_DIFFERS = "table_differs_from_statement"


_MESSAGES = {
    VerificationFault.MALFORMED: "this is not a signed statement",
    VerificationFault.UNKNOWN_KEY: "the statement was signed with a key that is not among the node's public keys",
    VerificationFault.RETIRED_KEY: "it says that it was signed after its key was retired: the node did not sign it",
    VerificationFault.BAD_SIGNATURE: "the signature does not fit the statement: one of them was changed",
    VerificationFault.WRONG_TYPE: "the signed object is not a provenance statement",
    VerificationFault.NOT_ISSUED: "a key of the node signed the statement, but it is of no release of the node",
    VerificationFault.MISSING: "the table carries no provenance statement",
    VerificationFault.TABLE_DIFFERS: "the table is not the one that the statement is about",
}


class VerificationError(Exception):
    """A statement, or the table beside it, is not what the node signed. ``fault`` says which."""

    def __init__(self, fault: VerificationFault) -> None:
        super().__init__(_MESSAGES[fault])
        self.fault = fault


@dataclass(frozen=True, slots=True)
class VerifiedStatement:
    """What the node with key ``kid`` signed. ``table_checked`` says whether a table was held against it."""

    payload: Mapping[str, Any]
    kid: str
    table_checked: bool


def is_token(text: str) -> bool:
    """Whether a text has the form of a JWS in compact serialisation (RFC 7515, section 7.1).

    >>> is_token("eyJh.eyJi.c2ln"), is_token("area,people")
    (True, False)
    """
    return re.fullmatch(r"[\w-]+\.[\w-]+\.[\w-]+", text, re.ASCII) is not None


def verify_jws(
    token: str, public_jwks: Mapping[str, Any], typ: str, signed_at: Sequence[str]
) -> tuple[dict[str, Any], str]:
    """The payload and key id of a token of type ``typ`` signed by one of the keys, while that was in use.

    Args:
        signed_at: the members of the payload that lead to the time of signing. It is held against ``retired_at`` of
            the key; who has stolen the key of old can write an earlier one.

    Raises:
        VerificationError: the token is malformed, of another type, not signed by one of the keys, or said to be signed
            after its key was retired.
    """
    if not is_token(token):
        raise VerificationError(VerificationFault.MALFORMED)
    try:
        keys = KeySet.import_key_set({"keys": list(public_jwks["keys"])})
        signed = jws.deserialize_compact(token, keys, algorithms=[ALGORITHM])
    except InvalidKeyIdError:
        raise VerificationError(VerificationFault.UNKNOWN_KEY) from None
    except BadSignatureError:
        raise VerificationError(VerificationFault.BAD_SIGNATURE) from None
    except (JoseError, ValueError, KeyError, TypeError):
        raise VerificationError(VerificationFault.MALFORMED) from None
    header = signed.headers()
    # Without a key id the library would try any key; the type keeps one kind of token from passing as another.
    if header.get("typ") != typ or not isinstance(header.get("kid"), str):
        raise VerificationError(VerificationFault.WRONG_TYPE)
    try:
        payload = json.loads(signed.payload)
    except ValueError:
        raise VerificationError(VerificationFault.MALFORMED) from None
    if not isinstance(payload, dict):
        raise VerificationError(VerificationFault.MALFORMED)
    _require_in_use(payload, public_jwks, header["kid"], signed_at)
    return payload, header["kid"]


def _require_in_use(
    payload: Mapping[str, Any], public_jwks: Mapping[str, Any], kid: str, signed_at: Sequence[str]
) -> None:
    retired = [
        key["retired_at"] for key in public_jwks["keys"] if key.get("kid") == kid and "retired_at" in key
    ]
    if not retired:
        return
    try:
        said: Any = payload
        for member in signed_at:
            said = said[member]
        late = datetime.fromisoformat(said) > min(map(datetime.fromisoformat, retired))
    except (KeyError, TypeError, ValueError):  # a time without a zone is none either
        raise VerificationError(VerificationFault.MALFORMED) from None
    if late:
        raise VerificationError(VerificationFault.RETIRED_KEY)


def verify_statement(
    token: str, public_jwks: Mapping[str, Any], table: pa.Table | None = None
) -> VerifiedStatement:
    """Check a statement's signature and, where a table is given, that it is the table the statement is about.

    Args:
        token: the statement, a JWS in compact serialisation.
        public_jwks: the node's public keys, a JWK Set (RFC 7517), obtained from the node that is trusted.
        table: the downloaded table; its columns, types, values and order of rows must be those that were signed.

    Raises:
        VerificationError: with the fault; nothing of the payload may be relied on then.
    """
    payload, kid = verify_jws(token, public_jwks, STATEMENT_TYPE, RELEASED_AT)
    if table is not None:
        signed = payload.get("table")
        try:
            held = {"columns": columns_of(table), "digest": table_digest(table), "rows": table.num_rows}
        except (DigestError, UnicodeDecodeError):  # or a column's name is no text
            raise VerificationError(VerificationFault.TABLE_DIFFERS) from None
        if not isinstance(signed, dict) or any(signed.get(key) != value for key, value in held.items()):
            raise VerificationError(VerificationFault.TABLE_DIFFERS)
    return VerifiedStatement(payload, kid, table is not None)


def embedded_statement(table: pa.Table) -> str:
    """The statement that travels in the schema metadata of a downloaded table.

    Raises:
        VerificationError: the table carries none.
    """
    token: bytes | None = (table.schema.metadata or {}).get(METADATA_KEY)
    if token is None:
        raise VerificationError(VerificationFault.MISSING)
    return token.decode("ascii", errors="replace")


def with_statement(table: pa.Table, token: str) -> pa.Table:
    """The table with ``token`` in its schema metadata, which is no part of the digest."""
    metadata = dict(table.schema.metadata or {})
    return table.replace_schema_metadata({**metadata, METADATA_KEY: token.encode("ascii")})


def table_of_csv(content: bytes, columns: Sequence[Mapping[str, str]]) -> pa.Table:
    """The table in a CSV download, with the types that the verified statement's ``table.columns`` give.

    An empty field is NULL, a quoted empty one an empty text. The table has the digest of the release, so it can be
    held against the statement with ``verify_statement``.

    Raises:
        VerificationError: TABLE_DIFFERS, a field does not have its column's type.
    """
    options = pa_csv.ConvertOptions(
        column_types=schema_of(columns),
        null_values=[""],
        strings_can_be_null=True,
        quoted_strings_can_be_null=False,
    )
    parsing = pa_csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False)
    try:
        return pa_csv.read_csv(pa.BufferReader(content), parse_options=parsing, convert_options=options)
    except pa.ArrowInvalid:
        raise VerificationError(VerificationFault.TABLE_DIFFERS) from None
