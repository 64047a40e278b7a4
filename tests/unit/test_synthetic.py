"""The synthetic labour market: the same for the same seed, whole, coded by the code lists, and plausible."""

from itertools import pairwise
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from catalogue.fragment import RECORD_KEY_MODULUS
from examples.synthetic.__main__ import main
from examples.synthetic.assumptions import CODELISTS, Codes
from examples.synthetic.columns import TableFile, integers
from examples.synthetic.draws import Choice, UnitKind, record_keys
from examples.synthetic.generate import blocks, generate
from examples.synthetic.people import Population

PEOPLE = 60_000
TABLES = ("people", "employers", "vacancies", "learners")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("synthetic")
    generate(PEOPLE, out, seed=3)
    return out


@pytest.fixture(scope="module")
def market(folder: Path) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    for name in TABLES:
        connection.execute(f"CREATE VIEW {name} AS FROM '{folder / name}.parquet'")
    for name in ("geography", "sic2007", "soc2020", "economic_status"):
        connection.execute(
            f"CREATE VIEW {name} AS FROM read_csv('{CODELISTS / name}.csv', all_varchar = true)"
        )
    return connection


def one(market: duckdb.DuckDBPyConnection, query: str) -> tuple:
    row = market.execute(query).fetchone()
    assert row is not None
    return row


def test_same_seed_gives_the_same_bytes_and_another_seed_other_people(folder: Path, tmp_path: Path) -> None:
    generate(PEOPLE, tmp_path / "again", seed=3)
    generate(PEOPLE, tmp_path / "other", seed=4)
    for name in TABLES:
        file = f"{name}.parquet"
        assert (tmp_path / "again" / file).read_bytes() == (folder / file).read_bytes()
        assert (tmp_path / "other" / file).read_bytes() != (folder / file).read_bytes()


def test_a_block_does_not_depend_on_those_before_it() -> None:
    population, fresh = Population(3, 10_000), Population(3, 10_000)
    population.draw(0, 500, block=0)
    after, alone = (population.columns(p.draw(500, 500, block=1)) for p in (population, fresh))
    assert after == alone


def test_blocks_cover_all_rows_once() -> None:
    spans = [(first, number) for _, first, number in blocks(600_000)]
    assert sum(number for _, number in spans) == 600_000
    assert all(first + number == following for (first, number), (following, _) in pairwise(spans))


def test_coded_columns_hold_codes_of_their_lists(folder: Path) -> None:
    coded = {
        "people": {"lad_res": "geography", "lad_work": "geography", "sex": "sex", "status": "economic_status",
                   "qualification": "qualification", "soc": "soc2020", "sic": "sic2007",
                   "full_time": "working_pattern"},
        "employers": {"lad": "geography", "sic": "sic2007", "size_band": "size_band"},
        "vacancies": {"lad": "geography", "soc": "soc2020", "month": "vacancy_month"},
        "learners": {"lad_home": "geography", "lad_provider": "geography", "subject": "sector_subject_area",
                     "level": "learning_level", "provision": "provision", "sex": "sex", "start_month": "start_month",
                     "achieved": "yes_no", "destination": "destination"},
    }  # fmt: skip
    for name, columns in coded.items():
        table = pq.read_table(folder / f"{name}.parquet", columns=list(columns))
        for column, codelist in columns.items():
            found = set(table[column].unique().to_pylist()) - {None}
            assert found, column
            assert found <= set(Codes(codelist).codes), column


@pytest.mark.parametrize(
    ("table", "unit"), [("people", "person_id"), ("employers", "employer_id"), ("learners", "learner_id")]
)
def test_a_row_is_a_unit(market: duckdb.DuckDBPyConnection, table: str, unit: str) -> None:
    rows, units = one(market, f"SELECT count(*), count(DISTINCT {unit}) FROM {table}")
    assert rows == units > 0


