"""Every command that talks to a node, as its users type it, with what goes wrong."""

from __future__ import annotations

import errno
import io
import json
import os
import socket
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pyarrow.parquet as pq
import pytest

from federation.cli.exits import ExitCode
from federation.cli.main import run
from federation.client import FederationError, tokens
from federation.client.request import Request
from federation.identity.principal import NodeRole, Principal
from federation.service import requests
from federation.service.questions import Ask
from tests.support.node import (
    CUSTODIAN_SQL,
    FILES,
    PURPOSE,
    SECRET,
    STANDING_SQL,
    Running,
    running,
    write_node,
)


@dataclass(frozen=True)
class Shown:
    code: int
    out: str
    err: str

    @property
    def json(self) -> object:
        return json.loads(self.out)


Type = Callable[..., Shown]


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_node(tmp_path_factory.mktemp("node"))


@pytest.fixture(scope="module")
def node(directory: Path) -> Iterator[Running]:
    with running(directory) as found:
        yield found


@pytest.fixture
def federation(node: Running, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Type:
    """Types a command at the node and returns what is shown."""
    monkeypatch.setenv("FEDERATION_URL", node.url)
    for name in ("PERSON", "CLIENT_ID", "CLIENT_SECRET", "PURPOSE", "AGREEMENT"):
        monkeypatch.delenv(f"FEDERATION_{name}", raising=False)

    def type_(*words: str | Path, person: str = "") -> Shown:
        code = run([*map(str, words), *(["--person", person] if person else [])])
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        return Shown(code, captured.out, captured.err)

    return type_


# the catalogue


def test_the_catalogue_is_searched(federation: Type) -> None:
    shown = federation("catalogue", "weekly pay", person="pat")
    assert shown.code == 0
    assert "people  People" in shown.out
    assert "vacancies" not in shown.out
    assert federation("catalogue", "unicorns", person="pat").out == "No dataset mentions that.\n"
    found = federation("catalogue", "--json", person="pat").json
    assert [item["dataset"] for item in found] == ["people", "vacancies"]  # type: ignore[attr-defined]


def test_a_dataset_is_shown_with_its_columns(federation: Type) -> None:
    shown = federation("dataset", "people", person="pat")
    assert "Area of residence" in shown.out
    assert "nothing under 10 published" in shown.out
    missing = federation("dataset", "poeple", person="pat")
    assert missing.code == ExitCode.REFUSED
    assert "did you mean `people`?" in missing.err


def test_codes_are_looked_up(federation: Type) -> None:
    assert "A3" in federation("codes", "geography", "area 3", person="pat").out
    assert federation("codes", "geography", "atlantis", person="pat").out == "No code matches that.\n"
    assert federation("codes", "geography", "--level", "planet", person="pat").code == ExitCode.REFUSED


def test_agreements_and_oneself(federation: Type) -> None:
    assert "skills planning" in federation("agreements", person="pat").out
    assert "party to no agreement" in federation("agreements", person="olu").out
    assert federation("whoami", "--json", person="olu").json["body"] == "office"  # type: ignore[index]


# asking


def test_a_standing_rule_answers_at_once(federation: Type) -> None:
    shown = federation("query", STANDING_SQL, person="pat")
    assert shown.code == 0
    lines = shown.out.strip().splitlines()
    assert lines[0].split() == ["region", "people"]
    assert [line.split()[0] for line in lines[2:4]] == ["N", "S"]
    assert lines[-1].startswith("Source: Office of example statistics: People, 2025.")


def test_withheld_figures_have_marks_and_a_legend(federation: Type) -> None:
    shown = federation("query", "SELECT area, count(*) AS people FROM people GROUP BY area", person="pat")
    (row,) = [line for line in shown.out.splitlines() if line.startswith("A7")]
    assert row.split() == ["A7", "[c]"]
    assert "[c]  confidential: withheld" in shown.out


def test_an_answer_without_rows(federation: Type) -> None:
    sql = "SELECT region, count(*) AS n FROM people GROUP BY region HAVING count(*) > 1000000"
    assert "The answer has no rows." in federation("query", sql, person="pat").out


def test_answers_for_programs(federation: Type, tmp_path: Path) -> None:
    document = federation("query", STANDING_SQL, "--json", person="pat").json
    assert [row["region"] for row in document["data"]] == ["N", "S"]  # type: ignore[index]
    csv = federation("query", STANDING_SQL, "--csv", person="pat").out
    assert csv.splitlines()[0] == '"region","region__status","people","people__status"'
    for name in ("a.parquet", "a.arrow", "a.csv", "a.json"):
        shown = federation("query", STANDING_SQL, "--out", tmp_path / name, person="pat")
        assert (shown.code, shown.out) == (0, "")
        assert (tmp_path / name).exists()
    assert sorted(file.name for file in tmp_path.glob("*.jws")) == ["a.csv.jws", "a.json.jws"]
    assert pq.read_table(tmp_path / "a.parquet").num_rows == 2


def test_a_refusal_points_at_the_place_and_says_what_to_do(federation: Type) -> None:
    shown = federation("query", "SELECT region,\n  max(pay) FROM people GROUP BY region", person="pat")
    assert shown.code == ExitCode.REFUSED
    assert shown.out == ""
    lines = shown.err.splitlines()
    at = lines.index("      max(pay) FROM people GROUP BY region")
    assert lines[at + 1] == " " * lines[at].index("pay") + "^"
    assert "Rule: " in shown.err
    assert "What to do: " in shown.err
    assert "This would be accepted:" in shown.err
    assert "code: extremes_not_allowed" in shown.err


def test_a_refusal_for_programs(federation: Type) -> None:
    shown = federation("query", "SELECT regoin FROM people", "--json", person="pat")
    assert shown.code == ExitCode.REFUSED
    codes = [fault["code"] for fault in shown.json["error"]["errors"]]  # type: ignore[index]
    assert "unknown_column" in codes
    checked = federation("explain", "SELECT regoin FROM people", "--json", person="pat")
    assert checked.code == ExitCode.REFUSED
    assert checked.json["accepted"] is False  # type: ignore[index]


def test_an_explanation_has_every_step_in_order(federation: Type) -> None:
    shown = federation("explain", CUSTODIAN_SQL, person="pat")
    titles = [
        "The question",
        "SQL as asked",
        "SQL sent to the source",
        "SQL that presents",
        "Rules",
        "Who decides",
    ]
    places = [shown.out.index(f"\n{title}") for title in titles]
    assert places == sorted(places)
    assert shown.out.rstrip().endswith("people  office")


def test_the_query_may_stand_in_a_file_or_on_standard_input(
    federation: Type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "question.sql"
    file.write_text("\ufeff" + STANDING_SQL, encoding="utf-8")
    assert federation("query", f"@{file}", person="pat").code == 0
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(STANDING_SQL.encode())))
    assert federation("query", "-", person="pat").code == 0
    missing = federation("query", f"@{tmp_path / 'none.sql'}", person="pat")
    assert missing.code == ExitCode.USAGE
    assert "No such file" in missing.err
    file.write_bytes(b"SELECT '\xff'")
    assert "not UTF-8" in federation("query", f"@{file}", person="pat").err


