"""A provenance statement about a small table."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pyarrow as pa

from federation.release.statement import (
    AgreementRef,
    Authority,
    Context,
    DecisionRef,
    DelegationRef,
    Method,
    Organisation,
    Profile,
    Statement,
    Subject,
    TableRef,
    When,
    Who,
)

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
DFE = Organisation(id="dfe", title="Department for Education")
GMCA = Organisation(id="gmca", title="Greater Manchester Combined Authority")
TABLE = pa.table(
    {
        "area": ["E08000001", "E08000002"],
        "learners": pa.array([120, None], pa.int32()),
        "learners_status": pa.array(["", "[c]"]),
    }
)


def statement(table: pa.Table = TABLE) -> Statement:
    return Statement(
        release="rel_1",
        run="run_1",
        who=Who(node="https://node.example", publishers=(DFE,), custodians=(DFE,)),
        about_whom=(
            Subject(
                dataset="learners",
                title="Adult learners",
                population="Learners aged 19 and over",
                unit="learner",
                geography="England",
                publisher="dfe",
                custodian="dfe",
                series="learners",
                reference_period="2024/25",
                snapshot="sha256:1",
                key_epoch=1,
            ),
        ),
        when=When(run_at=NOON, released_at=NOON, reference_periods=("2024/25",), clock=date(2026, 1, 5)),
        context=Context(
            purpose="planning of courses",
            question="How many learners are there, by area?",
            sql="select area, count(*) as learners from learners group by area",
            parameters={"area": "E08000001"},
            methods=(Method(rule="cell_keys", effect="counts carry small random changes"),),
            profiles=(Profile(id="further_education", version="1", dataset="learners"),),
            catalogue_version="1",
        ),
        authority=Authority(
            request="req_1",
            requester="bob",
            recipient=GMCA,
            agreement=AgreementRef(
                id="skills",
                title="Adult skills",
                version="2",
                legal_gateway="Digital Economy Act 2017, Part 5",
                start=date(2025, 1, 1),
                end=date(2026, 12, 31),
            ),
            decisions=(
                DecisionRef(
                    dataset="learners", custodian="dfe", kind="person", decided_by="ann", decided_at=NOON
                ),
            ),
            plan_digest="sha256:" + "a" * 64,
        ),
        table=TableRef.of(table),
    )


DEED = DelegationRef(
    delegation="eve_for_gmca", body="gmca", instrument="Deed of 1 March", until=date(2026, 12, 31)
)
MINUTE = DelegationRef(delegation="rex_for_dfe", body="dfe", instrument="Minute 4", until=date(2026, 6, 30))


def by_delegation() -> Statement:
    """Somebody asks for a body not their own, and a reviewer decides for one."""
    said = statement()
    decided = said.authority.decisions[0].model_copy(update={"role": "reviewer", "delegation": MINUTE})
    authority = said.authority.model_copy(update={"delegation": DEED, "decisions": (decided,)})
    return said.model_copy(update={"authority": authority})
