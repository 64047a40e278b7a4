"""Why protection stopped a run. Nothing here ever holds a data value."""

from __future__ import annotations

from enum import StrEnum


class ProtectFault(StrEnum):
    """What is wrong: the plan, the profile, what the source returned, or a number that is too large."""

    PLAN = "protection_plan_invalid"
    PROFILE = "protection_profile_invalid"
    SOURCE = "source_result_invalid"
    OVERFLOW = "number_out_of_range"


class ProtectError(Exception):
    """Stops the whole run: no cell of it is released. ``detail`` names statistics and columns, never values.

    One cell that can't be represented stops all, because withholding that cell alone would say that its value is
    extreme.
    """

    def __init__(self, fault: ProtectFault, detail: str) -> None:
        super().__init__(f"{fault}: {detail}")
        self.fault = fault
        self.detail = detail
