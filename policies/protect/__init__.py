"""Protection of raw cells: every method of a disclosure profile, applied on the dense grid."""

from policies.protect.errors import ProtectError, ProtectFault
from policies.protect.protect import cells_of, protect, withhold
from policies.protect.rules import NoiseKey, ptable_of

__all__ = ["NoiseKey", "ProtectError", "ProtectFault", "cells_of", "protect", "ptable_of", "withhold"]
