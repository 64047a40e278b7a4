"""Decision rules: from the answers to a guess. True says: the target is there, unemployed, paid 1,815, and so on."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tests.attacks.framework import Answer, Rule


def differ(answers: Sequence[Answer]) -> bool:
    """The same question in two forms, or about two sets that differ by the target alone: two different numbers."""
    numbers = [answer.number for answer in answers]
    return None not in numbers and len(set(numbers)) > 1


def side_by_side(answers: Sequence[Answer]) -> bool:
    """Two columns of one row that differ by the target alone."""
    left, right = answers[0].at(0, 0), answers[0].at(0, 1)
    return left is not None and right is not None and left != right


def more_than(threshold: float) -> Rule:
    """The one number is greater."""
    return lambda answers: answers[0].number is not None and answers[0].number > threshold


def less_than(threshold: float) -> Rule:
    return lambda answers: answers[0].number is not None and answers[0].number < threshold


def gap_of(low: float, high: float, *, first: int = 0, second: int = 1) -> Rule:
    """The first answer less the second lies in an interval."""

    def decide(answers: Sequence[Answer]) -> bool:
        a, b = answers[first].number, answers[second].number
        return a is not None and b is not None and low <= a - b <= high

    return decide


def mean_more_than(threshold: float) -> Rule:
    """The mean of everything shown is greater: noise averages out."""

    def decide(answers: Sequence[Answer]) -> bool:
        numbers = [float(str(v)) for a in answers for row in a.rows for v in row if v is not None]
        return bool(numbers) and sum(numbers) / len(numbers) > threshold

    return decide


def shown(answers: Sequence[Answer]) -> bool:
    """Something is shown."""
    return answers[0].number is not None


def hidden(answers: Sequence[Answer]) -> bool:
    """Nothing is shown in the first place of the answer."""
    return not answers[0].failed and answers[0].number is None


def rows(answers: Sequence[Answer]) -> bool:
    """There is any row."""
    return bool(answers[0].rows)


def ran(answers: Sequence[Answer]) -> bool:
    """It was not refused and did not fail."""
    return not any(answer.failed for answer in answers)


def failed(answers: Sequence[Answer]) -> bool:
    """It failed while it ran."""
    return answers[0].failed


def first_is(value: object) -> Rule:
    """The first value of the first row is this one."""
    return lambda answers: bool(answers[0].rows) and answers[0].rows[0][0] == value


def at(row: int, column: int, decide: Callable[[float], bool]) -> Rule:
    """A test of one number of the first answer."""

    def rule(answers: Sequence[Answer]) -> bool:
        number = answers[0].at(row, column)
        return number is not None and decide(number)

    return rule
