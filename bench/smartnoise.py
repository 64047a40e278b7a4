"""smartnoise-sql beside the service on a million rows, in an environment of its own: it pins old packages.

It answers under differential privacy, so its numbers are not ours; what is compared is the time of a count by group.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

ROWS = 1_000_000
SCRIPT = """\
import sys, time, statistics
import pandas as pd
from snsql import Privacy, from_df
frame = pd.read_parquet(sys.argv[1])
meta = {"": {"": {"people": {"row_privacy": True, "rows": len(frame),
    "sex": {"type": "string"}, "qualification": {"type": "string"}, "age": {"type": "int", "lower": 0, "upper": 110}}}}}
reader = from_df(frame, privacy=Privacy(epsilon=1.0, delta=1e-6), metadata=meta)
sql = "SELECT sex, qualification, COUNT(*) AS n FROM people GROUP BY sex, qualification"
times = []
for _ in range(5):
    start = time.perf_counter()
    reader.execute(sql)
    times.append(time.perf_counter() - start)
print(statistics.median(times))
"""


def beside_smartnoise(out: Path, data: Path) -> str:
    """One line to print: the figure, or why there is none."""
    environment = out / "smartnoise"
    python = environment / "bin" / "python"
    if not python.exists():
        commands = (
            [sys.executable, "-m", "venv", str(environment)],
            [str(python), "-m", "pip", "install", "--quiet", "smartnoise-sql"],
        )
        for command in commands:
            if subprocess.run(command, capture_output=True, check=False).returncode:
                return "smartnoise-sql: not measured, it can't be installed for this Python."
    rows = out / "smartnoise.parquet"
    source = ds.dataset(data / "people.parquet").scanner(columns=["sex", "qualification", "age"]).head(ROWS)
    table = source.set_column(0, "sex", pc.cast(source["sex"], "string"))
    pq.write_table(table.set_column(1, "qualification", pc.cast(table["qualification"], "string")), rows)
    script = out / "smartnoise_bench.py"
    script.write_text(SCRIPT)
    done = subprocess.run([str(python), str(script), str(rows)], capture_output=True, text=True, check=False)
    if done.returncode:
        return "smartnoise-sql: not measured, it fails on this machine's packages."
    return f"smartnoise-sql, a count by two columns of {ROWS:,} rows: {float(done.stdout):.2f} s."
