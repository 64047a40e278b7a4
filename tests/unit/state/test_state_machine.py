"""Whatever people and workers do in whatever order: what is released was approved, once, and the chain is whole."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, rule
from sqlalchemy import select

from federation.audit.chain import head, verify_chain
from federation.audit.events import AuditAction
from federation.state import asking, deciding, releases, requests, runs
from federation.state.authority import Officer
from federation.state.database import Database
from federation.state.deciding import Verdict
from federation.state.errors import StateError
from federation.state.lifecycle import GRANTED, RunState
from federation.state.models import Outcome, Release, Request, Run
from federation.state.quorum import Quorum
from federation.state.steps import Lease
from tests.support.state import (
    ANN,
    LEASE,
    NOW,
    OLU,
    PLAN,
    approve,
    cell_query,
    claim,
    event,
    new_release,
    new_request,
    queued,
    submitted,
)
from tests.support.thorough import share

ABE = Officer("abe", "dfe", is_custodian=True)
LATER = NOW + timedelta(days=90)
ONE = {"learners": Quorum("dfe")}
BOTH = {"learners": Quorum("dfe"), "pay": Quorum("ons")}
TOGETHER = {"learners": Quorum("dfe", frozenset({"ons"}), persons=2, organisations=2)}
VERBS = [*["approve"] * 4, "condition", "return", "refuse", "suspend", "resume", "revoke", "supersede"]


class Service(RuleBasedStateMachine):
    asked = Bundle("asked")
    waiting = Bundle("waiting")
    held = Bundle("held")

    def __init__(self) -> None:
        super().__init__()
        self.directory = TemporaryDirectory()
        self.database = Database.open(Path(self.directory.name) / "state.sqlite")
        self.now = NOW
        self.recorded = 0

    def teardown(self) -> None:
        self.database.close()
        self.directory.cleanup()

    def attempt(self, act):  # type: ignore[no-untyped-def]
        """Do ``act`` in a transaction; a refusal is an outcome, and leaves nothing."""
        try:
            with self.database.write() as session:
                before = head(session).sequence
                result = act(session)
                self.recorded += head(session).sequence - before
                return result
        except StateError:
            return None

    @initialize(target=asked)
    def begin(self) -> str:
        return self.attempt(lambda s: approve(s, submitted(s).id).id)

    @initialize(target=held)
    def begin_a_run(self) -> Lease:
        return self.attempt(lambda s: claim(s, queued(s)))

    @rule(target=asked, quorums=st.sampled_from([ONE, BOTH, TOGETHER]))
    def submit(self, quorums: dict[str, Quorum]) -> str:
        return self.attempt(lambda s: submitted(s, quorums=quorums).id)

    @rule(request=asked, verb=st.sampled_from(["submit", "appeal", "accept", "withdraw"]))
    def requester_acts(self, request: str, verb: str) -> None:
        match verb:
            case "submit":
                again = new_request(id=request)
                happening = event(AuditAction.REQUEST_SUBMITTED, request)
                self.attempt(lambda s: asking.submit(s, again, self.now, happening))
            case "appeal":
                happening = event(AuditAction.REQUEST_APPEALED, request)
                self.attempt(lambda s: asking.appeal(s, request, "bob", "", LATER, self.now, happening))
            case "accept":
                happening = event(AuditAction.REQUEST_ACCEPTED, request)
                self.attempt(lambda s: asking.accept(s, request, "bob", self.now, happening))
            case "withdraw":
                happening = event(AuditAction.REQUEST_WITHDRAWN, request)
                self.attempt(lambda s: asking.withdraw(s, request, "bob", self.now, happening))

    @rule(request=asked, officer=st.sampled_from([ANN, OLU, ABE]), verb=st.sampled_from(VERBS))
    def decide(self, request: str, officer: Officer, verb: str) -> None:
        verdict = Verdict(officer, "", PLAN)
        match verb:
            case "approve":
                self.attempt(lambda s: approve(s, request, officer))
            case "condition":
                bound = Verdict(officer, "", PLAN, conditions="show it to nobody", maximum_runs=1)
                happening = event(AuditAction.REQUEST_APPROVED, request)
                self.attempt(lambda s: deciding.approve(s, request, bound, self.now, happening))
            case "return":
                happening = event(AuditAction.REQUEST_RETURNED, request)
                self.attempt(lambda s: deciding.send_back(s, request, verdict, LATER, self.now, happening))
            case "suspend":
                happening = event(AuditAction.REQUEST_SUSPENDED, request)
                self.attempt(lambda s: deciding.suspend(s, request, verdict, self.now, happening))
            case "resume":
                happening = event(AuditAction.REQUEST_RESUMED, request)
                self.attempt(lambda s: deciding.resume(s, request, verdict, self.now, happening))
            case "refuse":
                happening = event(AuditAction.REQUEST_REFUSED, request)
                self.attempt(lambda s: deciding.refuse(s, request, verdict, self.now, happening))
            case "revoke":
                happening = event(AuditAction.REQUEST_REVOKED, request)
                self.attempt(lambda s: deciding.revoke(s, request, verdict, self.now, happening))
            case "supersede":
                happening = event(AuditAction.REQUEST_SUPERSEDED, request)
                self.attempt(lambda s: deciding.supersede(s, request, happening))

    @rule(target=waiting, request=asked)
    def queue(self, request: str) -> object:
        return self.attempt(lambda s: queued(s, request)) or multiple()

    @rule(target=held, run=waiting, owner=st.sampled_from(["one", "two"]))
    def claim(self, run: str, owner: str) -> object:
        return self.attempt(lambda s: claim(s, run, owner, self.now)) or multiple()

    @rule(run=waiting)
    def cancel(self, run: str) -> None:
        happening = event(AuditAction.RUN_CANCEL_REQUESTED, run)
        self.attempt(lambda s: runs.request_cancel(s, run, self.now, happening))

    @rule(lease=held)
    def renew(self, lease: Lease) -> None:
        self.attempt(lambda s: runs.renew_lease(s, lease, 50, self.now, LEASE))

    @rule(lease=held)
    def finish(self, lease: Lease) -> None:
        release = new_release()
        happening = event(AuditAction.RELEASE_ISSUED, release.id)
        self.attempt(lambda s: releases.finish_run(s, lease, release, [cell_query()], self.now, happening))

    @rule(lease=consumes(held), code=st.sampled_from(["source_failed", "snapshot_changed"]))
    def end(self, lease: Lease, code: str) -> None:
        if code == "source_failed":
            failed = event(AuditAction.RUN_FAILED, lease.run_id)
            self.attempt(lambda s: runs.fail_run(s, lease, code, self.now, failed))
        else:
            void = event(AuditAction.RUN_VOIDED, lease.run_id)
            self.attempt(lambda s: runs.void_run(s, lease, code, self.now, void))

    @rule(seconds=st.integers(1, 60))
    def time_passes_and_the_dead_are_revived(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)
        with self.database.read() as session:
            dead = runs.dead_runs(session, self.now)
        for run in dead:
            happening = event(run.fate.recorded_as, run.run_id)
            self.attempt(lambda s, run=run, happening=happening: runs.revive_run(s, run, self.now, happening))

    @invariant()
    def the_chain_is_whole_and_holds_every_change(self) -> None:
        with self.database.read() as session:
            assert verify_chain(session).whole
            assert head(session).sequence == self.recorded

    @invariant()
    def what_was_approved_was_approved_by_everybody_who_has_to(self) -> None:
        with self.database.read() as session:
            for request in session.scalars(select(Request)):
                made = requests.decisions(session, request.id)
                ran = runs.list_runs(session, request_id=request.id)
                if request.state in GRANTED or ran:
                    for dataset, quorum in request.quorums.items():
                        given = [d for d in made if d.outcome is Outcome.APPROVE and d.dataset == dataset]
                        assert len({d.decided_by for d in given}) == len(given) >= quorum.persons
                        assert len({d.custodian for d in given}) >= quorum.organisations
                if ran and any(d.conditions for d in made):
                    assert any(d.outcome is Outcome.ACCEPT for d in made)

    @invariant()
    def no_more_is_released_than_was_approved(self) -> None:
        with self.database.read() as session:
            for request in session.scalars(select(Request)):
                limit = requests.maximum_runs(request, requests.decisions(session, request.id))
                assert limit is None or releases.count_releases(session, request.id) <= limit

    @invariant()
    def each_version_and_each_step_is_there_once(self) -> None:
        with self.database.read() as session:
            for request in session.scalars(select(Request)):
                kept = [each.version for each in requests.versions(session, request.id)]
                assert kept == list(range(1, request.version + 1))
                steps = [(d.revision, d.dataset) for d in requests.decisions(session, request.id)]
                assert len(set(steps)) == len(steps)

    @invariant()
    def a_run_is_done_exactly_if_it_has_a_release(self) -> None:
        with self.database.read() as session:
            released = Counter(session.scalars(select(Release.run_id)))
            done = session.scalars(select(Run.id).where(Run.state == RunState.DONE)).all()
            assert released == dict.fromkeys(done, 1)
            assert len(list(releases.ledger(session, "learners", "2025"))) == len(done)
            for run in session.scalars(select(Run)):
                assert (run.lease_owner is not None) == (run.state is RunState.RUNNING)
                assert (run.ended_at is None) == (run.state in {RunState.QUEUED, RunState.RUNNING})


Service.TestCase.settings = settings(max_examples=share(30), stateful_step_count=30, deadline=None)
TestService = pytest.mark.slow(Service.TestCase)
