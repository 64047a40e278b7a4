"""Whatever stands in the files, a check answers with faults: it never raises, and every fault has a place."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from catalogue.loader import check_directory
from tests.support.catalogue_files import FILES

JUNK = st.sampled_from(
    ["null", "[]", "{}", "0", "-1", "1.5", "yes", "2025-01-01", "''", "[[]]", "{a: {b: c}}", "x" * 300, "*a", "!t",
     "\t", "\x00", "\ud7ff", "1e400", ".nan", ".inf", "9" * 400, "<<: {a: 1}", "- -", ": :", "|", "{", "E1", "age", "'"]
)  # fmt: skip


@st.composite
def damaged(draw: st.DrawFn) -> dict[str, str]:
    """The small catalogue with one to three values, lines or characters damaged."""
    files = dict(FILES)
    for _ in range(draw(st.integers(1, 3))):
        name = draw(st.sampled_from(sorted(files)))
        lines = files[name].split("\n")
        at = draw(st.integers(0, len(lines) - 1))
        kind = draw(st.sampled_from(["value", "item", "drop", "repeat", "character"]))
        key, colon, _ = lines[at].partition(":")
        if kind == "value" and colon:
            lines[at] = f"{key}: {draw(JUNK)}"
        elif kind == "item":
            words = lines[at].split(", ")
            words[draw(st.integers(0, len(words) - 1))] = draw(JUNK)
            lines[at] = ", ".join(words)
        elif kind == "drop":
            del lines[at]
        elif kind == "repeat":
            lines.insert(at, lines[at])
        else:
            cut = draw(st.integers(0, len(lines[at])))
            lines[at] = lines[at][:cut] + draw(st.characters(codec="utf-8")) + lines[at][cut:]
        files[name] = "\n".join(lines)
    return files


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(damaged())
def test_damage_is_reported_never_raised(files: dict[str, str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder)
        for name, content in files.items():
            (directory / name).parent.mkdir(exist_ok=True)
            (directory / name).write_bytes(content.encode("utf-8", errors="surrogatepass"))
        report = check_directory(directory)
    assert (report.catalogue is None) == bool(report.faults) == bool(report.exit_status)
    for fault in (*report.faults, *report.warnings):
        assert fault.message
        assert fault.line >= 0
