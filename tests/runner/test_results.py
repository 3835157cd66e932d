"""A run in Python and at its end: main questions, estimates, page, one debate."""

from __future__ import annotations

import asyncio
import csv
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

import debate
from debate.analysis.present import make_tables
from debate.analysis.price import answer_price
from debate.analysis.reading import count_readings
from debate.analysis.replies import count_replies
from debate.analysis.tables import Entry, add_bounds, build_table, show_interval
from debate.analysis.tables.formats import write_csv
from debate.analysis.tables.results import tabulate_headline, tabulate_tokens
from debate.cli import app
from debate.errors import InputError
from debate.results import Run
from tests.pages import ROOT
from tests.support import run, scripted, simulated


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("results")
    agents = [simulated("a"), simulated("b"), scripted("c", "Answer: 4")]
    found = run(folder, agents, num_questions=8, rounds=1)
    assert isinstance(found, Run)
    return found


def invoke(*words: object, columns: int | None = None) -> str:
    env = {"COLUMNS": str(columns) if columns else ""}
    done = CliRunner().invoke(app, [str(word) for word in words], env=env)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.output


def test_a_run_analyses_reports_and_shows_itself(
    made: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    found = made.analyze()
    assert found.find("accuracy", cell="main", round=1) is not None
    assert repr(found).startswith("<Analysis of 1 arm")
    made.show(1)
    assert "round 1" in capsys.readouterr().out
    made.summarise()
    assert "At what price?" in capsys.readouterr().out
    assert made.report() == made.directory / "report.html"


def test_a_run_tells_in_a_glance_what_it_is(made: Run) -> None:
    assert repr(made) == (
        f"<Run {made.directory}: status complete, questions 8, arms main, agents a, b, c>"
    )
    assert "<td>complete</td>" in made._repr_html_()


def test_a_frame_for_pandas_names_the_extra_where_that_is_absent(
    made: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(InputError, match=r"to_pandas needs pandas: .*\[pandas\]"):
        made.to_pandas("turns")


def test_a_run_inside_a_running_loop_runs_in_a_thread(tmp_path: Path) -> None:
    async def notebook() -> Run:
        found = run(tmp_path, [scripted("a", "Answer: 4"), scripted("b", "Answer: 5")], rounds=0)
        assert isinstance(found, Run)
        return found

    assert asyncio.run(notebook()).manifest.status == "complete"


def test_the_module_lists_what_is_to_be_called_and_no_imports() -> None:
    shown = {name for name in dir(debate) if not name.startswith("__")}
    assert {"open_run", "run", "run_async"} <= shown
    assert not shown & {"Any", "Iterable", "Mapping", "Path", "TYPE_CHECKING", "ModuleType"}


def test_the_end_of_a_run_is_told_again_by_the_same_words(made: Run) -> None:
    told = invoke("summarise", made.directory, columns=80)
    assert told.startswith("Did debating help over the best vote of the openings?\n")
    assert f"one debate: debate show {made.directory} QUESTION" in told
    assert max(map(len, told.split("\nrun directory")[0].splitlines())) <= 80
    assert '"section": "tokens"' in invoke("summarise", made.directory, "--json")


def test_an_analysis_says_first_what_is_asked_and_where_the_rest_is(made: Run) -> None:
    overview = invoke("analyze", made.directory)
    assert overview.startswith("Did debating help")
    assert "--section NAME, or --all" in overview
    assert "Hazard of a flip" not in overview
    assert "Hazard of a flip" in invoke("analyze", made.directory, "--all")
    assert "Paired comparisons" in invoke("analyze", made.directory, "--section", "votes")
    brief = invoke("analyze", made.directory, "--brief")
    assert "Before and after" in brief
    assert "•" not in brief


def test_columns_that_no_value_stands_in_are_left_out_with_a_word_on_how_to_have_them(
    tmp_path: Path,
) -> None:
    bare = run(tmp_path, [scripted(name, "Answer: 4") for name in "abc"], rounds=1)
    found = bare.analyze()
    for table in make_tables(found):
        columns = dict(zip(table.columns, zip(*table.rows, strict=True), strict=True))
        empty = {name for name, column in columns.items() if {e.text for e in column} == {"–"}}
        # A dash in this one says that no difference could be detected.
        assert not empty & {*table.columns[table.num_names :]} - {"detectable"}, table.title
    assert "left out: over-confidence, openings; over-conf" in tabulate_headline(found).note
    for words in (["summarise"], ["analyze"], ["analyze", "--section", "accuracy"]):
        told = " ".join(invoke(words[0], bare.directory, *words[1:]).split())
        assert "No confidence is recorded" in told
        assert "`probes: [verbal]`" in told
    assert "No confidence is recorded" not in invoke("summarise", made_with_confidence(tmp_path))


def made_with_confidence(folder: Path) -> Path:
    return run(folder, [simulated("a")], topology="isolated", rounds=0, name="sure").directory


def test_a_section_that_is_not_there_is_answered_with_all_that_are(made: Run) -> None:
    with pytest.raises(InputError, match=r'did you mean "votes"\? there are .*votes.*caveats'):
        invoke("analyze", made.directory, "--section", "vots")
    with pytest.raises(InputError, match='did you mean "markdown"'):
        invoke("analyze", made.directory, "--format", "markdwn")
    with pytest.raises(InputError, match="one of --section, --brief and --all"):
        invoke("analyze", made.directory, "--brief", "--all")


def test_a_section_is_written_for_papers_and_programs(made: Run) -> None:
    table = invoke("analyze", made.directory, "--section", "tokens", "--format", "csv")
    rows = list(csv.DictReader(table.splitlines()))
    assert {row["agent"] for row in rows} == {"a (simulated)", "b (simulated)", "c"}
    latex = invoke("analyze", made.directory, "--brief", "--format", "latex")
    assert r"\toprule" in latex
    assert "\\caption{Before and after}\n\\label{tab:before-and-after}\n" in latex
    assert "elow" not in latex


def test_intervals_in_csv_are_two_columns_of_whole_numbers(made: Run) -> None:
    table = invoke("analyze", made.directory, "--section", "headline", "--format", "csv")
    (row,) = csv.DictReader(table.splitlines())
    found = made.analyze().find("accuracy", cell="main", round=0)
    assert found is not None
    told = float(row["accuracy, openings, low"]), float(row["accuracy, openings, high"])
    assert told == (found.low, found.high)
    assert row["accuracy, openings"] == f"{found.value:.3f}"
    assert "%" in row["vote, end, below"]
    bounded = add_bounds(Entry("–"), -0.12345, None, signed=True)
    known = show_interval(0.5, 0.25, 0.75)._replace(under="0.250 to 0.750, n 8")
    written = write_csv([build_table("", ["a", "eai"], [["x", bounded], ["y", known]])])
    assert written.splitlines() == [
        'a,eai,"eai, low","eai, high","eai, bound low","eai, bound high","eai, below"',
        "x,,,,-0.12345,,",
        "y,0.500,0.25,0.75,,,n 8",
    ]


def test_dollars_stand_beside_tokens_where_all_models_have_a_price(made: Run) -> None:
    found = made.analyze()
    told = found.tables["ledger"].with_columns(prompt_tokens=10, generated_tokens=5, dollars=0.25)
    priced = replace(found, tables={**found.tables, "ledger": told})
    assert tabulate_tokens(priced).columns[-1] == "dollars"
    assert {row[-1].text for row in tabulate_tokens(priced).rows} == {"$0.2500"}
    assert (
        f"(prompt and generated) a debate, ${0.25 * told.height / 8:.4f}, its"
        in answer_price(priced).sentence
    )
    assert "dollars" not in tabulate_tokens(found).columns


def test_critiques_are_read_by_their_verdict_wherever_they_are_counted(tmp_path: Path) -> None:
    replies = ["Answer: 4", "I say 4.\nAnswer: 4", "Answer: 4"]
    agents = [scripted("a", replies), scripted("b", ["Answer: 4", "Verdict: correct", "Answer: 4"])]
    found = run(tmp_path, agents, rounds=1, protocol="critique")
    by_reading = {c.agent: c.num_read for c in count_readings(found) if c.kind == "critique"}
    by_reply = {c.agent: c.read for c in count_replies(found) if c.what == "critiques"}
    assert by_reading == by_reply == {"a": 0, "b": 1}


@pytest.mark.docs
@pytest.mark.timeout(1200)
def test_the_quickstart_ends_as_the_readme_shows(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "debate", "run", str(ROOT / "configs" / "quickstart.yaml"), "-q"]
    env = {**os.environ, "COLUMNS": "80", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(words, cwd=tmp_path, env=env, capture_output=True, text=True, check=True)
    shown = "".join(f"    {line}\n" if line else "\n" for line in done.stdout.splitlines())
    assert shown in (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.docs
@pytest.mark.timeout(1200)
def test_the_python_of_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (code,) = [c for c in re.findall(r"```python\n(.*?)```", readme, re.DOTALL) if "import" in c]
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec(code.replace("quickstart", str(ROOT / "configs" / "quickstart.yaml")), names)
    assert (tmp_path / "runs" / "small" / "report.html").is_file()
