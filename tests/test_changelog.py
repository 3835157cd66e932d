"""The changelog tells users what they can do, in short lines, by release."""

from __future__ import annotations

import re
from importlib.metadata import version

import pytest

from tests.pages import ROOT

CHANGELOG = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
LINES = re.findall(r"^- (.+)$", CHANGELOG, re.MULTILINE)


@pytest.mark.parametrize("line", LINES)
def test_a_line_has_at_most_25_words(line: str) -> None:
    assert line.endswith(".")
    assert len(line.split()) <= 25


def test_what_is_unreleased_comes_first_and_says_whether_numbers_change() -> None:
    releases = re.split(r"^## ", CHANGELOG, flags=re.MULTILINE)[1:]
    names = [release.split("\n")[0] for release in releases]
    assert names[-1] == "0.1.0"
    assert version("debate-lab") in names
    for release in releases[:-1]:
        for line in re.findall(r"^- (.+)$", release, re.MULTILINE):
            assert re.search(r"[Nn]umbers?\b.* change", line), line
