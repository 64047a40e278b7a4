"""The compiler: SQL in, a cleared plan or a typed refusal out."""

from policies.compiler.compile import compile_plan as compile_query

__all__ = ["compile_query"]
