"""A provider and a node in production that knows people by it, for all tests of a module."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from tests.support.node import Running, running, write_node
from tests.support.provider import (
    DEVICE_CLIENT,
    PAGES_CLIENT,
    PAGES_SECRET,
    RunningProvider,
    node_settings,
    running_provider,
)

ACCOUNTS = {
    "u-pat": {"name": "Pat Planner", "org": "org-1", "groups": ["skills-planners"]},
    "u-olu": {"name": "Olu Office", "org": "org-2", "groups": ["skills-custodians"]},
    "u-ada": {"name": "Ada Auditor", "org": "org-2", "groups": ["skills-auditors"]},
    "u-eve": {"name": "Eve Elsewhere", "org": "org-9", "groups": ["skills-planners"]},
    "u-nil": {"name": "Nil Nothing", "org": "org-1", "groups": ["cooks"]},
    "dashboard": {"org": "org-1", "groups": ["skills-planners"]},
}
DELEGATIONS = """\
  delegations:
    - delegation: eve_for_ay
      subject: u-eve
      body: greater_ay
      roles: [analyst]
      instrument: Deed of 1 March 2026
      from: 2020-01-01
      until: 2090-12-31
    - delegation: past
      subject: u-eve
      body: office
      roles: [custodian]
      instrument: Deed of 2020
      from: 2020-01-01
      until: 2020-12-31
"""


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


@pytest.fixture(scope="module")
def port() -> int:
    """The node's, which the provider has to know beforehand."""
    return free_port()


@pytest.fixture(scope="module")
def provider(port: int) -> Iterator[RunningProvider]:
    clients = [
        {
            "client_id": PAGES_CLIENT,
            "client_secret": PAGES_SECRET,
            "grant_types": ["authorization_code"],
            "redirect_uris": [f"http://127.0.0.1:{port}/login/callback"],
            "post_logout_redirect_uris": [f"http://127.0.0.1:{port}/"],
        },
        {
            "client_id": DEVICE_CLIENT,
            "token_endpoint_auth_method": "none",
            "application_type": "native",
            "grant_types": ["urn:ietf:params:oauth:grant-type:device_code", "refresh_token"],
            "response_types": [],
        },
        {
            "client_id": "dashboard",
            "client_secret": "a secret of the dashboard's",
            "grant_types": ["client_credentials"],
            "response_types": [],
        },
    ]
    with running_provider(clients, ACCOUNTS) as found:
        yield found


@pytest.fixture(scope="module")
def node(provider: RunningProvider, port: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    text = node_settings(provider.issuer, port, DELEGATIONS)
    directory = write_node(tmp_path_factory.mktemp("node"), {"node.yaml": text})
    environment = {"FEDERATION_SECRET_PAGES": PAGES_SECRET}
    with running(directory, environment, port=port) as found:
        yield found
