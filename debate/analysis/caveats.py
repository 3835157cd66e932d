"""What a reader of the numbers must know about the data that they come from."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from debate.analysis.controls import Controls
from debate.analysis.text import count, listed, short


def caveats(
    states: pl.DataFrame,
    trajectories: pl.DataFrame,
    verdicts: pl.DataFrame | None,
    controls: Controls,
) -> tuple[str, ...]:
    """The caveats that apply to these states of these trajectories, one sentence each."""
    found = [say(states) for say in OF_STATES]
    found += [_simulated(trajectories), _without_target(trajectories)]
    found += [_without_control(states, controls), _without_baseline(controls)]
    if verdicts is None or verdicts.is_empty():
        found.append("No verdicts are recorded: votes are majorities of the agents' answers.")
    return tuple(sentence for sentence in found if sentence)


def _without_control(states: pl.DataFrame, controls: Controls) -> str | None:
    served = set(controls.resampling) | set(controls.resampling.values())
    moving = states.filter(pl.col("round") > 0)["cell"].unique()
    lacking = sorted(set(moving) - served)
    if not lacking:
        return None
    return (
        f'There is no arm "repeat", nor another named as control, for {_arms(lacking)}: what mere '
        "resampling does is not taken off entrenchment and error amplification."
    )


def _without_baseline(controls: Controls) -> str | None:
    if controls.baselines:
        return None
    return 'There is no arm "single": no arm is compared with one answer alone.'


def _arms(cells: list[str]) -> str:
    return listed([short(cell, 40) for cell in cells])


def _simulated(trajectories: pl.DataFrame) -> str | None:
    if "simulated" not in trajectories.columns or not trajectories["simulated"].any():
        return None
    return "Simulated agents took part: their numbers describe the simulation, not a model."


def _without_target(trajectories: pl.DataFrame) -> str | None:
    if "outcome" not in trajectories.columns:
        return None
    num = trajectories["outcome"].null_count()
    return f"{count(num)} turns on questions without a target are left out." if num else None


def _stopped_early(states: pl.DataFrame) -> str | None:
    num = states.filter(pl.col("carried"))["trajectory"].n_unique()
    whole = states["trajectory"].n_unique()
    if not num:
        return None
    return (
        f"{count(num)} of {count(whole)} trajectories stopped early and keep their last state to "
        "the end."
    )


def _unscored(states: pl.DataFrame) -> str | None:
    answered = states.filter(pl.col("outcome").is_in(["correct", "wrong"]))
    num = answered["confidence"].null_count()
    if not num:
        return None
    return (
        f"{count(num)} of {count(answered.height)} answers carry no confidence, and no score of it "
        "counts them."
    )


def _few_questions(states: pl.DataFrame) -> str | None:
    num = states["question_code"].n_unique()
    return None if num >= 30 else f"With {num} questions only, intervals rest on few clusters."


def _several_seeds(states: pl.DataFrame) -> str | None:
    if states["seed"].n_unique() < 2:
        return None
    return "Several seeds share a question: McNemar's p-values ignore it, the intervals do not."


def _nothing_heard(states: pl.DataFrame) -> str | None:
    later = states.filter(pl.col("round") > 0)
    if later.is_empty() or later["heard"].list.len().sum():
        return None
    return "No turn says what it heard: conformity, attribution and edges cannot be had."


def _missing_turns(states: pl.DataFrame) -> str | None:
    agents = states.group_by("cell", "round").agg(agents=pl.col("agent").n_unique())
    debates = states.group_by("cell").agg(debates=pl.col("debate").n_unique())
    due = agents.join(debates, on="cell").select(pl.col("agents") * pl.col("debates"))
    num = int(due.to_series().sum()) - states.height
    return f"{count(num)} turns that were due are not there and count as wrong." if num else None


OF_STATES: tuple[Callable[[pl.DataFrame], str | None], ...] = (
    _few_questions,
    _missing_turns,
    _stopped_early,
    _unscored,
    _several_seeds,
    _nothing_heard,
)