def test_record_keys_belong_to_units_and_spread_over_the_whole_range(
    market: duckdb.DuckDBPyConnection,
) -> None:
    differing, learners = one(
        market,
        "SELECT count(*) FILTER (p.rkey <> l.rkey), count(*) "
        "FROM learners l JOIN people p ON p.person_id = l.learner_id",
    )
    assert differing == 0
    assert learners == one(market, "SELECT count(*) FROM learners")[0] > 0
    assert one(
        market,
        "SELECT count(*) FILTER (v.rkey IS DISTINCT FROM e.rkey) "
        "FROM vacancies v LEFT JOIN employers e USING (employer_id)",
    ) == (0,)
    lowest, mean, highest = one(market, "SELECT min(rkey), avg(rkey), max(rkey) FROM people")
    assert 0 <= lowest < highest < RECORD_KEY_MODULUS
    assert abs(mean / RECORD_KEY_MODULUS - 0.5) < 0.01


def test_record_keys_differ_by_seed_and_kind_and_not_by_order() -> None:
    numbers = np.arange(1, 1000)
    keys = record_keys(1, UnitKind.PERSON, numbers)
    assert (record_keys(1, UnitKind.PERSON, numbers[::-1])[::-1] == keys).all()
    for other in (record_keys(2, UnitKind.PERSON, numbers), record_keys(1, UnitKind.EMPLOYER, numbers)):
        assert (other == keys).mean() < 0.01


def test_columns_are_null_exactly_where_there_is_nothing(market: duckdb.DuckDBPyConnection) -> None:
    wrong = one(
        market,
        """
        SELECT count(*) FILTER ((lad_work IS NULL) = (economic_activity = 'EMP')),
               count(*) FILTER ((soc IS NULL) <> (lad_work IS NULL)),
               count(*) FILTER ((sic IS NULL) <> (lad_work IS NULL)),
               count(*) FILTER ((full_time IS NULL) <> (lad_work IS NULL)),
               count(*) FILTER ((hours IS NULL) <> (lad_work IS NULL)),
               count(*) FILTER ((pay IS NULL) = (status = 'EE')),
               count(*) FILTER ((employer_id IS NULL) = (status IN ('EE', 'GS')))
        FROM people JOIN economic_status ON status = economic_status
        """,
    )
    assert wrong == (0, 0, 0, 0, 0, 0, 0)


def test_employees_work_where_and_in_what_their_employer_does(market: duckdb.DuckDBPyConnection) -> None:
    astray = one(
        market,
        "SELECT count(*) FILTER (e.lad IS DISTINCT FROM p.lad_work OR e.sic IS DISTINCT FROM p.sic) "
        "FROM people p LEFT JOIN employers e USING (employer_id) WHERE p.employer_id IS NOT NULL",
    )
    assert astray == (0,)
    miscounted = one(
        market,
        "SELECT count(*) FROM employers LEFT JOIN "
        "(SELECT employer_id, count(*) AS n FROM people GROUP BY ALL) USING (employer_id) "
        "WHERE employees <> coalesce(n, 0)",
    )
    assert miscounted == (0,)


def test_rates_are_those_of_the_country(market: duckdb.DuckDBPyConnection) -> None:
    employment, unemployment, graduates = one(
        market,
        """
        SELECT avg((economic_activity = 'EMP')::INT),
               sum((economic_activity = 'UNE')::INT) / sum((economic_activity <> 'INA')::INT),
               avg((qualification = 'RQF4PLUS')::INT)
        FROM people JOIN economic_status ON status = economic_status WHERE age BETWEEN 16 AND 64
        """,
    )
    assert 0.73 < employment < 0.77
    assert 0.03 < unemployment < 0.06
    assert 0.40 < graduates < 0.52
    by_sex = dict(
        market.execute("SELECT sex, avg((full_time = 'PT')::INT) FROM people GROUP BY sex").fetchall()
    )
    assert by_sex["M"] + 0.1 < by_sex["F"]
    (oldest, youngest) = one(market, "SELECT max(age), min(age) FROM people")
    assert youngest == 16
    assert oldest <= 110


