"""Short makers of the refusals that several passes share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches

from sqlglot import exp

from policies.compiler.parse import position_of
from policies.refusals import Code, Refusal, RefusalError

SUPPORTED = "Below the disclosure line only forms that are known to be safe are accepted."


class Faults:
    """What is wrong in several places, so that one answer tells it all."""

    def __init__(self) -> None:
        self._found: dict[Refusal, None] = {}

    @contextmanager
    def collected(self) -> Iterator[None]:
        """Keep the refusals of a part and go on with the next."""
        try:
            yield
        except RefusalError as error:
            self._found.update(dict.fromkeys(error.refusals))

    def raise_found(self) -> None:
        """Raises RefusalError with all that was found, as it stands in the SQL; nothing where nothing was."""
        if self._found:
            raise RefusalError(*in_order(self._found))


def in_order(refusals: Iterable[Refusal]) -> list[Refusal]:
    """As they stand in the SQL."""
    return sorted(refusals, key=lambda each: each.position.offset if each.position else 0)


def unsupported(message: str, remedy: str, node: exp.Expr | None = None, sql: str = "") -> RefusalError:
    return refuse(Code.UNSUPPORTED_SYNTAX, message, SUPPORTED, remedy, node, sql)


def refuse(
    code: Code, message: str, rule: str, remedy: str, node: exp.Expr | None = None, sql: str = ""
) -> RefusalError:
    position = position_of(node, sql) if node is not None else None
    return RefusalError(Refusal(code, message, rule, remedy, position))


def another_unit(name: str, dataset: str, node: exp.Expr, sql: str) -> RefusalError:
    """A measure that a join repeats on the rows of many: who they are does not say whose number it is."""
    return refuse(
        Code.COLUMN_USE,
        f"“{name}” is a number about another unit than the one that is counted here.",
        "Totals, means and bands are protected by counting the units whose numbers they are.",
        f"Ask for it in a query over {dataset} itself.",
        node,
        sql,
    )


def unknown_table(node: exp.Table, known: Iterable[str], sql: str) -> RefusalError:
    return refuse(
        Code.UNKNOWN_TABLE,
        f"There is no dataset or code list “{node.name}”.",
        "FROM names datasets and code lists of the catalogue, or a CTE of the query.",
        did_you_mean(node.name, known),
        node,
        sql,
    )


def nearest(name: str, known: Iterable[str], limit: int = 3) -> list[str]:
    """The known names most like ``name``, best first, by edit similarity and then by a shared beginning."""
    by_lower = {candidate.lower(): candidate for candidate in known}
    close = get_close_matches(name.lower(), list(by_lower), n=limit, cutoff=0.55)
    close += [c for c in by_lower if c not in close and name.lower()[:4] and c.startswith(name.lower()[:4])]
    return [by_lower[match] for match in close[:limit]]


def did_you_mean(name: str, known: Iterable[str]) -> str:
    matches = nearest(name, known)
    return (
        f"Did you mean {' or '.join(matches)}?" if matches else "Read the catalogue for the names there are."
    )
