"""Links of the page and of the pages of debates: each has its end."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote

import pytest

from debate.report import write_report
from debate.report.debates import OUTCOMES
from tests.report.reading import Elements
from tests.report.tables import write_table
from tests.support import run, scripted


def list_dead_links(page: Path) -> list[str]:
    """The links of a page, and of the pages in the folder beside it, that lead nowhere."""
    pages = [page, *page.with_suffix("").glob("*.html")]
    shown = {path.resolve(): Elements(path.read_text()) for path in pages}
    dead = []
    for path, elements in shown.items():
        for link in elements.values("href"):
            if link.startswith("data:"):
                continue
            file, _, anchor = link.partition("#")
            target = (path.parent / unquote(file)).resolve() if file else path
            if not target.exists() or (anchor and anchor not in shown[target].values("id")):
                dead.append(link)
    return dead


@pytest.fixture(scope="module")
def unmoved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a run in which nobody changes an answer."""
    agents = [scripted("a", "Answer: 5"), scripted("b", "Answer: 4")]
    done = run(tmp_path_factory.mktemp("unmoved"), agents, num_questions=3, rounds=1)
    return write_report(done.directory, tell=str)


def test_every_link_has_its_end(page: Path, foreign: Path, unmoved: Path) -> None:
    for each in (page, foreign, unmoved):
        assert list_dead_links(each) == []


def test_numbers_lead_to_no_list_of_debates_that_is_empty(unmoved: Path, tmp_path: Path) -> None:
    ends = tuple(f"-{end}" for end in OUTCOMES.values() if end.startswith("turned"))
    for each in (unmoved, write_report(write_table(tmp_path), tell=str)):
        links = Elements(each.read_text()).values("href")
        assert not [link for link in links if link.endswith(ends)]


def test_a_heading_leads_to_what_it_means(page: Path) -> None:
    shown = Elements(page.read_text())
    assert "#column-1" in shown.values("href")
    told = " ".join(shown.text.split("Columns of the tables")[1].split())
    for heading in ("team", "best member", "by way of", "and surer?", "adds to EAI", "adoption"):
        assert f"{heading}" in told
