"""Our methods give, cell for cell, what the reference tools give: cellKey 1.0.3, ptable 1.0.0, GaussSuppression
1.2.3 and the ONS's cell_key_perturbation 3.1."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from policies.methods.dominance import DominanceRule, NKDominance, PPercent, replicated_top, unsafe
from policies.methods.frequency import FrequencyRule, Noise, Zeros, below_minimum, expand, perturb
from policies.methods.lookup import direct_uniform
from policies.methods.magnitude import Flex, perturb_sum, perturb_sum_top_k
from policies.methods.ptable import PTable, Row, solve_ptable, ten_five_ptable

pytestmark = pytest.mark.reference

M = 10**8


def table_of(path: Path) -> PTable:
    given = pd.read_csv(path)
    return PTable(
        tuple(
            Row(int(size), tuple(zip(rows["v"].astype(float), rows["p"], strict=True)))
            for size, rows in given.groupby("i")
        )
    )


@pytest.fixture(scope="module")
def sdc(reference_data: Path) -> Path:
    return reference_data / "sdc"


@pytest.fixture(scope="module")
def people(sdc: Path) -> pd.DataFrame:
    people = pd.read_csv(sdc / "K_cellkey_testdata_micro.csv")
    people["key"] = (people["rkey"] * M).round().astype(np.int64)
    return people


@pytest.fixture(scope="module")
def counts_table(sdc: Path) -> PTable:
    return table_of(sdc / "ptable_ex_cnts_D2_V1.05_js1.csv")


def contributors(people: pd.DataFrame, cell: object) -> pd.DataFrame:
    """The people of one cell of a table with margins."""
    chosen = people
    for dimension in ("sex", "age"):
        code = getattr(cell, dimension)
        chosen = chosen if code == "Total" else chosen[chosen[dimension] == code]
    return chosen


def cells(people: pd.DataFrame, expected: pd.DataFrame) -> pd.DataFrame:
    """True count, weight and cell key of every cell of the expected table."""
    rows = []
    for cell in expected.itertuples():
        members = contributors(people, cell)
        if cell.vname == "high_inc":
            members = members[members["high_inc"] == 1]
        rows.append((len(members), members["sampling_weight"].sum(), members["key"].sum() % M))
    return pd.DataFrame(rows, columns=["n", "weight", "key"])


class TestSolvedTables:
    @pytest.mark.parametrize(
        ("file", "parameters"),
        [
            ("ptable_D2_V1_js0", (2, 1, 0, 0)),
            ("ptable_D3_V1_js0", (3, 1, 0, 0)),
            ("ptable_D4_V1_pstay0.7", (4, 1, 0, 0.7)),
            ("ptable_D5_V3_js2", (5, 3, 2, 0)),
            ("ptable_D5_V3_js2_pstay0.5", (5, 3, 2, 0.5)),
            ("ptable_ex_cnts_D2_V1.05_js1", (2, 1.05, 1, 0)),
        ],
    )
    def test_every_probability_is_that_of_ptable(
        self, sdc: Path, file: str, parameters: tuple[int, float, int, float]
    ) -> None:
        given, solved = table_of(sdc / f"{file}.csv"), solve_ptable(*parameters)

        assert [row.size for row in solved.rows] == [row.size for row in given.rows]
        for ours, theirs in zip(solved.rows, given.rows, strict=True):
            assert [v for v, _ in ours.outcomes] == [v for v, _ in theirs.outcomes]
            np.testing.assert_allclose(
                [p for _, p in ours.outcomes], [p for _, p in theirs.outcomes], rtol=0, atol=5e-8
            )


class TestCellKeyCounts:
    def test_every_count(self, sdc: Path, people: pd.DataFrame, counts_table: PTable) -> None:
        expected = pd.read_csv(sdc / "K_cellkey_freq_D2V1.05js1.csv")
        ours = cells(people, expected)
        n = ours["n"].to_numpy()

        shown = perturb(n, Noise(counts_table, direct_uniform(ours["key"].to_numpy(), M)))

        assert len(expected) == 42
        np.testing.assert_array_equal(n, expected["uwc"])
        np.testing.assert_array_equal(shown, expected["puwc"])

    def test_a_solved_table_gives_the_same(self, sdc: Path, people: pd.DataFrame) -> None:
        expected = pd.read_csv(sdc / "K_cellkey_freq_D2V1.05js1.csv")
        ours = cells(people, expected)

        noise = Noise(solve_ptable(2, 1.05, 1), direct_uniform(ours["key"].to_numpy(), M))

        np.testing.assert_array_equal(perturb(ours["n"].to_numpy(), noise), expected["puwc"])

    def test_every_weighted_count(self, sdc: Path, people: pd.DataFrame, counts_table: PTable) -> None:
        expected = pd.read_csv(sdc / "K_cellkey_freq_weighted.csv")
        ours = cells(people, expected)
        n, weight = ours["n"].to_numpy(), ours["weight"].to_numpy().astype(float)

        shown = perturb(n, Noise(counts_table, direct_uniform(ours["key"].to_numpy(), M)))

        assert len(expected) == 21
        np.testing.assert_array_equal(weight, expected["wc"])
        np.testing.assert_array_equal(shown, expected["puwc"])
        np.testing.assert_allclose(expand(shown, n, weight), expected["pwc"], rtol=1e-12)


class TestCellKeyMagnitudes:
    """cellKey's example: the three largest contributions, flex point 1000, 30 % falling to 3 %."""

    FLEX = Flex(flex_point=1000, small=0.30, large=0.03, q=3, epsilon=(1, 0.5, 0.2))

    @staticmethod
    def scrambled(key: int, k: int) -> list[float]:
        """cellKey's further keys of a cell: the first decimal moves to the end, once for each contribution."""
        digits = f"{key:08d}".rstrip("0")
        result = []
        for _ in range(k):
            digits = digits[1:] + digits[:1]
            result.append(float(f"0.{digits}"))
        return result

    def perturbed(self, sdc: Path, people: pd.DataFrame, expected: pd.DataFrame) -> npt.NDArray[np.float64]:
        k = len(self.FLEX.epsilon)
        totals, tops, u = [], [], []
        for cell in expected.itertuples():
            members = contributors(people, cell)
            totals.append(members["savings"].sum())
            tops.append(members["savings"].nlargest(k).to_numpy())
            u.append(self.scrambled(int(members["key"].sum() % M), k))
        table = table_of(sdc / "ptable_ex_nums_all.csv")
        np.testing.assert_array_equal(totals, expected["uws"])
        return perturb_sum_top_k(
            np.array(totals, float), np.array(tops, float), np.array(u), table, self.FLEX
        )

    def test_every_sum(self, sdc: Path, people: pd.DataFrame) -> None:
        expected = pd.read_csv(sdc / "K_cellkey_num_top3flex.csv")

        assert len(expected) == 21
        np.testing.assert_allclose(self.perturbed(sdc, people, expected), expected["pws"], rtol=0, atol=1e-6)

    def test_mean_before_sum_is_the_square_over_the_total(self, sdc: Path, people: pd.DataFrame) -> None:
        expected = pd.read_csv(sdc / "K_cellkey_num_top3flex_mean_before_sum.csv")

        ours = self.perturbed(sdc, people, expected) ** 2 / expected["ws"].to_numpy()

        np.testing.assert_allclose(ours, expected["pws"], rtol=1e-12)


