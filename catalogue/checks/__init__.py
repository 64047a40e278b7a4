"""What must hold between the documents of a catalogue. Each check is one function over the draft."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from catalogue.checks.references import check_references
from catalogue.checks.variables import check_variables
from catalogue.draft import Draft
from catalogue.faults import Fault

Check = Callable[[Draft], Iterable[Fault]]

FAULT_CHECKS: tuple[Check, ...] = (check_references, check_variables)
WARNING_CHECKS: tuple[Check, ...] = ()
