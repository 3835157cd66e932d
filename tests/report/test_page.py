"""What stands on the page: numbers that agree with the analysis, transcripts, labels."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import polars as pl
import pytest

from debate.analysis import analyze
from debate.analysis.schema import Estimate
from debate.analysis.tables import Place, build_table, show_estimate
from debate.analysis.tables.influence import RANKINGS
from debate.analysis.tables.results import tabulate_headline, tabulate_tokens
from debate.report import write_report
from debate.report.conditions import describe_condition
from debate.report.data import ReportData, read_report_data
from debate.report.markup import embed_csv
from debate.report.page_parts import prune_table
from debate.report.transcripts import MAX_HOTSPOTS, MAX_HOTSPOTS_PER_ARM, find_hotspots
from debate.text import format_count, format_decimal
from tests.report.reading import Elements
from tests.report.tables import write_table


def test_the_page_needs_nothing_from_outside(page: Path) -> None:
    shown = Elements(page.read_text())
    assert "script" not in shown.names
    assert not {"img", "iframe", "object", "embed", "base"} & {*shown.names}
    links = [v for v in shown.values("href") if re.match(r"\w+:", v) and v != "data:,"]
    assert all(link.startswith("data:text/csv;base64,") for link in links)
    assert not shown.values("src")
    assert "default-src 'none'" in " ".join(shown.values("content"))


def test_every_link_inside_the_page_has_its_end(page: Path) -> None:
    shown = Elements(page.read_text())
    inside = [value[1:] for value in shown.values("href") if value.startswith("#")]
    assert inside
    assert {*inside} <= {*shown.values("id")}


def test_small_data_travel_inside_the_page(page: Path) -> None:
    links = [v for v in Elements(page.read_text()).values("href") if v.startswith("data:text")]
    first = base64.b64decode(links[0].partition(",")[2]).decode()
    assert first.startswith("arm,mark,value,low,high,shift\n")
    large = pl.DataFrame({"a": list(range(20_000))})
    assert embed_csv(large) == ""


def test_the_page_begins_with_what_was_run_and_the_headline(page: Path) -> None:
    shown = Elements(page.read_text())
    ids = shown.values("id")
    order = ["summary", "run", "votes", "headline", "errors", "changes", "tokens", "spots"]
    assert sorted(order, key=ids.index) == order
    begun = shown.text.split("In short")[-1].split("Flips after hearing each critic")[0]
    assert begun.index("Did debating help") < begun.index("The vote before and after the debate")


def test_the_page_says_what_was_asked_of_whom_and_how(page: Path) -> None:
    shown = " ".join(Elements(page.read_text()).text.split())
    assert "12 questions of" in shown
    assert "the answer that counts as right" in shown
    assert "engine simulated" in shown
    assert "3 agents: a, b and c" in shown
    assert "opening, round 0: a in main" in shown
    assert "What is" in shown.split("Prompts")[1].split("In short")[0]


def test_a_cell_s_own_description_stands_before_a_made_one() -> None:
    cell = {"agents": ["a", "b"], "topology": {"edges": ["a -> b"]}, "rounds": 1}
    spec = {"cells": {"plain": cell, "told": {**cell, "description": "Only b hears."}}}
    assert describe_condition(spec, "told") == "Only b hears."
    made = "2 agents: a and b; who critiques whom: a -> b; 1 round after the openings."
    assert describe_condition(spec, "plain") == made


def test_every_debate_is_reached_from_the_index_beside_the_page(page: Path) -> None:
    beside = page.with_suffix("")
    index = Elements((beside / "debates.html").read_text())
    links = [v for v in index.values("href") if v.startswith("debates-")]
    assert len(links) == 12
    for link in links:
        file, _, anchor = link.partition("#")
        shown = Elements((beside / file).read_text())
        assert anchor in shown.values("id")
        assert "script" not in shown.names
    assert "report/debates.html#arm-1" in Elements(page.read_text()).values("href")


def test_pages_of_debates_that_an_earlier_report_left_are_removed(tmp_path: Path) -> None:
    page = write_report(write_table(tmp_path), tell=str)
    left = page.with_suffix("") / "debates-999.html"
    left.write_text("old")
    write_report(tmp_path / "foreign.parquet", tell=str)
    assert not left.exists()


def test_headings_are_explained_from_the_glossary_and_the_registry(page: Path) -> None:
    shown = Elements(page.read_text())
    told = shown.values("title")
    assert any(each.startswith("vote_T: The score of the verdict") for each in told)
    assert "exp of the mean log p" in shown.text.split("Glossary")[-1]
    assert not any("`" in each for each in told)


def test_a_table_shows_no_column_of_dashes_and_says_which_were_left_out() -> None:
    rows = [["a", "1", "–"], ["b", "–", "–"]]
    table = prune_table(build_table("t", ["arm", "known", "unknown"], rows))
    assert table.columns == ("arm", "known")
    assert [row[0].text for row in table.rows] == ["a"]
    assert "unknown" in table.note


def test_a_number_known_in_bounds_only_is_shown_by_them() -> None:
    shown = show_estimate(Estimate(name="eai", bound_low=-0.1, bound_high=0.2))
    assert (shown.text, shown.under) == ("−0.100 to +0.200", "bounds")


def test_what_adds_nothing_has_no_line_and_is_counted(tmp_path: Path) -> None:
    rows = [
        {
            "cell": "ring",
            "question": f"q{q}",
            "agent": "a",
            "round": r,
            "answer": "5",
            "target": "4",
            "confidence": 0.5 + (0.1 * r if q < 2 else 0.0),
        }
        for q in range(9)
        for r in (0, 1)
    ]
    found = RANKINGS["where_questions"](analyze(pl.DataFrame(rows)))
    assert [row[1].text for row in found.rows] == ["q0", "q1"]
    assert found.note == "Left out, as they add nothing: 7 questions of ring."


def test_identifiers_are_unique(page: Path) -> None:
    found = Elements(page.read_text()).values("id")
    assert len(found) == len({*found})


def test_simulated_agents_are_labelled(page: Path) -> None:
    shown = Elements(page.read_text()).text
    assert "All agents are simulated" in shown
    assert "main (simulated)" in shown


def test_agents_that_are_not_simulated_carry_no_label(tmp_path: Path) -> None:
    report = read_report_data(write_table(tmp_path))
    assert report.label_arm("main") == "main"
    assert report.analysis.labels.agents == {}


def test_the_headline_shows_the_analysis_s_own_numbers(report: ReportData) -> None:
    shown = tabulate_headline(report.analysis)
    row = dict(zip(shown.columns, shown.rows[0], strict=True))
    opening = report.analysis.find("accuracy", cell="main", round=0)
    last = report.analysis.find("accuracy", cell="main", round=max(report.rounds))
    assert opening
    assert last
    assert row["accuracy, openings"].text == format_decimal(opening.value)
    assert row["accuracy, end"].text == format_decimal(last.value)
    assert row["questions"].text == "12"


def test_the_ledger_counts_every_turn_that_states_an_answer(report: ReportData) -> None:
    shown = sum(int(row[4].text.replace(",", "")) for row in tabulate_tokens(report.analysis).rows)
    assert shown == report.states.height
    assert format_count(None) == "–"


def test_a_hot_spot_marks_its_turn_and_what_was_heard(report: ReportData) -> None:
    found = find_hotspots(report)
    assert found
    for spot in found:
        marked = [turn for turn in spot.turns if turn.is_spot]
        assert len(marked) == 1
        assert spot.agent == marked[0].agent
        assert any(turn.was_heard for turn in spot.turns)
        assert spot.text.startswith("What is")


def test_hot_spots_come_steepest_first_and_then_what_rankings_lead_to(report: ReportData) -> None:
    steepest = {*report.analysis.tables["hotspots"].select(Place._fields).iter_rows()}
    found = find_hotspots(report)
    arms = {place.cell for spot in found for place in spot.places}
    first = found[: min(MAX_HOTSPOTS, MAX_HOTSPOTS_PER_ARM * len(arms), len(steepest))]
    assert all(steepest & {*spot.places} for spot in first)
    rises = [float(spot.rise.replace("−", "-")) for spot in first]
    assert rises == sorted(rises, reverse=True)
    assert all(float(spot.rise.replace("−", "-")) > 0 for spot in found)


def test_every_ranking_leads_to_a_turn_on_the_page(report: ReportData) -> None:
    anchors = {place for spot in find_hotspots(report) for place in spot.places}
    for make in RANKINGS.values():
        rows = make(report.analysis).rows
        places = [entry.place for row in rows for entry in row if entry.place]
        grown = [row for row in rows if row[4].text.startswith("+") and row[1].text != "all others"]
        assert len(places) >= len(grown)
        assert {*places} <= anchors


def test_what_a_ranking_shows_adds_up_to_error_amplification(report: ReportData) -> None:
    found = report.analysis
    for make in RANKINGS.values():
        for cell in found.cells:
            shown = [row for row in make(found).rows if row[0].text == found.labels.arm(cell)]
            total = sum(float(row[4].text.replace("−", "-")) for row in shown)
            last = max(found.select("eai", cell=cell), key=lambda e: e.round or 0)
            if shown:
                assert total == pytest.approx(last.value, abs=0.0005)


def test_a_link_ends_at_the_turn_where_confidence_rose(page: Path, report: ReportData) -> None:
    shown = Elements(page.read_text())
    for spot in find_hotspots(report):
        assert [turn.anchor for turn in spot.turns if turn.is_spot] == [spot.anchor]
        assert spot.anchor in shown.values("id")


def test_a_surer_turn_is_coloured_more(tmp_path: Path) -> None:
    spot = find_hotspots(read_report_data(write_table(tmp_path)))[0]
    own = [turn for turn in spot.turns if turn.agent == "a"]
    told = [turn.confidences[0] for turn in own]
    assert [sure.value for sure in told] == ["0.40", "0.60"]
    assert told[0].tint < told[1].tint
    assert {turn.state for turn in own} == {"wrong"}


def test_a_very_long_reply_is_cut_and_says_so(tmp_path: Path) -> None:
    spot = find_hotspots(read_report_data(write_table(tmp_path, text="word " * 5_000)))[0]
    assert spot.turns[0].text.endswith("more characters]")
    assert len(spot.turns[0].text) < 7_000


@pytest.mark.parametrize("fact", ["begun", "status", "commit", "packages", "page written by"])
def test_the_foot_says_where_the_numbers_come_from(page: Path, fact: str) -> None:
    assert fact in Elements(page.read_text()).text.split("Provenance")[-1]
