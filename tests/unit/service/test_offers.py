"""What is offered to whom: quorums of bodies, reviewers, appeals; and what waits for whom."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from federation.identity.principal import NodeRole, Principal
from federation.service import custody, decisions, offers, requests
from federation.service.decisions import Ruling
from federation.service.errors import ServiceCode, ServiceError
from federation.service.node import Node
from federation.service.offers import Offers
from federation.service.questions import Ask
from federation.state.lifecycle import Action, RequestState
from tests.support.node import CUSTODIAN_SQL, FILES, PURPOSE, running, write_node

TOGETHER = """\
---
profile: together
title: Counts that two bodies let go
version: "1"
frequency: {minimum_frequency: 10}
cell_keys: {counts: {maximum_noise: 2, variance: 1.05, smallest_published: 1}}
approval: {quorum: 2, organisations: 2, also: [office]}
"""
VACANCIES = "SELECT region, count(*) AS n FROM vacancies GROUP BY region ORDER BY 1"
DECIDE = {Action.TAKE_UP, Action.APPROVE, Action.RETURN, Action.REFUSE}
REVIEW = DECIDE - {Action.TAKE_UP}


def person(name: str, body: str, role: NodeRole) -> Principal:
    return Principal(name, name, body, frozenset({role}))


PAT = person("pat", "greater_ay", NodeRole.PLANNER)
PIA = person("pia", "greater_ay", NodeRole.PLANNER)
OLU = person("olu", "office", NodeRole.CUSTODIAN)
OMA = person("oma", "office", NodeRole.CUSTODIAN)
RAE = person("rae", "office", NodeRole.REVIEWER)
SAM = person("sam", "skills_board", NodeRole.CUSTODIAN)
RULING = Ruling("within the agreement")


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    changes = {
        "profiles/counts.yaml": FILES["profiles/counts.yaml"] + TOGETHER,
        "datasets/vacancies.yaml": FILES["datasets/vacancies.yaml"].replace("counts", "together"),
    }
    with running(write_node(tmp_path_factory.mktemp("node"), changes)) as found:
        yield found.node


def asked(node: Node, sql: str) -> str:
    return requests.submit(node, PAT, Ask(sql, "planning", PURPOSE)).request


def offered(node: Node, principal: Principal, request: str) -> Offers:
    return offers.get(node, principal, requests.get(node, principal, request))


def waits(node: Node, principal: Principal, request: str) -> bool:
    """Whether it is in the inbox, and its page says the same."""
    found = request in {view.request for view in custody.inbox(node, principal)}
    assert offered(node, principal, request).awaits == found
    return found


def test_where_two_bodies_decide_it_waits_for_the_one_that_has_not(node: Node) -> None:
    request = asked(node, VACANCIES)
    assert [waits(node, each, request) for each in (OLU, OMA, RAE, SAM)] == [True] * 4
    assert offered(node, SAM, request).acts == DECIDE
    assert offered(node, RAE, request).acts == REVIEW
    decisions.approve(node, RAE, request, RULING)
    assert [waits(node, each, request) for each in (OLU, RAE, SAM)] == [False, False, True]
    decisions.approve(node, SAM, request, RULING)
    assert requests.get(node, PAT, request).state is RequestState.APPROVED
    assert offered(node, RAE, request).acts == set()
    assert offered(node, OLU, request).acts == {Action.SUSPEND, Action.REVOKE}
    decisions.suspend(node, SAM, request, RULING)
    assert offered(node, OLU, request).acts == {Action.RESUME, Action.REVOKE}
    assert custody.evidence(node, OLU, request).partitions[0].dataset == "vacancies"


def test_a_reviewer_decides_on_appeals_and_who_refused_does_not(node: Node) -> None:
    request = asked(node, CUSTODIAN_SQL)
    assert [waits(node, each, request) for each in (OLU, OMA, RAE)] == [True, True, False]
    assert offered(node, RAE, request).acts == set()
    decisions.refuse(node, OLU, request, RULING)
    assert offered(node, PAT, request).acts == {Action.APPEAL}
    assert offered(node, PIA, request).acts == set()
    requests.appeal(node, PAT, request, "look again")
    assert [waits(node, each, request) for each in (OLU, OMA, RAE)] == [False, True, True]
    assert offered(node, OLU, request).acts == set()
    decisions.approve(node, RAE, request, Ruling("fine", conditions="destroy it"))
    assert [each.text for each in offered(node, OLU, request).conditions] == ["destroy it"]
    assert offered(node, PAT, request).acts == {Action.ACCEPT, Action.WITHDRAW}
    requests.accept(node, PAT, request)
    assert offered(node, PAT, request).acts == {Action.RUN, Action.WITHDRAW}
    assert offered(node, PIA, request).acts == {Action.RUN}


def test_who_neither_decides_nor_reviews_has_no_inbox(node: Node) -> None:
    with pytest.raises(ServiceError) as caught:
        custody.inbox(node, PAT)
    assert caught.value.code is ServiceCode.NOT_PERMITTED
