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
from federation.state import releases, requests, runs
from federation.state.authority import Officer
from federation.state.database import Database
from federation.state.errors import StateError
from federation.state.lifecycle import RequestState, RunState
from federation.state.models import Outcome, Release, Request, Run
from federation.state.requests import Verdict
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
    queued,
    submitted,
)
from tests.support.thorough import share

VERBS = ["approve", "approve", "approve", "refuse", "revoke", "supersede"]


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

    @rule(target=asked, custodians=st.sampled_from([{"learners": "dfe"}, {"learners": "dfe", "pay": "ons"}]))
    def submit(self, custodians: dict[str, str]) -> str:
        return self.attempt(lambda s: submitted(s, custodians=custodians).id)

    @rule(request=asked, officer=st.sampled_from([ANN, OLU]), verb=st.sampled_from(VERBS))
    def decide(self, request: str, officer: Officer, verb: str) -> None:
        verdict = Verdict(officer, "", PLAN)
        match verb:
            case "approve":
                self.attempt(lambda s: approve(s, request, officer))
            case "refuse":
                happening = event(AuditAction.REQUEST_REFUSED, request)
                self.attempt(lambda s: requests.refuse(s, request, verdict, self.now, happening))
            case "revoke":
                happening = event(AuditAction.REQUEST_REVOKED, request)
                self.attempt(lambda s: requests.revoke(s, request, verdict, self.now, happening))
            case "supersede":
                happening = event(AuditAction.REQUEST_SUPERSEDED, request)
                self.attempt(lambda s: requests.supersede(s, request, happening))

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
    def what_was_approved_was_approved_by_every_custodian(self) -> None:
        with self.database.read() as session:
            for request in session.scalars(select(Request)):
                approved = {
                    d.dataset for d in requests.decisions(session, request.id) if d.outcome is Outcome.APPROVE
                }
                ran = runs.list_runs(session, request_id=request.id)
                if request.state is RequestState.APPROVED or ran:
                    assert approved == set(request.custodians)

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
