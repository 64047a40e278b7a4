"""Sessions at the pages: how one begins, how long it lasts, and what of it is stored."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from federation.audit.chain import events, verify_chain
from federation.identity.principal import Delegation, NodeRole, Principal
from federation.identity.sessions import SessionOver, Sessions, csrf_token_of
from federation.state.database import Database

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
PAT = Principal("pat", "Pat", "greater_ay", frozenset({NodeRole.PLANNER, NodeRole.ANALYST}))
ACTING = replace(PAT, body="effshire", delegation=Delegation("eff", "Deed of 1 March", date(2026, 3, 2)))


@pytest.fixture
def sessions(tmp_path: Path) -> Iterator[Sessions]:
    database = Database.open(tmp_path / "state.sqlite")
    yield Sessions(database, timedelta(minutes=30), timedelta(hours=10), "a" * 64)
    database.close()


@pytest.mark.parametrize("principal", [PAT, ACTING])
def test_a_session_gives_who_it_was_opened_for(sessions: Sessions, principal: Principal) -> None:
    cookie = sessions.open(principal, PAT, NOW)
    found = sessions.find(cookie, NOW)
    assert found is not None
    assert (found.principal, found.own, found.csrf_token) == (principal, PAT, csrf_token_of(cookie))


def test_every_log_in_has_a_new_value_of_256_bits(sessions: Sessions) -> None:
    cookies = {sessions.open(PAT, PAT, NOW) for _ in range(5)}
    assert len(cookies) == 5
    assert all(len(cookie) == 43 for cookie in cookies)
    assert len({csrf_token_of(cookie) for cookie in cookies}) == 5


def test_what_is_stored_opens_no_session(sessions: Sessions, tmp_path: Path) -> None:
    cookie = sessions.open(PAT, PAT, NOW)
    with sessions.database.read() as session:
        (stored,) = session.execute(text("select digest from web_sessions")).scalars().all()
    assert sessions.find(stored, NOW) is None
    for file in tmp_path.iterdir():
        content = file.read_bytes()
        assert cookie.encode() not in content
        assert csrf_token_of(cookie).encode() not in content


@pytest.mark.parametrize("cookie", ["", "x", "é" * 5000, "\udcff", "' or 1=1 --"])
def test_other_values_open_none(sessions: Sessions, cookie: str) -> None:
    sessions.open(PAT, PAT, NOW)
    assert sessions.find(cookie, NOW) is None
    sessions.close(cookie, NOW)


def test_a_session_ends_when_nobody_uses_it(sessions: Sessions) -> None:
    cookie = sessions.open(PAT, PAT, NOW)
    assert sessions.find(cookie, NOW + timedelta(minutes=29)) is not None
    assert sessions.find(cookie, NOW + timedelta(minutes=58)) is not None
    assert sessions.find(cookie, NOW + timedelta(minutes=88)) is None


def test_a_session_ends_after_its_longest_time_however_much_it_is_used(sessions: Sessions) -> None:
    cookie = sessions.open(PAT, PAT, NOW)
    for minutes in range(20, 600, 20):
        assert sessions.find(cookie, NOW + timedelta(minutes=minutes)) is not None
    assert sessions.find(cookie, NOW + timedelta(hours=10)) is None


def test_a_session_ends_with_the_delegation_that_it_rests_on(sessions: Sessions) -> None:
    cookie = sessions.open(ACTING, PAT, NOW + timedelta(hours=14, minutes=55))
    assert sessions.find(cookie, NOW + timedelta(hours=14, minutes=59)) is not None
    assert sessions.find(cookie, NOW + timedelta(hours=15)) is None


def test_a_session_is_over_when_the_settings_of_identity_change(sessions: Sessions) -> None:
    cookie = sessions.open(PAT, PAT, NOW)
    assert replace(sessions, terms="b" * 64).find(cookie, NOW) is None
    assert sessions.find(cookie, NOW) is not None


def test_who_signs_out_is_out_and_both_are_recorded(sessions: Sessions) -> None:
    cookie, other = sessions.open(ACTING, PAT, NOW), sessions.open(PAT, PAT, NOW)
    sessions.close(cookie, NOW)
    assert sessions.find(cookie, NOW) is None
    assert sessions.find(other, NOW) is not None
    with sessions.database.read() as session:
        recorded = [(event.action, event.actor, event.details) for event in events(session)]
        assert verify_chain(session).whole
    assert recorded[0] == ("session.opened", "pat", '{"body":"effshire","delegation":"eff"}')
    assert [action for action, *_ in recorded] == ["session.opened", "session.opened", "session.closed"]


def test_sessions_that_are_over_are_forgotten(sessions: Sessions) -> None:
    sessions.open(PAT, PAT, NOW)
    sessions.open(PAT, PAT, NOW + timedelta(hours=10))
    with sessions.database.read() as session:
        assert session.execute(text("select count(*) from web_sessions")).scalar_one() == 1


def test_who_acts_for_another_body_goes_on_in_another_session_that_lasts_no_longer(
    sessions: Sessions,
) -> None:
    until = date(2026, 3, 4)
    acting = replace(ACTING, delegation=Delegation("eff", "Deed of 1 March", until))
    first = sessions.open(PAT, PAT, NOW)
    later = NOW + timedelta(minutes=20)
    second = sessions.act_for(first, acting, later)
    assert sessions.find(first, later) is None
    found = sessions.find(second, later)
    assert found is not None
    assert (found.principal, found.own) == (acting, PAT)
    assert csrf_token_of(first) != csrf_token_of(second)
    with pytest.raises(SessionOver):
        sessions.act_for(first, acting, later)
    third = sessions.act_for(second, PAT, later)
    for minutes in range(40, 600, 20):
        assert sessions.find(third, NOW + timedelta(minutes=minutes)) is not None
    assert sessions.find(third, NOW + timedelta(hours=10)) is None
    with sessions.database.read() as session:
        recorded = [(event.action, event.details) for event in events(session)]
    opened = [details for action, details in recorded if action == "session.opened"]
    assert opened[1] == '{"body":"effshire","delegation":"eff"}'
    assert [action for action, _ in recorded].count("session.closed") == 2


def test_who_comes_back_from_a_short_delegation_has_their_own_time_left(sessions: Sessions) -> None:
    start = NOW + timedelta(hours=14, minutes=50)
    second = sessions.act_for(sessions.open(PAT, PAT, start), ACTING, start)
    assert sessions.find(second, start + timedelta(minutes=10)) is None
    with pytest.raises(SessionOver):
        sessions.act_for(second, PAT, start + timedelta(minutes=10))
    third = sessions.act_for(
        sessions.act_for(sessions.open(PAT, PAT, start), ACTING, start), PAT, start + timedelta(minutes=9)
    )
    assert sessions.find(third, start + timedelta(minutes=20)) is not None
