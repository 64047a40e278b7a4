"""No data value in answers, logs, metrics, the audit trail or the state: whatever goes wrong with the data."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
import structlog

from federation.api.server import configure_logs
from federation.client import RunFailed
from tests.support.node import FILES, PURPOSE, Running, people, running, write_node

MARKER = "Zzyzx-4711"
NUMBER = "98765.4321"
SQL = "SELECT region, count(*) AS people, avg(pay) AS pay FROM people GROUP BY region"


def ask(node: Running) -> str:
    request = node.session("pat").request(SQL, purpose=PURPOSE, agreement="planning")
    try:
        return str(request.fetch())
    except RunFailed as error:
        return str(error)


def bad_text(rows: int) -> pa.Table:
    """A code that no code list knows, and a pay that is a word."""
    table = people(rows)
    area = pa.array([MARKER, *table.column("area").to_pylist()[1:]])
    pay = pa.array([MARKER, NUMBER, *map(str, table.column("pay").to_pylist()[2:])])
    return table.set_column(2, "area", area).set_column(5, "pay", pay)


def damaged(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[200:260] = (MARKER * 6).encode()
    path.write_bytes(bytes(content))


@pytest.mark.parametrize("fault", ["unknown code", "wrong type", "damaged file"])
def test_no_value_leaves_by_another_door(
    tmp_path: Path, fault: str, capfd: pytest.CaptureFixture[str], request: pytest.FixtureRequest
) -> None:
    changes = {}
    if fault == "unknown code":
        changes = {"datasets/people.yaml": FILES["datasets/people.yaml"].replace(".parquet", ".csv")}
    write_node(tmp_path, changes)
    file = tmp_path / "data" / "people.parquet"
    if fault == "unknown code":
        pyarrow.csv.write_csv(bad_text(3000), tmp_path / "data" / "people.csv")
    elif fault == "wrong type":
        pq.write_table(bad_text(3000), file)
    else:
        pq.write_table(people(3000), file, compression="none", use_dictionary=False)
        damaged(file)
    configure_logs()
    request.addfinalizer(structlog.reset_defaults)
    with running(tmp_path) as node:
        texts = [ask(node)]
        with node.http("ada") as http:
            texts += [http.get("/v1/audit/events?limit=1000").text, http.get("/v1/requests").text]
            texts += [http.get("/metrics").text]
    logged = capfd.readouterr()
    texts += [logged.out, logged.err]
    state = tmp_path / "state"
    stored = b"".join(path.read_bytes() for path in state.glob("node.sqlite*"))
    for secret in (MARKER, NUMBER):
        assert not any(secret in text for text in texts)
        assert secret.encode() not in stored