def test_parameters(federation: Type) -> None:
    sql = "SELECT count(*) AS people FROM people WHERE area = $area"
    one = federation("query", sql, "-p", "area=A1", person="pat")
    assert one.code == 0
    other = federation("query", sql, "-p", "area=A7", person="pat")
    assert "[c]" in other.out
    assert one.out != other.out
    assert federation("query", sql, "-p", "A1", person="pat").code == ExitCode.USAGE
    assert federation("query", sql, person="pat").code == ExitCode.REFUSED


def test_a_target_that_cannot_be_written_is_refused_before_anything_is_asked(
    federation: Type, tmp_path: Path
) -> None:
    for target in (tmp_path / "a.xlsx", tmp_path / "none" / "a.csv"):
        assert federation("query", CUSTODIAN_SQL, "--out", target, person="pat").code == ExitCode.USAGE
    assert "There are no requests yet" in federation("requests", person="sam").out


def test_an_agreement_that_the_body_has_not_is_named(federation: Type) -> None:
    for purpose in ((), ("--purpose", "skills planning")):
        refused = federation("query", STANDING_SQL, "--agreement", "planing", *purpose, person="pat")
        assert refused.code == ExitCode.REFUSED
        assert "Your body has no agreement “planing”." in refused.err
        assert "Did you mean planning?" in refused.err


