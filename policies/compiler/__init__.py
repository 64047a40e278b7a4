"""The compiler: SQL in, a cleared plan or a typed refusal out."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from policies.compiler.compile import compile_plan
from policies.compiler.suggest import coarser
from policies.context import Context
from policies.plan import ClearedPlan
from policies.refusals import Code, RefusalError

__all__ = ["coarser_question", "compile_query"]

_TERMS = {Code.NO_AGREEMENT, Code.AGREEMENT_EXPIRED, Code.PURPOSE_NOT_PERMITTED}


def compile_query(sql: str, context: Context) -> ClearedPlan:
    """Compile one query for one body under one agreement.

    Raises RefusalError with everything that is wrong with it, decided without data; the first refusal names, where
    the terms allow any question at all, a coarser one that was compiled.
    """
    try:
        return compile_plan(sql, context)
    except RefusalError as error:
        first, *rest = error.refusals
        if first.code in _TERMS:
            raise
        raise RefusalError(replace(first, suggestion=coarser_question(sql, context)), *rest) from None


def coarser_question(sql: str, context: Context) -> str | None:
    """A coarser question than ``sql`` that the compiler accepts, for an answer that is largely withheld."""
    return coarser(sql, context, partial(compile_plan, unread=True))
