"""A file becomes a dataset in draft, or every reason why not; never half, and no reason holds a value."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from catalogue.loader import check_directory, load_catalogue
from catalogue.models import Role
from federation.importing.existing import Existing
from federation.importing.importer import Imported, ImportOptions, draft_dataset
from federation.importing.problems import ImportRefused
from federation.importing.record_keys import WeakSecret, record_key

SECRET = bytes(range(32))
OPTIONS = ImportOptions(unit="Person ID", name="jobs", codelist_limit=30)
ROWS = 200


def table() -> list[dict[str, str]]:
    return [
        {
            "": str(i),
            "Person ID": f"P{i:04}",
            "Area code": f"0{i % 7}",
            "Age": str(16 + i % 60),
            "Sex": "f" if i % 2 else "m",
            "Weekly pay": f"{300 + i * 1.25:.2f}" if i % 10 else "",
            "Hours": str(i * 3 % 181),
            "Survey weight": f"{1 + i % 13 / 8:.3f}",
            "Started": f"20{10 + i % 3}-0{1 + i % 9}-15",
            "Remark": f"free text {i}",
            "Nothing": "",
        }
        for i in range(ROWS)
    ]


def csv_text(rows: list[dict[str, str]], delimiter: str = ",") -> str:
    lines = [delimiter.join(rows[0]), *(delimiter.join(row.values()) for row in rows)]
    return "\n".join(lines) + "\n"


@pytest.fixture
def node(tmp_path: Path) -> Path:
    return tmp_path / "node"


def run(
    tmp_path: Path, text: str | bytes, options: ImportOptions = OPTIONS, name: str = "jobs.csv"
) -> Imported:
    path = tmp_path / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return draft_dataset(path, tmp_path / "node", SECRET, options)


def refused(tmp_path: Path, text: str | bytes, options: ImportOptions = OPTIONS) -> str:
    with pytest.raises(ImportRefused) as caught:
        run(tmp_path, text, options)
    node = tmp_path / "node"
    assert not list(node.rglob("*")), "a refused import leaves nothing behind"
    return str(caught.value)


def test_roles_types_and_keys(tmp_path: Path, node: Path) -> None:
    done = run(tmp_path, csv_text(table()))
    assert (done.rows, done.units) == (ROWS, ROWS)
    assert done.roles == {
        "person_id": Role.IDENTIFIER,
        "area_code": Role.DIMENSION,
        "age": Role.DIMENSION,
        "sex": Role.DIMENSION,
        "weekly_pay": Role.MEASURE,
        "hours": Role.MEASURE,
        "survey_weight": Role.WEIGHT,
        "started": Role.DIMENSION,
        "remark": Role.IDENTIFIER,
    }
    stored = pq.read_table(node / "data/jobs.parquet")
    types = {field.name: field.type for field in stored.schema}
    assert types["record_key"] == pa.int32()
    assert types["Weekly pay"] == pa.decimal128(18, 2)
    assert types["Hours"] == pa.decimal128(18, 0)
    assert types["Survey weight"] == pa.decimal128(18, 3)
    assert types["Started"] == pa.date32()
    assert types["Age"] == pa.int32()
    assert types["Area code"] == pa.string()
    assert "Nothing" not in types
    keys = dict(zip(stored["Person ID"].to_pylist(), stored["record_key"].to_pylist(), strict=True))
    assert keys == {row["Person ID"]: record_key(row["Person ID"], SECRET) for row in table()}
    pay = dict(zip(stored["Person ID"].to_pylist(), stored["Weekly pay"].to_pylist(), strict=True))
    assert {unit: "" if value is None else str(value) for unit, value in pay.items()} == {
        row["Person ID"]: row["Weekly pay"] for row in table()
    }


def test_the_draft_loads_and_says_what_is_to_be_completed(tmp_path: Path, node: Path) -> None:
    run(tmp_path, csv_text(table()))
    report = check_directory(node)
    assert report.faults == ()
    assert report.catalogue is not None
    jobs = report.catalogue.datasets["jobs"]
    assert jobs.document.unit.row_is_unit
    assert jobs.document.unit.expression == '"Person ID"'
    assert jobs.document.weight == "survey_weight"
    assert jobs.dimensions["area_code"].stored_values() == tuple(f"0{i}" for i in range(7))
    assert jobs.dimensions["age"].size == 121
    assert jobs.variable("weekly_pay").nullable
    assert (jobs.variable("weekly_pay").minimum, jobs.variable("weekly_pay").maximum) == (0, 1000)
    assert jobs.dimensions["started"].expression == "strftime(\"Started\", '%Y-%m')"
    assert [level.name for level in report.catalogue.codelists["started"].levels] == [
        "started_year",
        "started",
    ]
    messages = {warning.message for warning in report.warnings}
    assert "`licence` is still to be completed" in messages
    assert "replace it by the official list" in (node / "codelists/sex.yaml").read_text()


def test_extremes_are_not_written_down(tmp_path: Path, node: Path) -> None:
    """The highest pay belongs to one person; documents travel further than data."""
    rows = table()
    rows[5]["Weekly pay"] = "87654.32"
    run(tmp_path, csv_text(rows))
    assert "87654" not in (node / "datasets/jobs.yaml").read_text()
    assert "maximum: 100000" in (node / "datasets/jobs.yaml").read_text()


def test_importing_again_changes_nothing_and_keeps_edits(tmp_path: Path, node: Path) -> None:
    run(tmp_path, csv_text(table()))
    before = {path: path.read_bytes() for path in node.rglob("*.*")}
    again = run(tmp_path, csv_text(table()))
    assert again.written == ("data/jobs.parquet",)
    assert {path: path.read_bytes() for path in node.rglob("*.*") if path.suffix != ".parquet"} == {
        path: content for path, content in before.items() if path.suffix != ".parquet"
    }
    version = load_catalogue(node).version
    entry = node / "datasets/jobs.yaml"
    entry.write_text(entry.read_text().replace('licence: "To be completed"', "licence: Open"))
    with pytest.raises(ImportRefused, match="is there already and differs"):
        run(tmp_path, csv_text(table()))
    assert "licence: Open" in entry.read_text()
    run(
        tmp_path,
        csv_text(table()),
        ImportOptions(unit="Person ID", name="jobs", codelist_limit=30, existing=Existing.REPLACE),
    )
    assert load_catalogue(node).version == version


def test_new_data_under_an_edited_document(tmp_path: Path, node: Path) -> None:
    run(tmp_path, csv_text(table()))
    entry = node / "datasets/jobs.yaml"
    edited = (
        entry.read_text()
        .replace("decimals: 2", "decimals: 1")
        .replace('licence: "To be completed"', "licence: Open")
    )
    entry.write_text(edited)
    keep = replace(OPTIONS, existing=Existing.KEEP)
    done = run(tmp_path, csv_text(table()[:50]), keep)
    assert (done.rows, done.written, done.kept) == (50, ("data/jobs.parquet",), ("datasets/jobs.yaml",))
    assert entry.read_text() == edited
    schema = pq.read_schema(node / "data/jobs.parquet")
    assert schema.field("Weekly pay").type == pa.decimal128(18, 1)
    # Fifty rows alone would be drafted as codes.
    assert schema.field("Hours").type == pa.decimal128(18, 0)
    assert schema.field("Age").type == pa.int32()
    letters = [row | {"Hours": "many"} for row in table()]
    with pytest.raises(ImportRefused, match="`Hours` is a measure but does not hold numbers alone"):
        run(tmp_path, csv_text(letters), keep)
    entry.write_text("dataset: jobs\n")
    with pytest.raises(ImportRefused, match="is there already and is faulty"):
        run(tmp_path, csv_text(table()), keep)


def test_rows_are_stored_in_the_order_of_documented_holdings(tmp_path: Path, node: Path) -> None:
    """Which they are grouped by each time. The first import knows of none."""
    run(tmp_path, csv_text(table()))
    entry = node / "datasets/jobs.yaml"
    assert "\n  plural:" in entry.read_text()
    entry.write_text(entry.read_text().replace("\n  plural:", "\n  holding: '\"Area code\"'\n  plural:"))
    before = pq.read_table(node / "data/jobs.parquet")
    run(tmp_path, csv_text(table()), replace(OPTIONS, existing=Existing.KEEP))
    after = pq.read_table(node / "data/jobs.parquet")
    areas = after["Area code"].to_pylist()
    assert areas == sorted(areas)
    assert before["Area code"].to_pylist() != areas
    assert after.sort_by("Person ID") == before.sort_by("Person ID")


def test_bodies_and_code_lists_that_are_there_are_kept(tmp_path: Path, node: Path) -> None:
    (node / "bodies").mkdir(parents=True)
    (node / "bodies/all.yaml").write_text("- {body: custodian, title: The office}\n")
    (node / "codelists").mkdir()
    (node / "codelists/sex.yaml").write_text(
        "codelist: sex\ntitle: Sex\nsource: s\nvintage: '1'\nkind: codes\nfile: sex.csv\n"
        "levels: [{name: sex, title: Sex}]\n"
    )
    (node / "codelists/sex.csv").write_text("sex,sex_name\nf,Female\n")
    done = run(tmp_path, csv_text(table()))
    assert "bodies/custodian.yaml" in done.kept
    assert load_catalogue(node).bodies["custodian"].title == "The office"
    assert "`codelists/sex.yaml` was kept, but lacks 1 codes of column `Sex`: complete it." in done.notes


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_other_delimiters_and_line_ends(tmp_path: Path, delimiter: str) -> None:
    text = csv_text(table(), delimiter).replace("\n", "\r\n")
    assert run(tmp_path, b"\xef\xbb\xbf" + text.encode()).rows == ROWS


def test_parquet_gives_the_same_keys_and_codes(tmp_path: Path, node: Path) -> None:
    source = pa.table(
        {
            "pid": pa.array(range(100), pa.int64()),
            "code": pa.array([float(i % 3) if i % 4 else None for i in range(100)], pa.float64()),
            "pay": pa.array([i * 7.5 for i in range(100)]),
            "flag": pa.array([i % 2 == 0 for i in range(100)]),
            "tags": pa.array([["a"]] * 100),
        }
    )
    pq.write_table(source, tmp_path / "people.parquet")
    done = draft_dataset(tmp_path / "people.parquet", node, SECRET, ImportOptions(unit="pid"))
    stored = pq.read_table(node / "data/people.parquet").sort_by("record_key")
    assert sorted(stored["record_key"].to_pylist()) == sorted(record_key(str(i), SECRET) for i in range(100))
    assert load_catalogue(node).codelists["code"].leaf_level.codes == ("0", "1", "2")
    assert set(stored["code"].to_pylist()) == {"0", "1", "2", None}
    assert load_catalogue(node).codelists["flag"].leaf_level.codes == ("false", "true")
    assert "Column `tags` holds lists, structures or bytes and was left out." in done.notes


def test_units_with_many_rows(tmp_path: Path, node: Path) -> None:
    text = "unit,sector\n" + "".join(f"u{i % 10},s{i % 3}\n" for i in range(50))
    options = ImportOptions(unit="unit", name="posts", one_row_per_unit=False)
    done = run(tmp_path, text, options)
    assert (done.rows, done.units) == (50, 10)
    assert not load_catalogue(node).datasets["posts"].document.unit.row_is_unit
    stored = pq.read_table(node / "data/posts.parquet")
    assert stored.num_rows == 50
    assert len(set(stored["record_key"].to_pylist())) == 10


def test_declared_decimals_round_and_say_so(tmp_path: Path, node: Path) -> None:
    options = ImportOptions(unit="Person ID", name="jobs", codelist_limit=30, decimals={"Weekly pay": 1})
    done = run(tmp_path, csv_text(table()), options)
    assert pq.read_schema(node / "data/jobs.parquet").field("Weekly pay").type == pa.decimal128(18, 1)
    assert any(
        note.startswith("Column `Weekly pay` was rounded to 1 decimal places in ") for note in done.notes
    )


def broken(row: int, column: str, value: str) -> str:
    rows = table()
    rows[row][column] = value
    return csv_text(rows)


LINES = csv_text(table()).splitlines()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "`jobs.csv` is empty."),
        ("Person ID,Age\n", "The file has columns but no rows."),
        ("\n".join([*LINES[:4], "secret,9", *LINES[4:]]), "Row 5: too few columns."),
        ("\n".join([*LINES[:4], LINES[4] + ",secret", *LINES[5:]]), "Row 5: too many columns."),
        (
            "Person ID,Age,AGE\n1,2,3\n",
            "Column names stand twice (upper and lower case are the same): `Age`, `AGE`.",
        ),
        ("1,2,3\n4,5,6\n", "The first row holds numbers, not column names: add a row of names."),
        (b"Person ID,Name\n1,a\n2,\xff\xfe\n", "Line 3 is not UTF-8: save the file in UTF-8."),
        (b"Person ID\x00", "The file holds zero bytes: it is not a text file in UTF-8."),
        ("Pid,Age\n1,2\n", "There is no column `Person ID`. The columns are: Pid, Age."),
        (broken(3, "Person ID", "P0007"), "Column `Person ID` repeats in rows 5, 9: a row is not a unit."),
        (broken(3, "Person ID", ""), "Column `Person ID` is blank in row 5."),
        (
            broken(9, "Weekly pay", "secret"),
            "Column `Weekly pay` holds numbers, but not in row 11: mend them, or",
        ),
        (
            "Person ID,record_key\n1,2\n",
            "The column `record_key` is what the import adds: rename or remove it.",
        ),
        ("Person ID,RowID\n1,2\n", "A column can't be called `rowid`: rename it."),
        (
            'Person ID,"a\nb"\n1,2\n',
            "Column names hold line breaks or control characters, in 1: rename them.",
        ),
        ('Person ID,Name\n1,"secret\n', "Row 2: a quotation mark that is not closed."),
    ],
)
def test_bad_files_are_refused_without_a_value(tmp_path: Path, text: str | bytes, message: str) -> None:
    said = refused(tmp_path, text)
    assert message in said
    assert "secret" not in said
    assert "P0007" not in said


def test_all_problems_of_the_units_at_once(tmp_path: Path) -> None:
    rows = table()
    rows[0]["Person ID"] = ""
    rows[1]["Person ID"] = rows[2]["Person ID"]
    assert refused(tmp_path, csv_text(rows)).count("\n") == 1


def test_marks_for_no_value_can_be_declared(tmp_path: Path) -> None:
    options = ImportOptions(unit="Person ID", name="jobs", codelist_limit=30, null_values=("[x]",))
    assert run(tmp_path, broken(9, "Weekly pay", "[x]"), options).roles["weekly_pay"] is Role.MEASURE


def test_awkward_column_names(tmp_path: Path, node: Path) -> None:
    names = [
        'the "quoted"',
        "it's",
        "record key!",
        "a-b",
        "A b",
        "100 %",
        "# no comment",
        "x: y",
        "staged",
        "Order",
        "null",
    ]
    header = ",".join('"' + name.replace('"', '""') + '"' for name in ["Person ID", *names])
    text = header + "\n" + "".join(f"{i},{','.join(str(i % 3) for _ in names)}\n" for i in range(30))
    done = run(tmp_path, text)
    assert list(done.roles) == [
        "person_id", "the_quoted", "it_s", "record_key_2", "a_b", "a_b_2", "c_100", "no_comment", "x_y",
        "staged", "order_column", "null_column",
    ]  # fmt: skip
    jobs = load_catalogue(node).datasets["jobs"]
    for dimension in jobs.dimensions.values():
        data = node / "data" / "jobs.parquet"
        found = duckdb.sql(f"SELECT DISTINCT {dimension.expression} FROM read_parquet('{data}')").fetchall()
        assert {value for (value,) in found} == set(dimension.stored_values()) == {"0", "1", "2"}


def test_what_is_no_data_file(tmp_path: Path, node: Path) -> None:
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "book.xlsx").write_bytes(b"PK")
    (tmp_path / "cut.parquet").write_bytes(b"PAR1 and then nothing")
    for name, message in {
        "nowhere.csv": "There is no file `nowhere.csv`.",
        "folder.csv": "`folder.csv` is not a file.",
        "book.xlsx": "`book.xlsx` is neither CSV nor Parquet: save it as .csv or .parquet.",
        "cut.parquet": "`cut.parquet` is not a readable Parquet file.",
    }.items():
        with pytest.raises(ImportRefused) as caught:
            draft_dataset(tmp_path / name, node, SECRET, OPTIONS)
        assert str(caught.value) == message


def test_a_directory_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "node").write_text("a file where the directory should be")
    with pytest.raises(ImportRefused, match="The directory could not be written"):
        run(tmp_path, csv_text(table()))


def test_a_full_disk_leaves_nothing_half_written(tmp_path: Path, node: Path) -> None:
    """Under a limit on file size, as under a full disk, the engine can't finish: the directory stays as it was."""
    run(tmp_path, csv_text(table()))
    before = {path: path.read_bytes() for path in node.rglob("*") if path.is_file()}
    program = (
        "import resource, signal, sys; from pathlib import Path\n"
        "from federation.importing.importer import ImportOptions, draft_dataset\n"
        "from federation.importing.problems import ImportRefused\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        "try:\n"
        "    draft_dataset(Path(sys.argv[1]), Path(sys.argv[2]), bytes(range(32)), ImportOptions(unit='Person ID'))\n"
        "except ImportRefused as refused:\n"
        "    print(refused)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "jobs.csv"), str(node)],
        capture_output=True, text=True, check=True, cwd=Path(__file__).resolve().parents[3],
    )  # fmt: skip
    assert "could not be read or written" in done.stdout
    assert {path: path.read_bytes() for path in node.rglob("*") if path.is_file()} == before


def test_a_weak_secret_writes_nothing(tmp_path: Path, node: Path) -> None:
    (tmp_path / "jobs.csv").write_text(csv_text(table()))
    with pytest.raises(WeakSecret):
        draft_dataset(tmp_path / "jobs.csv", node, b"short", OPTIONS)
    assert not list(node.rglob("*"))


def test_what_a_killed_import_left_is_removed_by_the_next(tmp_path: Path, node: Path) -> None:
    left = node / ".import-killed"
    left.mkdir(parents=True)
    (left / "staging.duckdb").write_text("rows")
    run(tmp_path, csv_text(table()))
    assert not list(node.glob(".import-*"))
