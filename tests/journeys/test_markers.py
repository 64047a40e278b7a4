"""Markers are seeded in the data, the whole journey is made with all its failures, and everything the node ever wrote
is searched for them: logs, answers, e-mails, feeds, metrics, the audit trail, the state, released files."""

from __future__ import annotations

import zipfile
from io import BytesIO
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import structlog

from federation.api.server import configure_logs
from federation.client import FederationError, RunFailed
from federation.service.notices import remind
from tests.support.mail import Mailbox, free_port, listening
from tests.support.node import (
    CUSTODIAN_SQL,
    FILES,
    PURPOSE,
    STANDING_SQL,
    Running,
    people,
    running,
    write_node,
)

PERSON, PAY, KEY, CODE = "ZQPERSON", 3917.31, 82640159, "ZQ-UNKNOWN"
MARKERS = (PERSON, "3917.31", str(KEY), CODE)
MEANS = "SELECT region, sex, avg(pay) AS pay, median(pay) AS middle FROM people GROUP BY region, sex"


def seeded(code: bool = False) -> pa.Table:
    """Ids, some pays, a record key and, if so, a code that are found nowhere else."""
    table = people()
    rows = table.num_rows
    pay = [PAY if row % 10 == 0 else each for row, each in enumerate(table.column("pay").to_pylist())]
    area = table.column("area").to_pylist()
    return pa.table(
        {
            "person_id": [f"{PERSON}{row:05d}" for row in range(rows)],
            "record_key": [KEY, *table.column("record_key").to_pylist()[1:]],
            "area": [CODE, *area[1:]] if code else area,
            "sex": table.column("sex"),
            "age": table.column("age"),
            "pay": pay,
        }
    )


def test_no_value_of_the_data_is_anywhere_but_protected(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], request: pytest.FixtureRequest
) -> None:
    mailbox = Mailbox(free_port())
    settings = (
        f"notices: {{smtp: {{host: 127.0.0.1, port: {mailbox.port}, tls: none, sender: node@example.org}},"
        " domains: [example.org]}\n"
    )
    write_node(tmp_path, {"node.yaml": FILES["node.yaml"] + settings})
    file = tmp_path / "data" / "people.parquet"
    pq.write_table(seeded(), file, compression="none", use_dictionary=False)
    configure_logs()
    request.addfinalizer(structlog.reset_defaults)
    texts: list[str] = []
    with listening(mailbox), running(tmp_path) as node:
        texts += whole_journey(node)
        pq.write_table(seeded(code=True), file)
        texts += failing(node)
        file.write_bytes(file.read_bytes()[:-200])
        texts += failing(node)
        file.unlink()
        texts += failing(node)
        remind(node.node)
        texts += accounts(node)
    logged = capfd.readouterr()
    texts += [logged.out, logged.err, *(message.as_string() for message in mailbox.messages)]
    kept = [
        path.read_bytes()
        for path in (tmp_path / "state").rglob("*")
        if path.is_file() and "cells" not in path.relative_to(tmp_path / "state").parts
    ]
    assert mailbox.messages
    assert "run_ended" in logged.err
    for marker in MARKERS:
        assert not [text for text in texts if marker in text], marker
        assert not [content for content in kept if marker.encode() in content], marker
    assert PERSON.encode() not in b"".join(
        path.read_bytes() for path in (tmp_path / "state" / "cells").rglob("*.parquet")
    ), "the ledger knows cells, and nobody in them"


def whole_journey(node: Running) -> list[str]:
    """Asked, returned, approved, run, fetched in every format, talked about, recalled."""
    said: list[str] = []
    with node.session("pat") as pat, node.session("olu") as olu:
        pat.subscribe("pat@example.org")
        olu.subscribe("olu@example.org")
        asked = pat.request(MEANS, agreement="planning", purpose=PURPOSE)
        olu.take_up(asked.id)
        olu.send_back(asked.id, reason="of which year?")
        asked.submit()
        said.append(str(asked.explain()))
        said += [str(olu.dry_run(asked.id)), str(olu.evidence(asked.id))]
        olu.approve(asked.id, reason="fine", plan_digest=asked.plan_digest, conditions="be careful")
        asked.refresh().accept()
        release = asked.wait(progress=False).release
        for media_type in ("application/json", "text/csv"):
            said.append(pat.download(release, media_type).decode())
        with zipfile.ZipFile(BytesIO(pat.crate(release))) as crate:
            said += [crate.read(name).decode(errors="replace") for name in crate.namelist()]
        pat.comment("release", release, "thanks")
        olu.recall(release, reason="the source was wrong")
        refused = pat.request(CUSTODIAN_SQL, agreement="planning", purpose=PURPOSE)
        olu.refuse(refused.id, reason="no", code="disclosure_risk")
        said.append(str(refused.appeal("please").fields))
        with pytest.raises(FederationError) as error:
            pat.request("SELECT person_id FROM people", agreement="planning", purpose=PURPOSE)
        said.append(str(error.value))
    return said


def failing(node: Running) -> list[str]:
    """What is said of a run, and of a dry run, on data that is not what it should be."""
    with node.session("pat") as pat, node.session("olu") as olu:
        waiting = pat.request(CUSTODIAN_SQL, agreement="planning", purpose=PURPOSE)
        with pytest.raises(FederationError) as looked:
            olu.dry_run(waiting.id)
        asked = pat.request(STANDING_SQL, agreement="planning", purpose=PURPOSE)
        with pytest.raises(RunFailed) as error:
            asked.fetch()
        return [str(looked.value), str(error.value), str(asked.runs())]


def accounts(node: Running) -> list[str]:
    """Everything that the node tells of itself."""
    with node.session("ada") as ada, node.session("pat") as pat:
        feed = pat.subscribe("pat@example.org")["feed"].removeprefix(node.node.settings.public_url)
        said = [ada.audit_export().decode(), str(ada.verify_audit()), str(pat.notices()), str(pat.recalls())]
        said += [str([each.fields for each in ada.requests(limit=500)])]
    with node.http() as anybody:
        return [*said, anybody.get(feed).text, anybody.get("/metrics").text]
