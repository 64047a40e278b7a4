"""The whole life of a request in a real browser: drafts, returns, conditions, appeals, stops, replacement."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from tests.journeys.pages.asking import ask, run
from tests.support.browser import Visitor
from tests.support.node import CUSTODIAN_SQL, STANDING_SQL, Running
from tests.support.thorough import thorough

Visit = Callable[..., Visitor]


def buttons(visitor: Visitor) -> set[str]:
    return {name.strip() for name in visitor.page.locator("main button").all_inner_texts()}


def test_returned_changed_approved_on_a_condition_accepted_and_run_as_often_as_was_approved(
    visit: Visit, node: Running
) -> None:
    pat = ask(visit("pat"), f"{CUSTODIAN_SQL} LIMIT 7")
    olu = visit("olu").go(pat.page.url)
    olu.click("Say that you are reviewing it").inspect()
    assert "Whoever asked sees" in olu.text
    pat.page.reload()
    assert "Being reviewed" in pat.inspect().text
    olu.page.fill("#reason", "Leave out the limit")
    olu.click("Return for changes").inspect()
    assert "You returned this request." in olu.text
    assert not {"Approve", "Return for changes", "Refuse"} & buttons(olu)

    pat.page.reload()
    assert "Leave out the limit" in pat.inspect().text
    assert "Unless it is submitted again, it lapses on" in pat.text
    pat.click("Change it and submit again").inspect()
    assert "“Leave out the limit” (olu)" in pat.text
    assert pat.page.input_value("#sql") == f"{CUSTODIAN_SQL} LIMIT 7"
    pat.page.fill("#sql", CUSTODIAN_SQL)
    pat.click("Check the question").inspect()
    pat.click("Submit it again").inspect()
    assert "Submitted again as version 2" in pat.text
    pat.page.click("summary:has-text('What was asked then')")
    assert "LIMIT 7" in pat.page.inner_text(".timeline .sql")

    olu.go("/inbox").page.locator(".card a").last.click()
    assert "Nobody has looked yet." in olu.inspect().text
    source = node.node.directory / "data" / "people.parquet"
    away = source.rename(source.with_suffix(".away"))
    olu.click("Look at the data").inspect()
    away.rename(source)
    assert "The dry run came to nothing" in olu.page.inner_text(".govuk-error-summary")
    assert "The source has no such table or file. Have it put back" in olu.text
    assert {"Look at the data", "Approve"} <= buttons(olu)
    olu.click("Look at the data").inspect()
    assert "A dry run by olu, Office of example statistics" in olu.text
    assert "4: 4 would be published, 0 withheld" in olu.text
    assert "A dry run by olu" in visit("oma").go(pat.page.url).inspect().text
    pat.page.reload()
    assert "dry run" not in pat.text
    assert "would be published" not in pat.page.content()
    olu.page.fill("#reason", "Within the agreement")
    olu.page.click("summary:has-text('Approve with a condition')")
    olu.page.fill("#conditions", "Destroy the table after a year")
    olu.page.fill("#maximum_runs", "none")
    olu.page.fill("#until", "2020-01-01")
    olu.click("Approve").inspect()
    assert "Give the number of answers as a whole number" in olu.text
    assert "Give a last day that is still to come" in olu.text
    assert olu.page.input_value("#conditions") == "Destroy the table after a year"
    tomorrow = datetime.now(UTC).date() + timedelta(days=1)
    olu.page.fill("#maximum_runs", "1")
    olu.page.fill("#until", tomorrow.isoformat())
    olu.click("Approve").inspect()
    assert "You approved this request." in olu.text

    pat.page.reload()
    assert "Destroy the table after a year" in pat.inspect().text
    assert "Run it" not in buttons(pat)
    pat.click("Accept the condition").inspect()
    assert "Good for 1 more answer" in pat.text
    request = pat.page.url.split("?")[0]
    run(pat)
    pat.page.goto(request)
    assert "Used up" in pat.inspect().text
    assert "Run it again" not in buttons(pat)


def test_a_refusal_is_appealed_once_and_another_custodian_decides(visit: Visit) -> None:
    pat = ask(visit("pat"), f"{CUSTODIAN_SQL} LIMIT 6")
    olu = visit("olu").go(pat.page.url)
    olu.page.fill("#reason", "Too fine")
    olu.page.select_option("#code", "disclosure_risk")
    olu.click("Refuse").inspect()
    assert "You refused this request." in olu.text
    pat.page.reload()
    assert "It could disclose something about somebody." in pat.inspect().text
    pat.click("Appeal").inspect()
    assert "Say why somebody else should look at it" in pat.page.inner_text(".govuk-error-summary")
    pat.page.fill("#appeal", "No cell has fewer than a hundred people")
    pat.click("Appeal").inspect()
    assert "You appealed." in pat.text
    request = pat.page.url.split("?")[0]
    assert "No cell has fewer" not in olu.go("/inbox").text
    assert not {"Approve", "Refuse"} & buttons(olu.go(request))
    oma = visit("oma").go("/inbox")
    assert "An appeal: No cell has fewer than a hundred people" in oma.text
    oma.go(request).page.fill("#reason", "Too fine indeed")
    oma.page.select_option("#code", "disclosure_risk")
    oma.click("Refuse").inspect()
    pat.go(request)
    assert "Appeal" not in buttons(pat)


@thorough
def test_an_approval_is_suspended_resumed_replaced_and_withdrawn(visit: Visit) -> None:
    pat = ask(visit("pat"), f"{CUSTODIAN_SQL} LIMIT 5")
    request = pat.page.url
    olu = visit("olu").go(request)
    olu.page.fill("#reason", "Within the agreement")
    olu.click("Approve").page.fill("#reason", "A question is open")
    olu.click("Suspend").inspect()
    assert "Run it" not in buttons(pat.go(request))
    assert "Suspended “A question is open” (olu)" in pat.text
    olu.page.fill("#reason", "It is answered")
    olu.click("Resume").inspect()
    assert "Run it" in buttons(pat.go(request))

    pat.click("Ask a changed question in its place").inspect()
    pat.page.fill("#sql", f"{CUSTODIAN_SQL} LIMIT 3")
    pat.click("Keep as a draft").inspect()
    assert "Your draft is kept." in pat.text
    draft = pat.page.url.split("?")[0]
    assert "not yours to see" in olu.go(draft).text
    pat.click("Ask for approval").inspect()
    assert "it takes the place of" in pat.text
    olu.go(draft).page.fill("#reason", "Within the agreement")
    olu.click("Approve").inspect()
    assert "Replaced" in pat.go(request).text

    pat.go(draft).page.click("summary:has-text('Withdraw this request')")
    pat.click("Withdraw it").inspect()
    assert "You withdrew this request." in pat.text
    assert buttons(pat) == {"Say it"}
    pat.go("/requests?state=withdrawn")
    assert "Withdrawn" in pat.page.inner_text(".cards")


def test_a_draft_may_have_mistakes_until_it_is_submitted(visit: Visit) -> None:
    pat = visit("pat").go("/ask")
    pat.page.fill("#sql", "SELECT nothing FROM people")
    pat.click("Keep as a draft").inspect()
    assert "Nobody but you sees it" in pat.text
    pat.click("Ask for approval").inspect()
    assert "There is a problem" in pat.text
    pat.click("Change it").inspect()
    pat.page.fill("#sql", f"{CUSTODIAN_SQL} LIMIT 2")
    pat.click("Keep as a draft").inspect()
    pat.click("Ask for approval").inspect()
    assert "Waiting for a decision" in pat.text


def test_people_talk_about_a_request_on_its_page(visit: Visit) -> None:
    pat = ask(visit("pat"), f"{CUSTODIAN_SQL} LIMIT 1")
    olu = visit("olu").go(pat.page.url)
    olu.click("Say it").inspect()
    assert "Write what you want to say" in olu.text
    olu.page.fill("#comment", "What is <b>this</b> for?\nAnd who reads it?")
    olu.click("Say it").inspect()
    pat.page.reload()
    assert "What is <b>this</b> for?\nAnd who reads it?" in pat.inspect().text
    ada = visit("ada").go(pat.page.url)
    assert "What is <b>this</b> for?" in ada.text
    assert "Say it" not in buttons(ada)
    olu.go("/datasets/people").page.fill("#comment", "The survey of 2026 comes in May")
    olu.click("Say it").inspect()
    assert "The survey of 2026 comes in May" in pat.go("/datasets/people").text


def test_a_standard_query_is_found_given_values_and_answered_at_once(visit: Visit) -> None:
    pat = visit("pat").go("/datasets/people")
    assert "Standard queries" in pat.text
    assert "Standard queries" not in pat.go("/datasets/vacancies").text
    pat.go("/ask").click("People of a region by sex").inspect()
    pat.page.select_option("#value-from", "18")
    pat.click("Run it").inspect()
    assert "Choose one of the values of Region" in pat.page.inner_text(".govuk-error-summary")
    assert pat.page.input_value("#value-from") == "18"
    pat.page.select_option("#value-region", label="North")
    run(pat)
    assert "Female" in pat.text
    pat.click("The request").inspect()
    assert "by the standard query “by_sex”" in pat.text
    assert "may run it" in visit("olu").go("/standard/by_sex").text
    assert "not yours to see" in visit("eve").go("/standard/by_sex").text


def test_an_answer_is_taken_back_and_everybody_can_see_that(visit: Visit) -> None:
    pat = visit("pat").go("/notices")
    pat.click("Tell me from now on").inspect()
    feed = pat.page.get_attribute(".done a", "href") or ""
    run(ask(pat, STANDING_SQL))
    release = pat.page.url
    pat.page.fill("#comment", "The North looks too large")
    pat.click("Say it").inspect()
    olu = visit("olu").go(release)
    assert "The North looks too large" in olu.text
    olu.page.click("summary:has-text('Take this answer back')")
    olu.click("Take it back").inspect()
    assert "Give a reason: anybody may read it" in olu.text
    olu.page.fill("#reason", "A row was there twice")
    olu.click("Take it back").inspect()
    pat.go(release)
    for part in ("This answer was taken back", "Office of example statistics", "A row was there twice"):
        assert part in pat.text
    assert "North" not in pat.page.content()
    for kind in ("csv", "parquet", "arrow"):
        assert pat.context.request.get(f"{release}/table.{kind}").status == 410
    assert pat.context.request.get(release).status == 410
    assert "A row was there twice" in visit().go("/register").text
    pat.go("/notices").page.click("a:has-text('was recalled')")
    assert "This answer was taken back" in pat.text
    path = feed[feed.index("/v1/") :]
    assert "was recalled" in pat.context.request.get(path).text()
    citizen = visit().go("/verify")
    citizen.page.fill("#statement", pat.context.request.get(f"{release}/statement.jws").text())
    citizen.click("Check it").inspect()
    assert "This answer was taken back: do not use it" in citizen.text
    assert "A row was there twice" in citizen.text
