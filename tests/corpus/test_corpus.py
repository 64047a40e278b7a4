"""Ordinary questions are answered: each is accepted, rewritten faithfully, and released close to the truth."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from policies.plan import AtomKind
from tests.support.answer import Answerer
from tests.support.corpus import (
    Answers,
    Corpus,
    Question,
    by_key,
    is_number,
    is_whole,
    measured,
    questions,
)
from tests.support.demo_market import demo_market

PEOPLE = 400_000
QUESTIONS = questions(Path(__file__).parent / "questions")
MOST_HIDDEN = 0.5
ROUNDING = 0.0006  # of shares that a question rounds
DEFAULT_TOLERANCE = 5.0  # per cent, of the median cell


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return Corpus(Answerer(demo_market(tmp_path_factory.mktemp("market"), PEOPLE)))


def test_there_are_enough_questions() -> None:
    assert len(QUESTIONS) >= 100
    assert len({question.sql for question in QUESTIONS}) == len(QUESTIONS)


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.name)
def test_question_is_answered(
    corpus: Corpus, question: Question, record_property: Callable[[str, Any], None]
) -> None:
    answers = corpus.ask(question)
    record_property("accepted", True)
    _check_rewriting(question, answers)
    _check_released(question, answers)
    for atom in answers.atoms:
        assert (atom.errors <= atom.bounds + 1e-6).all(), (
            f"{atom.kind} is farther from the truth than its method"
        )
        assert not atom.large_hidden, f"{atom.large_hidden} large cells of {atom.kind} are withheld"
    record_property("occupied", sum(atom.occupied for atom in answers.atoms))
    record_property("hidden", sum(atom.hidden for atom in answers.atoms))
    for kind in (AtomKind.UNITS, AtomKind.COUNT, AtomKind.MEAN, AtomKind.SUM, AtomKind.QUANTILE):
        relative = np.concatenate([[], *(a.relative for a in answers.atoms if a.kind is kind)])
        record_property(f"error_{kind}", [float(f"{error:.3g}") for error in relative])


def _check_rewriting(question: Question, answers: Answers) -> None:
    """Over cells that nothing protects the plan gives the truth, and beside it groups that nobody is in."""
    names = answers.truth.column_names
    assert answers.exact.column_names[: len(names)] == names
    numbers = measured(question, answers.truth)
    truth, exact = by_key(answers.truth, names, numbers), by_key(answers.exact, names, numbers)
    assert truth
    assert truth.keys() <= exact.keys(), f"missing {sorted(map(str, truth.keys() - exact.keys()))[:5]}"
    for name in numbers:
        pairs = [(row[name], exact[key][name]) for key, row in truth.items()]
        if name in question.tolerance or any(atom.kind is AtomKind.QUANTILE for atom in answers.atoms):
            # A quantile is a point of the grid: far from the interpolated one where the few in a cell are far apart.
            errors = [error for pair in pairs if (error := _percent(*pair)) is not None]
            assert np.median(errors) <= question.tolerance.get(name, 2.0), (name, np.median(errors))
        else:
            assert not [pair for pair in pairs if not _same(*pair)][:5], name
    for key in exact.keys() - truth.keys():
        assert any(not value or value != value for value in exact[key].values()), key


def _same(one: object, other: object) -> bool:
    """Equal, but that means are rounded to the decimals that the catalogue declares."""
    if not is_number(one) or not is_number(other):
        return one == other or (not one and not other)
    a, b = float(one), float(other)
    return abs(a - b) <= max(0.012 * abs(a), 0.011) or a != a != b != b


def _percent(one: object, other: object) -> float | None:
    """How far the second number is from the first, None where one is missing or the first is zero."""
    if isinstance(one, list) and isinstance(other, list):
        return max(_percent(a, b) or 0.0 for a, b in zip(one, other, strict=True))
    if not is_number(one) or not is_number(other) or not one:
        return None
    return 100 * abs(float(one) - float(other)) / abs(float(one))


def _check_released(question: Question, answers: Answers) -> None:
    names = answers.truth.column_names
    numbers = measured(question, answers.truth)
    whole = {field.name for field in answers.truth.schema if is_whole(field.type)}
    truth, released = (by_key(table, names, numbers) for table in (answers.truth, answers.released))
    common = truth.keys() & released.keys()
    values = [value for key in common for value in released[key].values()]
    assert values.count(None) <= MOST_HIDDEN * len(values), (
        f"{values.count(None)} of {len(values)} values hidden"
    )
    assert len(common) >= (0.8 if question.noisy_rows else 1) * len(truth) or not truth
    for name in numbers:
        errors = []
        for key in common:
            true, shown = truth[key][name], released[key][name]
            if not is_number(true) or not is_number(shown):
                errors += [percent] if (percent := _percent(true, shown)) is not None else []
                continue
            error = abs(float(true) - float(shown))
            if name in question.shares:
                share = question.shares[name]
                base = truth[key][share.of]
                bound = (
                    share.scale
                    * answers.noise
                    * (1 + abs(float(true)) / share.scale)
                    / max(float(base) - answers.noise, 1)
                )
                assert error <= bound + ROUNDING * share.scale, (key, name, true, shown, bound)
            elif name not in question.tolerance and name in whole:
                assert error <= answers.noise * question.counts.get(name, 1), (key, name, true, shown)
            elif true:
                errors.append(100 * error / abs(float(true)))
        if errors:
            assert np.median(errors) <= question.tolerance.get(name, DEFAULT_TOLERANCE), (
                name,
                np.median(errors),
            )
