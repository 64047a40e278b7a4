"""What is released of a presented table: columns with their marks, and in words what they cannot say."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import pyarrow as pa

from federation.runs.answering import Answer
from federation.runs.released_table import notes_of, released_table
from federation.sandbox.model import PresentedNote, PresentedTable
from policies.cells import Status
from policies.plan import ClearedPlan
from policies.presentation.model import OutputColumn, Presentation


def answer(table: dict[str, pa.Array], *names: str, notes: tuple[PresentedNote, ...] = ()) -> Answer:
    columns = tuple(OutputColumn(name, f"status of {name}") for name in names)
    plan = ClearedPlan("", (), Presentation("", columns, ()), (), (), "", "sha256:0")
    return Answer(plan, (), PresentedTable(pa.table(table), notes))


def statuses(*values: Status) -> pa.Array:
    return pa.array([int(value) for value in values], pa.int8())


def test_each_column_is_followed_by_its_marks() -> None:
    table = released_table(
        answer(
            {
                "area": pa.array(["a", "b"]),
                "people": pa.array([12, None], pa.decimal128(38, 0)),
                "status of area": statuses(Status.PUBLISHED, Status.PUBLISHED),
                "status of people": statuses(Status.UNRELIABLE, Status.CONFIDENTIAL),
            },
            "area",
            "people",
        )
    )
    assert table.to_pydict() == {
        "area": ["a", "b"],
        "area__status": ["", ""],
        "people": [12, None],
        "people__status": ["[u]", "[c]"],
    }
    assert table.schema.field("people").type == pa.int64()


def test_what_came_of_dividing_by_zero_is_empty_and_marked() -> None:
    values = pa.array([0.5, float("inf"), float("nan"), None, float("-inf")])
    marks = statuses(
        Status.PUBLISHED, Status.PUBLISHED, Status.UNRELIABLE, Status.CONFIDENTIAL, Status.PUBLISHED
    )
    table = released_table(answer({"share": values, "status of share": marks}, "share"))
    assert table.to_pydict() == {
        "share": [0.5, None, None, None, None],
        "share__status": ["", "[z]", "[z]", "[c]", "[z]"],
    }


def test_a_column_that_is_called_like_a_status_keeps_its_name() -> None:
    published = statuses(Status.PUBLISHED)
    table = released_table(
        answer(
            {
                "n": pa.array([1]),
                "n__status": pa.array([2]),
                "status of n": published,
                "status of n__status": published,
            },
            "n",
            "n__status",
        )
    )
    assert table.column_names == ["n", "n__status_", "n__status", "n__status__status"]
    assert table.column("n__status").to_pylist() == [2]


def test_a_whole_number_beyond_64_bits_stays_exact() -> None:
    huge = pa.array([10**30], pa.decimal128(38, 0))
    table = released_table(answer({"n": huge, "status of n": statuses(Status.PUBLISHED)}, "n"))
    assert table.column("n").to_pylist() == [10**30]


def test_notes_say_what_hidden_values_decided_and_offer_a_coarser_question() -> None:
    found = answer(
        {
            "n": pa.array([None, None, 12], pa.int64()),
            "status of n": statuses(Status.CONFIDENTIAL, Status.CONFIDENTIAL, Status.PUBLISHED),
        },
        "n",
        notes=(PresentedNote("having", "rows left out by HAVING", 3),),
    )
    asked = iter(["SELECT region, COUNT(*) FROM people GROUP BY region"])
    first, second = notes_of(found, released_table(found), lambda: next(asked))
    assert first == "rows left out by HAVING (3 rows)"
    assert "much of this answer is withheld" in second
    assert second.endswith("SELECT region, COUNT(*) FROM people GROUP BY region")


def test_nothing_is_suggested_where_little_is_withheld() -> None:
    found = answer({"n": pa.array([1, 2]), "status of n": statuses(Status.PUBLISHED, Status.PUBLISHED)}, "n")
    assert notes_of(found, released_table(found), lambda: "never asked for") == ()


def test_a_sparse_answer_says_so() -> None:
    one = answer({"n": pa.array([1]), "status of n": statuses(Status.PUBLISHED)}, "n")
    sparse = SimpleNamespace(plan=one.plan, presented=one.presented, sparse=True, holder_notes=())
    (note,) = notes_of(cast(Answer, sparse), released_table(one), lambda: None)
    assert "left out, whether nobody is there or they are withheld" in note
