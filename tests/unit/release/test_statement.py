"""Statements: what is signed, how it is verified, and its PROV-O form."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws
from joserfc.jwk import OctKey
from pydantic import ValidationError
from rdflib import DCTERMS, RDF, Graph, Namespace, URIRef

from federation.audit.chain import ChainLink
from federation.audit.checkpoint import Checkpoint, sign_checkpoint, verify_checkpoint
from federation.client.verify import (
    STATEMENT_TYPE,
    VerificationError,
    VerificationFault,
    embedded_statement,
    verify_statement,
    with_statement,
)
from federation.release.keys import SigningKey
from federation.release.prov import to_prov
from federation.release.statement import DecisionRef, Statement, sign_statement
from tests.support.statements import DEED, NOON, TABLE, by_delegation, statement

KEY = SigningKey.generate()
REPOSITORY = Path(__file__).parents[3]
TOKEN = sign_statement(statement(), KEY)
PROV = Namespace("http://www.w3.org/ns/prov#")


def fault(
    token: str, jwks: dict[str, object] | None = None, table: pa.Table | None = None
) -> VerificationFault:
    with pytest.raises(VerificationError) as raised:
        verify_statement(token, KEY.public_jwks() if jwks is None else jwks, table)
    return raised.value.fault


def test_a_statement_says_who_about_whom_when_in_what_context_with_what_authority() -> None:
    verified = verify_statement(TOKEN, KEY.public_jwks(), TABLE)
    assert verified.table_checked
    assert verified.kid == KEY.key_id
    said = verified.payload
    assert said["who"]["custodians"][0]["title"] == "Department for Education"
    assert said["about_whom"][0]["population"] == "Learners aged 19 and over"
    assert said["when"]["reference_periods"] == ["2024/25"]
    assert said["context"]["purpose"] == "planning of courses"
    assert said["authority"]["agreement"]["legal_gateway"] == "Digital Economy Act 2017, Part 5"
    assert said["authority"]["decisions"][0]["decided_by"] == "ann"
    assert Statement.model_validate(dict(said)) == statement()


def test_without_a_table_the_signature_alone_is_checked() -> None:
    assert not verify_statement(TOKEN, KEY.public_jwks()).table_checked


def test_the_statement_travels_in_the_table_and_leaves_its_digest_alone() -> None:
    carried = with_statement(TABLE, TOKEN)
    assert verify_statement(embedded_statement(carried), KEY.public_jwks(), carried).table_checked
    with pytest.raises(VerificationError) as raised:
        embedded_statement(TABLE)
    assert raised.value.fault is VerificationFault.MISSING


def test_another_table_is_not_the_one_that_was_signed() -> None:
    changed = TABLE.set_column(1, "learners", pa.array([121, None], pa.int32()))
    unmarked = TABLE.set_column(2, "learners_status", pa.array(["", ""]))
    for other in (changed, unmarked, TABLE.slice(0, 1), TABLE.select(["area"]), pa.table({"odd": [[1]]})):
        assert fault(TOKEN, table=other) is VerificationFault.TABLE_DIFFERS


def test_another_nodes_key_is_unknown() -> None:
    assert fault(TOKEN, SigningKey.generate().public_jwks()) is VerificationFault.UNKNOWN_KEY


@given(st.data())
def test_a_changed_payload_or_signature_never_verifies(data: st.DataObject) -> None:
    header, payload, signature = TOKEN.split(".")
    if data.draw(st.booleans()):
        content = bytearray(base64.urlsafe_b64decode(payload + "=="))
        content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
        payload = base64.urlsafe_b64encode(content).rstrip(b"=").decode()
    else:
        content = bytearray(base64.urlsafe_b64decode(signature + "=="))
        content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
        signature = base64.urlsafe_b64encode(content).rstrip(b"=").decode()
    assert fault(f"{header}.{payload}.{signature}") is VerificationFault.BAD_SIGNATURE


@given(st.text(max_size=60))
def test_what_is_no_token_is_malformed(text: str) -> None:
    assert fault(text) is VerificationFault.MALFORMED


@pytest.mark.parametrize("jwks", [{}, {"keys": []}, {"keys": [{"kty": "OKP"}]}, {"keys": None}])
def test_what_are_no_keys_verify_nothing(jwks: dict[str, object]) -> None:
    assert fault(TOKEN, jwks) in {VerificationFault.MALFORMED, VerificationFault.UNKNOWN_KEY}


def test_a_public_key_is_no_shared_secret_and_no_algorithm_is_none() -> None:
    shared = OctKey.import_key(json.dumps(KEY.public_jwks()))
    header = {"alg": "HS256", "kid": KEY.key_id, "typ": STATEMENT_TYPE}
    forged = jws.serialize_compact(header, b"{}", shared, algorithms=["HS256"])
    none = base64.urlsafe_b64encode(json.dumps(header | {"alg": "none"}).encode()).rstrip(b"=").decode()
    assert fault(forged) is VerificationFault.MALFORMED
    assert fault(f"{none}.e30.e30") is VerificationFault.MALFORMED


def test_a_token_of_another_kind_is_no_statement() -> None:
    checkpoint = sign_checkpoint("node", ChainLink(3, "0" * 64), NOON, KEY)
    assert fault(checkpoint) is VerificationFault.WRONG_TYPE
    assert fault(KEY.sign(b"[]", STATEMENT_TYPE)) is VerificationFault.MALFORMED
    assert verify_checkpoint(checkpoint, KEY.public_jwks()).link == ChainLink(3, "0" * 64)
    with pytest.raises(VerificationError):
        verify_checkpoint(TOKEN, KEY.public_jwks())
    with pytest.raises(VerificationError):
        verify_checkpoint(KEY.sign(b'{"sequence": 1}', "federation-checkpoint+jws"), KEY.public_jwks())
    assert Checkpoint.model_validate_json(checkpoint_payload(checkpoint)).node == "node"


def checkpoint_payload(token: str) -> bytes:
    return base64.urlsafe_b64decode(token.split(".")[1] + "==")


def test_a_statement_needs_somebody_who_decided() -> None:
    whole = statement().model_dump()
    whole["authority"]["decisions"] = ()
    with pytest.raises(ValidationError):
        Statement.model_validate(whole)


def test_prov_is_rdf_that_connects_release_run_data_and_decision() -> None:
    graph = Graph().parse(data=json.dumps(to_prov(statement())), format="json-ld")
    prefix = "urn:federation:https%3A%2F%2Fnode.example:"

    def thing(name: str) -> URIRef:
        return URIRef(prefix + name)

    assert set(graph.subjects(RDF.type, PROV.Activity)) == {
        thing("run:run_1"),
        thing("decision:req_1:learners:dfe:ann"),
    }
    assert (thing("release:rel_1"), PROV.wasGeneratedBy, thing("run:run_1")) in graph
    assert (thing("run:run_1"), PROV.used, thing("snapshot:learners:sha256%3A1")) in graph
    assert (thing("run:run_1"), PROV.wasInformedBy, thing("decision:req_1:learners:dfe:ann")) in graph
    assert (thing("decision:req_1:learners:dfe:ann"), PROV.wasAssociatedWith, thing("person:ann")) in graph
    assert (thing("person:ann"), PROV.actedOnBehalfOf, thing("body:dfe")) in graph
    typed = set(graph.subjects(RDF.type))
    linked = {o for _, p, o in graph if isinstance(o, URIRef) and p != RDF.type}
    assert linked <= typed


def test_a_statement_names_the_delegations_that_it_rests_on_and_prov_qualifies_by_them() -> None:
    said = verify_statement(sign_statement(by_delegation(), KEY), KEY.public_jwks()).payload
    assert said["format"] == "federation-statement/2"
    assert said["authority"]["delegation"] == DEED.model_dump(mode="json")
    assert said["authority"]["decisions"][0]["role"] == "reviewer"
    graph = Graph().parse(data=json.dumps(to_prov(by_delegation())), format="json-ld")
    named = {
        (
            str(person).rpartition(":")[2],
            str(body).rpartition(":")[2],
            str(instrument),
            str(until),
            str(activity),
        )
        for person, given in graph.subject_objects(PROV.qualifiedDelegation)
        for body in graph.objects(given, PROV.agent)
        for instrument in graph.objects(given, DCTERMS.title)
        for until in graph.objects(given, DCTERMS.valid)
        for activity in graph.objects(given, PROV.hadActivity)
    }
    prefix = "urn:federation:https%3A%2F%2Fnode.example:"
    assert named == {
        ("bob", "gmca", "Deed of 1 March", "2026-12-31", f"{prefix}run:run_1"),
        ("ann", "dfe", "Minute 4", "2026-06-30", f"{prefix}decision:req_1:learners:dfe:ann"),
    }
    for person in ("bob", "ann"):
        bodies = set(graph.objects(URIRef(f"{prefix}person:{person}"), PROV.actedOnBehalfOf))
        assert len(bodies) == 1


def test_two_decisions_on_one_dataset_are_two_in_prov() -> None:
    said = statement()
    other = said.authority.decisions[0].model_copy(update={"custodian": "board", "decided_by": "sam"})
    authority = said.authority.model_copy(update={"decisions": (*said.authority.decisions, other)})
    graph = Graph().parse(
        data=json.dumps(to_prov(said.model_copy(update={"authority": authority}))), format="json-ld"
    )
    assert len(set(graph.objects(None, PROV.wasInformedBy))) == 2
    linked = {o for _, p, o in graph if isinstance(o, URIRef) and p != RDF.type}
    assert linked <= set(graph.subjects(RDF.type))


FIRST_FORMAT = json.loads((Path(__file__).parent / "statement-1.json").read_text())
"""What a node signed before statements named capacities and delegations, and its keys."""


def test_a_statement_of_the_first_format_still_verifies_and_is_silent_about_delegations() -> None:
    old = dict(verify_statement(FIRST_FORMAT["statement"], FIRST_FORMAT, TABLE).payload)
    found = Statement.model_validate(old)
    assert (found.format, found.authority.delegation) == ("federation-statement/1", None)
    assert found == statement().model_copy(update={"format": "federation-statement/1"})
    assert "qualifiedDelegation" not in json.dumps(to_prov(found))
    for changed in (
        old | {"authority": old["authority"] | {"delegation": DEED.model_dump(mode="json")}},
        old | {"format": "federation-statement/3"},
    ):
        with pytest.raises(ValidationError):
            Statement.model_validate(changed)


def test_prov_names_a_standing_rule_as_the_plan_that_decided() -> None:
    said = statement().model_dump()
    said["authority"]["decisions"] = (
        DecisionRef(
            dataset="learners", custodian="dfe", kind="standing_rule", decided_by="areas", decided_at=NOON
        ),
    )
    graph = Graph().parse(data=json.dumps(to_prov(Statement.model_validate(said))), format="json-ld")
    rule = next(graph.subjects(PROV.wasAttributedTo, None), None)
    assert rule is not None
    assert any("standing-rule:areas" in str(plan) for plan in graph.objects(None, PROV.hadPlan))


def test_verification_needs_neither_a_database_nor_a_server() -> None:
    script = (
        "import sys; import federation.client.verify; "
        "print(sorted({'duckdb', 'sqlglot', 'fastapi', 'pydantic', 'sqlalchemy', 'yaml', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=REPOSITORY
    )
    assert done.stdout.strip() in {"[]", "['numpy']"}  # numpy comes with pyarrow where it is installed
