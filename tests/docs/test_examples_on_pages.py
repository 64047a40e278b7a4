"""SQL, policy packs and words on the pages that are no page's own matter."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from catalogue.documents import Sourced
from catalogue.profile_source import read_profile
from catalogue.yaml_source import parse_yaml
from policies.cells import Status
from policies.compiler import compile_query
from tests.docs.demo import demo_context
from tests.docs.pages import all_pages, blocks, read, rows, section
from tests.spec import test_policy_packs

SQL = [(page, sql) for page, text in all_pages().items() for sql in blocks(text, "sql", "runs")]


@pytest.mark.parametrize(("page", "sql"), SQL, ids=[page for page, _ in SQL])
def test_sql_that_is_said_to_run_compiles(page: str, sql: str) -> None:
    assert compile_query(sql, demo_context()).queries


def test_the_pack_on_the_page_is_sound_and_does_what_its_vectors_say(monkeypatch: pytest.MonkeyPatch) -> None:
    found = re.search(r"<!-- pack -->\n```yaml\n(.*?)```", read("write-a-policy-pack.md"), re.DOTALL)
    assert found is not None
    pack = yaml.safe_load(found[1])
    monkeypatch.setitem(test_policy_packs.PACKS, pack["profile"], found[1])
    (source,), faults = parse_yaml(f"profile: mine\nextends: {pack['profile']}\n", "mine.yaml")
    assert not faults
    assert isinstance(read_profile(source, test_policy_packs.PACKS), Sourced)
    assert len(pack["vectors"]) == 2
    for vector in pack["vectors"]:
        test_policy_packs.test_vector(pack["profile"], vector)


def test_the_keys_of_vectors_are_those_that_are_used() -> None:
    table = section(read("write-a-policy-pack.md"), "The vectors")
    shown = {name for row in rows(table) for name in re.findall(r"`(\w+)`", row[0])}
    used = {
        key
        for text in test_policy_packs.PACKS.values()
        for vector in yaml.safe_load(text)["vectors"]
        for cell in vector["cells"]
        for key in cell
    }
    assert shown == used


def test_the_glossary_has_every_mark_and_no_word_twice() -> None:
    glossary = read("glossary.md")
    words = [word for row in rows(glossary) for word in re.findall(r"\*([^*]+)\*", row[0])]
    assert len(words) == len(set(words)) > 60
    marks = next(row for row in rows(glossary) if row[0].startswith("*status*"))
    assert set(re.findall(r"`(\[\w+\])`", marks[1])) == {status.mark for status in Status if status.mark}


def test_readme_names_the_two_commands_that_the_makefile_has() -> None:
    makefile = (Path(__file__).parents[2] / "Makefile").read_text("utf-8")
    for command in re.findall(r"^make (\w+)", read("README.md"), re.MULTILINE):
        assert re.search(rf"^{command}:", makefile, re.MULTILINE)
