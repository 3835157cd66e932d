"""What can be checked of how the page looks: contrast, room between nodes, order, bounds."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from debate.report.page import write_report
from debate.report.pictures.influence import lay_out_graph
from debate.report.theme import DARK_COLORS, INK, MUTED, PAPER
from debate.report.transcripts import MAX_HOTSPOTS
from tests.report.reading import Elements
from tests.report.tables import write_table


def luminance(color: str) -> float:
    parts = [int(color[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    dark, light = sorted(map(luminance, (one, other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("text", [INK, MUTED])
def test_text_can_be_read_by_day_and_by_night(text: str) -> None:
    assert contrast(text, PAPER) >= 4.5
    assert contrast(DARK_COLORS[text], DARK_COLORS[PAPER]) >= 4.5


names = st.text("abcdefgh-.", min_size=1, max_size=40)


@given(st.lists(names, min_size=2, max_size=9, unique=True), st.booleans())
def test_no_two_agents_of_a_drawing_touch_and_all_are_named(
    agents: list[str], everybody: bool
) -> None:
    pairs = itertools.permutations(agents, 2) if everybody else itertools.pairwise(agents)
    stage = lay_out_graph(agents, list(pairs))
    for one, other in itertools.combinations(stage.places.values(), 2):
        assert math.dist(one, other) > 2 * stage.radius
    shown = " · ".join(stage.key) if stage.key else " ".join(stage.marks.values())
    assert all(agent in shown for agent in agents)
    assert len({*stage.marks.values()}) == len(agents)


def test_pictures_and_wide_tables_can_be_reached_by_keyboard(page: Path) -> None:
    shown = Elements(page.read_text())
    assert shown.values("role").count("region") == shown.values("tabindex").count("0") > 5
    assert all(shown.values("aria-label"))
    assert len(shown.values("aria-label")) > 5


def test_a_picture_is_described_by_its_title_and_caption(page: Path) -> None:
    labels = Elements(page.read_text()).values("aria-label")
    assert any("Each column is a round" in label for label in labels)


def test_the_page_stays_bounded_however_much_was_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("debate.report.transcripts.MAX_PAGE_CHARACTERS", 200_000)
    source = write_table(tmp_path, text="word " * 2_000, rounds=20, num_questions=70)
    written = write_report(source)
    shown = Elements(written.read_text())
    assert shown.names.count("details") <= 2 * MAX_HOTSPOTS + 40
    assert shown.text.count("round 19, revision") <= 2 * 2 * MAX_HOTSPOTS
    assert len(shown.text) < 2_000_000
