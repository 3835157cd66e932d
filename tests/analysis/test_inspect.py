"""`debate analyze` from a table of somebody else's: options, columns, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from typer.testing import CliRunner

from debate.analysis import analyze
from debate.analysis.source import read_source
from debate.cli import app
from debate.errors import InputError

SURE = {"self": (0.5, 0.9), "again": (0.5, 0.5)}


def transcripts(folder: Path) -> Path:
    """Two arms of one agent that is wrong on every other question, under names of their own."""
    rows: list[dict[str, Any]] = [
        {
            "qid": f"q{n}",
            "arm": arm,
            "step": t,
            "who": "gpt",
            "said": "4" if n % 2 else "5",
            "gold": "4",
            "confidence": sure[t],
            "confidence_p_true": 0.25,
            "topic": f"t{n % 3}",
        }
        for arm, sure in SURE.items()
        for n in range(40)
        for t in range(2)
    ]
    path = folder / "theirs [1].csv"
    pl.DataFrame(rows).write_csv(path)
    return path


NAMES = ("qid=question_id", "step=round", "who=agent", "said=answer", "gold=target")
MAPS = [part for name in (*NAMES, "topic=category") for part in ("--map", name)]


def invoked(*arguments: str) -> Any:
    done = CliRunner().invoke(app, ["analyze", *arguments, "--json"])
    assert done.exit_code == 0, done.output
    return json.loads(done.output)


def value(found: Any, name: str, cell: str) -> float | None:
    (one,) = [
        e for e in found["estimates"] if (e["name"], e["cell"], e["round"]) == (name, cell, 1)
    ]
    return None if one["missing"] else one["value"]


def test_a_foreign_table_is_analysed_with_its_own_column_names(tmp_path: Path) -> None:
    found = invoked(str(transcripts(tmp_path)), *MAPS)
    assert found["cells"] == ["again", "self"]
    assert value(found, "eai", "self") == pytest.approx(0.2)
    assert {row["category"] for row in found["tables"]["where_categories"]} == {"t0", "t1", "t2"}


def test_the_control_arm_may_have_any_name(tmp_path: Path) -> None:
    source = str(transcripts(tmp_path))
    assert value(invoked(source, *MAPS), "eai_over_control", "self") is None
    controlled = invoked(source, *MAPS, "--control", "again")
    assert value(controlled, "eai_over_control", "self") == pytest.approx(0.2)


def test_another_estimator_of_confidence_is_chosen_by_its_name(tmp_path: Path) -> None:
    source = str(transcripts(tmp_path))
    found = invoked(source, *MAPS, "--confidence", "p_true", "--cell", "self")
    assert found["cells"] == ["self"]
    assert value(found, "confidence", "self") == pytest.approx(0.25)


def test_arms_may_be_compared_with_a_baseline_of_any_name(tmp_path: Path) -> None:
    found = invoked(str(transcripts(tmp_path)), *MAPS, "--baseline", "again")
    assert "cell - again" in {row["family"] for row in found["tables"]["comparisons"]}


def test_the_kind_of_a_tables_answers_is_told_by_its_targets_or_by_an_option(
    tmp_path: Path,
) -> None:
    path = tmp_path / "t.csv"
    about = {"agent": "a", "answer": "1,000", "target": "1000"}
    rows = [{"question_id": f"q{n}", "round": t, **about} for n in range(4) for t in range(2)]
    pl.DataFrame(rows).write_csv(path)
    assert value(invoked(str(path)), "accuracy", "main") == 1
    assert value(invoked(str(path), "--kind", "text"), "accuracy", "main") == 0
    page = tmp_path / "page.html"
    told = CliRunner().invoke(app, ["report", str(path), "--kind", "text", "--out", str(page)])
    assert told.exit_code == 0, told.output
    known = "choice, code, math, number, text"
    with pytest.raises(InputError, match=f'kind "word" is unknown; known: {known}'):
        read_source(path, kind="word")
    with pytest.raises(InputError, match="is a run directory, which says what kind"):
        read_source(tmp_path, kind="text")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], r'lacks the columns "question_id", "round", "agent", "answer", "target"; it has qid,'),
        ([*MAPS, "--cell", "slef"], 'arm "slef" is unknown; did you mean "self"'),
        ([*MAPS, "--control", "repaet"], 'control: arm "repaet" is unknown; known: again, self'),
        ([*MAPS, "--confidence", "p_ture"], 'not recorded; did you mean "p_true"'),
        (["--map", "qid"], 'write theirs=ours, such as "qid=question_id"'),
        (["--map", "a=answer", "--map", "b=answer"], "each column is mapped once"),
        (["--map", "q=question_id"], 'no column "q" to take as question_id'),
    ],
)
def test_what_cannot_be_done_is_told(tmp_path: Path, options: list[str], message: str) -> None:
    done = CliRunner().invoke(app, ["analyze", str(transcripts(tmp_path)), *options])
    assert isinstance(done.exception, InputError)
    with pytest.raises(InputError, match=message):
        raise done.exception


def test_every_source_of_confidence_gives_its_own_numbers(tmp_path: Path) -> None:
    columns = dict(name.split("=") for name in NAMES)
    rows = read_source(transcripts(tmp_path), columns=columns).trajectories
    belief = rows.with_columns(belief_answer=pl.lit(0.75))
    found = analyze(belief, confidence="belief", resamples=20)
    confidence = found.find("confidence", cell="self", round=0)
    assert confidence is not None
    assert confidence.value == 0.75
