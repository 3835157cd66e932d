"""What can be checked of how the page looks: contrast, room between nodes, order, bounds."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from debate.report.page import write_report
from debate.report.pictures.flow import CHANGE_COLORS, STATE_COLORS
from debate.report.pictures.influence import FLIPS, lay_out_graph
from debate.report.pictures.teams import TEAM_STYLES, VOTE_STYLES
from debate.report.pictures.utilisation import SHARES
from debate.report.theme import DARK_COLORS, INK, MARK_STYLES, MUTED, PAPER
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


SIGHTS = {
    "deuteranopia": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
    "protanopia": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
}
"""How the linear red, green and blue of a colour are seen (Machado, Oliveira & Fernandes 2009)."""
PALETTES = {
    "marks": [style.color for style in MARK_STYLES],
    "votes": [style.color for style in VOTE_STYLES.values()],
    "teams": [style.color for style in TEAM_STYLES.values()],
    "states": [*STATE_COLORS.values()],
    "changes": [*CHANGE_COLORS.values()],
    "utilisation": [*SHARES.values()],
    "flips": [flip.color for flip in FLIPS],
}


def see(color: str, sight: str) -> tuple[float, float, float]:
    """The colour as somebody of this sight sees it, in CIE L*a*b*."""
    parts = [int(color[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    red, green, blue = (
        min(1.0, max(0.0, sum(a * b for a, b in zip(row, linear, strict=True))))
        for row in SIGHTS[sight]
    )
    x = (0.4124 * red + 0.3576 * green + 0.1805 * blue) / 0.95047
    y = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    z = (0.0193 * red + 0.1192 * green + 0.9505 * blue) / 1.08883
    fx, fy, fz = (t ** (1 / 3) if t > 0.008856 else 7.787 * t + 16 / 116 for t in (x, y, z))
    return 116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)


@pytest.mark.parametrize("palette", PALETTES)
@pytest.mark.parametrize("sight", SIGHTS)
@pytest.mark.parametrize("is_dark", [False, True])
def test_colours_of_one_picture_differ_to_colour_blind_eyes(
    palette: str, sight: str, is_dark: bool
) -> None:
    for pair in itertools.combinations(PALETTES[palette], 2):
        shown = [DARK_COLORS[color] if is_dark else color for color in pair]
        assert math.dist(*(see(color, sight) for color in shown)) > 12, pair


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
