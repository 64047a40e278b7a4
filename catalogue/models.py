"""The catalogue's documents: what a custodian writes in YAML, validated. One class per kind of document."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class Document(BaseModel):
    """Unknown keys are mistakes, and a loaded document never changes."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Role(StrEnum):
    IDENTIFIER = "identifier"
    DIMENSION = "dimension"
    MEASURE = "measure"
    WEIGHT = "weight"
    RECORD_KEY = "record_key"


class Use(StrEnum):
    GROUP = "group"
    FILTER = "filter"
    AGGREGATE = "aggregate"


class Variable(Document):
    """A column as the custodian describes it.

    ``expression`` (DuckDB SQL over the table's own columns, default the variable's name) says where its value
    stands. A dimension names a ``codelist`` and the ``level`` whose codes it holds (default: the leaf level).
    A column of a coarser level names, in ``of``, the variable that holds the leaves: both are one dimension.
    ``stored: false`` on such a column means that the table does not hold it: it follows from the code list, and
    ``level`` may then name a registered grouping too.
    """

    role: Role
    title: Text
    description: str = ""
    expression: str | None = None
    nullable: bool = False
    sensitive: bool = False
    uses: frozenset[Use] | None = None
    # dimensions
    codelist: Name | None = None
    level: Name | None = None
    of: Name | None = None
    stored: bool = True
    # measures: fixed point, with the grid on which thresholds and quantiles fall
    unit: str = ""
    decimals: Annotated[int, Field(ge=0, le=6)] = 0
    minimum: Decimal | None = None
    maximum: Decimal | None = None
    step: Annotated[Decimal, Field(gt=0)] | None = None


class Relationship(Document):
    """Many rows here to one row there, along one key; ``to`` is a dataset or a code list."""

    to: Name
    from_column: Text
    to_column: Text


class Mode(StrEnum):
    """How the parts of a dataset are put together."""

    PROTECTED_PARTS = "protected_parts"
    MASKED_SUMS = "masked_sums"


class SourceLocation(Document):
    """Where a dataset stands: in a source of this node (``connector``), at another node (``node``), or in disjoint
    ``parts`` at several, each with the codes of the variable ``split`` that it holds. ``location`` is a file or
    table of the connector, else the dataset's name where it is held.
    """

    location: Text
    connector: Name | None = None
    node: Name | None = None
    parts: dict[Name, tuple[Text | int, ...]] | None = None
    split: Name | None = None
    mode: Mode = Mode.PROTECTED_PARTS


class SecondUnit(Document):
    """A second kind of unit that a cell must not single out (the employers of employees)."""

    name: Text
    expression: Text


class Unit(Document):
    """Whom the data protects. ``row_is_unit`` is verified at import and by ``federation check --data``."""

    name: Text
    plural: Text
    expression: Text
    row_is_unit: bool = False
    second: SecondUnit | None = None
    holding: Text | None = None


class Dataset(Document):
    dataset: Name
    title: Text
    description: Text
    publisher: Name
    custodian: Name
    population: Text
    unit: Unit
    series: Name
    reference_period: Text
    supersedes: Text | None = None
    geography: str = ""
    sampling: str = ""
    known_limits: tuple[Text, ...] = ()
    licence: Text
    legal_basis: Text
    source: SourceLocation
    record_key: Text
    weight: Name | None = None
    profile: Name
    variables: dict[Name, Variable]
    relationships: dict[Name, Relationship] = {}


class PTableSpec(Document):
    """Parameters of a p-table made by entropy maximisation, or the rows of a given one."""

    maximum_noise: Annotated[int, Field(ge=0, le=50)] | None = None
    variance: Annotated[float, Field(gt=0)] | None = None
    smallest_published: Annotated[int, Field(ge=0, le=50)] = 0
    probability_unchanged: Annotated[float, Field(ge=0, lt=1)] = 0.0
    named: Literal["ten_five"] | None = None


class Frequency(Document):
    minimum_frequency: Annotated[int, Field(ge=1)]
    minimum_second_units: Annotated[int, Field(ge=1)] | None = None
    publish_zeros: bool = False


class CellKeys(Document):
    """Perturbation by cell keys: of counts by the p-table, of magnitudes by ``magnitude_delta`` times the largest
    contribution."""

    counts: PTableSpec
    magnitude_delta: Annotated[Decimal, Field(gt=0, le=1)] = Decimal("0.5")


class Dominance(Document):
    dominance_n: Annotated[int, Field(ge=1, le=5)] | None = None
    dominance_k_percent: Annotated[Decimal, Field(gt=0, lt=100)] | None = None
    p_percent: Annotated[Decimal, Field(gt=0, lt=1000)] | None = None
    coalition: Annotated[int, Field(ge=1, le=4)] = 1


class ClassDisclosure(Document):
    """A row of which everybody falls in one category of a sensitive dimension is withheld."""

    dimensions: tuple[Name, ...] = ()


class SizeBand(Document):
    minimum: int
    maximum: int | None
    base: int