def test_weights_gross_each_year_to_the_adult_population(market: duckdb.DuckDBPyConnection) -> None:
    totals = market.execute("SELECT sum(weight) FROM people GROUP BY period").fetchall()
    assert len(totals) == 5
    for (total,) in totals:
        assert float(total) == pytest.approx(54e6, rel=0.05)
    north_west, london = (
        float(one(
            market,
            "SELECT sum(weight) / 5 FROM people JOIN geography ON lad_res = local_authority "
            f"WHERE region_name = '{region}'",
        )[0])
        for region in ("North West", "London")
    )  # fmt: skip
    assert north_west == pytest.approx(6.0e6, rel=0.1)
    assert london == pytest.approx(7.2e6, rel=0.1)


def test_pay_follows_occupation_and_place_and_is_lawful(market: duckdb.DuckDBPyConnection) -> None:
    median, london, north_east, managers, cleaners = map(
        float,
        one(
            market,
            """
        SELECT median(pay), median(pay) FILTER (region_name = 'London'),
               median(pay) FILTER (region_name = 'North East'), median(pay) FILTER (sub_major = '11'),
               median(pay) FILTER (sub_major = '92')
        FROM people JOIN geography ON lad_work = local_authority JOIN soc2020 ON soc = unit
        WHERE full_time = 'FT' AND period = 2025
        """,
        ),
    )
    assert 700 < median < 820
    assert london > 1.2 * north_east
    assert managers > 1.5 * cleaners
    lowest = one(market, "SELECT min(pay / hours) FROM people WHERE period = 2025 AND age >= 21")[0]
    assert float(lowest) >= 12.21 - 0.01


def test_there_are_dominant_employers_and_sparse_areas(market: duckdb.DuckDBPyConnection) -> None:
    dominated = one(
        market,
        "SELECT count(*) FROM (SELECT max(employees) / sum(employees) AS share FROM employers GROUP BY lad) "
        "WHERE share > 0.2",
    )[0]
    assert dominated >= 3
    residents = dict(market.execute("SELECT lad_res, count(*) FROM people GROUP BY 1").fetchall())
    assert residents.get("E06000053", 0) < 10 < 100 < residents["E08000003"]  # Isles of Scilly, Manchester
    workers = one(market, "SELECT count(*) FROM people WHERE lad_work = 'E09000001'")[0]
    assert workers > 10 * residents.get("E09000001", 0)  # hardly anybody lives in the City of London


def test_learners_are_of_england_and_of_age(market: duckdb.DuckDBPyConnection) -> None:
    abroad, youngest, achieved = one(
        market,
        "SELECT count(*) FILTER (country <> 'E92000001'), min(age), avg((achieved = 'Y')::INT) "
        "FROM learners JOIN geography ON lad_home = local_authority",
    )
    assert abroad == 0
    assert youngest >= 16
    assert 0.75 < achieved < 0.9


def test_any_size_works(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["--people", "1_0", "--out", str(tmp_path)])
    assert "people.parquet: 10 rows" in capsys.readouterr().out
    assert pq.read_metadata(tmp_path / "people.parquet").num_rows == 10
    assert (tmp_path / "learners.parquet").exists()


@pytest.mark.parametrize("wrong", [("--people", "0"), ("--people", "many"), ("--seed", "-1")])
def test_wrong_arguments_are_refused(
    tmp_path: Path, wrong: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["--people", "10", "--out", str(tmp_path / "out"), *wrong])
    assert wrong[0] in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_file_that_was_not_finished_does_not_appear(tmp_path: Path) -> None:
    def fail() -> None:
        with TableFile(tmp_path / "table.parquet") as table:
            table.add({"n": integers(np.arange(200_000), pa.int64())})
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_choice_follows_its_weights() -> None:
    choice = Choice(np.array([[1.0, 3.0, 0.0], [0.0, 0.0, 2.0]]))
    uniform = np.random.default_rng(0).random(40_000)
    drawn = choice.draw(0, uniform)
    assert (drawn == 1).mean() == pytest.approx(0.75, abs=0.01)
    assert set(drawn) == {0, 1}
    assert set(choice.draw(1, uniform)) == {2}
    with pytest.raises(ValueError, match="without weight"):
        Choice(np.zeros((1, 2)))
