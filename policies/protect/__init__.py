"""Protection of raw cells: every method of a disclosure profile, applied on the dense grid."""

from policies.protect.errors import ProtectError, ProtectFault
from policies.protect.evidence import CellEvidence, Contributing, evidence_withheld
from policies.protect.fired import Rule
from policies.protect.protect import cells_of, examine, protect, withhold
from policies.protect.rules import NoiseKey, enough_second_units, ptable_of

__all__ = [
    "CellEvidence",
    "Contributing",
    "NoiseKey",
    "ProtectError",
    "ProtectFault",
    "Rule",
    "cells_of",
    "enough_second_units",
    "evidence_withheld",
    "examine",
    "protect",
    "ptable_of",
    "withhold",
]