def test_a_run_that_fails_says_so_and_can_be_repeated(federation: Type, directory: Path) -> None:
    file = directory / "data" / "people.parquet"
    away = file.rename(file.with_suffix(".away"))
    try:
        failed = federation("query", STANDING_SQL, person="pat")
        assert failed.code == ExitCode.FAILED
        assert "the source has no such table or file" in failed.err.lower()
        for_programs = federation("query", STANDING_SQL, "--json", person="pat")
        assert '"code": "source_missing"' in for_programs.out
    finally:
        away.rename(file)
    assert federation("query", STANDING_SQL, person="pat").code == 0


def test_ctrl_c_cancels_the_run(federation: Type, monkeypatch: pytest.MonkeyPatch, node: Running) -> None:
    cancelled: list[str] = []
    cancel = Request.cancel

    def interrupt(self: Request, progress: object = True, timeout: float | None = None) -> Request:
        raise KeyboardInterrupt

    def remember(self: Request) -> Request:
        cancelled.append(self.id)
        if len(cancelled) > 1:
            raise FederationError("the run has ended already", code="wrong_state")
        return cancel(self)

    monkeypatch.setattr(Request, "wait", interrupt)
    monkeypatch.setattr(Request, "cancel", remember)
    for times in (1, 2):
        stopped = federation("query", STANDING_SQL, person="pat")
        assert stopped.code == ExitCode.INTERRUPTED
        assert stopped.err == "Stopped.\n"
        assert len(cancelled) == times


def test_a_full_disk_leaves_the_earlier_file(
    federation: Type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "answer.parquet"
    target.write_text("an earlier answer")

    def full(self: Path, content: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self))

    monkeypatch.setattr(Path, "write_bytes", full)
    shown = federation("query", STANDING_SQL, "--out", target, person="pat")
    assert shown.code == ExitCode.FAILED
    assert "No space left on device" in shown.err
    assert target.read_text() == "an earlier answer"
    assert list(tmp_path.iterdir()) == [target]


# deciding


def test_a_reviewer_is_told_who_counts_together(federation: Type, node: Running) -> None:
    pat = Principal("pat", "Pat", "greater_ay", frozenset({NodeRole.ANALYST}))
    asked = Ask(CUSTODIAN_SQL, "planning", PURPOSE, jointly_with=("east", "test_node", "west"))
    request = requests.submit(node.node, pat, asked).request
    listed = " ".join(federation("requests", "--state", "submitted", person="olu").out.split())
    assert "Counted jointly by east, test_node, west" in listed
    assert "counted by  east, test_node, west" in federation("requests", request, person="olu").out
    assert federation("refuse", request, "--reason", "not with these", person="olu").code == 0


def test_a_question_waits_is_reviewed_approved_run_and_revoked(federation: Type) -> None:
    asked = federation("query", CUSTODIAN_SQL, person="pat")
    assert asked.code == ExitCode.WAITING
    assert "waiting for  office" in asked.out
    again = federation("query", CUSTODIAN_SQL, "--json", person="pat")
    assert again.code == ExitCode.WAITING
    request = again.json["request"]  # type: ignore[index]
    assert request in asked.out, "the same question is not asked twice"

    listed = federation("requests", "--state", "submitted", person="olu")
    assert f"{request}  submitted" in listed.out
    reviewed = federation("requests", request, person="olu")
    assert "asked by    pat for greater_ay" in reviewed.out
    assert CUSTODIAN_SQL in reviewed.out
    assert "Nobody has looked at the data yet" in federation("evidence", request, person="olu").out
    looked = federation("dry-run", request, person="olu")
    assert "4: 4 would be published, 0 withheld" in looked.out
    assert "cells of fewer than 10 people" in looked.out
    assert looked.out.strip() in federation("evidence", request, person="olu").out
    assert federation("dry-run", request, person="pat").code == ExitCode.ACCESS
    assert federation("evidence", request, person="pat").code == ExitCode.ACCESS

    not_ones_own = federation("approve", request, "--reason", "mine", person="pat")
    assert not_ones_own.code == ExitCode.ACCESS
    approved = federation("approve", request, "--reason", "fine", person="olu")
    assert approved.out.startswith(f"Approved: {request} is approved.")
    assert federation("query", CUSTODIAN_SQL, person="pat").code == 0
    assert federation("run", request, person="pat").code == 0
    assert "approve (people) by olu for office: fine" in federation("requests", request, person="pat").out

    assert "Revoked" in federation("revoke", request, "--reason", "over", person="olu").out
    stopped = federation("run", request, person="pat")
    assert stopped.code == ExitCode.REFUSED
    assert "its approval was revoked" in stopped.err


