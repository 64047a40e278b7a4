"""docs/configuration.md has every key with its default, and its example is a sound configuration."""

from __future__ import annotations

import re
from decimal import Decimal
from enum import Enum
from pathlib import Path

import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from catalogue import models
from catalogue.codelist_source import CodeListDocument, GroupingDocument, LevelDocument, PartDocument
from connectors.registry import SourceSettings, kind_names, kind_of
from federation import settings
from federation.configuration import read_configuration
from federation.identity import settings as identity
from federation.release.keys import PLACE as SIGNING_KEY
from federation.state.secrets import load_secrets
from federation.wire.exchange_key import PLACE as EXCHANGE_KEY
from tests.docs.demo import SECRETS
from tests.docs.pages import code, first_codes, read, rows, section

PAGE = read("configuration.md")
SECTIONS: dict[str, type[BaseModel]] = {
    "Settings": settings.Settings,
    **{f"Sources of kind {name}": kind_of(name).settings for name in kind_names()},
    "Identity": identity.IdentitySettings,
    "Provider": identity.ProviderSettings,
    "Claims": identity.ClaimNames,
    "Delegations": identity.DelegationSettings,
    "Persons": identity.Person,
    "Programs": identity.Program,
    "Limits": settings.LimitSettings,
    "Database": settings.DatabaseSettings,
    "Notices": settings.NoticeSettings,
    "E-mail": settings.SmtpSettings,
    "Pages": settings.PagesSettings,
    "Map": settings.MapSettings,
    "Federation": settings.FederationSettings,
    "Peers": settings.PeerSettings,
    "Dataset": models.Dataset,
    "Unit": models.Unit,
    "Second unit": models.SecondUnit,
    "Source location": models.SourceLocation,
    "Variable": models.Variable,
    "Relationship": models.Relationship,
    "Code list": CodeListDocument,
    "Level": LevelDocument,
    "Grouping": GroupingDocument,
    "Part": PartDocument,
    "Profile": models.Profile,
    "Approval": models.Approval,
    "Frequency": models.Frequency,
    "Cell keys": models.CellKeys,
    "P-table": models.PTableSpec,
    "Dominance": models.Dominance,
    "Class disclosure": models.ClassDisclosure,
    "Rounding": models.Rounding,
    "Size band": models.SizeBand,
    "Query limits": models.Limits,
    "Body": models.Body,
    "Agreement": models.Agreement,
    "Jurisdiction": models.Jurisdiction,
    "Row filter": models.RowFilter,
    "Custom area": models.CustomArea,
    "Standing rule": models.StandingRule,
    "Standard query": models.StandardQuery,
    "Query parameter": models.QueryParameter,
}


def models_of(kind: type[BaseModel]) -> set[type[BaseModel]]:
    """All models that stand in the fields of one, and it."""
    found = {kind}
    for field in kind.model_fields.values():
        for part in re.findall(r"[\w.]+", str(field.annotation)):
            name = part.rpartition(".")[2]
            inner = next((getattr(m, name) for m in (models, settings, identity) if hasattr(m, name)), None)
            if isinstance(inner, type) and issubclass(inner, BaseModel) and inner not in found:
                found |= models_of(inner)
    return found


def default_of(field: FieldInfo) -> str | None:
    """The default as the page writes it; None for what it tells in words."""
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if value is None:
        return "none"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, Enum):
        return f"`{value.value}`"
    if isinstance(value, str | int | float | Decimal | Path) and str(value):
        return f"`{value}`"
    return None


@pytest.mark.parametrize("heading", list(SECTIONS))
def test_every_key_is_there_with_its_default(heading: str) -> None:
    shown = {code(row[0]): row[1] for row in rows(section(PAGE, heading))}
    fields = {field.alias or name: field for name, field in SECTIONS[heading].model_fields.items()}
    assert set(shown) == set(fields)
    for name, field in fields.items():
        default = default_of(field)
        words = shown[name] not in ("required", "none") and "`" not in shown[name]
        assert shown[name] == default or (default is None and (words or shown[name] == "none")), name


def test_every_model_has_a_section() -> None:
    documents = (
        models.Dataset,
        models.Profile,
        models.Body,
        models.Agreement,
        models.CustomArea,
        models.StandardQuery,
    )
    needed = {
        found for kind in (*documents, models.StandingRule, settings.Settings) for found in models_of(kind)
    }
    assert models.SizeBand in needed
    needed.remove(SourceSettings)  # each kind has a section of its own
    assert needed <= set(SECTIONS.values())


def test_every_secret_is_there() -> None:
    assert set(first_codes(section(PAGE, "Secrets in the environment"))) == {
        *SECRETS,
        SIGNING_KEY.variable,
        EXCHANGE_KEY.variable,
    }
    assert load_secrets(Path(), SECRETS, first_start=False).key_epoch == 1


def test_the_example_is_sound(tmp_path: Path) -> None:
    files = re.findall(r"<!-- file: (\S+) -->\n```\w+\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    for name, text in files:
        place = tmp_path / name
        place.parent.mkdir(exist_ok=True)
        place.write_text(text)
    configuration = read_configuration(tmp_path)
    assert {name.partition("/")[0] for name, _ in files} == {
        *(
            "node.yaml",
            "bodies",
            "codelists",
            "datasets",
            "profiles",
            "agreements",
            "rules",
            "queries",
            "areas",
        )
    }
    assert list(configuration.catalogue.datasets) == ["learners"]
    assert configuration.catalogue.profiles["college"].frequency.minimum_frequency == 15