class TestHandbookMagnitudes:
    """The worked example of the Handbook, section 4.6, with its fictional table."""

    TABLE = PTable.from_rows({1: {0: 1.0}, 2: {0: 0.8, 1: 0.2}, 3: {-1: 0.3, 0: 0.4, 1: 0.3}})

    @pytest.mark.parametrize(("delta", "expected"), [(0.5, 400), (0.6, 360)])
    def test_a_total_of_300(self, delta: float, expected: float) -> None:
        ours = perturb_sum(np.array([300.0]), np.array([200.0]), np.array([0.8]), self.TABLE, delta)

        np.testing.assert_allclose(ours, [expected])


class TestOnsTenFive:
    """ptable_10_5 of cell_key_perturbation: 256 equal outcomes for each of 750 rows, then rows 501 to 750 again."""

    @staticmethod
    def ons_rule(n: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        row = np.where(n <= 750, n, (n - 1) % 250 + 501)
        noise = np.array([0, -1, -2, 2, 1])[row % 5]
        return n + np.where(row < 10, -row, noise)

    def test_our_table_is_theirs(self) -> None:
        n = np.arange(0, 5000)
        for u in (0.0, 0.5, 1 - 2**-53):
            shown = n + ten_five_ptable().noise(n, np.full(n.shape, u))
            np.testing.assert_array_equal(shown, self.ons_rule(n))

    def test_in_their_layout_of_750_rows(self) -> None:
        n = np.arange(0, 751)
        v = self.ons_rule(n) - n
        table = PTable.from_rows({int(i): {float(v[i]): 1.0} for i in n}, period=250)

        large = np.arange(700, 5000)

        np.testing.assert_array_equal(large + table.noise(large, np.zeros(large.shape)), self.ons_rule(large))


class TestPrimaryRules:
    """GaussSuppression's primary cells, with contributions grouped by company."""

    @staticmethod
    def margins(inner: pd.DataFrame) -> pd.DataFrame:
        """Each record once for every cell that it belongs to."""
        areas = pd.concat([inner.assign(area=code) for code in (inner["geo"], inner["eu"], "Total")])
        sectors = pd.concat(
            [areas.assign(sector=code) for code in (areas["sector4"], areas["sector2"], "Total")]
        )
        return sectors.drop_duplicates(["sector", "area", "company", "sector4", "geo"])

    def check(self, sdc: Path, name: str, *rules: DominanceRule) -> None:
        expected = pd.read_csv(sdc / f"{name}_gauss.csv").set_index(["sector4", "geo"])
        records = self.margins(pd.read_csv(sdc / f"{name}_inner.csv"))
        by_company = records.groupby(["sector", "area", "company"])["value"].sum()
        largest = {
            cell: np.pad(np.sort(values)[::-1], (0, 4))[:4]
            for cell, values in by_company.groupby(level=[0, 1])
        }
        top = np.stack([largest.get(cell, np.zeros(4)) for cell in expected.index])
        total = expected["value"].to_numpy(dtype=float)

        ours = np.any([unsafe(rule, total, top) for rule in rules], axis=0)

        assert len(expected) == 42
        np.testing.assert_allclose(top.sum(axis=1), total)
        np.testing.assert_array_equal(ours, expected["primary"])

    def test_p_percent(self, sdc: Path) -> None:
        self.check(sdc, "C_magnitude1_p10", PPercent(10))

    def test_dominance(self, sdc: Path) -> None:
        self.check(sdc, "C2_magnitude1_nk", NKDominance(1, 80), NKDominance(2, 99))

    def test_fewer_than_three_contributors(self, sdc: Path) -> None:
        expected = pd.read_csv(sdc / "C3_magnitude1_few_gauss.csv")
        rule = FrequencyRule(minimum_frequency=3, zeros=Zeros.PUBLISHED)

        ours = below_minimum(expected["nRule"].to_numpy(), rule)

        np.testing.assert_array_equal(ours, expected["primary"])


class TestWeightedPrimaryRules:
    """GaussSuppression's example of sampling weights, rules (1, 80) and (2, 70)."""

    RULES = (NKDominance(1, 80), NKDominance(2, 70))

    def judge(self, sdc: Path, name: str, rules: tuple[DominanceRule, ...], *, weighted: bool) -> None:
        expected = pd.read_csv(sdc / f"{name}_gauss.csv")
        inner = pd.read_csv(sdc / f"{name}_inner.csv").sort_values("num", ascending=False)
        total, top = [], []
        for cell in expected["v1"]:
            members = inner if cell == "Total" else inner[inner["v1"] == cell]
            values, weights = (np.pad(members[c].to_numpy(dtype=float), (0, 2)) for c in ("num", "sw"))
            weights = weights if weighted else np.sign(weights)
            total.append(values @ weights)
            top.append(replicated_top(values[None], weights[None], 2)[0])

        ours = np.any([unsafe(rule, np.array(total), np.stack(top)) for rule in rules], axis=0)

        if weighted:
            np.testing.assert_allclose(total, expected["weighted.num"])
            shares = np.cumsum(top, axis=1) / np.array(total)[:, None]
            np.testing.assert_allclose(shares, expected[["dominant1", "dominant2"]], rtol=1e-12)
        np.testing.assert_array_equal(ours, expected["primary"])

    def test_contributions_replicated_by_weight_as_in_tau_argus(self, sdc: Path) -> None:
        self.judge(sdc, "D_weights_nk_tauargus", self.RULES, weighted=True)

    def test_without_weights(self, sdc: Path) -> None:
        self.judge(sdc, "D3_noweights_p20", (PPercent(20),), weighted=False)
