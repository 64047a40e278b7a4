"""What a page never does, whatever it is sent."""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from federation.api.signed_in import CSRF_FIELD
from federation.client.verify import VerificationError, VerificationFault, with_statement
from federation.client.verify_file import FileUnreadable, kind_of, verify_file
from federation.release.keys import SigningKey
from federation.release.statement import sign_statement
from federation.web.verify_pages import FAULTS
from tests.support.node import CUSTODIAN_SQL, PURPOSE, Running, running, write_node
from tests.support.statements import statement

HTML = {"Accept": "text/html"}


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(write_node(tmp_path_factory.mktemp("node"), rows=300)) as found:
        yield found


def signed_in(node: Running, person: str) -> tuple[httpx.Client, str]:
    """A browser session, and the token of its forms."""
    client = httpx.Client(base_url=node.url, headers=HTML, timeout=60)
    assert client.post("/sign-in", data={"person": person}).status_code == 303
    token = re.search(rf'name="{CSRF_FIELD}" value="(\w+)"', client.get("/").text)
    assert token
    return client, token[1]


def submitted(client: httpx.Client, token: str, **more: str) -> httpx.Response:
    form = {"sql": CUSTODIAN_SQL, "agreement": "planning", "purpose": PURPOSE, CSRF_FIELD: token}
    return client.post("/requests", data={**form, **more})


@pytest.mark.parametrize("path", ["/", "/sign-in", "/register", "/nowhere", "/docs"])
def test_every_page_forbids_what_it_does_not_need(node: Running, path: str) -> None:
    answer = httpx.get(node.url + path, headers=HTML)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "script-src 'unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    if path != "/docs":
        assert not re.search(r"<script(?![^>]*src=)|\son\w+=|\sstyle=|javascript:", answer.text)


@pytest.mark.parametrize(
    "path", ["/datasets", "/datasets/people", "/ask", "/requests", "/inbox", "/releases/rel_1", "/runs/run_1"]
)
def test_whoever_is_not_signed_in_is_sent_to_sign_in_and_back(node: Running, path: str) -> None:
    answer = httpx.get(node.url + path, headers=HTML)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/sign-in?next={path}")


@pytest.mark.parametrize("path", ["/datasets", "/requests", "/nowhere"])
def test_a_program_is_answered_with_a_problem(node: Running, path: str) -> None:
    answer = httpx.get(node.url + path)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.status_code == (404 if path == "/nowhere" else 401)


@pytest.mark.parametrize(
    "path",
    ["/ask", "/requests", "/requests/req_1/decision", "/requests/req_1/runs", "/runs/run_1/stop", "/logout"],
)
def test_a_form_without_the_sessions_token_does_nothing(node: Running, path: str) -> None:
    client, token = signed_in(node, "pat")
    other, _ = signed_in(node, "olu")
    for data in ({}, {CSRF_FIELD: ""}, {CSRF_FIELD: "0" * 64}):
        answer = client.post(path, data=data)
        assert answer.status_code == 403
        assert "The form has grown old" in answer.text
    assert other.post(path, data={CSRF_FIELD: token}).status_code == 403


def test_another_site_signs_nobody_in(node: Running) -> None:
    answer = httpx.post(
        f"{node.url}/sign-in", data={"person": "pat"}, headers={**HTML, "Sec-Fetch-Site": "cross-site"}
    )
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    "there", ["https://other.example", "//other.example", "/\\other.example", "/\n//x", "x"]
)
def test_signing_in_leads_nowhere_else(node: Running, there: str) -> None:
    answer = httpx.post(f"{node.url}/sign-in", data={"person": "pat", "next": there}, headers=HTML)
    assert answer.headers["location"] == "/"


def test_the_api_takes_no_cookie(node: Running) -> None:
    client, _ = signed_in(node, "pat")
    assert client.get("/v1/requests").status_code == 401


def test_what_was_typed_never_becomes_markup(node: Running) -> None:
    client, token = signed_in(node, "pat")
    evil = "<script>alert(1)</script>'\"><img src=x>"
    texts = [
        client.get("/datasets", params={"search": evil}).text,
        client.get("/codelists/geography", params={"search": evil, "lang": "cy"}).text,
        client.get(
            "/ask", params={"sql": evil, "dataset": "people", "search-sex": evil, "filter1": "sex"}
        ).text,
        client.post("/ask", data={"sql": evil, "purpose": evil, CSRF_FIELD: token}).text,
        client.get(f"/{evil}").text,
        client.get("/requests", params={"state": evil}).text,
        httpx.get(f"{node.url}/sign-in", params={"next": f"/{evil}"}, headers=HTML).text,
    ]
    for text in texts:
        assert "<script>alert" not in text
        assert "<img" not in text


def test_a_form_sent_twice_asks_once(node: Running) -> None:
    client, token = signed_in(node, "pat")
    first, second = (submitted(client, token, key="a-double-click") for _ in range(2))
    assert first.status_code == second.status_code == 303
    assert first.headers["location"] == second.headers["location"]


def test_who_may_not_see_or_decide_is_told_no_more_than_that(node: Running) -> None:
    pat, token = signed_in(node, "pat")
    address = submitted(pat, token).headers["location"]
    eve, eves = signed_in(node, "eve")
    sam, sams = signed_in(node, "sam")
    for client in (eve, sam):
        answer = client.get(address)
        assert answer.status_code == 404
        assert "number of people" not in answer.text
    form = {"decision": "approve", "reason": "mine"}
    assert eve.post(f"{address}/decision", data={**form, CSRF_FIELD: eves}).status_code in (403, 404)
    assert sam.post(f"{address}/decision", data={**form, CSRF_FIELD: sams}).status_code == 404
    assert pat.post(f"{address}/decision", data={**form, CSRF_FIELD: token}).status_code == 403
    assert pat.get("/datasets/people/released").status_code == 404
    olu, olus = signed_in(node, "olu")
    changed = {**form, "plan_digest": "sha256:" + "0" * 64, CSRF_FIELD: olus}
    answer = olu.post(f"{address}/decision", data=changed)
    assert answer.status_code == 409
    assert "another plan" in answer.text
    assert "Waiting for a decision" in olu.get(address).text


