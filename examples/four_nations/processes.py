"""Nodes as processes of their own, each started as a keeper would start it: ``federation serve --config …``."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from examples.four_nations.layout import HUB, NATIONS, NODES, Addresses

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 120
STOP_SECONDS = 20


class NodeDied(Exception):
    """A node did not start; the text is what it wrote."""


def free_addresses() -> Addresses:
    """A port for every node, and one for the wire to each of those that are called."""
    called = (*NATIONS, HUB)
    ports = _free_ports(len(NODES) + len(called))
    urls = {node: f"http://127.0.0.1:{port}" for node, port in zip(called, ports[len(NODES) :], strict=True)}
    return Addresses(dict(zip(NODES, ports, strict=False)), urls)


def _free_ports(number: int) -> list[int]:
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(number)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]


def port_of(url: str) -> int:
    """The port of an address.

    >>> port_of("http://127.0.0.1:8642")
    8642
    """
    return int(url.rpartition(":")[2])


@dataclass
class Processes:
    """The nodes of ``folder`` that run. Leaving the context stops every one of them, whatever happened."""

    folder: Path
    addresses: Addresses
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def __enter__(self) -> Processes:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop(list(self.running))

    def start(self, nodes: Iterable[str]) -> None:
        """Start nodes at the same time and wait until all are ready. Raises NodeDied."""
        started = list(nodes)
        for node in started:
            command = [sys.executable, "-m", "federation", "serve", "--config", str(self.folder / node)]
            environment = {
                name: value for name, value in os.environ.items() if not name.startswith("FEDERATION_")
            } | {"PYTHONPATH": str(ROOT)}
            with (self.folder / f"{node}.log").open("ab") as log:
                # A session of its own: Ctrl-C here ends the journey, and the journey ends the nodes.
                self.running[node] = subprocess.Popen(
                    command, env=environment, stdout=log, stderr=log, cwd=ROOT, start_new_session=True
                )
        for node in started:
            self._await(node)

    def stop(self, nodes: Iterable[str]) -> None:
        """Tell nodes to end, and see to it that they do."""
        ending = [self.running.pop(node) for node in nodes]
        for process in ending:
            process.send_signal(signal.SIGCONT)
            process.send_signal(signal.SIGTERM)
        end = time.monotonic() + STOP_SECONDS
        for process in ending:
            try:
                process.wait(max(0.1, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _await(self, node: str) -> None:
        end = time.monotonic() + START_SECONDS
        log = self.folder / f"{node}.log"
        while time.monotonic() < end:
            if self.running[node].poll() is not None:
                raise NodeDied(f"The node {node} did not start:\n{log.read_text(errors='replace')}")
            try:
                with urlopen(f"{self.addresses.url(node)}/readyz", timeout=2):
                    return
            except (URLError, OSError):
                time.sleep(0.2)
        raise NodeDied(f"The node {node} did not start within {START_SECONDS} seconds: see {log}.")
