"""A real OpenID Connect provider of the test's own (npm oidc-provider), where Node.js is installed.

Its packages are installed once, from the committed lock file with its integrity hashes, into a cache outside the tree.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urljoin

import httpx
import pytest
from joserfc.jwk import RSAKey

NO_PROVIDER = "the OpenID Connect provider of the tests needs Node.js and npm"
AUDIENCE = "https://node.example/v1"
PAGES_CLIENT = "node-pages"
PAGES_SECRET = "a secret of the pages: with +, % and &"
DEVICE_CLIENT = "federation-cli"
_SOURCES = Path(__file__).parent / "oidc"
_FILES = ("package.json", "package-lock.json", "server.mjs")


def new_key() -> RSAKey:
    """A key that a provider signs with."""
    return RSAKey.generate_key(2048, {"use": "sig", "alg": "RS256"}, auto_kid=True)


def _installed() -> Path:
    """The folder with the provider and its packages."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip(NO_PROVIDER)
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "devolved-federation-tests"
    content = b"".join((_SOURCES / name).read_bytes() for name in _FILES)
    folder = cache / f"oidc-{hashlib.sha256(content).hexdigest()[:16]}"
    if not folder.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=cache) as partial:
            for name in _FILES:
                shutil.copy(_SOURCES / name, partial)
            command = [npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
            done = subprocess.run(command, cwd=partial, capture_output=True, text=True, timeout=200)
            if done.returncode:
                pytest.skip(f"{NO_PROVIDER}, and the packages of the lock file")
            try:
                Path(partial).rename(folder)
            except OSError:  # another process was faster
                assert folder.is_dir()
            else:
                Path(partial).mkdir()
    return folder


@dataclass
class RunningProvider:
    """A provider that listens on a loopback port. ``key`` is what it signs with."""

    process: subprocess.Popen[str]
    issuer: str
    key: RSAKey
    told: Mapping[str, Any]

    def rotate(self, keys: Sequence[RSAKey]) -> None:
        """Sign with the first of other keys from now on, and publish them all."""
        _tell(self.process, {"jwks": _jwks(keys)})
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "rotated\n"
        self.key = keys[0]

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()

    def log_in(self, url: str, account: str, browser: httpx.Client) -> str:
        """Follow ``url`` as a person does who logs in and consents; the address that they are sent back to."""
        page = browser.get(url)
        for _ in range(20):
            if page.is_redirect:
                target = urljoin(str(page.request.url), page.headers["location"])
                if not target.startswith(self.issuer):
                    return target
                page = browser.get(target)
                continue
            action, fields = _form(page.text)
            if not action:
                return page.text
            if "login" in fields:
                fields |= {"login": account, "password": "any"}
            page = browser.post(urljoin(str(page.request.url), action), data=fields)
        raise AssertionError("the provider goes round in circles")


def _form(page: str) -> tuple[str, dict[str, str]]:
    """The first form of a page: where it goes, and its fields."""
    action = re.search(r'<form[^>]*action="([^"]*)"', page)
    names = re.findall(r"<input[^>]*>", page)
    fields = {}
    for text in names:
        name, value = re.search(r'name="([^"]*)"', text), re.search(r'value="([^"]*)"', text)
        if name is not None:
            fields[name[1]] = "" if value is None else value[1]
    return ("" if action is None else action[1]).replace("&amp;", "&"), fields


def _jwks(keys: Sequence[RSAKey]) -> dict[str, Any]:
    return {"keys": [key.as_dict(private=True) for key in keys]}


def _tell(process: subprocess.Popen[str], message: Mapping[str, Any]) -> None:
    assert process.stdin is not None
    process.stdin.write(json.dumps(message) + "\n")
    process.stdin.flush()


def node_settings(issuer: str, port: int, more: str = "") -> str:
    """The node.yaml of a production node that knows people by the provider; ``more`` goes into ``identity``."""
    return f"""\
node: test_node
title: Test node
port: {port}
sources: {{duckdb: {{kind: duckdb, directory: data, threads: 1}}}}
limits: {{run_workers: 1, compile_workers: 1, lease_seconds: 5}}
identity:
  provider:
    issuer: {issuer}
    client_id: {PAGES_CLIENT}
    secret: pages
    device_client_id: {DEVICE_CLIENT}
    audience: {AUDIENCE}
    parameters: {{resource: "{AUDIENCE}"}}
    claims: {{body: org, roles: groups}}
    bodies: {{org-1: greater_ay, org-2: office}}
    roles: {{skills-planners: planner, skills-custodians: custodian, skills-auditors: auditor}}
{more}"""


@contextmanager
def running_provider(
    clients: Sequence[Mapping[str, Any]], accounts: Mapping[str, Mapping[str, Any]], port: int = 0
) -> Iterator[RunningProvider]:
    """A provider with these clients, and these claims by account or client id; it ends with the block."""
    folder, key = _installed(), new_key()
    process = subprocess.Popen(
        ["node", "server.mjs"],
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    told = {
        "clients": clients,
        "accounts": accounts,
        "audience": AUDIENCE,
        "port": port,
        "jwks": _jwks([key]),
    }
    try:
        _tell(process, told)
        assert process.stdout is not None
        issuer = process.stdout.readline().strip()
        assert issuer, "the provider did not start"
        yield RunningProvider(process, issuer, key, told)
    finally:
        process.kill()
        process.wait()
