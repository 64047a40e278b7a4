"""The pages in a real browser: what planners, custodians and citizens do there, start to end."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.journeys.pages.asking import ask, run
from tests.support.browser import Visitor
from tests.support.node import CUSTODIAN_SQL, PURPOSE, STANDING_SQL

Visit = Callable[..., Visitor]
REASON = "Within the agreement"


def test_a_planner_builds_a_question_a_custodian_approves_and_the_planner_takes_the_answer(
    visit: Visit, tmp_path: Path
) -> None:
    pat = visit("pat").inspect()
    pat.click("Catalogue").inspect()
    pat.page.fill("#search", "working age")
    pat.click("Search").inspect()
    assert "1 dataset found" in pat.text
    pat.click("People").inspect()
    assert "Residents aged 16 to 80" in pat.text
    assert "Greater Ay Combined Authority: skills planning" in pat.text
    pat.click("Ask about this data").inspect()
    pat.page.select_option("#group1", label="Area of residence")
    pat.page.select_option("#filter1", label="Sex")
    pat.click("Show the codes of my conditions").inspect()
    pat.page.check("label:text-is('Female')")
    pat.click("Write the question").inspect()
    assert pat.page.input_value("#sql") == (
        "SELECT area, count(*) AS number\nFROM people\nWHERE sex = 'F'\nGROUP BY area\nORDER BY area"
    )
    pat.click("Check the question").inspect()
    assert "The number of people, by area of residence, where sex is Female" in pat.text
    assert "Office of example statistics decides" in pat.text
    pat.click("Ask for approval").inspect()
    assert "Waiting for a decision" in pat.text
    assert not pat.page.get_by_role("button", name="Approve").count()
    address = pat.page.url

    olu = visit("olu").go("/inbox")
    olu.click("The number of people, by area of residence, where sex is Female (People, 2025).").inspect()
    assert olu.page.url == address
    for part in (
        "As asked",
        "As it runs at the source",
        "Figures asked for",
        "Earlier decisions on the same data",
    ):
        assert part in olu.text
    assert re.search(r"\d+ of 16 used so far for 2025; this question uses none", olu.text)
    assert olu.page.locator("mark").count()
    olu.click("Approve").inspect()
    assert "There is a problem" in olu.text
    olu.page.fill("#reason", REASON)
    olu.click("Approve").inspect()
    assert "You approved this request." in olu.text
    assert "by area of residence, where sex is Female" not in olu.go("/inbox").text

    pat.page.reload()
    assert REASON in pat.text
    run(pat)
    assert "1 of 8 figures is withheld" in pat.text
    assert "Area 0" in pat.text
    assert "[c] " in re.sub(r"\s+", " ", pat.text)
    assert pat.page.locator(".chart__bar--hidden").count()
    assert pat.page.locator(".map .area--0").count() == pat.page.locator("td .mark").count()
    assert "Source: Office of example statistics: People, 2025." in pat.text
    with pat.page.expect_download() as download:
        pat.click("Table as Parquet")
    download.value.save_as(tmp_path / "table.parquet")
    assert pq.read_table(tmp_path / "table.parquet").column_names[:2] == ["area", "area__status"]
    for kind, name in {
        "Table as CSV": "a.csv",
        "Table as Arrow": "a.arrow",
        "Signed statement": "a.jws",
    }.items():
        with pat.page.expect_download() as download:
            pat.click(kind)
        download.value.save_as(tmp_path / name)
    _anybody_checks(visit(), tmp_path)
    pat.go("/requests")
    assert "Approved" in pat.text
    assert "Greater Ay Combined Authority" in olu.go("/datasets/people/released").text


def _anybody_checks(citizen: Visitor, files: Path) -> None:
    """Whoever was given the files finds out what they are, without signing in."""

    def checked(**sent: Path) -> str:
        citizen.page.goto("/verify")
        for field, file in sent.items():
            citizen.page.set_input_files(f"#{field}", file)
        return citizen.click("Check it").inspect().text

    for sent in (
        {"file": files / "table.parquet"},
        {"file": files / "a.csv", "statement_file": files / "a.jws"},
    ):
        said = checked(**sent)
        for part in (
            "This is a true copy",
            "Office of example statistics",
            "Residents aged 16 to 80",
            PURPOSE,
        ):
            assert part in said
    assert "This statement is genuine" in checked(file=files / "a.jws")
    assert "give the statement too" in checked(file=files / "a.csv")
    assert "Choose a file, or give a signed statement" in checked()
    (files / "changed.csv").write_bytes((files / "a.csv").read_bytes().replace(b",", b",1", 3))
    assert "but not this table" in checked(file=files / "changed.csv", statement_file=files / "a.jws")


def test_a_refused_question_names_its_place_and_leads_to_one_that_is_accepted(visit: Visit) -> None:
    pat = visit("pat").go("/ask")
    pat.page.fill("#sql", "SELECT region,\n  max(pay) AS most\nFROM people GROUP BY region")
    pat.click("Check the question").inspect()
    assert "MAX would show one unit's value" in pat.page.inner_text(".govuk-error-summary")
    assert "Line 2, column" in pat.text
    assert "extremes_not_allowed" in pat.text
    assert pat.page.inner_text(".sql__caret").endswith("^")
    pat.click("Ask this instead").inspect()
    assert "This can be asked" in pat.text
    assert "0.9" in pat.page.input_value("#sql")
    pat.go("/ask").click("Check the question").inspect()
    assert "Write a question in SQL, or build one" in pat.text


def test_a_purpose_that_no_agreement_names_is_for_a_person_who_reads_what_the_answer_is_for(
    visit: Visit,
) -> None:
    pat = visit("pat").go("/ask")
    pat.page.fill("#sql", STANDING_SQL)
    pat.page.fill("#justification", "To choose <b>courses</b> for March")
    pat.click("Check the question").inspect()
    assert "the agreement permits it" in pat.text
    assert "decided at once by the standing rule “people_by_region”" in pat.text
    pat.page.check("label:text-is('Another purpose')")
    pat.page.fill("#other_purpose", "marketing")
    pat.click("Check the question").inspect()
    assert pat.page.get_attribute(".govuk-error-summary a", "href") == "#purpose"
    assert "This cannot be asked as it stands" in pat.text
    assert pat.page.input_value("#other_purpose") == "marketing"
    pat.page.fill("#other_purpose", "a visit of the minister")
    pat.click("Check the question").inspect()
    assert "This can be asked, but a person has to look at the purpose" in pat.text
    assert "Office of example statistics decides" in pat.text
    pat.click("Ask for approval").inspect()
    assert "Waiting for a decision" in pat.text
    olu = visit("olu").go(pat.page.url)
    assert "a visit of the minister: the agreement does not name it" in olu.text
    assert "To choose <b>courses</b> for March" in olu.text
    pat.go("/ask").page.fill("#sql", STANDING_SQL)
    pat.page.fill("#justification", "x" * 4001)
    pat.click("Check the question").inspect()
    assert "Write at most 4,000 characters" in pat.page.inner_text(".govuk-error-summary")


def test_a_custodian_refuses_and_the_planner_reads_why(visit: Visit) -> None:
    pat = ask(visit("pat"), CUSTODIAN_SQL)
    olu = visit("olu").go(pat.page.url)
    olu.page.fill("#reason", "Ask by region alone")
    olu.click("Refuse").inspect()
    assert "Choose what kind of reason it is" in olu.text
    olu.page.select_option("#code", label="It could disclose something about somebody")
    olu.click("Refuse").inspect()
    pat.page.reload()
    assert "Refused" in pat.inspect().text
    assert "It could disclose something about somebody" in pat.text
    assert "Ask by region alone" in pat.text
    pat.click("Change it and ask again").inspect()
    assert pat.page.input_value("#sql") == CUSTODIAN_SQL


def test_an_approval_can_be_taken_back(visit: Visit) -> None:
    pat = ask(visit("pat"), f"{CUSTODIAN_SQL} LIMIT 4")
    olu = visit("olu").go(pat.page.url)
    olu.page.fill("#reason", REASON)
    olu.click("Approve")
    olu.page.fill("#reason", "The purpose has changed")
    olu.click("Take back for good").inspect()
    assert "You took the approval back." in olu.text
    pat.page.reload()
    assert not pat.page.get_by_role("button", name="Run it").count()


def test_a_question_with_a_parameter_is_asked_with_all_its_values_and_run_with_one(visit: Visit) -> None:
    pat = visit("pat").go("/ask")
    pat.page.fill(
        "#sql", "SELECT region, count(*) AS people FROM people WHERE area IN ('A0', $other) GROUP BY region"
    )
    pat.click("Check the question").inspect()
    pat.page.fill("#value-other", "A1, A2")
    pat.click("Check the question").inspect()
    assert "may be any of Area 1 and Area 2" in pat.text
    pat.click("Ask for approval").inspect()
    pat.page.select_option("#value-other", "A2")
    run(pat)
    assert "North" in pat.text


def test_everything_works_without_scripts(visit: Visit) -> None:
    pat = visit("pat", scripts=False)
    ask(pat, STANDING_SQL)
    assert "by the standing rule" in pat.text
    run(pat)
    assert "South" in pat.text
    pat.go("/").click("Sign out")
    assert "/requests" not in pat.page.content()
    pat.page.goto("/requests")
    assert "Who are you?" in pat.text


def test_keys_alone_are_enough(visit: Visit) -> None:
    visitor = visit()
    visitor.page.goto("/datasets")
    visitor.page.keyboard.press("Tab")
    assert visitor.page.evaluate("document.activeElement.textContent") == "Skip to main content"
    visitor.page.focus("input[value=pat]")
    visitor.page.keyboard.press("Space")
    visitor.page.keyboard.press("Enter")
    visitor.page.wait_for_url(f"{visitor.url}/datasets")
    assert "2 datasets" in visitor.text


def test_anybody_reads_the_register_which_shows_no_person_no_result_and_no_agreement_that_opts_out(
    visit: Visit,
) -> None:
    run(ask(visit("pat"), STANDING_SQL))
    olu, eve = visit("olu"), visit("eve")
    ask(eve, "SELECT sex, count(*) AS people FROM people GROUP BY sex")
    olu.go(eve.page.url).page.fill("#reason", REASON)
    olu.click("Approve")
    eve.page.reload()
    run(eve)
    citizen = visit(scripts=False).go("/register")
    citizen.page.fill("#search", "SKILLS region")
    citizen.page.select_option("#dataset", label="People")
    citizen.page.select_option("#body", label="Greater Ay Combined Authority")
    citizen.click("Search").inspect()
    assert "The number of people, by region of residence" in citizen.text
    assert "search=SKILLS" in citizen.page.url
    citizen.page.fill("#search", "by%sex")
    citizen.click("Search").inspect()
    assert "Nothing in the register is like this." in citizen.text
    assert "Effshire" not in citizen.page.content()
    citizen = visit().go("/register")
    assert "Greater Ay Combined Authority" in citizen.text
    assert "The number of people, by region of residence" in citizen.text
    assert PURPOSE in citizen.text
    assert "Digital Economy Act 2017, Part 5" in citizen.text
    for hidden in ("Effshire", "pat", "<table", "/releases/"):
        assert hidden not in citizen.page.inner_html("main")


def test_pages_that_are_not_there_or_not_ones_own_say_so_in_words(visit: Visit) -> None:
    visitor = visit().go("/")
    visitor.go("/nowhere")
    assert "There is no such page" in visitor.text
    visitor.go("/sign-in").click("Sign in")
    visitor.page.wait_for_selector(".govuk-error-summary")
    visitor.inspect()
    pat = visit("pat").go("/inbox")
    assert "This is not for your role" in pat.text
    pat.go("/requests/req_0000")
    assert "not yours to see" in pat.text
    pat.go("/requests?state=nonsense")
    assert "state" in pat.text
    pat.go("/codelists/geography?search=area")
    pat.go("/datasets?search=nosuchword")
    assert "No dataset has all of these words" in pat.text


@pytest.mark.parametrize("path", ["/", "/datasets", "/register"])
def test_core_pages_are_in_welsh_for_whoever_asks(visit: Visit, path: str) -> None:
    pat = visit("pat")
    pat.go(path).click("Cymraeg").inspect()
    assert pat.page.get_attribute("html", "lang") == "cy"
    assert "Cofrestr gyhoeddus" in pat.page.content()
    pat.go("/requests")
    assert pat.page.get_attribute("html", "lang") == "cy"
