"""People at the command line and in notebooks, and programs, at a node with a real provider."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest

from federation.cli.exits import ExitCode
from federation.cli.main import run
from federation.client import NotAuthenticated, NotPermitted, connect
from federation.client.device import DeviceCode
from federation.client.kept import keep, kept_login, place_of
from tests.support.node import Running
from tests.support.provider import RunningProvider

Type = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def quick_and_apart(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Log-ins are kept in a folder of the test's, and polling does not wait as long as a provider asks to."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    for name in ("PERSON", "CLIENT_ID", "CLIENT_SECRET", "ACTING_FOR"):
        monkeypatch.delenv(f"FEDERATION_{name}", raising=False)
    clock = SimpleNamespace(sleep=lambda _: time.sleep(0.05), monotonic=time.monotonic)
    monkeypatch.setattr("federation.client.device.time", clock)


@pytest.fixture
def federation(node: Running, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Type:
    monkeypatch.setenv("FEDERATION_URL", node.url)

    def type_(*words: str) -> tuple[int, str, str]:
        code = run(words)
        shown = capsys.readouterr()
        assert "Traceback" not in shown.err
        return code, shown.out, shown.err

    return type_


def entering(provider: RunningProvider, account: str) -> Callable[[DeviceCode], None]:
    """What a person does who is shown a code: opens the page in a browser, enters it and logs in."""

    def enter(shown: DeviceCode) -> None:
        assert shown.url.startswith(provider.issuer)
        assert shown.complete is not None
        with httpx.Client(timeout=20) as browser:
            done = provider.log_in(shown.complete, account, browser)
        assert "Continue on your device" in done or "success" in done.lower(), done

    return enter


def test_a_notebook_logs_in_and_the_next_one_need_not(node: Running, provider: RunningProvider) -> None:
    with connect(node.url, show=entering(provider, "u-pat")) as first:
        assert first.whoami()["name"] == "Pat Planner"
        assert first.catalogue()
    with connect(node.url, show=None) as second:
        assert second.whoami()["subject"] == "u-pat"
    path = place_of(node.url)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_what_is_over_is_refreshed_once_for_all(node: Running, provider: RunningProvider) -> None:
    connect(node.url, show=entering(provider, "u-pat")).close()
    before = kept_login(node.url)
    assert before is not None
    assert before.refresh_token is not None
    keep(replace(before, ends_at=0.0))
    with connect(node.url, show=None) as one, connect(node.url, show=None) as other:
        assert one.whoami() == other.whoami()
    after = kept_login(node.url)
    assert after is not None
    assert after.access_token != before.access_token
    assert after.refresh_token != before.refresh_token  # counts once


def test_a_token_that_the_node_no_longer_takes_is_refreshed(node: Running, provider: RunningProvider) -> None:
    connect(node.url, show=entering(provider, "u-pat")).close()
    before = kept_login(node.url)
    assert before is not None
    keep(replace(before, access_token=f"{before.access_token[:-8]}AAAAAAAA"))
    with connect(node.url, show=None) as session:
        assert session.whoami()["subject"] == "u-pat"


def test_a_log_in_that_cannot_be_refreshed_is_over(node: Running, provider: RunningProvider) -> None:
    connect(node.url, show=entering(provider, "u-pat")).close()
    before = kept_login(node.url)
    assert before is not None
    for over in (
        replace(before, ends_at=0.0, refresh_token="none"),
        replace(before, ends_at=0.0, refresh_token=None),
    ):
        keep(over)
        with pytest.raises(NotAuthenticated, match="log in again"):
            connect(node.url, show=None)


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"node": 1, "surplus": 2}'])
def test_a_damaged_file_is_told(node: Running, content: str) -> None:
    path = place_of(node.url)
    path.parent.mkdir(parents=True)
    path.write_text(content)
    with pytest.raises(NotAuthenticated, match="chmod 600"):
        connect(node.url, show=None)
    path.chmod(0o600)
    with pytest.raises(NotAuthenticated, match="damaged"):
        connect(node.url, show=None)


def test_somebody_who_refuses_is_not_logged_in(node: Running, provider: RunningProvider) -> None:
    def refuse(shown: DeviceCode) -> None:
        assert shown.complete is not None
        with httpx.Client(timeout=20) as browser:
            page = browser.get(shown.complete)
            xsrf = re.search(r'name="xsrf" value="([^"]+)"', page.text)
            assert xsrf is not None
            form = {"xsrf": xsrf[1], "user_code": shown.code, "abort": "yes"}
            browser.post(f"{provider.issuer}/device", data=form)

    with pytest.raises(NotAuthenticated, match="refused"):
        connect(node.url, show=refuse)
    assert kept_login(node.url) is None


def test_a_program_has_credentials(node: Running) -> None:
    with connect(node.url, client_id="dashboard", client_secret="a secret of the dashboard's") as program:
        assert program.whoami()["subject"] == "program dashboard"
    with pytest.raises(NotAuthenticated):
        connect(node.url, client_id="dashboard", client_secret="another")


def test_acting_for_another_body(node: Running, provider: RunningProvider) -> None:
    with connect(node.url, acting_for="greater_ay", show=entering(provider, "u-eve")) as session:
        assert (session.whoami()["body"], session.whoami()["roles"]) == ("greater_ay", ["analyst"])
    with pytest.raises(NotPermitted, match="no delegation"):
        connect(node.url, acting_for="office", show=None)


def test_login_and_logout_at_the_command_line(
    node: Running, provider: RunningProvider, federation: Type, tmp_path: Path
) -> None:
    code, _, err = federation("whoami")
    assert (code, "federation login" in err) == (ExitCode.ACCESS, True)
    command = [sys.executable, "-m", "federation", "login", "--url", node.url]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=dict(os.environ))
    assert process.stdout is not None
    shown = process.stdout.readline() + process.stdout.readline()
    found = re.fullmatch(
        r"To log in, open (\S+) in a browser, on any device,\nand enter the code (\S+) .*\n", shown
    )
    assert found is not None, shown
    with httpx.Client(timeout=20) as browser:
        provider.log_in(f"{found[1]}?user_code={found[2]}", "u-pat", browser)
    out, _ = process.communicate(timeout=30)
    assert out == "Logged in as Pat Planner for greater_ay, planner.\n"
    code, out, _ = federation("whoami", "--json")
    assert (code, json.loads(out)["subject"]) == (0, "u-pat")
    kept = kept_login(node.url)
    assert kept is not None
    assert federation("logout")[:2] == (0, "Logged out.\n")
    assert federation("logout")[:2] == (0, "Nobody was logged in.\n")
    assert federation("whoami")[0] == ExitCode.ACCESS
    form = {
        "grant_type": "refresh_token",
        "client_id": kept.client_id,
        "refresh_token": str(kept.refresh_token),
    }
    assert httpx.post(f"{provider.issuer}/token", data=form).json()["error"] == "invalid_grant"