class Rounding(Document):
    count_base: Annotated[int, Field(ge=1)] = 1
    size_bands: tuple[SizeBand, ...] = ()
    magnitude_base: dict[Name, Decimal] = {}
    zero_below: Decimal | None = None


class Limits(Document):
    """Bounds on one query, decided from its shape alone."""

    maximum_dimensions: Annotated[int, Field(ge=1)] = 5
    maximum_cells: Annotated[int, Field(ge=1)] = 1_000_000
    dense_cells: Annotated[int, Field(ge=1)] = 100_000
    maximum_partitions: Annotated[int, Field(ge=1)] = 16
    # custom areas, by public population figures
    minimum_area_difference: Annotated[int, Field(ge=0)] = 50_000
    maximum_areas_per_authority: Annotated[int, Field(ge=1)] = 3


class Approval(Document):
    """Who has to approve each request: ``quorum`` persons of ``organisations`` bodies. The dataset's custodian is one
    of them, the others are among ``also``. Where it takes several persons, nothing is decided in advance."""

    quorum: Annotated[int, Field(ge=1, le=10)] = 1
    organisations: Annotated[int, Field(ge=1, le=10)] = 1
    also: tuple[Name, ...] = ()


class Profile(Document):
    """A disclosure profile: a custodian's rules for a dataset, versioned."""

    profile: Name
    title: Text
    version: Text
    modelled_on: str = ""
    frequency: Frequency
    cell_keys: CellKeys | None = None
    dominance: Dominance = Dominance()
    class_disclosure: ClassDisclosure = ClassDisclosure()
    rounding: Rounding = Rounding()
    quantiles: tuple[Decimal, ...] = (
        Decimal("0.1"), Decimal("0.2"), Decimal("0.25"), Decimal("0.3"), Decimal("0.4"), Decimal("0.5"),
        Decimal("0.6"), Decimal("0.7"), Decimal("0.75"), Decimal("0.8"), Decimal("0.9"),
    )  # fmt: skip
    maximum_cv_percent: Decimal | None = None
    limits: Limits = Limits()
    registered_tables: tuple[tuple[Name, ...], ...] = ()
    accept_cross_query_risk: str | None = None
    approval: Approval = Approval()


class Body(Document):
    body: Name
    title: Text
    area_codelist: Name | None = None
    area: tuple[Text, ...] = ()


class Jurisdiction(Document):
    """Own areas in full, everywhere else at ``elsewhere`` level of the code list."""

    codelist: Name
    elsewhere: Name
    minimum_foreign_leaves: Annotated[int, Field(ge=2)] = 3


class RowFilter(Document):
    variable: Name
    codes: tuple[str | int, ...]


class OtherPurposes(StrEnum):
    """What becomes of a purpose that an agreement does not name."""

    NOT_PERMITTED = "not_permitted"
    NEEDS_A_PERSON = "needs_a_person"


class Agreement(Document):
    agreement: Name
    title: Text
    version: Text
    bodies: tuple[Name, ...]
    datasets: tuple[Name, ...]
    purposes: tuple[Text, ...]
    excluded_purposes: tuple[Text, ...] = ()
    other_purposes: OtherPurposes = OtherPurposes.NOT_PERMITTED
    legal_gateway: Text
    start: date
    review: date
    end: date
    jurisdiction: Jurisdiction | None = None
    row_filters: tuple[RowFilter, ...] = ()
    masked_variables: tuple[Name, ...] = ()
    public_register: bool = True


class CustomArea(Document):
    """A registered set of areas: approved before use, aggregated at the source, never summed from parts."""

    area: Name
    title: Text
    body: Name
    dataset: Name
    codelist: Name
    codes: tuple[Text, ...]
    approved_by: Text
    approved_on: date


class StandingRule(Document):
    """A class of query that needs no further hand: this body, this dataset, these dimensions."""

    rule: Name
    title: Text
    body: Name
    dataset: Name
    dimensions: tuple[Name, ...]
    decided_by: Text
    decided_on: date
    until: date


class ParameterType(StrEnum):
    TEXT = "text"
    INTEGER = "integer"
    NUMBER = "number"


class QueryParameter(Document):
    """What ``$name`` of a standard query may be: listed ``values``, the codes of a ``codelist`` (of its leaf
    ``level``, where none is named), or whole numbers from ``minimum`` to ``maximum``."""

    title: Text
    type: ParameterType
    values: tuple[str | int | Decimal, ...] = ()
    codelist: Name | None = None
    level: Name | None = None
    minimum: int | None = None
    maximum: int | None = None


class StandardQuery(Document):
    """A query that custodians publish: bodies of the agreement run it for its purpose without a further hand.

    ``decided_by`` says for each custodian body who decided; on data of others its custodians decide each time.
    ``bodies`` are all of the agreement where none is named.
    """

    query: Name
    title: Text
    description: str = ""
    sql: Text
    agreement: Name
    purpose: Text
    bodies: tuple[Name, ...] = ()
    parameters: dict[Name, QueryParameter] = {}
    decided_by: Annotated[dict[Name, Text], Field(min_length=1)]
    decided_on: date
    until: date
