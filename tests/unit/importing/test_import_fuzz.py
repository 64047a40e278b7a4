"""Whatever stands in a file, an import ends in a catalogue that loads or in a refusal that holds no value."""

from __future__ import annotations

import csv
import io
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from catalogue.loader import check_directory
from federation.importing.importer import ImportOptions, draft_dataset
from federation.importing.problems import ImportRefused

SECRET = bytes(range(32))
MARK = "zq7"
CELL = st.one_of(
    st.integers(-(10**20), 10**20).map(str),
    st.decimals(allow_nan=False, allow_infinity=False, places=8).map(str),
    st.dates().map(str),
    st.sampled_from(["", " ", "0", "-0", "007", "1e5", "NaN", "inf", "true", "NULL", "'", "2025-02-30", "5.", ".5",
     "5.0"]),
    st.text(max_size=8).map(lambda text: MARK + text),
)  # fmt: skip
LETTERS = st.characters(codec="utf-8", exclude_categories=("C", "Z"))
NAME = st.one_of(
    st.sampled_from(["id", "age", "Weight", "sex", "", "NULL", "Order", "no", "pay (£)", "a;b"]),
    st.text(LETTERS, min_size=1, max_size=6),
)


@st.composite
def files(draw: st.DrawFn) -> bytes:
    width = draw(st.integers(1, 4))
    header = ["unit", *draw(st.lists(NAME, min_size=width, max_size=width, unique_by=str.casefold))]
    columns = [draw(st.sampled_from(["as drawn", "one kind"])) for _ in range(width)]
    kinds = [draw(st.sampled_from(["7", "8.25", "2025-03-01"])) for _ in range(width)]
    stream = io.StringIO()
    writer = csv.writer(stream, delimiter=draw(st.sampled_from(",;\t|")))
    writer.writerow(header)
    for row in range(draw(st.integers(1, 12))):
        cells = [kinds[i] if columns[i] == "one kind" else draw(CELL) for i in range(width)]
        writer.writerow([f"u{row}", *cells])
    raw = stream.getvalue().encode("utf-8", errors="surrogatepass")
    if draw(st.integers(0, 9)) == 0 and raw:
        cut = draw(st.integers(0, len(raw)))
        raw = raw[:cut] + draw(st.binary(max_size=3)) + raw[cut:]
    return raw


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(files())
def test_an_import_ends_well_or_says_why(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path, node = Path(folder) / "file.csv", Path(folder) / "node"
        path.write_bytes(content)
        try:
            draft_dataset(path, node, SECRET, ImportOptions(unit="unit", name="things"))
        except ImportRefused as refused:
            said, left = str(refused), list(node.rglob("*"))
        else:
            said, left = "", []
            assert check_directory(node).faults == ()
    assert MARK not in said
    assert left == []