def test_bodies_and_fields_are_bounded(node: Running) -> None:
    client, token = signed_in(node, "pat")
    large = client.post("/ask", data={"sql": "x" * 300_000, CSRF_FIELD: token})
    assert large.status_code == 413
    assert "<h1" in large.text
    many = client.post("/ask", data={**{f"f{i}": "1" for i in range(500)}, CSRF_FIELD: token})
    assert many.status_code in (400, 422)
    upload = client.post("/ask", files={"sql": b"SELECT 1"}, data={CSRF_FIELD: token})
    assert upload.status_code == 415
    assert client.get("/register", params={"page": "9" * 30}).status_code == 422


def checked(node: Running, content: bytes, statement: bytes = b"", language: str = "en") -> httpx.Response:
    files = {"file": ("a", content), "statement_file": ("b", statement)}
    with httpx.Client(base_url=node.url, headers=HTML, timeout=60) as client:
        return client.post(f"/verify?lang={language}", files=files)


def parquet(table: pa.Table, token: str | None) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(table if token is None else with_statement(table, token), sink)
    return bytes(sink.getvalue())


def test_files_that_are_made_up_are_told_from_answers(node: Running) -> None:
    """Whatever a file holds: it is what the node signed, or is said not to be."""
    key, table = node.node.signing_key, pa.table({"people": [1, 2]})
    keys = key.public_jwks()
    own, other = (
        sign_statement(statement(table), key),
        sign_statement(statement(table), SigningKey.generate()),
    )
    whole = parquet(table, own)
    head, body, signature = own.split(".")

    def said(content: bytes, token: str | None = None) -> str:
        try:
            return str(verify_file(content, kind_of(content), token, keys).table_checked)
        except VerificationError as error:
            return error.fault
        except FileUnreadable:
            return "unreadable"

    assert said(whole) == said(b"people\n1\n2\n", own) == "True"
    for content, fault in {
        parquet(table, other): "statement_key_unknown",
        parquet(table, f"{head}.{body[:-4]}AAAA.{signature}"): "statement_signature_invalid",
        parquet(table, None): "statement_missing",
        parquet(table.slice(1), own): "table_differs_from_statement",
        whole[:200]: "unreadable",
        whole[:-9] + b"\xff" * 5 + b"PAR1": "unreadable",
        b"PAR1": "unreadable",
        b"\xff\xff\xff\xff" + b"\x7f" * 60: "unreadable",
    }.items():
        assert said(content) == fault
    for content in (b"people\n1\n3\n", b"people\n1\n", b"\x00\xff,\n", b"<b>1</b>\n", b"\n"):
        assert said(content, own) == "table_differs_from_statement"


def test_the_page_says_in_words_what_a_file_is(node: Running) -> None:
    table = pa.table({"people": [1, 2]})
    own = sign_statement(statement(table), node.node.signing_key)
    for content, token, words in (
        (parquet(table, own), "", "no answer of this node has it"),
        (parquet(table, None), "", "There is no signed statement in the file"),
        (b"PAR1", "", "The file cannot be read"),
        (b'{"data": []}', own, "JSON does not keep every digit"),
        (b"<script>alert(1)</script>\n", "", "A CSV file does not hold its signed statement"),
        (b"<script>alert(1)</script>\n", own, "but not this table"),
        (b"", "<script>alert(1)</script>", "not one that a node signed"),
    ):
        answer = checked(node, content, token.encode())
        assert answer.status_code in (200, 422)
        assert words in answer.text
        assert "<script>alert" not in answer.text


def test_a_small_file_that_stands_for_a_huge_table_is_given_up(node: Running) -> None:
    """The statement is the node's own; what comes with it is a gigabyte of zeros, packed."""
    own = sign_statement(statement(pa.table({"people": [1, 2]})), node.node.signing_key)
    large = with_statement(pa.table({"people": np.zeros(128 << 20, np.int64)}), own)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, large.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
        writer.write_table(large)
    content = bytes(sink.getvalue())
    assert len(content) < node.node.settings.limits.upload_bytes
    assert "The file cannot be read" in checked(node, content).text


def test_what_is_sent_to_be_checked_is_bounded(node: Running) -> None:
    limit = node.node.settings.limits.upload_bytes
    assert checked(node, b"x" * (limit + 200_000)).status_code == 413
    assert checked(node, b"a,b\n", b"x" * 70_000).status_code == 422
    form = httpx.post(f"{node.url}/verify", data={"statement": "x"}, headers=HTML)
    assert form.status_code == 415
    broken = httpx.post(
        f"{node.url}/verify",
        content=b"--x\r\nnonsense",
        headers={**HTML, "Content-Type": "multipart/form-data; boundary=x"},
    )
    assert broken.status_code in (400, 422)
    many = httpx.post(f"{node.url}/verify", files=[("file", ("a", b"x"))] * 5, headers=HTML)
    assert many.status_code in (400, 422)


def test_every_reason_not_to_rely_on_a_copy_has_its_words() -> None:
    assert set(FAULTS) == set(VerificationFault)
