"""Text to tree: one SELECT, bounded before it is parsed."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

import sqlglot
from sqlglot import exp
from sqlglot.dialects.duckdb import DuckDB
from sqlglot.errors import ParseError, TokenError
from sqlglot.parsers.duckdb import DuckDBParser
from sqlglot.tokenizer_core import Token, TokenType

from policies.refusals import Code, Position, Refusal, RefusalError

MAXIMUM_BYTES = 64 * 1024
MAXIMUM_DEPTH = 32
MAXIMUM_TOKENS = 12_000
MAXIMUM_CHAIN = 200
MAXIMUM_EXPANSION = 5_000
MAXIMUM_DIGITS = 38
RESERVED_PREFIX = "__fed_"

_OPENING = {TokenType.L_PAREN, TokenType.L_BRACKET, TokenType.L_BRACE, TokenType.CASE}
_CLOSING = {TokenType.R_PAREN, TokenType.R_BRACKET, TokenType.R_BRACE, TokenType.END}
# Left-deep chains nest in the tree without a bracket in the text.
_CHAINING = {
    TokenType.PLUS,
    TokenType.DASH,
    TokenType.STAR,
    TokenType.SLASH,
    TokenType.DPIPE,
    TokenType.MOD,
    TokenType.NOT,
    TokenType.UNION,
    TokenType.EXCEPT,
    TokenType.INTERSECT,
    TokenType.JOIN,
    TokenType.DCOLON,
    TokenType.ARROW,
    TokenType.AND,
    TokenType.OR,
}


class _Parser(DuckDBParser):
    def _parse_simplified_pivot(self, is_unpivot: bool | None = None) -> exp.Expr:  # type: ignore[override]
        """PIVOT is a SELECT in DuckDB, and so takes ORDER BY, LIMIT and OFFSET, which sqlglot does not know."""
        pivot = super()._parse_simplified_pivot(is_unpivot)
        if self._curr and self._curr.token_type in self.QUERY_MODIFIER_PARSERS:
            ordered: exp.Select = self._parse_query_modifiers(exp.select("*").from_(pivot))
            return ordered
        return pivot


class Dialect(DuckDB):
    """DuckDB's dialect with what sqlglot's lacks of it."""

    Parser = _Parser


@dataclass(frozen=True, slots=True)
class ParsedQuery:
    sql: str
    tree: exp.Query


def position_at(sql: str, offset: int) -> Position:
    """The 1-based line and column of a character offset."""
    before = sql[:offset]
    return Position(before.count("\n") + 1, offset - (before.rfind("\n") + 1) + 1, offset)


def position_of(node: exp.Expr, sql: str) -> Position | None:
    """The place of the first token below ``node`` that the parser kept a place for."""
    starts = [found.meta["start"] for found in node.walk() if "start" in found.meta]
    return position_at(sql, min(starts)) if starts else None


def parse(sql: str) -> ParsedQuery:
    """Parse one query of DuckDB's dialect.

    Raises RefusalError: ``sql_too_large`` (bytes, tokens, depth, chains), ``sql_syntax``, ``not_one_select``.
    """
    if len(sql.encode("utf-8", "surrogatepass")) > MAXIMUM_BYTES:
        raise _too_large("The SQL is longer than 64 KiB.", None)
    _refuse_invisible(sql)
    tokens = _tokens(sql)
    _bound(tokens, sql)
    _refuse_long_numbers(tokens, sql)
    try:
        statements = [tree for tree in sqlglot.parse(sql, dialect=Dialect) if tree is not None]
    except ParseError as error:
        raise RefusalError(_syntax(error, sql)) from None
    except RecursionError:
        raise _too_large("The SQL nests too deep.", None) from None
    if len(statements) != 1 or not isinstance(statements[0], exp.Query | exp.Pivot):
        raise RefusalError(
            Refusal(
                Code.NOT_ONE_SELECT,
                "This is not one SELECT." if statements else "There is no SQL here.",
                "A request is one SELECT statement; nothing else is ever run.",
                "Send a single SELECT, without other statements before or after it.",
                Position(1, 1, 0),
            )
        )
    tree = statements[0]
    if isinstance(tree, exp.Pivot):
        with_ = tree.args.get("with_")
        tree.set("with_", None)
        tree = exp.select("*").from_(tree)
        tree.set("with_", with_)
    _bound_expansion(tree, sql)
    return ParsedQuery(sql, tree)


def _bound_expansion(tree: exp.Query, sql: str) -> None:
    """Names that stand for other names can double with each: a short text, and a tree of any size once bound."""
    for select in tree.find_all(exp.Select):
        sizes: dict[str, int] = {}
        for item in select.expressions:
            columns = (c.name.lower() for c in item.find_all(exp.Column) if not c.table)
            size = sum(1 for _ in item.walk()) + sum(sizes.get(name, 0) for name in columns)
            if size > MAXIMUM_EXPANSION:
                raise _too_large("Names that stand for other names grow too large.", position_of(item, sql))
            if isinstance(item, exp.Alias):
                sizes[item.alias.lower()] = size
    uses: dict[str, int] = {}
    for cte in tree.find_all(exp.CTE, bfs=False):
        tables = (table.name.lower() for table in cte.this.find_all(exp.Table))
        times = 1 + sum(uses.get(name, 0) for name in tables)
        if times > MAXIMUM_EXPANSION:
            raise _too_large("Queries that stand for other queries grow too large.", position_of(cte, sql))
        uses[cte.alias.lower()] = max(times, uses.get(cte.alias.lower(), 0))


def _tokens(sql: str) -> list[Token]:
    try:
        return sqlglot.tokenize(sql, dialect="duckdb")
    except TokenError as error:
        raise RefusalError(
            Refusal(
                Code.SQL_SYNTAX,
                "The SQL ends inside a quoted text, a quoted name or a comment.",
                "The SQL must be DuckDB's dialect.",
                "Close the quotation mark or the comment.",
                position_at(sql, max(0, len(sql) - 1)),
            )
        ) from error


def _bound(tokens: list[Token], sql: str) -> None:
    if len(tokens) > MAXIMUM_TOKENS:
        raise _too_large(
            "The SQL has too many words and signs.", position_at(sql, tokens[MAXIMUM_TOKENS].start)
        )
    depth = 0
    chains = [0]
    for token in tokens:
        if token.token_type in _OPENING:
            depth += 1
            chains.append(0)
        elif token.token_type in _CLOSING and depth:
            depth -= 1
            chains.pop()
        elif token.token_type in _CHAINING:
            chains[-1] += 1
        elif token.token_type is TokenType.COMMA:
            chains[-1] = 0
        if depth > MAXIMUM_DEPTH:
            raise _too_large("The SQL nests too deep.", position_at(sql, token.start))
        if chains[-1] > MAXIMUM_CHAIN:
            raise _too_large("One expression joins too many terms.", position_at(sql, token.start))
        if token.text.lower().startswith(RESERVED_PREFIX):
            raise RefusalError(
                Refusal(
                    Code.UNSUPPORTED_SYNTAX,
                    f"Names that begin with {RESERVED_PREFIX} are the service's own.",
                    "Statuses travel in columns of the service's own.",
                    "Choose another name.",
                    position_at(sql, token.start),
                )
            )


def too_long(number: int | Decimal) -> bool:
    """Whether a number has more digits before its point than any type of DuckDB that is compared exactly.

    >>> too_long(10**37), too_long(-(10**38)), too_long(Decimal("1e400")), too_long(Decimal("NaN"))
    (False, True, True, True)
    """
    if isinstance(number, Decimal) and not number.is_finite():
        return True
    return not -(10**MAXIMUM_DIGITS) < number < 10**MAXIMUM_DIGITS


def _refuse_long_numbers(tokens: list[Token], sql: str) -> None:
    """DuckDB compares longer ones wrongly: it says that 30 is more than a one with four hundred zeros."""
    found = []
    for token in tokens:
        if token.token_type is TokenType.NUMBER and len(token.text) > 3:
            try:
                number = Decimal(token.text)
            except InvalidOperation:
                continue
            if too_long(number):
                refusal = Refusal(
                    Code.UNSUPPORTED_SYNTAX,
                    f"This number has more than {MAXIMUM_DIGITS} digits.",
                    f"Numbers are compared exactly, with up to {MAXIMUM_DIGITS} digits before the point.",
                    "Write a smaller number.",
                    position_at(sql, token.start),
                )
                found.append(refusal)
    if found:
        raise RefusalError(*found)


def _refuse_invisible(sql: str) -> None:
    for offset, character in enumerate(sql):
        if not character.isprintable() and character not in "\n\r\t ":
            raise RefusalError(
                Refusal(
                    Code.SQL_SYNTAX,
                    f"Character U+{ord(character):04X} is invisible.",
                    "What a custodian reads must be what is run, so invisible characters are refused.",
                    "Remove the character; write text in plain quotes.",
                    position_at(sql, offset),
                )
            )


def _too_large(message: str, position: Position | None) -> RefusalError:
    return RefusalError(
        Refusal(
            Code.SQL_TOO_LARGE,
            message,
            f"At most {MAXIMUM_BYTES // 1024} KiB, {MAXIMUM_TOKENS:,} tokens, {MAXIMUM_DEPTH} levels and"
            f" {MAXIMUM_CHAIN} terms in one expression.",
            "Split the question, or use a registered grouping in place of a long list.",
            position,
        )
    )


def _syntax(error: ParseError, sql: str) -> Refusal:
    detail = error.errors[0] if error.errors else {}
    line, column = detail.get("line"), detail.get("col")
    position = None
    if line and column:
        lines = sql.split("\n")
        # The parser counts to the end of the token that it stumbled over.
        token = len(detail.get("highlight") or "x")
        offset = sum(len(text) + 1 for text in lines[: line - 1]) + max(0, column - token)
        position = position_at(sql, min(offset, max(0, len(sql) - 1)))
    return Refusal(
        Code.SQL_SYNTAX,
        str(detail.get("description") or "The SQL could not be read.").rstrip(".") + ".",
        "The SQL must be one SELECT in DuckDB's dialect.",
        "Mend the SQL at the place shown.",
        position,
    )
