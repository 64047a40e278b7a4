"""A Spark cluster of the tests' own: a master, two workers and a Connect server, all on loopback.

It takes about a minute to start, so one serves a whole session of tests (the ``spark`` marker). Every process is
ended by its id, and ends by itself when the tests' own process does.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

SWITCH = "FEDERATION_SPARK_TESTS"
LEFT_OUT = f"Spark is left out of the everyday tests: 'make test-all' installs it and sets {SWITCH}"
START_SECONDS = 240
TOKEN = "token-of-the-test-cluster"
DIE_WITH_PARENT = ("setpriv", "--pdeathsig", "KILL")


def _home() -> Path:
    """Where pyspark, which brings Spark itself, is installed; skips the test where it is not wanted."""
    if os.environ.get(SWITCH) != "1":
        pytest.skip(LEFT_OUT)
    found = find_spec("pyspark")
    if found is None or found.origin is None or shutil.which("java") is None:
        pytest.fail(f"{SWITCH} is set, but pyspark or java is not installed", pytrace=False)
    return Path(found.origin).parent


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Cluster:
    """``folder`` is for data that the cluster reads; every process sees the same file system."""

    home: Path
    folder: Path
    master: int = field(default_factory=free_port)
    port: int = field(default_factory=free_port)
    ui: int = field(default_factory=free_port)
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def remote(self) -> str:
        return f"sc://localhost:{self.port}"  # with a token only "localhost" does without TLS

    @property
    def rest(self) -> str:
        """Spark's own account of its jobs and cached data."""
        return f"http://127.0.0.1:{self.ui}/api/v1"

    def start(self, name: str, *command: str, memory: str = "256m") -> None:
        environment = {
            **{key: os.environ[key] for key in ("PATH", "HOME", "JAVA_HOME", "LANG") if key in os.environ},
            "SPARK_HOME": str(self.home),
            "SPARK_LOCAL_IP": "127.0.0.1",
            "SPARK_DAEMON_MEMORY": memory,
            "SPARK_LOCAL_DIRS": str(self.folder / "local"),
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
            "spark.task.maxFailures": 4,
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

    def await_port(self, port: int) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            ended = [name for name, process in self.processes.items() if process.poll() is not None]
            assert not ended, f"{ended[0]} ended: {(self.folder / f'{ended[0]}.log').read_text()[-2000:]}"
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
            except OSError:
                time.sleep(0.5)
            else:
                return
        raise AssertionError("the cluster did not start")

    def kill(self, name: str) -> None:
        process = self.processes.pop(name)
        process.kill()
        process.wait()

    def restart_server(self) -> None:
        if "server" in self.processes:
            self.kill("server")
        self.start_server()
        self.await_port(self.port)

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
def cluster() -> Iterator[Cluster]:
    """A running cluster that accepts connections."""
    home = _home()
    with TemporaryDirectory(prefix="spark", ignore_cleanup_errors=True) as directory:
        found = Cluster(home, Path(directory))
        try:
            found.start(
                "master", str(home / "bin/spark-class"), "org.apache.spark.deploy.master.Master",
                "--host", "127.0.0.1", "--port", str(found.master), "--webui-port", str(free_port()),
            )  # fmt: skip
            found.await_port(found.master)
            found.start_worker("worker1")
            found.start_worker("worker2")
            found.restart_server()
            yield found
        finally:
            found.stop()
