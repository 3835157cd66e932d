"""What became of replies and probes is seen at the end of a run: counts, reasons, samples."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.table import Table

from debate.analysis import analyze_run
from debate.analysis.replies import count_replies, describe_replies, warn_replies
from debate.config.models import ScriptedModel
from debate.log import Run
from debate.report import write_report
from debate.runner.execute import RunResult
from debate.runner.monitoring import RunProgress
from debate.runner.report_run import report_run
from debate.terminal import print_whole
from debate.text import quote
from debate.types import DebateKey, Verdict
from tests.support import run, scripted, simulated

LONG = "It may be 4 or it may be 5, for all I know of it, " * 8 + "so let us leave it."


def _end(directory: Path, width: int = 80, *, is_terminal: bool = False) -> str:
    """What a run prints at its end, by default in a pipe."""
    out = io.StringIO()
    console = Console(file=out, width=width, force_terminal=is_terminal, color_system=None)
    progress = RunProgress(models={}, num_debates=1)
    ended = RunResult(directory=directory, progress=progress, problems=(), stale=())
    report_run(ended, console, with_page=False)
    return out.getvalue()


def test_a_run_of_which_everything_was_read_says_so_in_one_line(tmp_path: Path) -> None:
    done = run(tmp_path, [scripted("a", "Answer: 4"), scripted("b", "Answer: 5")], rounds=1)
    assert describe_replies(count_replies(done)) == ["read: a 2 replies, b 2 replies"]


def test_a_run_without_a_page_says_how_to_write_it(tmp_path: Path) -> None:
    done = run(tmp_path, [scripted("a", "Answer: 4"), scripted("b", "Answer: 5")], rounds=1)
    assert f"report: debate report {done.directory}" in _end(done.directory)
    assert not (done.directory / "report.html").exists()
    assert "WARNING" not in _end(done.directory)
    assert "answered" not in _end(done.directory)


def test_no_word_at_the_end_of_a_run_is_cut_at_the_edge_of_a_terminal(tmp_path: Path) -> None:
    agents = [scripted("first_of_them", "Answer: 4"), scripted("second_of_them", "I agree.")]
    done = run(tmp_path, agents, num_questions=3, rounds=0)
    piped, shown = _end(done.directory), _end(done.directory, 44, is_terminal=True)
    told = [line for line in piped.splitlines() if "read" in line and "page" not in line]
    assert any(len(line) > 44 for line in told)
    for line in told:
        assert " ".join(line.split()) in " ".join(shown.split())
    start = shown.index("second_of_them: 0 of 3")
    lines = shown[start : shown.index("run directory")].splitlines()
    assert max(map(len, lines)) <= 44


def test_the_line_of_progress_counts_ties_by_their_name() -> None:
    progress = RunProgress(models={}, num_debates=2)
    place = {"cell": "c", "question": "q", "seed": 0, "round": 0}
    verdict = Verdict(**place, method="majority", value=None, outcome="tied", tied=("1", "2"))
    progress.on_verdicts([verdict])
    progress.on_verdicts([replace(verdict, outcome="abstained", tied=())])
    assert "1 tie" in progress.format_line().split(" · ")


def _count(done: Run, *, replayed: bool = False) -> RunProgress:
    """The counts of a run's turns and verdicts, as they are made or replayed."""
    cells = sorted(done.turns()["cell"].unique())
    models = dict.fromkeys(
        done.turns()["model"].unique(), ScriptedModel(engine="scripted", replies="")
    )
    progress = RunProgress(models=models, num_debates=8, full_turns={"main": 40.0})
    for cell, number in product(cells, range(4)):
        key = DebateKey(cell=cell, question=f"q{number}", seed=0)
        for turn in done.debate(key).turns:
            progress.on_turn(turn, replayed=replayed)
        place = {"cell": cell, "question": key.question, "seed": 0, "round": 1}
        progress.on_verdicts([Verdict(**place, method="majority", value="4", outcome="correct")])
    return progress


@pytest.mark.parametrize("replayed", [False, True])
def test_progress_and_the_end_of_a_run_count_the_same_abstentions(
    tmp_path: Path, replayed: bool
) -> None:
    agents = [scripted("a", {"q0": "Answer: 4", "*": "No."}), scripted("b", "I agree.")]
    cells = {"main": {"rounds": 1}, "again": {"rounds": 1, "decision": "super_majority"}}
    done = run(
        tmp_path, agents, num_questions=4, cells=cells, protocol="critique", probes=["verbal"]
    )
    told = _count(done, replayed=replayed).format_line()
    counted = sum(each.abstained for each in count_replies(done) if each.what == "replies")
    assert counted > 0
    assert f"{counted} replies abstained" in told.split(" · ")


def test_the_time_left_counts_turns_and_waits_until_it_is_worth_something(tmp_path: Path) -> None:
    agents = [simulated("a"), simulated("b")]
    done = run(tmp_path, agents, num_questions=4, rounds=1)
    progress = _count(done)
    assert progress.left_s is None
    assert progress.first_made is not None
    progress.first_made -= 60
    # Half of the debates took a minute, whatever their length might have been.
    assert progress.left_s == pytest.approx(60, abs=1)
    assert progress.format_line().endswith(" left")
    progress.debates = progress.ended_turns = 0
    assert progress.left_s is not None
    assert progress.left_s == pytest.approx(60 * (320 - 16) / 16, abs=20)
    progress.full_turns = {"main": 41.0}
    assert progress.left_s is None, "16 of 328 turns are less than a twentieth"
    progress.full_turns = {"main": 4.0}
    assert progress.left_s == pytest.approx(60, abs=1)
    progress.debates = progress.num_debates
    assert "left" not in progress.format_line()


