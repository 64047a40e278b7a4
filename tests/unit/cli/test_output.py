"""What reaches the terminal: no control sequences, no colour where nobody wants it, no line too wide or cut."""

from __future__ import annotations

import io
import json
import re
import sys
from collections.abc import Callable

import pyarrow as pa
import pytest

from federation.cli import explanations, output
from federation.cli.answers import print_result
from federation.cli.problems import excerpt, show
from federation.client import Result
from federation.client.display import ROWS_SHOWN
from federation.client.errors import Fault, QueryRefused

HOSTILE = "a\x1b[2Jb\x9bc\u202ed\u2066e\u200bf\rg\x00h\u2028i"
UNSEEN = "\x1b\x9b\u202e\u2066\u200b\r\x00\u2028"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[[], Terminal]:
    """Makes standard output an 80 column terminal; to be called by the test, for capturing changes it before."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)

    def open_() -> Terminal:
        screen = Terminal()
        monkeypatch.setattr(sys, "stdout", screen)
        return screen

    return open_


@pytest.mark.parametrize(
    "write",
    [
        output.say,
        output.indented,
        output.print_json,
        lambda text: output.fields({"name": text}),
        lambda text: output.rows(["column"], [[text]]),
        lambda text: output.rows([text], [["value"]]),
        lambda text: explanations.show(text, text, [text], text, [(text, text)]),
        lambda text: show(QueryRefused("no", faults=(Fault(text, text, text, text, 1, 1, text),), sql=text)),
    ],
)
def test_what_a_requester_typed_cannot_act_on_the_terminal(
    capsys: pytest.CaptureFixture[str], write: object
) -> None:
    write(HOSTILE)  # type: ignore[operator]
    shown = "".join(capsys.readouterr())
    assert not set(shown) & set(UNSEEN)
    assert "u202e" in shown


def test_json_survives_what_is_made_visible(capsys: pytest.CaptureFixture[str]) -> None:
    output.print_json({"text": HOSTILE, "Zürich": "naïve 😀"})
    text = capsys.readouterr().out
    assert json.loads(text) == {"text": HOSTILE, "Zürich": "naïve 😀"}
    assert "Zürich" in text


def test_markup_in_a_text_is_text(capsys: pytest.CaptureFixture[str]) -> None:
    output.say("[red]x[/red] [c] :smile:")
    assert capsys.readouterr().out == "[red]x[/red] [c] :smile:\n"


def test_a_pipe_gets_whole_lines_without_colour_or_trailing_blanks(
    capsys: pytest.CaptureFixture[str],
) -> None:
    output.say("word " * 60, "bold red")
    output.fields({"short": "a", "much longer": "b" * 200})
    output.rows(["figure", "text"], [["[c]", "x" * 300], [12, "y"]], [True, False])
    shown = capsys.readouterr().out
    assert "\x1b" not in shown
    assert not any(line.endswith(" ") for line in shown.splitlines())
    assert "x" * 300 in shown
    assert len(shown.splitlines()) == 1 + 2 + 4


def test_a_terminal_gets_colour_within_its_width(terminal: Callable[[], Terminal]) -> None:
    screen = terminal()
    output.rows(["figure", "text"], [["[c]", "x " * 100]], [True, False])
    assert "\x1b[33m[c]" in screen.getvalue()
    assert max(map(len, plain(screen).splitlines())) <= 80


def test_no_color_is_obeyed(terminal: Callable[[], Terminal], monkeypatch: pytest.MonkeyPatch) -> None:
    screen = terminal()
    monkeypatch.setenv("NO_COLOR", "1")
    output.rows(["figure"], [["[c]"]])
    explanations.show("q", "SELECT 1", ["SELECT 2"], "SELECT 3", [])
    assert "\x1b[3" not in screen.getvalue()


def test_a_reviewer_sees_every_character_of_the_sql(terminal: Callable[[], Terminal]) -> None:
    screen = terminal()
    sql = "SELECT " + ", ".join(f"column_{i}" for i in range(60)) + " FROM people"
    explanations.show("q", sql, [sql], sql, [])
    shown = "".join(plain(screen).split())
    assert shown.count("".join(sql.split())) == 3


def test_a_terminal_shows_the_first_rows_and_a_pipe_all(
    terminal: Callable[[], Terminal], capsys: pytest.CaptureFixture[str]
) -> None:
    table = pa.table({"n": range(ROWS_SHOWN + 40), "n__status": [""] * (ROWS_SHOWN + 40)})
    result = Result("rel_1", table, {}, "Example office.", ("Rows were left out.",))
    print_result(result)
    piped = capsys.readouterr().out
    assert str(ROWS_SHOWN + 39) in piped.split()
    assert "more rows" not in piped
    assert "Note: Rows were left out." in piped
    screen = terminal()
    print_result(result)
    assert "40 more rows: see all with --csv" in plain(screen)
    assert str(ROWS_SHOWN + 39) not in plain(screen).split()


def test_lists_of_codes_take_one_line() -> None:
    sql = "SELECT 1\nWHERE a IN (\n  'E1',\n  'it''s (1)',\n  -3\n) AND f(\n  1\n) AND b = '(1,\n2)'"
    assert explanations.folded(sql) == (
        "SELECT 1\nWHERE a IN ('E1', 'it''s (1)', -3) AND f(\n  1\n) AND b = '(1,\n2)'"
    )


@pytest.mark.parametrize("width", [20, 40, 74])
@pytest.mark.parametrize("column", [1, 8, 60, 150, 199, 200])
def test_the_caret_stands_under_the_place(width: int, column: int) -> None:
    sql = "".join(chr(ord("a") + i % 26) for i in range(199)) + "!"
    line, caret = excerpt(f"SELECT\n{sql}", Fault("c", "m", line=2, column=column), width)
    assert len(line) == width
    assert caret == " " * caret.index("^") + "^"
    assert line[caret.index("^")] == sql[column - 1]


@pytest.mark.parametrize(
    "fault", [Fault("c", "m"), Fault("c", "m", line=9, column=1), Fault("c", "m", line=0, column=1)]
)
def test_a_fault_without_a_place_shows_no_line(fault: Fault) -> None:
    assert excerpt("SELECT 1", fault, 40) == ()


def plain(screen: Terminal) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", screen.getvalue())
