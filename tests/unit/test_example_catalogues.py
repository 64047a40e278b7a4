"""The catalogues of the examples are sound, and say the truth about the files that the generator writes."""

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from catalogue.catalogue import BoundDataset, Catalogue, Dimension, measure_grid
from catalogue.loader import load_catalogue
from catalogue.models import Role
from examples.synthetic.generate import generate
from federation.configuration import read_configuration
from federation.identity.principal import NodeRole
from federation.importing.importer import ImportOptions, draft_dataset
from federation.settings import Environment
from policies.protect import ptable_of

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return read_configuration(EXAMPLES / "labour_market").catalogue


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory, catalogue: Catalogue) -> duckdb.DuckDBPyConnection:
    out = tmp_path_factory.mktemp("market")
    generate(20_000, out, seed=1)
    connection = duckdb.connect()
    for dataset in catalogue.datasets.values():
        location = out / dataset.document.source.location
        connection.execute(f"CREATE VIEW {dataset.name} AS FROM '{location}'")
    return connection


@pytest.mark.parametrize("name", ["labour_market", "census"])
def test_configuration_is_sound(name: str) -> None:
    configuration = read_configuration(EXAMPLES / name)
    assert configuration.settings.environment is Environment.DEMO
    assert configuration.catalogue.datasets
    # Every warning that is left was reviewed: a grouping and a node that differ by one leaf, which is a node itself.
    assert all("by the one leaf" in warning.message for warning in configuration.warnings)
    assert len(configuration.warnings) <= 4


@pytest.mark.parametrize("name", ["labour_market", "census"])
def test_every_dataset_has_an_agreement_and_its_custodian_a_person(name: str) -> None:
    configuration = read_configuration(EXAMPLES / name)
    catalogue = configuration.catalogue
    agreed = {dataset for agreement in catalogue.agreements.values() for dataset in agreement.datasets}
    assert agreed == set(catalogue.datasets)
    persons = configuration.settings.identity.persons
    custodians = {person.body for person in persons if NodeRole.CUSTODIAN in person.roles}
    assert {dataset.document.custodian for dataset in catalogue.datasets.values()} == custodians
    planners = {person.body for person in persons if NodeRole.PLANNER in person.roles}
    assert {body for agreement in catalogue.agreements.values() for body in agreement.bodies} == planners


@pytest.mark.parametrize("name", ["labour_market", "census"])
def test_every_profile_has_a_p_table_that_exists(name: str) -> None:
    for profile in read_configuration(EXAMPLES / name).catalogue.profiles.values():
        assert ptable_of(profile) is not None


def stored(dataset: BoundDataset) -> Iterator[tuple[str, str]]:
    """Variables that the file holds, and their expressions."""
    for name, variable in dataset.document.variables.items():
        if variable.stored:
            yield name, variable.expression or name


@pytest.mark.parametrize("name", ["people", "employers", "vacancies", "learners"])
def test_file_has_exactly_the_columns_that_the_catalogue_declares(
    catalogue: Catalogue, market: duckdb.DuckDBPyConnection, name: str
) -> None:
    columns = {row[0] for row in market.execute(f"DESCRIBE {name}").fetchall()}
    variables = catalogue.datasets[name].document.variables
    assert columns == {column for column, v in variables.items() if v.stored and v.expression is None}


@pytest.mark.parametrize("name", ["people", "employers", "vacancies", "learners"])
def test_values_are_leaves_of_their_dimensions(
    catalogue: Catalogue, market: duckdb.DuckDBPyConnection, name: str
) -> None:
    dataset = catalogue.datasets[name]
    for column, expression in stored(dataset):
        variable = dataset.variable(column)
        found = {row[0] for row in market.execute(f"SELECT DISTINCT {expression} FROM {name}").fetchall()}
        if variable.role is Role.DIMENSION:
            dimension = dataset.dimension_of(column)
            assert isinstance(dimension, Dimension)
            assert found <= set(dimension.stored_values()), column
        elif variable.role is Role.MEASURE:
            assert variable.nullable == (None in found), column
            if measure_grid(variable) is not None:
                assert variable.minimum is not None
                assert min(found - {None}) >= variable.minimum, column


@pytest.mark.parametrize("name", ["people", "employers", "vacancies", "learners"])
def test_relationships_lead_from_every_row_to_at_most_one(
    catalogue: Catalogue, market: duckdb.DuckDBPyConnection, name: str
) -> None:
    for relationship in catalogue.datasets[name].document.relationships.values():
        if relationship.to not in catalogue.datasets:
            continue
        (lost,) = market.execute(
            f"SELECT count(*) FROM {name} WHERE {relationship.from_column} IS NOT NULL AND "
            f"{relationship.from_column} NOT IN (SELECT {relationship.to_column} FROM {relationship.to})"
        ).fetchone() or (None,)
        rows, keys = market.execute(
            f"SELECT count(*), count(DISTINCT {relationship.to_column}) FROM {relationship.to}"
        ).fetchone() or (None, None)
        assert lost == 0
        assert rows == keys


@pytest.mark.reference
def test_census_catalogue_describes_what_the_import_makes_of_the_teaching_file(
    reference_data: Path, tmp_path: Path
) -> None:
    sample = reference_data / "census-2011-teaching-sample.csv"
    draft_dataset(sample, tmp_path, bytes(32), ImportOptions(unit="Person ID", name="census"))
    drafted = load_catalogue(tmp_path).datasets["census"]
    census = read_configuration(EXAMPLES / "census").catalogue.datasets["census"]
    assert set(census.dimensions) == set(drafted.dimensions)
    assert census.document.record_key == drafted.document.record_key
    file = tmp_path / "data" / census.document.source.location
    for name, dimension in census.dimensions.items():
        found = duckdb.sql(f"SELECT DISTINCT {dimension.expression} FROM '{file}'").fetchall()
        assert {row[0] for row in found} <= set(dimension.stored_values()), name
