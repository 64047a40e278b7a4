"""A configuration is read as a whole: every mistake with its line, and nothing unsafe in production."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from catalogue.faults import CatalogueError
from federation.composition import build_node
from federation.configuration import policy_packs, read_configuration
from federation.settings import Settings
from federation.state.errors import NodeAlreadyRunning, PrivateFileError
from federation.state.private import create_private
from federation.state.secrets import named_secret
from tests.support.node import FILES, write_node
from tests.support.provider import node_settings


def faults(directory: Path, **changes: str) -> list[str]:
    write_node(directory, changes)
    with pytest.raises(CatalogueError) as caught:
        read_configuration(directory)
    return [str(fault) for fault in caught.value.faults]


def test_a_sound_directory(tmp_path: Path) -> None:
    found = read_configuration(write_node(tmp_path))
    assert found.settings.public_url == "http://127.0.0.1:8642"
    assert found.path(found.settings.state_dir) == tmp_path / "state"
    assert set(found.catalogue.datasets) == {"people", "vacancies"}


def test_mistakes_of_settings_and_catalogue_come_together(tmp_path: Path) -> None:
    text = FILES["node.yaml"].replace("run_workers", "run_wokers").replace("body: effshire", "body: effshir")
    found = faults(tmp_path, **{"node.yaml": text, "datasets/people.yaml": "dataset: people\n"})
    assert any(line.startswith("node.yaml:5:") and "run_workers" in line for line in found), found
    assert any(line.startswith("datasets/people.yaml") for line in found), found


def test_settings_and_catalogue_are_held_against_each_other(tmp_path: Path) -> None:
    text = FILES["node.yaml"].replace("body: effshire", "body: effshir").replace("{duckdb:", "{files:")
    found = faults(tmp_path, **{"node.yaml": text})
    assert any("did you mean `effshire`?" in line and line.startswith("node.yaml:9:") for line in found), (
        found
    )
    assert any("uses the connector `duckdb`" in line for line in found), found


def test_both_are_held_against_each_other_though_both_have_other_mistakes(tmp_path: Path) -> None:
    node = FILES["node.yaml"].replace("body: effshire", "body: effshir").replace("{duckdb:", "{files:")
    node = node.replace("run_workers", "run_wokers")
    people = FILES["datasets/people.yaml"].replace("custodian: office", "custodian: ofice")
    people = people.replace("series: people", "seres: people").replace("decimals: 2", "decimals: two")
    found = faults(tmp_path, **{"node.yaml": node, "datasets/people.yaml": people})
    for expected in (
        "node.yaml:9:",
        "did you mean `effshire`?",
        "uses the connector `duckdb`",
        "did you mean `run_workers`?",
        "there is no body `ofice`; did you mean `office`?",
        "unknown key `seres`; did you mean `series`?",
        "; write a whole number, without quotes",
    ):
        assert any(expected in line for line in found), (expected, found)


def test_a_list_is_not_too_short_for_a_slip_in_its_only_item(tmp_path: Path) -> None:
    text = FILES["node.yaml"].replace("roles: [planner]", "roles: [planer]", 1)
    assert text != FILES["node.yaml"]
    (fault,) = faults(tmp_path, **{"node.yaml": text})
    assert "`planer` is not allowed for `roles`" in fault


def test_mistakes_are_told_without_the_words_of_the_library(tmp_path: Path) -> None:
    text = FILES["node.yaml"] + "public_url: http://node.example\n"
    (fault,) = faults(tmp_path, **{"node.yaml": text})
    assert fault.endswith(": public_url must be HTTPS, or HTTP on a loopback address")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("{kind: duckbd}", "node.yaml:4:20: `duckbd` is not allowed for `kind`; did you mean `duckdb`?"),
        ("{kind: duckdb, therads: 2}", "node.yaml:4:34: unknown key `therads`; did you mean `threads`?"),
        ("{therads: 2}", "node.yaml:4:20: unknown key `therads`; did you mean `threads`?"),
        ("{memory_limit: lots}", "node.yaml:4:20: "),
        ("{threads: 0}", "node.yaml:4:20: `threads`: input should be greater than or equal to 1"),
        ("duckdb", "node.yaml:4:11: `duckdb`: input should be a valid dictionary"),
    ],
)
def test_a_source_is_what_its_kind_says(tmp_path: Path, source: str, message: str) -> None:
    line = next(line for line in FILES["node.yaml"].splitlines() if line.startswith("sources:"))
    found = faults(
        tmp_path, **{"node.yaml": FILES["node.yaml"].replace(line, f"sources: {{duckdb: {source}}}")}
    )
    assert any(fault.startswith(message) for fault in found), found


def test_a_secret_of_a_source_has_a_name(tmp_path: Path) -> None:
    create_private(tmp_path / "lake_password", b"s3cret\n")
    assert named_secret("lake_password", tmp_path, {}) == "s3cret"
    assert named_secret("lake_password", tmp_path, {"FEDERATION_SECRET_LAKE_PASSWORD": "other"}) == "other"
    with pytest.raises(PrivateFileError, match="FEDERATION_SECRET_SEA_PASSWORD"):
        named_secret("sea_password", tmp_path, {})
    (tmp_path / "lake_password").chmod(0o644)
    with pytest.raises(PrivateFileError, match="can be read by others"):
        named_secret("lake_password", tmp_path, {})


def test_a_directory_without_a_node(tmp_path: Path) -> None:
    write_node(tmp_path)
    (tmp_path / "node.yaml").unlink()
    with pytest.raises(CatalogueError, match=r"node\.yaml: there is none"):
        read_configuration(tmp_path)
    with pytest.raises(CatalogueError, match="no such directory"):
        read_configuration(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "does not start"),
        ({"identity": {"allow_builtin_identity": True}, "public_url": "http://node.example"}, "HTTPS"),
        (
            {
                "identity": {
                    "allow_builtin_identity": True,
                    "persons": [{"person": "p", "name": "P", "body": "b", "roles": ["planner"]}],
                }
            },
            "without a password",
        ),
    ],
)
def test_production_refuses_what_is_for_demonstrations(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Settings(node="n", title="N", **settings)  # type: ignore[arg-type]


def test_a_name_stands_for_one_person_or_program_alone() -> None:
    person = {"person": "pat", "name": "P", "body": "b", "roles": ["planner"]}
    program = {"client_id": "pat", "name": "P", "body": "b", "roles": ["planner"], "secret_sha256": "0" * 64}
    both = {"persons": [person], "programs": [program]}
    with pytest.raises(ValueError, match="pat stands for more than one"):
        Settings(node="n", title="N", environment="demo", identity=both)  # type: ignore[arg-type]


def test_production_starts_with_the_builtin_identity_only_when_told() -> None:
    told = {"allow_builtin_identity": True}
    assert Settings(node="n", title="N", identity=told).environment == "production"  # type: ignore[arg-type]


def test_production_starts_with_a_provider(tmp_path: Path) -> None:
    directory = write_node(tmp_path, {"node.yaml": node_settings("https://id.example", 8642)})
    with pytest.raises(PrivateFileError, match="FEDERATION_SECRET_PAGES"):
        build_node(directory, environment={})
    # The provider need not be there: nobody has asked for anything yet.
    build_node(directory, environment={"FEDERATION_SECRET_PAGES": "secret"}).close()


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        (
            "org-2: office",
            "org-2: ofice",
            "node.yaml:15:33: there is no body `ofice`; did you mean `office`?",
        ),
        ("issuer: https://", "issuer: http://", "node.yaml:7:3: `provider`: issuer must be HTTPS"),
        ("claims: {body", "claims: {bodie", "node.yaml:14:14: unknown key `bodie`; did you mean `body`?"),
        ("skills-auditors: auditor", "skills-auditors: king", "node.yaml:16:69: `king` is not allowed"),
        ("    audience: https", "    audiense: https", "did you mean `audience`?"),
        ("identity:\n", "identity:\n  allow_builtin_identity: true\n", "not both at once"),
    ],
)
def test_mistakes_about_a_provider_have_their_place(
    tmp_path: Path, before: str, after: str, message: str
) -> None:
    text = node_settings("https://id.example", 8642)
    assert before in text
    found = faults(tmp_path, **{"node.yaml": text.replace(before, after)})
    assert any(message in line and line.startswith("node.yaml:") for line in found), found


def test_a_delegation_is_for_a_body_that_there_is(tmp_path: Path) -> None:
    text = FILES["node.yaml"].replace(
        "  programs:",
        """\
  delegations:
    - delegation: deed
      subject: eve
      body: efshire
      roles: [planner]
      instrument: Deed
      from: 2026-01-01
      until: 2026-12-31
  programs:""",
    )
    (fault,) = faults(tmp_path, **{"node.yaml": text})
    assert "there is no body `efshire`; did you mean `effshire`?" in fault


def test_the_environment_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FEDERATION_PORT", "9000")
    monkeypatch.setenv("FEDERATION_LIMITS__RUN_WORKERS", "3")
    settings = read_configuration(write_node(tmp_path)).settings
    assert (settings.port, settings.public_url) == (9000, "http://127.0.0.1:9000")
    assert (settings.limits.run_workers, settings.limits.compile_workers) == (3, 1)


def test_every_setting_is_described() -> None:
    for model in (Settings, *(f.annotation for f in Settings.model_fields.values())):
        for name, field in getattr(model, "model_fields", {}).items():
            assert field.description, name


def test_the_policy_packs_come_with_the_software() -> None:
    assert "ten_five" in policy_packs()


def test_a_second_node_on_the_same_state_is_refused(tmp_path: Path) -> None:
    node = build_node(write_node(tmp_path), environment={})
    try:
        with pytest.raises(NodeAlreadyRunning):
            build_node(tmp_path, environment={})
    finally:
        node.close()
    build_node(tmp_path, environment={}).close()


def test_a_node_that_cannot_start_lets_go_of_its_lock(tmp_path: Path) -> None:
    build_node(write_node(tmp_path), environment={}).close()
    secret = tmp_path / "secrets" / "node-secrets.json"
    content = secret.read_bytes()
    secret.unlink()
    with pytest.raises(Exception, match="restore it"):
        build_node(tmp_path, environment={})
    secret.touch(mode=0o600)
    secret.write_bytes(content)
    build_node(tmp_path, environment={}).close()


PEER = {"title": "Wales", "signing_key": "A" * 43, "exchange_key": "B" * 43}
URL = "https://wales.example"


@pytest.mark.parametrize(
    ("federation", "message"),
    [
        ({"peers": {"wales": PEER | {"url": URL, "polls": True}}}, "url or polls"),
        ({"peers": {"wales": PEER | {"url": "http://wales.example"}}}, "HTTPS"),
        ({"peers": {"wales": PEER | {"url": "https://"}}}, "HTTPS"),
        ({"peers": {"wales": PEER | {"url": "http://[broken"}}}, "HTTPS"),
        ({"peers": {"wales": PEER | {"signing_key": "short"}}}, "signing_key"),
        ({"peers": {"wales": PEER, "cymru": PEER | {"exchange_key": "C" * 43}}}, "same signing_key"),
        ({"peers": {"wales": PEER, "cymru": PEER | {"signing_key": "C" * 43}}}, "same exchange_key"),
        ({"peers": {"n": PEER}}, "this node itself"),
        ({"peers": {"wales": PEER | {"asks_for": ["office"]}}}, "told of recalls"),
        ({"poll": ["wales"]}, "must be among peers"),
        ({"peers": {"wales": PEER}, "poll": ["wales"]}, "with its url"),
    ],
)
def test_peers_are_told_apart_and_reached_in_one_way(federation: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Settings(node="n", title="N", environment="demo", federation=federation)  # type: ignore[arg-type]


def test_who_holds_a_dataset_is_a_peer(tmp_path: Path) -> None:
    """A node that nobody knows cannot be asked."""
    away = "source: {node: wales, location: residents}"
    here = "source: {connector: duckdb, location: people.parquet}"
    people = FILES["datasets/people.yaml"].replace(here, away)
    found = faults(tmp_path, **{"datasets/people.yaml": people})
    assert any(
        "people is held by the node `wales`, which is not among `federation.peers`" in each for each in found
    )