def test_a_refused_request_and_one_that_is_not_there(federation: Type) -> None:
    sql = CUSTODIAN_SQL.replace("AS people", "AS persons")
    request = federation("query", sql, "--json", person="pat").json["request"]  # type: ignore[index]
    assert "Refused" in federation("refuse", request, "-m", "ask by region", person="olu").out
    assert federation("run", request, person="pat").code == ExitCode.REFUSED
    for words in (("requests", "req_none"), ("approve", "req_none", "-m", "x"), ("fetch", "rel_none")):
        missing = federation(*words, person="olu")
        assert missing.code == ExitCode.REFUSED
        assert "here is no such" in missing.err


def test_terms_that_have_to_be_chosen_are_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = FILES["agreements/planning.yaml"]
    two = text.replace("purposes: [skills planning]", "purposes: [skills planning, evaluation]", 1)
    second = two.partition("- agreement: finished")[0].replace("agreement: planning", "agreement: other")
    monkeypatch.delenv("FEDERATION_PURPOSE", raising=False)
    with running(write_node(tmp_path, {"agreements/planning.yaml": two + second})) as node:
        ask = ["query", STANDING_SQL, "--person", "pat", "--url", node.url]
        assert run(ask) == ExitCode.USAGE
        assert '--agreement "other"' in capsys.readouterr().err
        assert run([*ask, "--agreement", "planning"]) == ExitCode.USAGE
        assert '--purpose "evaluation"' in capsys.readouterr().err
        assert run([*ask, "--agreement", "planning", "--purpose", "evaluation"]) == 0
        assert run([*ask, "--agreement", "planning", "--purpose", "curiosity"]) == ExitCode.REFUSED
        assert run([*ask, "--agreement", "none"]) == ExitCode.REFUSED
        assert "Your body has no agreement “none”." in capsys.readouterr().err


# proof


def test_answers_are_verified_and_changed_ones_are_not(
    federation: Type, tmp_path: Path, node: Running
) -> None:
    csv, parquet, keys = tmp_path / "a.csv", tmp_path / "a.parquet", tmp_path / "keys.json"
    for file in (csv, parquet):
        federation("query", STANDING_SQL, "--out", file, person="pat")
    keys.write_text(federation("keys").out)
    for file in (csv, parquet):
        shown = federation("verify", file)
        assert shown.code == 0
        assert "decided by standing rule people_by_region for office" in shown.out
        assert federation("verify", file, "--keys", keys, "--url", "http://127.0.0.1:9").code == 0
    release = federation("verify", csv, "--json").json["statement"]["release"]  # type: ignore[index]
    assert federation("verify", release, person="pat").code == 0
    assert federation("fetch", release, "--csv", person="pat").out == csv.read_text()

    changed = tmp_path / "changed.csv"
    changed.write_text(csv.read_text().replace('"",', '"",9', 1))
    assert changed.read_text() != csv.read_text()
    assert federation("verify", changed).code == ExitCode.USAGE
    shown = federation("verify", changed, "--statement", f"{csv}.jws")
    assert shown.code == ExitCode.REFUSED
    assert "not the one that the statement is about" in shown.err
    assert federation("verify", changed, "--statement", f"{csv}.jws", "--json").json["valid"] is False  # type: ignore[index]
    table = pq.read_table(parquet)
    pq.write_table(table.slice(1), tmp_path / "cut.parquet")
    assert federation("verify", tmp_path / "cut.parquet").code == ExitCode.REFUSED
    pq.write_table(table.replace_schema_metadata(None), tmp_path / "bare.parquet")
    assert "carries no provenance statement" in federation("verify", tmp_path / "bare.parquet").err


def test_files_that_cannot_be_verified(federation: Type, tmp_path: Path) -> None:
    assert federation("verify", tmp_path / "none.csv").code == ExitCode.USAGE
    (tmp_path / "a.txt").write_text("x")
    assert federation("verify", tmp_path / "a.txt").code == ExitCode.USAGE
    (tmp_path / "a.parquet").write_bytes(b"PAR1 is not enough")
    assert "damaged, or of another format" in federation("verify", tmp_path / "a.parquet").err
    (tmp_path / "keys.json").write_text("[]")
    assert (
        "holds no key set"
        in federation("verify", tmp_path / "a.parquet", "--keys", tmp_path / "keys.json").err
    )


