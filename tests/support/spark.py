"""A Spark cluster of the tests' own: a master, two workers and a Connect server, all on loopback.

It takes about half a minute to start, so one serves a whole session of tests (the ``spark`` marker). Every process is
ended by its id, and ends by itself when the tests' own process does, however that ends.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

SWITCH = "FEDERATION_SPARK_TESTS"
LEFT_OUT = f"Spark is left out of the everyday tests: 'make test-all' installs it and sets {SWITCH}"
NO_CLUSTER = "a Spark cluster cannot run here: it needs Java 17 or newer, and setpriv"
START_SECONDS = 240
"""For each part of it; ten where a machine has nothing else to do."""
TOKEN = "token-of-the-test-cluster"
DIE_WITH_PARENT = ("setpriv", "--pdeathsig", "KILL")
QUICK = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
"""For Java: statements over a hundred rows are compiled for longer than they run."""


def _home() -> Path:
    """Where pyspark, which brings Spark itself, is installed; skips the test where it is not wanted or cannot run."""
    if os.environ.get(SWITCH) != "1":
        pytest.skip(LEFT_OUT)
    if not all(shutil.which(program) for program in ("java", DIE_WITH_PARENT[0])):
        pytest.skip(NO_CLUSTER)
    found = find_spec("pyspark")
    if found is None or found.origin is None:
        pytest.fail(f"{SWITCH} is set, but the extra 'spark' is not installed", pytrace=False)
    return Path(found.origin).parent


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _listens(port: int) -> bool:
    socket.create_connection(("127.0.0.1", port), timeout=1).close()
    return True


def _get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.load(answer)


@dataclass
class Cluster:
    """``folder`` is for data that the cluster reads; every process sees the same file system. ``java`` is told to
    every Java process."""

    home: Path
    folder: Path
    java: str = ""
    master: int = field(default_factory=free_port)
    port: int = field(default_factory=free_port)
    ui: int = field(default_factory=free_port)
    master_ui: int = field(default_factory=free_port)
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def remote(self) -> str:
        return f"sc://localhost:{self.port}"  # with a token only "localhost" does without TLS

    @property
    def rest(self) -> str:
        """Spark's own account of its jobs, executors and cached data."""
        return f"http://127.0.0.1:{self.ui}/api/v1"

    def tell(self, what: str) -> list[dict[str, Any]]:
        """What the server says of the one application that it is."""
        application = _get(f"{self.rest}/applications")[0]["id"]
        found: list[dict[str, Any]] = _get(f"{self.rest}/applications/{application}/{what}")
        return found

    def start(self, name: str, *command: str, memory: str = "256m") -> None:
        environment = {
            **{key: os.environ[key] for key in ("PATH", "HOME", "JAVA_HOME", "LANG") if key in os.environ},
            "SPARK_HOME": str(self.home),
            "SPARK_LOCAL_IP": "127.0.0.1",
            "SPARK_DAEMON_MEMORY": memory,
            "SPARK_LOCAL_DIRS": str(self.folder / "local"),
            "JAVA_TOOL_OPTIONS": f"-Djava.io.tmpdir={self.folder} {self.java}",
            "SPARK_CONNECT_AUTHENTICATE_TOKEN": TOKEN,
            "PYSPARK_PYTHON": sys.executable,
        }
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                (*DIE_WITH_PARENT, *command),  # no preexec_fn, which hangs beside gRPC's threads
                env=environment,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def start_worker(self, name: str) -> None:
        self.start(
            name, str(self.home / "bin/spark-class"), "org.apache.spark.deploy.worker.Worker",
            "--host", "127.0.0.1", "--port", str(free_port()), "--webui-port", str(free_port()),
            "--cores", "1", "--memory", "1g", "--work-dir", str(self.folder / name),
            f"spark://127.0.0.1:{self.master}",
        )  # fmt: skip

    def start_server(self) -> None:
        settings = {
            "spark.connect.grpc.binding.address": "127.0.0.1",
            "spark.connect.grpc.binding.port": self.port,
            "spark.driver.host": "127.0.0.1",
            "spark.executor.memory": "768m",
            "spark.executor.cores": 1,
            "spark.ui.port": self.ui,
            "spark.sql.warehouse.dir": self.folder / "warehouse",
            "spark.task.maxFailures": 2,
            "spark.shuffle.io.retryWait": "1s",
            "spark.log.level": "WARN",
        }
        options = [word for key, value in settings.items() for word in ("--conf", f"{key}={value}")]
        self.start(
            "server", str(self.home / "bin/spark-submit"),
            "--class", "org.apache.spark.sql.connect.service.SparkConnectServer",
            "--master", f"spark://127.0.0.1:{self.master}", *options, "spark-internal",
            memory="1g",
        )  # fmt: skip

    def wait_for(self, what: str, happened: Callable[[], bool]) -> None:
        """Raises AssertionError, with the end of a log, where a process ends or it does not happen in time."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            ended = [name for name, process in self.processes.items() if process.poll() is not None]
            assert not ended, f"{ended[0]} of the Spark cluster ended: {self.log(ended[0])}"
            try:
                if happened():
                    return
            except (OSError, ValueError, LookupError):
                pass  # not there yet
            time.sleep(0.25)
        last = list(self.processes)[-1]
        raise AssertionError(f"the Spark cluster has no {what} after {START_SECONDS} s: {self.log(last)}")

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text(errors="replace")[-2000:]

    def await_workers(self) -> None:
        """Until the master knows every worker that has been started."""
        started = sum(name.startswith("worker") for name in self.processes)
        self.wait_for("workers", lambda: _get(self.state)["aliveworkers"] >= started)

    def await_executors(self) -> None:
        """Until every worker has an executor: without one a job would wait for ever."""
        started = sum(name.startswith("worker") for name in self.processes)
        self.wait_for(
            "executors", lambda: len([e for e in self.tell("executors") if e["isActive"]]) > started
        )

    @property
    def state(self) -> str:
        return f"http://127.0.0.1:{self.master_ui}/json/"

    def kill(self, name: str) -> None:
        process = self.processes.pop(name)
        process.kill()
        process.wait()

    def restart_worker(self, name: str) -> None:
        self.start_worker(name)
        self.await_workers()
        self.await_executors()

    def restart_server(self) -> None:
        if "server" in self.processes:
            self.kill("server")
        self.start_server()
        self.wait_for("server", lambda: _listens(self.port))
        self.await_executors()

    def stop(self) -> None:
        for name in list(reversed(self.processes)):
            self.processes[name].terminate()
        for name in list(self.processes):
            try:
                self.processes[name].wait(timeout=20)
            except subprocess.TimeoutExpired:
                self.processes[name].kill()
                self.processes[name].wait()
            del self.processes[name]


@contextmanager
def cluster(java: str = "") -> Iterator[Cluster]:
    """A running cluster that accepts connections."""
    home = _home()
    with TemporaryDirectory(prefix="spark", ignore_cleanup_errors=True) as directory:
        found = Cluster(home, Path(directory), java)
        try:
            found.start(
                "master", str(home / "bin/spark-class"), "org.apache.spark.deploy.master.Master",
                "--host", "127.0.0.1", "--port", str(found.master), "--webui-port", str(found.master_ui),
            )  # fmt: skip
            found.wait_for("master", lambda: _listens(found.master))
            found.start_worker("worker1")
            found.start_worker("worker2")
            found.await_workers()
            found.restart_server()
            yield found
        finally:
            found.stop()
