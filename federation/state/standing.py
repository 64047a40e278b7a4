"""Standing rules: a custodian's decision in advance on a class of query, which is then named as what decided."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from datetime import date

from catalogue.models import StandingRule


def covering_rules(
    rules: Iterable[StandingRule],
    *,
    requester: str,
    body: str,
    dimensions: Mapping[str, Set[str]],
    today: date,
) -> dict[str, StandingRule]:
    """For each dataset of a request the standing rule that decides on it; a dataset that none covers is absent.

    A rule covers a dataset when it names it and the recipient body, allows every dimension that the request
    groups by or filters on there, and is in force on ``today`` (``until`` included). A rule does
    not decide on a request of the person who made it. Where several cover it, the one with the first id decides, so
    that the same request always names the same rule.

    Args:
        dimensions: for each dataset that the request touches, the dimensions that it uses.
    """
    found: dict[str, StandingRule] = {}
    for rule in sorted(rules, key=lambda rule: rule.rule):
        used = dimensions.get(rule.dataset)
        in_force = rule.decided_on <= today <= rule.until
        if used is None or rule.body != body or rule.decided_by == requester:
            continue
        if in_force and used <= set(rule.dimensions):
            found.setdefault(rule.dataset, rule)
    return found
