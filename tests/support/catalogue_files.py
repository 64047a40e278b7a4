"""A small sound catalogue that a test writes out, breaks in one place and loads."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

FILES = {
    "bodies/bodies.yaml": """\
- body: statistics_office
  title: Statistics office
- body: gm
  title: Greater Manchester Combined Authority
  area_codelist: geography
  area: [E1, E2]
- body: south
  title: The southern partnership
""",
    "profiles/people.yaml": """\
profile: people_profile
title: Counts with noise
version: "1"
frequency: {minimum_frequency: 10}
cell_keys:
  counts: {maximum_noise: 2, variance: 1.05, smallest_published: 1}
""",
    "codelists/geography.yaml": """\
codelist: geography
title: Areas
source: Made up
vintage: "2025"
kind: codes
file: geography.csv
levels:
  - {name: country, title: Country}
  - {name: region, title: Region}
  - {name: area, title: Area}
population: population
groupings:
  coastal:
    parts:
      coast: {title: By the sea, codes: [E3, W]}
""",
    "codelists/geography.csv": """\
country,country_name,region,region_name,area,area_name,population
E,England,N,North,E1,Ayton,200000
E,England,N,North,E2,Beeford,300000
E,England,N,North,E3,Ceeham,90000
E,England,N,North,E4,Deeby,120000
E,England,N,North,E5,Eaton,150000
E,England,S,South,E6,Effley,400000
E,England,S,South,E7,Geeton,80000
E,England,S,South,E8,Aitchford,70000
W,Wales,,,W1,Aberwy,60000
W,Wales,,,W2,Llanzed,110000
W,Wales,,,W3,Pentre,95000
""",
    "codelists/age.yaml": """\
codelist: age
title: Age in years
source: Made up
vintage: "2025"
kind: integers
minimum: 0
maximum: 110
groupings:
  working_age:
    parts:
      "16-64": {title: Aged 16 to 64, from: 16, to: 64}
""",
    "datasets/people.yaml": """\
dataset: people
title: People
description: Everybody.
publisher: statistics_office
custodian: statistics_office
population: Residents
unit: {name: person, plural: people, expression: person_id, row_is_unit: true}
series: people
reference_period: "2025"
licence: Open
legal_basis: Statistics Act
source: {connector: duckdb, location: people.parquet}
record_key: record_key
weight: grossing
profile: people_profile
variables:
  area: {role: dimension, title: Area, codelist: geography}
  region: {role: dimension, title: Region, of: area, level: region, stored: false}
  age: {role: dimension, title: Age, codelist: age, nullable: true}
  pay: {role: measure, title: Pay, unit: pounds, decimals: 2, minimum: 0, maximum: 5000, step: 10}
  grossing: {role: weight, title: Weight}
relationships:
  home: {to: geography, from_column: area, to_column: area}
""",
    "agreements/gm.yaml": """\
agreement: gm_people
title: Skills planning
version: "1"
bodies: [gm]
datasets: [people]
purposes: [skills planning]
legal_gateway: Digital Economy Act 2017, Part 5
start: 2025-01-01
review: 2026-01-01
end: 2027-01-01
jurisdiction: {codelist: geography, elsewhere: region}
row_filters: [{variable: age, codes: [16, 17]}]
masked_variables: [pay]
""",
    "areas/corridor.yaml": """\
area: corridor
title: The corridor
body: south
dataset: people
codelist: geography
codes: [E1, E3]
approved_by: Statistics office
approved_on: 2025-02-01
""",
    "rules/ages.yaml": """\
rule: ages
title: Ages by area
body: gm
dataset: people
dimensions: [age, area]
decided_by: Statistics office
decided_on: 2025-02-01
until: 2026-02-01
""",
}

Write = Callable[..., Path]
