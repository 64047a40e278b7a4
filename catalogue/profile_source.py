"""Profiles that extend a policy pack: the pack's rules, with the profile's own keys over them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from catalogue.documents import Sourced, validate
from catalogue.faults import Fault, nearest
from catalogue.models import Profile
from catalogue.yaml_source import Source, parse_yaml


def read_profile(source: Source, packs: Mapping[str, str]) -> Sourced[Profile] | list[Fault]:
    """A profile, alone or on top of the pack that it names in ``extends``.

    A mapping in the profile is merged key by key into the pack's; anything else replaces it, and ``null`` takes
    a rule of the pack away. Faults stand at the profile's own key, or at ``extends`` where the pack said it.
    """
    if "extends" not in source.data:
        return validate(Profile, source)
    name = source.data["extends"]
    if not isinstance(name, str) or name not in packs:
        return [source.fault(("extends",), f"there is no policy pack `{name}`", nearest(str(name), packs))]
    documents, faults = parse_yaml(packs[name], f"pack {name}")
    if len(documents) != 1 or faults:
        said = faults[0].message if faults else "should be one document"
        return [source.fault(("extends",), f"the policy pack `{name}` {said}")]
    # A pack also carries what is no rule of a profile, such as its test vectors.
    base = {key: value for key, value in documents[0].data.items() if key in Profile.model_fields}
    own = {key: value for key, value in source.data.items() if key != "extends"}
    place = source.at("extends")
    marks = {(key,): place for key in base} | dict(source.marks)
    return validate(Profile, Source(source.file, _merged(base, own), marks))


def _merged(base: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(base)
    for key, value in own.items():
        inherited = result.get(key)
        if isinstance(value, Mapping) and isinstance(inherited, Mapping):
            result[key] = _merged(inherited, value)
        elif value is None and key in result and key in _WITH_DEFAULT:
            del result[key]
        else:
            result[key] = value
    return result


_WITH_DEFAULT = frozenset(name for name, field in Profile.model_fields.items() if not field.is_required())
