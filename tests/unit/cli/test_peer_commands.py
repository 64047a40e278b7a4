"""What the keepers of other nodes are told of this one, and what is said of a peer that does not answer."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from federation.cli.exits import ExitCode
from federation.cli.main import run
from federation.composition import build_node
from federation.settings import PeerSettings
from federation.wire.channel import Unavailability
from federation.wire.envelope import MessageFault
from tests.support.federation import serving, write_federation
from tests.support.node import write_node

Type = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def _no_settings_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("FEDERATION_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def federation(capsys: pytest.CaptureFixture[str]) -> Type:
    def type_(*words: str | Path) -> tuple[int, str, str]:
        code = run([str(word) for word in words])
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return code, out, err

    return type_


def edit(directory: Path, change: Callable[[dict[str, object]], object]) -> None:
    """Change the peers of a node's settings."""
    place = directory / "node.yaml"
    settings = yaml.safe_load(place.read_text())
    change(settings["federation"]["peers"])
    place.write_text(yaml.safe_dump(settings))


def test_what_is_shown_is_an_entry_for_others_without_a_secret(federation: Type, tmp_path: Path) -> None:
    write_node(tmp_path)
    code, out, err = federation("peers", "show", tmp_path)
    assert (code, err) == (0, "")
    entry = yaml.safe_load(out)
    assert PeerSettings.model_validate(entry["test_node"]).url == "http://127.0.0.1:8642"
    assert json.loads(federation("peers", "show", tmp_path, "--json")[1]) == entry
    for file in (tmp_path / "secrets").iterdir():
        assert json.loads(file.read_text())["d"] not in out
    # The node that starts later has these keys.
    node = build_node(tmp_path, environment={})
    assert node.wire.exchange_key.public == entry["test_node"]["exchange_key"]
    node.close()


def test_a_hub_shows_its_entry_before_it_knows_the_nodes_of_its_datasets(
    federation: Type, tmp_path: Path
) -> None:
    """Somebody has to go first: what each has to be told of the other comes before either can be declared."""
    hub = write_federation(tmp_path, "hub", ["england"])["hub"].directory
    vacancies = hub / "datasets" / "vacancies.yaml"
    document = yaml.safe_load(vacancies.read_text())
    vacancies.write_text(yaml.safe_dump(document | {"source": {"node": "wales"}}))
    assert federation("check", hub)[0] == ExitCode.REFUSED
    code, out, err = federation("peers", "show", hub)
    assert (code, err) == (0, "")
    assert "hub" in yaml.safe_load(out)


def test_a_folder_that_is_no_nodes_is_told(federation: Type, tmp_path: Path) -> None:
    code, _, err = federation("peers", "show", tmp_path)
    assert code == ExitCode.REFUSED
    assert "There is no node.yaml" in err


def test_a_node_that_polls_is_shown_as_one(federation: Type, tmp_path: Path) -> None:
    places = write_federation(tmp_path, "hub", ["wales"], polling=["wales"])
    entry = yaml.safe_load(federation("peers", "show", places["wales"].directory)[1])
    assert entry["wales"]["polls"] is True
    assert "url" not in entry["wales"]


def test_peers_that_answer_are_well_and_one_that_polls_is_not_asked(federation: Type, tmp_path: Path) -> None:
    places = write_federation(tmp_path, "hub", ["england", "wales"], polling=["wales"])
    with serving({"england": places["england"]}):
        code, out, _ = federation("peers", "check", places["hub"].directory)
        assert code == 0
        assert "england: it answers, and the keys are right" in out
        assert "wales: not asked" in out
    # The command comes before the node's first start, and does not pass for it.
    build_node(places["hub"].directory, environment={}).close()


def problems(federation: Type, directory: Path) -> dict[str, str]:
    code, out, _ = federation("peers", "check", directory, "--json")
    assert code == ExitCode.REFUSED
    reports = json.loads(out)["peers"]
    assert all(report["mend"] for report in reports)
    return {report["peer"]: report["code"] for report in reports}


def test_a_peer_that_is_down_is_named_with_what_to_do(federation: Type, tmp_path: Path) -> None:
    places = write_federation(tmp_path, "hub", ["england"])
    assert problems(federation, places["hub"].directory) == {"england": Unavailability.AWAY}
    assert federation("peers", "check", places["hub"].directory)[1].count("can http://127.0.0.1") == 1


def test_keys_that_are_not_the_right_ones_are_found(federation: Type, tmp_path: Path) -> None:
    places = write_federation(tmp_path, "hub", ["england"])
    hub, england = places["hub"].directory, places["england"].directory
    other = yaml.safe_load(federation("peers", "show", write_node(tmp_path / "other"))[1])["test_node"]
    edit(england, lambda peers: peers["hub"].update(exchange_key=other["exchange_key"]))  # type: ignore[attr-defined]
    with serving({"england": places["england"]}):
        assert problems(federation, hub) == {"england": "exchange_key_differs"}
    edit(england, lambda peers: peers["hub"].update(signing_key=other["signing_key"]))  # type: ignore[attr-defined]
    with serving({"england": places["england"]}):
        assert problems(federation, hub) == {"england": MessageFault.UNKNOWN_SENDER}
    edit(england, lambda peers: peers.clear())
    with serving({"england": places["england"]}):
        assert problems(federation, hub) == {"england": MessageFault.UNKNOWN_SENDER}


def test_a_node_without_peers_says_so(federation: Type, tmp_path: Path) -> None:
    code, out, _ = federation("peers", "check", write_node(tmp_path))
    assert code == 0
    assert "There are no peers" in out


def test_a_configuration_with_mistakes_is_told_by_file_and_line(federation: Type, tmp_path: Path) -> None:
    places = write_federation(tmp_path, "hub", ["england"])
    edit(places["hub"].directory, lambda peers: peers["england"].update(url="http://example.org"))  # type: ignore[attr-defined]
    code, _, err = federation("peers", "check", places["hub"].directory)
    assert code == ExitCode.REFUSED
    assert "url must be HTTPS, or HTTP on a loopback address" in err
    assert "node.yaml:" in err