def test_the_audit_chain_is_verified_and_listed(federation: Type, tmp_path: Path) -> None:
    checkpoint = tmp_path / "checkpoint.jws"
    checkpoint.write_text(federation("audit", "checkpoint", person="ada").out)
    federation("query", STANDING_SQL, person="pat")
    shown = federation("audit", "verify", "--checkpoint", checkpoint, person="ada")
    assert shown.code == 0
    assert "and holds the checkpoint" in shown.out
    events = federation("audit", "events", "--json", "--limit", "1000", person="ada").json
    run_id = next(e["subject"] for e in reversed(events) if e["action"] == "run.queued")  # type: ignore[call-overload]
    assert "release.issued" not in federation("audit", "events", "--subject", run_id, person="ada").out
    assert "run.queued" in federation("audit", "events", "--subject", run_id, person="ada").out
    assert (
        federation("audit", "events", "--subject", "none", person="ada").out == "There are no such events.\n"
    )
    assert federation("audit", "verify", person="pat").code == ExitCode.ACCESS
    checkpoint.write_text("not.a.checkpoint")
    assert federation("audit", "verify", "--checkpoint", checkpoint, person="ada").code == ExitCode.REFUSED


# who, and where


def test_nobody_and_the_wrong_person(federation: Type, monkeypatch: pytest.MonkeyPatch) -> None:
    nobody = federation("catalogue")
    assert nobody.code == ExitCode.ACCESS
    assert "--person NAME" in nobody.err
    stranger = federation("catalogue", person="mallory")
    assert stranger.code == ExitCode.ACCESS
    assert "o demo person of that name" in stranger.err
    monkeypatch.setenv("FEDERATION_CLIENT_SECRET", "wrong")
    assert federation("whoami", "--client-id", "dashboard").code == ExitCode.ACCESS
    assert federation("whoami", "--client-id", "dashboard", person="pat").code == ExitCode.USAGE


def test_a_program_logs_in_by_the_environment(federation: Type, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FEDERATION_CLIENT_ID", "dashboard")
    monkeypatch.setenv("FEDERATION_CLIENT_SECRET", SECRET)
    assert federation("whoami", "--json").json["name"] == "Dashboard"  # type: ignore[index]


def test_an_expired_agreement(federation: Type) -> None:
    shown = federation("query", STANDING_SQL, person="eve")
    assert shown.code == ExitCode.REFUSED
    assert "agreement" in shown.err


def test_a_token_that_the_node_no_longer_takes_is_renewed(
    federation: Type, monkeypatch: pytest.MonkeyPatch
) -> None:
    issued: list[str] = []
    ask = tokens.token_answer

    def stale_at_first(*asked: Any) -> Mapping[str, Any]:
        answer = ask(*asked)
        issued.append(answer["access_token"])
        stale = {"access_token": f"{issued[0][:-4]}AAAA"} if len(issued) == 1 else {}
        return {**answer, **stale}

    monkeypatch.setattr(tokens, "token_answer", stale_at_first)
    assert federation("whoami", person="pat").code == 0
    assert len(issued) == 2


def test_no_node_and_no_address(federation: Type, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("federation.client.transport.time.sleep", lambda _: None)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        shown = federation("catalogue", "--url", url, person="pat")
        assert shown.code == ExitCode.UNREACHABLE
        assert "is the node running?" in shown.err
        assert federation("catalogue", "--json", "--url", url, person="pat").json["error"]["code"] == (  # type: ignore[index]
            "node_unreachable"
        )
    for url in ("ftp://node", "node.example", "http://"):
        assert federation("catalogue", "--url", url, person="pat").code == ExitCode.USAGE


def test_something_else_answers(federation: Type, monkeypatch: pytest.MonkeyPatch, node: Running) -> None:
    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, text="<html>a web page</html>")

    real = httpx.Client
    monkeypatch.setattr(
        "federation.client.session.httpx.Client",
        lambda **options: real(**options, transport=httpx.MockTransport(answer)),
    )
    shown = federation("catalogue", person="pat")
    assert shown.code in (ExitCode.ACCESS, ExitCode.UNREACHABLE)
