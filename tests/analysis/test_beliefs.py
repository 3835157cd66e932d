"""Normalised beliefs: one set of candidates for all that is compared, or a refusal."""

from __future__ import annotations

import math
from pathlib import Path

import polars as pl
import pytest

from debate.analysis.source import NORMALISED_COLUMN, add_normalised_beliefs
from debate.errors import InputError
from debate.log import Run
from debate.types import Question, Turn
from tests.log.builders import belief, turn, write


def probe(agent: str, cell: str, name: str = "belief", **log_p: float) -> Turn:
    """A probe of the agent's opening."""
    return turn(
        agent,
        cell=cell,
        kind="probe",
        about=name,
        answer=None,
        correct=None,
        belief=belief(**{candidate: math.log(p) for candidate, p in log_p.items()}),
    )


def normalised(run: Run) -> list[float | None]:
    rows = add_normalised_beliefs(run, run.trajectories())
    return rows.sort("cell", "agent", "round")[NORMALISED_COLUMN].to_list()


def test_the_set_is_what_anybody_stated_in_any_cell_without_a_target_that_nobody_did(
    tmp_path: Path,
) -> None:
    write(
        tmp_path,
        [
            turn("a", cell="one", value="3"),
            probe("a", "one", n3=0.3, n4=0.5),
            probe("a", "one", "belief/1", n7=0.1),
            turn("a", cell="two", value="7"),
            probe("a", "two", n3=0.2, n4=0.6, n7=0.2),
        ],
    )
    assert normalised(Run(tmp_path)) == pytest.approx([0.75, 0.5])


def test_a_missing_pair_is_refused_with_the_command_that_fills_it(tmp_path: Path) -> None:
    write(
        tmp_path,
        [
            turn("a", cell="one", value="3"),
            probe("a", "one", n3=0.3, n4=0.5),
            turn("a", cell="two", value="7"),
            probe("a", "two", n3=0.2, n4=0.6, n7=0.2),
            turn("b", cell="two", value="3"),
            turn("c", cell="two", value=None),
        ],
    )
    run = Run(tmp_path)
    with pytest.raises(InputError) as refusal:
        normalised(run)
    told = str(refusal.value)
    assert "of 3 answers 1 have no belief and 1 lack candidates that others stated" in told
    assert "3 scores are missing" in told
    assert f"`debate probe {tmp_path}`" in told
    only = run.trajectories().filter(cell="two", agent="a")
    assert add_normalised_beliefs(run, only)[NORMALISED_COLUMN].to_list() == pytest.approx([0.5])


def test_a_closed_question_has_its_options_for_a_set(tmp_path: Path) -> None:
    asked = Question(id="q1", text="?", kind="choice", options=("x", "y"), target="B")
    a_only = belief(nA=math.log(0.1), nB=math.log(0.3))
    write(
        tmp_path,
        [turn("a", value="A", belief=a_only), turn("b", value="A", belief=a_only)],
        questions=[asked],
    )
    assert normalised(Run(tmp_path)) == pytest.approx([0.25, 0.25])


def test_abstentions_failures_and_impossible_answers_have_none(tmp_path: Path) -> None:
    never = belief(n4=-math.inf)
    write(tmp_path, [turn("a", value=None), turn("b", value="4", belief=never)])
    assert normalised(Run(tmp_path)) == [None, None]
    assert Run(tmp_path).beliefs()["log_p"].to_list() == [-math.inf]


def test_a_run_that_was_probed_has_them_for_every_answer(tmp_path: Path) -> None:
    from debate.analysis.states import build_states
    from tests.log.test_probe_run import fill, held

    run = held(tmp_path)
    with pytest.raises(InputError, match="lack candidates that others stated"):
        normalised(run)
    fill(run.directory)
    rows = add_normalised_beliefs(run, run.trajectories())
    assert rows[NORMALISED_COLUMN].null_count() == 0
    assert rows[NORMALISED_COLUMN].is_between(0, 1).all()
    openings = rows.filter(pl.col("round") == 0).group_by("question", "agent")
    assert openings.agg(pl.col(NORMALISED_COLUMN).n_unique())[NORMALISED_COLUMN].max() == 1
    chosen = build_states(rows, confidence="belief_normalised")
    assert chosen["confidence"].sum() == pytest.approx(rows[NORMALISED_COLUMN].sum())
