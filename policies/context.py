"""Who asks, for what and under which agreement: all that the compiler knows beside the SQL."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from catalogue.catalogue import Catalogue
from catalogue.models import Agreement


@dataclass(frozen=True)
class ParameterDomain:
    """A typed parameter: the values that a requester may put in for ``$name``."""

    name: str
    values: tuple[str | int | Decimal, ...]


@dataclass(frozen=True)
class Context:
    """``today`` is the date to which ``current_date`` is bound: the day of the request, never the run's.

    ``stage_values`` are the protected answers of the plan's stages in order (None: hidden), empty before
    they were run: the plan is then compiled with placeholders and can be approved but not executed.
    """

    catalogue: Catalogue
    body: str
    agreement: Agreement | None
    purpose: str
    today: date
    parameters: Mapping[str, str | int | Decimal] = field(default_factory=dict)
    domains: Mapping[str, ParameterDomain] = field(default_factory=dict)
    stage_values: tuple[Decimal | None, ...] = ()
