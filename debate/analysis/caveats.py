"""Caveats: sentences about the data that a reader of the numbers must know."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

import polars as pl

from debate.analysis.copying import measure_copied, warn_copied
from debate.analysis.design import Controls
from debate.analysis.factors import NOUNS, find_factors
from debate.analysis.states import LEAST_MASS, find_cells_without_levels
from debate.analysis.stopping import describe_oracle_stopping
from debate.log.table_answers import count_equal_numbers, describe_unread
from debate.text import format_count, join_names, shorten

FEW_QUESTIONS = 30


def collect_caveats(
    states: pl.DataFrame,
    trajectories: pl.DataFrame,
    verdicts: pl.DataFrame | None,
    controls: Controls,
    *,
    stopping_is_known: bool,
    confidence: str | None = None,
    noisy: Collection[str] = (),
) -> tuple[str, ...]:
    """The caveats that apply to these states of these trajectories, one sentence each.

    stopping_is_known: the rule by which debates ended is on record and sees no target. confidence:
    the estimator analysed. noisy: the conditions whose agents are shown random text.
    """
    found = [say(states) for say in OF_STATES]
    # States are carried on after a stop, so without one nobody stopped before the others.
    if not stopping_is_known and states["carried"].any():
        found.append(describe_oracle_stopping(states))
    found += [_warn_lost_turns(trajectories), _warn_equal_numbers(trajectories)]
    found += [_warn_unread(trajectories)]
    found += [_warn_simulated(trajectories), _warn_no_target(trajectories)]
    found += [_warn_bare_levels(states), _warn_no_control(states, controls, noisy)]
    found += [_warn_no_baseline(controls), warn_copied(measure_copied(states), confidence)]
    if verdicts is None or verdicts.is_empty():
        found.append("No verdicts are recorded: votes are majorities of the agents' answers.")
    return tuple(sentence for sentence in found if sentence)


def _warn_no_control(
    states: pl.DataFrame, controls: Controls, noisy: Collection[str]
) -> str | None:
    """Name the arms without a control of resampling, and the arms that could serve as one."""
    resamplers = _find_resamplers(states.filter(~pl.col("cell").is_in(list(noisy))))
    served = {*controls.resampling, *controls.resampling.values(), *resamplers}
    moving = states["cell"].filter(states["round"] > 0).unique()
    lacking = sorted(set(moving) - served)
    if not lacking:
        return None
    return (
        'There is no arm "repeat", nor another named as control, for '
        f"{_join_cells(lacking)}: what mere resampling does is not taken off entrenchment and "
        f"error amplification.{_name_possible_controls(states, lacking, resamplers)}"
    )


def _find_resamplers(states: pl.DataFrame) -> tuple[str, ...]:
    """The conditions whose agents answer again in later rounds, nobody having heard anything.

    None where no turn of any condition says what it heard.
    """
    spoken = states.select("cell", "round", "carried", "heard").filter(~pl.col("carried"))
    each = spoken.group_by("cell").agg(
        pl.col("round").max(), heard=pl.col("heard").list.len().fill_null(0).sum()
    )
    if not each["heard"].sum():
        return ()
    silent = each.filter((pl.col("heard") == 0) & (pl.col("round") > 0))
    return tuple(sorted(silent["cell"]))


def _name_possible_controls(
    states: pl.DataFrame, lacking: list[str], resamplers: tuple[str, ...]
) -> str:
    """A sentence on the conditions that take resampling off others: the same agents and models,
    asked anew in as many rounds.
    """
    spoken = states.filter(~pl.col("carried") & pl.col("cell").is_in([*lacking, *resamplers]))
    seats = pl.struct("agent", pl.col("model").fill_null("")).unique().sort()
    shapes = spoken.group_by("cell").agg(seats.alias("seats"), pl.col("round").max())
    of: Mapping[str, tuple[list[object], int]] = {
        cell: (seated, last) for cell, seated, last in shapes.iter_rows()
    }
    fitting = {
        cell: min(found)
        for cell in lacking
        if (found := [c for c in resamplers if of[c][0] == of[cell][0] and of[c][1] >= of[cell][1]])
    }
    if not fitting:
        return ""
    if len(fitting) == len(lacking) and len(set(fitting.values())) == 1:
        return f" `--control {fitting[lacking[0]]}` takes it off: the same agents, asked anew."
    told = join_names([f"{control} of {cell}" for cell, control in fitting.items()])
    return (
        f" The same agents, asked anew, are the control {told}: name one by `--control`, and both "
        "arms by `--cell`."
    )


def _warn_lost_turns(trajectories: pl.DataFrame) -> str | None:
    """Rows of a foreign table that were taken for lost, and how to say otherwise."""
    if "lost" not in trajectories.columns:
        return None
    num = int(trajectories["lost"].fill_null(False).sum())
    if not num:
        return None
    return (
        f"{format_count(num)} turns are missing where the agent usually speaks; they count as "
        "failed, so as wrong. An agent that had stopped needs rows that repeat its answer."
    )


def _warn_unread(trajectories: pl.DataFrame) -> str | None:
    """Answers of a foreign table that are none of the kind that its targets are."""
    is_table = {"lost", "target", "outcome"} <= {*trajectories.columns}
    return describe_unread(trajectories) if is_table else None


def _warn_equal_numbers(trajectories: pl.DataFrame) -> str | None:
    if not {"answer", "target", "outcome"} <= set(trajectories.columns):
        return None
    num = count_equal_numbers(trajectories)
    if not num:
        return None
    return (
        f"{format_count(num)} answers count as wrong though answer and target state the same "
        "number: not all targets are numbers, so answers are compared as texts. See --kind."
    )


def _warn_bare_levels(states: pl.DataFrame) -> str | None:
    """That levels of belief are left out where the candidates hold little of the probability."""
    found = find_cells_without_levels(states)
    if not found:
        return None
    masses = ", ".join(f"{shorten(cell, 40)} ({mass:.2g})" for cell, mass in found.items())
    return (
        f"Levels of belief are not given where the candidates hold less than {LEAST_MASS:g} of the "
        f"models' probability on average: {masses}. Changes of log-odds are."
    )


def _warn_no_baseline(controls: Controls) -> str | None:
    if controls.baselines:
        return None
    return 'There is no arm "single": no arm is compared with one answer alone.'


def _join_cells(cells: list[str]) -> str:
    return join_names([shorten(cell, 40) for cell in cells])


def _warn_simulated(trajectories: pl.DataFrame) -> str | None:
    if "simulated" not in trajectories.columns or not trajectories["simulated"].any():
        return None
    return "Simulated agents took part: their numbers describe the simulation, not a model."


def warn_people(people: Collection[str]) -> str | None:
    """Say which agents are persons, whose turns no other run gives again."""
    if not people:
        return None
    who = join_names([shorten(each, 40) for each in sorted(people)])
    return f"A person spoke as {who}: no other run gives the same turns, whatever its seeds."


def _warn_no_target(trajectories: pl.DataFrame) -> str | None:
    if "outcome" not in trajectories.columns:
        return None
    num = trajectories["outcome"].null_count()
    return f"{format_count(num)} turns on questions without a target are left out." if num else None


def _warn_kept_states(states: pl.DataFrame) -> str | None:
    num = states["trajectory"].filter(states["carried"]).n_unique()
    whole = states["trajectory"].n_unique()
    if not num:
        return None
    return (
        f"{format_count(num)} of {format_count(whole)} trajectories have no turn in later rounds "
        "(the debate stopped, or the agent had nothing to hear) and keep their last state to the "
        "end."
    )


def _warn_no_confidence(states: pl.DataFrame) -> str | None:
    answered = states["confidence"].filter(states["outcome"].is_in(["correct", "wrong"]))
    num = answered.null_count()
    if not num:
        return None
    return (
        f"{format_count(num)} of {format_count(len(answered))} answers carry no confidence, and "
        "no score of it counts them."
    )


def _warn_few_questions(states: pl.DataFrame) -> str | None:
    num = states["question_code"].n_unique()
    if num >= FEW_QUESTIONS:
        return None
    return f"With {num} question{'s' * (num != 1)} only, intervals rest on few clusters."


def _warn_seeds(states: pl.DataFrame) -> str | None:
    if states["seed"].n_unique() < 2:
        return None
    return "Several seeds share a question: McNemar's p-values ignore it, the intervals do not."


def _warn_nothing_heard(states: pl.DataFrame) -> str | None:
    later = states["heard"].filter(states["round"] > 0)
    if later.is_empty() or later.list.len().sum():
        return None
    return "No turn says what it heard: conformity, attribution and edges cannot be had."


def _warn_no_openings(states: pl.DataFrame) -> str | None:
    num = states["trajectory"].filter(states["opening_outcome"].is_null()).n_unique()
    if not num:
        return None
    return f"{format_count(num)} trajectories have no opening: no change since round 0 counts them."


def _warn_differing_teams(states: pl.DataFrame) -> str | None:
    """Debates with fewer agents than others of their condition: by design, or for lost rows."""
    teams = states.group_by("cell", "debate").agg(agents=pl.col("agent").n_unique())
    num = teams.filter(pl.col("agents") < pl.col("agents").max().over("cell")).height
    agents = states.group_by("cell").agg(agents=pl.col("agent").n_unique())
    whole = teams.group_by("cell").agg(largest=pl.col("agents").max()).join(agents, on="cell")
    rotate = whole.filter(pl.col("agents") > pl.col("largest")).height
    if not num and not rotate:
        return None
    return (
        "Not every debate of an arm has the same agents: each is scored over those that it has. "
        "If rows were lost, add them with failed = true."
    )


def _state_scope(states: pl.DataFrame) -> str:
    """Say what the intervals generalise to, and which of them to more."""
    plain = (
        "Intervals speak of other questions of the same kind, put to these models in these "
        "prompts; not of other models or other wordings."
    )
    wider = [
        f"those called …_across_{factor} speak of other {factor} of the kind, too "
        f"({_join_cells(cells)}; each {NOUNS[factor]} named counts as one)"
        for factor, cells in find_factors(states).items()
    ]
    return f"{plain} But {'; '.join(wider)}." if wider else plain


OF_STATES: tuple[Callable[[pl.DataFrame], str | None], ...] = (
    _warn_few_questions,
    _warn_no_openings,
    _warn_differing_teams,
    _warn_kept_states,
    _warn_no_confidence,
    _warn_seeds,
    _warn_nothing_heard,
    _state_scope,
)