def test_replies_that_were_not_read_are_counted_with_samples(tmp_path: Path) -> None:
    agents = [
        scripted("a", {"q0": "Answer: 4", "q2": LONG, "*": "I agree."}),
        scripted("b", "Answer: 5"),
    ]
    done = run(tmp_path, agents, num_questions=4, rounds=0)
    lines = describe_replies(count_replies(done))
    assert lines[0] == "a: 1 of 4 replies read (25%); 3 abstained"
    assert lines[1] == "  abstained: “I agree.”"
    assert lines[2].endswith("so let us leave it.”")
    assert lines[2].startswith("  abstained: “It may be 4")
    assert len(lines[2]) < 80
    assert lines[3:] == ["all read: b 4 replies"]
    end = _end(done.directory)
    assert "answered" in end
    assert "WARNING: Of a's replies only 1 of 4 could be read (25%)." in end


def test_failed_calls_say_why_in_the_run_the_analysis_and_the_page(tmp_path: Path) -> None:
    agents = [scripted("a", {"q0": "Answer: 4"}), scripted("b", "Answer: 5")]
    done = run(tmp_path, agents, num_questions=3, rounds=0)
    (line,) = [line for line in warn_replies(count_replies(done)) if "failed" in line]
    assert line.startswith("2 of 3 replies of a failed: 1 × ")
    assert 'no reply is written for question "q1"' in line
    assert line in analyze_run(done).caveats
    assert line in " ".join(_end(done.directory).split())
    page = write_report(done.directory).read_text()
    assert "2 of 3 replies of a failed" in page
    assert "question &#34;q1&#34;" in page


def test_a_probe_that_reads_nothing_is_loud(tmp_path: Path) -> None:
    agents = [scripted("a", "Answer: 4"), simulated("b")]
    done = run(tmp_path, agents, num_questions=2, rounds=0, probes=["verbal"])
    told = list(warn_replies(count_replies(done)))
    loud = "Of a's answers to the probe verbal not one of 2 could be read; it tells no confidence."
    assert loud in told
    end = " ".join(_end(done.directory).split())
    assert f"WARNING: {loud}" in end
    assert "a: 0 of 2 answers to the probe verbal read (0%); 2 not read" in end
    assert "not read: “Answer: 4”" in end
    assert loud in analyze_run(done).caveats


def test_calls_that_conditions_share_are_counted_once(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        [scripted("a", "Answer: 4"), scripted("b", "Answer: 5")],
        rounds=1,
        sweep={"arm": ["single", "self"]},
        topology={"edges": ["b -> a"]},
    )
    by_agent = {each.agent: each.num for each in count_replies(done)}
    assert by_agent["a"] == 2


@given(st.text(max_size=300), st.integers(20, 90))
def test_a_sample_is_one_short_line_of_shown_characters(text: str, length: int) -> None:
    found = quote(text, length)
    assert len(found) <= length + 2
    assert "\n" not in found
    assert "\x1b" not in found


@pytest.mark.parametrize("width", [20, 80])
def test_no_word_of_a_table_is_cut_whatever_the_width(width: int) -> None:
    words = ["a-name-of-thirty-characters-" + "x" * n for n in range(4)]
    table = Table(*[f"heading-{word}" for word in words])
    table.add_row(*words)
    out = io.StringIO()
    print_whole(table, Console(file=out, width=width))
    assert all(f"heading-{word}" in out.getvalue() for word in words)
    assert "…" not in out.getvalue()


def test_a_page_shows_what_was_not_read_and_what_accuracy_makes_of_it(tmp_path: Path) -> None:
    agents = [
        scripted("a", {"q0": "Answer: 4", "*": ["Answer: 4", "<i>Quite so</i>."]}),
        scripted("b", "Answer: 5"),
    ]
    done = run(tmp_path, agents, num_questions=4, rounds=1)
    page = write_report(done.directory).read_text()
    assert "What was read, and what was not" in page
    assert "“&lt;i&gt;Quite so&lt;/i&gt;.”" in page
    assert "Up to 38% of turns state no answer (arm main, round 1)" in page
    assert "accuracy of answered, end" in page
    analysis = analyze_run(done)
    (ended,) = [e for e in analysis.select("accuracy_answered") if e.round == 1 and not e.subject]
    assert (ended.value, ended.n) == (pytest.approx(1 / 5), 5)
    assert json.loads(analysis.to_json())["replies"][0]["samples"]["abstained"]


def test_a_page_on_which_everything_was_read_has_no_such_section(tmp_path: Path) -> None:
    done = run(tmp_path, [scripted("a", "Answer: 4"), scripted("b", "Answer: 5")], rounds=1)
    page = write_report(done.directory).read_text()
    assert "What was read, and what was not" not in page
    assert "accuracy of answered, end" not in page
