"""A disclosure profile made ready to be applied: its rules and tables, and the noise of a custodian's secret."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from math import ceil

import numpy as np
import numpy.typing as npt

from catalogue.models import Dominance, Profile
from policies.methods.dominance import DominanceRule, NKDominance, PPercent
from policies.methods.frequency import FrequencyRule, Zeros
from policies.methods.lookup import MINIMUM_SECRET_BYTES, noise_uniform
from policies.methods.ptable import PTable, solve_ptable, ten_five_ptable
from policies.methods.rounding import SizeBand, round_by_size, round_count
from policies.protect.errors import ProtectError, ProtectFault

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

NO_NOISE = PTable.from_rows({})


@dataclass(frozen=True)
class NoiseKey:
    """A custodian's noise secret and the epoch of its keys: another epoch gives unrelated noise.

    ``secret`` has at least 16 bytes and is never shown.
    """

    secret: bytes = field(repr=False)
    epoch: int

    def __post_init__(self) -> None:
        if len(self.secret) < MINIMUM_SECRET_BYTES:
            raise ValueError(f"a noise secret has at least {MINIMUM_SECRET_BYTES} bytes")


def ptable_of(profile: Profile) -> PTable | None:
    """The p-table that a profile's parameters give, None for a profile without cell keys.

    Raises PTableError for parameters that have no solution.
    """
    if profile.cell_keys is None:
        return None
    spec = profile.cell_keys.counts
    if spec.named is not None:
        return ten_five_ptable()
    if spec.maximum_noise is None or spec.variance is None:
        raise ProtectError(
            ProtectFault.PROFILE, "cell keys need maximum_noise and variance, or a named table"
        )
    return solve_ptable(
        spec.maximum_noise, spec.variance, spec.smallest_published, spec.probability_unchanged
    )


def enough_second_units(profile: Profile, ptable: PTable | None) -> int | None:
    """From how many second units on their number makes no difference: there are enough of them, whatever noise it
    gets. None where the profile has no minimum for them.

    >>> frequency = {"minimum_frequency": 10, "minimum_second_units": 3}
    >>> profile = Profile.model_validate({"profile": "p", "title": "P", "version": "1", "frequency": frequency})
    >>> enough_second_units(profile, None)
    3
    """
    minimum = profile.frequency.minimum_second_units
    if minimum is None:
        return None
    return minimum + (0 if ptable is None else ceil(ptable.maximum_noise))


@dataclass(frozen=True, slots=True)
class CountError:
    """How far a published count may be from the true one, by the profile alone: at most ``largest``, noise and
    rounding together. ``variance`` is that of the p-table, None where it has no one number."""

    largest: float
    variance: float | None


def count_error(profile: Profile) -> CountError:
    """What anybody who knows the profile knows of the error of its counts. Raises PTableError, ProtectError."""
    table = ptable_of(profile)
    rounding = profile.rounding
    base = max([rounding.count_base, *(band.base for band in rounding.size_bands)])
    moved = max(base // 2, float(rounding.zero_below or 0))
    if table is None:
        return CountError(moved, 0.0)
    return CountError(table.maximum_noise + moved, table.variance)


@dataclass(frozen=True)
class Rules:
    """What a profile does to cells. ``counts`` and ``magnitudes`` are the tables that perturb them."""

    profile: Profile
    frequency: FrequencyRule
    counts: PTable
    magnitudes: PTable
    delta: float
    dominance: tuple[DominanceRule, ...]
    noise: NoiseKey

    @classmethod
    def of(cls, profile: Profile, noise: NoiseKey, ptable: PTable | None) -> Rules:
        """Raises ProtectError where profile and p-table don't belong together."""
        keys = profile.cell_keys
        if (keys is None) != (ptable is None):
            raise ProtectError(ProtectFault.PROFILE, "a p-table goes with cell keys, and they with a p-table")
        if ptable is not None and ptable.perturbs_zero:
            raise ProtectError(ProtectFault.PROFILE, "a p-table must leave empty cells empty")
        # A named table is a rounding of counts written as noise; it says nothing about magnitudes.
        magnitudes = ptable if keys is not None and keys.counts.named is None else None
        return cls(
            profile,
            FrequencyRule(
                profile.frequency.minimum_frequency,
                profile.frequency.minimum_second_units,
                Zeros.PUBLISHED if profile.frequency.publish_zeros else Zeros.BELOW_MINIMUM,
            ),
            ptable or NO_NOISE,
            magnitudes or NO_NOISE,
            float(keys.magnitude_delta) if keys is not None else 1.0,
            dominance_rules(profile.dominance),
            noise,
        )

    @property
    def publishes_zeros(self) -> bool:
        return self.profile.frequency.publish_zeros

    @property
    def publishes_every_count(self) -> bool:
        """Whether no count at all is below the minimum, so that complements need not pass it either."""
        return self.publishes_zeros and self.profile.frequency.minimum_frequency == 1

    @property
    def exact_counts(self) -> bool:
        """Whether counts are shown as they are: only then may true sums stand beside means."""
        rounding = self.profile.rounding
        rounded = rounding.count_base > 1 or rounding.size_bands or rounding.zero_below is not None
        return self.profile.cell_keys is None and not rounded

    def uniform(self, table: PTable, domain: str, cell_key: Integers, index: int = 0) -> Floats:
        """The numbers that look up ``table``. They depend on what is perturbed (``domain``) and on who is in the
        cell, so the same people get the same noise however the question was put."""
        if table is NO_NOISE:
            return np.zeros(cell_key.shape)
        return noise_uniform(self.noise.secret, f"{self.noise.epoch}/{domain}", cell_key, index)

    def between(self, domain: str, cell_key: Integers) -> Floats:
        """Where magnitudes lie between the whole numbers of their table, 1/2 being on them: see ``perturb_sum``."""
        if self.magnitudes is NO_NOISE:
            return np.full(cell_key.shape, 0.5)
        return self.uniform(self.magnitudes, domain, cell_key, 1)

    def zeroed(self, count: Integers) -> Integers:
        """Counts of units with those under ``zero_below`` as 0: from here on they are empty cells."""
        threshold = self.profile.rounding.zero_below
        return count if threshold is None else np.where(count < float(threshold), 0, count)

    def rounded(self, count: Integers) -> Integers:
        """Counts as they are shown."""
        rounding = self.profile.rounding
        if rounding.size_bands:
            return round_by_size(count, [SizeBand(band.minimum, band.base) for band in rounding.size_bands])
        return round_count(count, rounding.count_base) if rounding.count_base > 1 else count

    def step(self, measure: str, decimals: int) -> Decimal:
        """What means of a measure are rounded to: the profile's base, or the declared decimals where it has none."""
        return self.base(measure) or Decimal(1).scaleb(-decimals)

    def base(self, measure: str) -> Decimal | None:
        """What magnitudes of a measure are rounded to, where the profile names the variable."""
        return self.profile.rounding.magnitude_base.get(variable_of(measure))

    def tests_class(self, dimension: str) -> bool:
        """Whether rows of which everybody falls in one category of the dimension are withheld."""
        return variable_of(dimension) in self.profile.class_disclosure.dimensions


def variable_of(name: str) -> str:
    """The variable that a plan's dimension or measure stands for: plans prefix it with its dataset.

    >>> variable_of("people.pay")
    'pay'
    """
    return name.rpartition(".")[2]


def dominance_rules(document: Dominance) -> tuple[DominanceRule, ...]:
    """The rules that a profile names. Raises ProtectError for half of one."""
    rules: list[DominanceRule] = []
    if (document.dominance_n is None) != (document.dominance_k_percent is None):
        raise ProtectError(
            ProtectFault.PROFILE, "a dominance rule needs both dominance_n and dominance_k_percent"
        )
    if document.dominance_n is not None and document.dominance_k_percent is not None:
        rules.append(NKDominance(document.dominance_n, float(document.dominance_k_percent)))
    if document.p_percent is not None:
        rules.append(PPercent(float(document.p_percent), document.coalition))
    return tuple(rules)
