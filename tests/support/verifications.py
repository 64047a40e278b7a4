"""A record of verifications in memory: ``sound`` data passes unseen."""

from __future__ import annotations

from dataclasses import dataclass, field

from connectors.protocol import Finding
from federation.holders.verification import HeldData


@dataclass
class Remembered:
    sound: bool = False
    kept: list[tuple[HeldData, tuple[Finding, ...]]] = field(default_factory=list)

    def is_sound(self, held: HeldData) -> bool:
        return self.sound or (held, ()) in self.kept

    def keep(self, held: HeldData, findings: tuple[Finding, ...]) -> None:
        self.kept.append((held, findings))
