"""Logs are a service to the operator: that nobody can read them stops nothing."""

from __future__ import annotations

import io
import json
import sys

import pytest
import structlog

from federation.api.server import configure_logs


def test_a_log_line_is_one_json_object(
    capsys: pytest.CaptureFixture[str], request: pytest.FixtureRequest
) -> None:
    request.addfinalizer(structlog.reset_defaults)
    configure_logs()
    structlog.get_logger("any").warning("run_ended", run="run_1", code="source_missing")
    line = json.loads(capsys.readouterr().err)
    assert (line["event"], line["run"], line["level"]) == ("run_ended", "run_1", "warning")
    assert line["timestamp"].endswith("Z")


def test_a_log_that_is_closed_stops_nothing(
    monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    request.addfinalizer(structlog.reset_defaults)
    configure_logs()
    log = structlog.get_logger("any")
    closed = io.StringIO()
    closed.close()
    monkeypatch.setattr(sys, "stderr", closed)
    log.error("worker_waits", code="state_unavailable")
