"""`debate power`: the questions that the hypotheses of a configuration need, by a pilot's turns."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from debate.analysis.design import find_scripted_seats, find_silent_seats, read_design
from debate.analysis.hypotheses import ChosenQuantity, choose_quantity, describe_hypothesis
from debate.analysis.intervals import Codes
from debate.analysis.measures import Measures
from debate.analysis.power import (
    DRAWS,
    FEWEST_QUESTIONS,
    TARGET,
    NeededQuestions,
    Power,
    SimulatedPower,
    compute_level,
    measure_seed_share,
    scale_by_seeds,
    simulate_power,
)
from debate.analysis.quantity import Quantity, Unavailable
from debate.analysis.source import FinishedDebates, select_finished
from debate.analysis.states import (
    DEFAULT,
    build_states,
    name_confidence,
    select_authors,
    select_members,
    select_voters,
)
from debate.analysis.tokens import fill_script_tokens, select_debate_turns
from debate.analysis.votes import build_vote_states
from debate.config.run import HypothesisSpec
from debate.errors import InputError
from debate.log import Run
from debate.log.identity import diff_fields, format_clauses
from debate.runner.forecast import RunCost, forecast_question
from debate.runner.plan import NOT_IDENTITY, Plan, canonicalize
from debate.text import join_names as named

FORMAT = 1
SMALL_PILOT = 30
SEED_MARK = "\x1f"
_MAY_DIFFER = (*NOT_IDENTITY, "name", "task", "seeds", "log")
"""Fields that may differ between a pilot and the run that it is a pilot of."""


@dataclass(frozen=True, kw_only=True)
class HypothesisPower:
    """One hypothesis: what the pilot found, how often n questions support it, and the n needed.

    low, high: the pilot's 95 % interval, around its bounds where part is not known. at_task: with
    the questions that the configuration's task has, None beyond what was simulated. seed_share:
    the share of one debate's variance between seeds; by_seeds: seeds a question -> questions
    needed. price: of `needed.supported` questions. reason: why nothing was simulated, or what
    tempers it.
    """

    name: str
    statement: str
    what: str
    direction: str
    smallest: float
    level: float
    value: float | None = None
    low: float | None = None
    high: float | None = None
    points: tuple[SimulatedPower, ...] = ()
    needed: NeededQuestions | None = None
    at_task: SimulatedPower | None = None
    seed_share: float | None = None
    by_seeds: dict[int, int] | None = None
    price: RunCost | None = None
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class PowerReport:
    """The hypotheses of one configuration, by the turns of one pilot."""

    hypotheses: tuple[HypothesisPower, ...]
    target: float
    draws: int
    num_pilot: int
    num_seeds: int
    num_task: int
    per_question: RunCost | None
    caveats: tuple[str, ...]

    def to_json(self) -> str:
        """Everything as JSON without nan."""
        content = asdict(self)
        told = content["hypotheses"]
        for entry, each in zip(told, self.hypotheses, strict=True):
            entry["points"] = [point._asdict() for point in each.points]
            entry["needed"] = each.needed and each.needed._asdict()
            entry["at_task"] = each.at_task and each.at_task._asdict()
            entry["price"] = each.price and each.price._asdict()
        content["per_question"] = self.per_question and self.per_question._asdict()
        return json.dumps({"format": FORMAT, **content}, allow_nan=False, ensure_ascii=False)


class PilotMeasures(NamedTuple):
    """A pilot's measures by question and, where it has several seeds, by question and seed.

    question_of: of each question and seed, its question.
    """

    measures: Measures
    by_seed: Measures | None
    question_of: Codes
    num_seeds: int


def estimate_power(
    plan: Plan,
    directory: Path,
    *,
    target: float = TARGET,
    draws: int = DRAWS,
    confidence: str = DEFAULT,
    seed: int = 0,
) -> PowerReport:
    """Simulate the power of the plan's hypotheses from the pilot in this directory.

    Raises InputError where the plan has no hypotheses, the target is no share, or the directory
    holds no run, one without answers, or one of another configuration.
    """
    if not plan.spec.hypotheses:
        raise InputError("the configuration has no `hypotheses`; state what is to be found there")
    if not 0 < target < 1:
        raise InputError(f"target is {target:g}; it is a share between 0 and 1, such as 0.8")
    run = Run(directory)
    told = list(_check_same_conditions(plan, run))
    rows = select_finished(run)
    if rows.trajectories.is_empty():
        raise InputError(f"{directory}: no agent has stated an answer; let the pilot run first")
    pilot = _measure_pilot(run, rows, confidence)
    priced = _price_question(plan, run, pilot)
    num_task = len(plan.questions)
    level = compute_level(len(plan.spec.hypotheses))
    simulate = partial(
        simulate_power, level=level, at=[num_task], target=target, draws=draws, seed=seed
    )
    found = tuple(
        _estimate_hypothesis(_describe(name, each, level), each, pilot, simulate, num_task, priced)
        for name, each in plan.spec.hypotheses.items()
    )
    caveats = (rows.caveat, *told, *_list_caveats(plan, rows, pilot, confidence))
    return PowerReport(
        hypotheses=found,
        target=target,
        draws=draws,
        num_pilot=pilot.measures.num_questions,
        num_seeds=pilot.num_seeds,
        num_task=num_task,
        per_question=priced,
        caveats=tuple(filter(None, caveats)),
    )


def _check_same_conditions(plan: Plan, run: Run) -> Iterator[str]:
    """Refuse a pilot of other agents or conditions; yields what else differs, in sentences."""
    there = canonicalize(run.manifest.spec)
    here = canonicalize(plan.spec.model_dump(mode="json"))
    alone = [
        (kind, name)
        for kind in ("cells", "agents", "models")
        for name in _get_names(there, kind) ^ _get_names(here, kind)
    ]
    if clauses := diff_fields(there, here, ignoring=(*_MAY_DIFFER, *alone)):
        raise InputError(
            f"{run.directory} is no pilot of this configuration: it differs (pilot → here):\n"
            f"{format_clauses(clauses)}\n"
            "name a run of the same agents and conditions, or debate one with "
            "`debate validate CONFIG --pilot N`"
        )
    further = sorted(_get_names(there, "cells") - _get_names(here, "cells"))
    lacking = sorted(_get_names(here, "cells") - _get_names(there, "cells"))
    if len(lacking) == len(_get_names(here, "cells")):
        raise InputError(
            f"{run.directory} has no condition of this configuration: {named(further)} there, "
            f"{named(lacking)} here"
        )
    if clauses := diff_fields(there["task"], here["task"], ignoring=("limit", "n")):
        told = "; ".join(clauses[:3])
        yield f"The pilot asked other questions ({told}): its effects are of those."
    if further:
        yield f"The price includes {named(further)}, which the pilot has beyond the configuration."
    if lacking:
        yield f"The price leaves out {named(lacking)}, which the pilot has not debated."


def _get_names(spec: Mapping[str, Any], kind: str) -> set[str]:
    """The names of a canonical configuration's cells, agents or models."""
    found = spec.get(kind)
    return set(found) if isinstance(found, Mapping) else set()


def _measure_pilot(run: Run, rows: FinishedDebates, confidence: str) -> PilotMeasures:
    """The measures of the pilot, as `debate analyze` makes them."""
    cells = rows.trajectories["cell"].unique().to_list()
    design, opinions = read_design(run.manifest.spec, cells), run.beliefs()
    silent, scripted = find_silent_seats(run), find_scripted_seats(run)

    def measure(frames: Sequence[pl.DataFrame | None]) -> Measures:
        answers, verdicts, held, spent = frames
        assert answers is not None
        assert spent is not None
        everyone = build_states(fill_script_tokens(answers, scripted), confidence=confidence)
        turns = select_debate_turns(everyone, fill_script_tokens(spent, scripted))
        team = select_members(everyone)
        voters = select_voters(team, silent)
        seated = build_vote_states(voters, verdicts, opinions=held)
        states = select_authors(team, design.authors)
        return Measures(states, seated, voters, turns, noisy=design.noisy)

    frames = (rows.trajectories, rows.verdicts, opinions, rows.turns)
    whole = measure(frames)
    num_seeds = int(rows.trajectories["seed"].n_unique())
    if num_seeds < 2:
        return PilotMeasures(whole, None, np.zeros(0, dtype=np.int64), num_seeds)
    apart = measure([None if frame is None else _split_seeds(frame) for frame in frames])
    codes = apart.states.select("question_code", "question").unique().sort("question_code")
    question = codes["question"].str.split(SEED_MARK).list.first()
    question_of = (question.rank("dense").cast(pl.Int64) - 1).to_numpy()
    return PilotMeasures(whole, apart, question_of, num_seeds)


def _split_seeds(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with each seed of a question as a question of its own."""
    each = pl.concat_str("question", pl.col("seed").cast(pl.String), separator=SEED_MARK)
    return frame.with_columns(question=each)


def _price_question(plan: Plan, run: Run, pilot: PilotMeasures) -> RunCost | None:
    """The cost of one question with the pilot's seeds, in all conditions that the pilot has."""
    there = set(pilot.measures.states["cell"].unique())
    shared = replace(plan, cells=tuple(cell for cell in plan.cells if cell.name in there))
    return forecast_question(shared, run.directory, num_seeds=pilot.num_seeds)


def _describe(name: str, hypothesis: HypothesisSpec, level: float) -> HypothesisPower:
    return HypothesisPower(
        name=name,
        statement=hypothesis.statement,
        what=describe_hypothesis(hypothesis),
        direction=hypothesis.direction,
        smallest=hypothesis.smallest,
        level=level,
    )


def _estimate_hypothesis(
    about: HypothesisPower,
    hypothesis: HypothesisSpec,
    pilot: PilotMeasures,
    simulate: Callable[[Quantity, HypothesisSpec], Power],
    num_task: int,
    priced: RunCost | None,
) -> HypothesisPower:
    chosen = choose_quantity(hypothesis, pilot.measures)
    lacking = _find_lacking(chosen)
    if isinstance(chosen, Unavailable) or lacking:
        return replace(about, reason=f"not simulated: {lacking}")
    power = simulate(chosen.imputed or chosen.quantity, hypothesis)
    enough = power.needed.supported
    share = _find_seed_share(hypothesis, pilot)
    by_seeds = None
    if enough is not None and share is not None:
        by_seeds = scale_by_seeds(enough, share, num_seeds=pilot.num_seeds)
    return replace(
        about,
        value=power.pilot.value,
        low=power.pilot.low,
        high=power.pilot.high,
        points=power.points,
        needed=power.needed,
        at_task=next((p for p in power.points if p.num_questions == num_task), None),
        seed_share=share,
        by_seeds=by_seeds,
        price=None if priced is None or enough is None else priced.scale(enough),
        reason="; ".join(filter(None, (chosen.note, chosen.doubt.counts, chosen.doubt.why))),
    )


def _find_lacking(chosen: ChosenQuantity | Unavailable) -> str:
    """The reason why a hypothesis cannot be simulated, as a clause; "" where it can."""
    if isinstance(chosen, Unavailable):
        return f"needs {chosen.reason} in the pilot"
    if chosen.doubt.why and chosen.imputed is None:
        return f"{chosen.doubt.counts}: {chosen.doubt.why}, and bounds cannot be had"
    num = int(np.any(chosen.quantity.sums != 0, axis=1).sum())
    if num < FEWEST_QUESTIONS:
        plural = "s" * (num != 1)
        return (
            f"{num} question{plural} of the pilot bear on it; it takes {FEWEST_QUESTIONS} or more"
        )
    return ""


def _find_seed_share(hypothesis: HypothesisSpec, pilot: PilotMeasures) -> float | None:
    if pilot.by_seed is None:
        return None
    chosen = choose_quantity(hypothesis, pilot.by_seed)
    if isinstance(chosen, Unavailable):
        return None
    present = np.any(chosen.quantity.sums != 0, axis=1)
    influence = chosen.quantity.influence()
    return measure_seed_share(influence[present], pilot.question_of[present])


def _list_caveats(
    plan: Plan, rows: FinishedDebates, pilot: PilotMeasures, confidence: str
) -> Iterator[str]:
    yield (
        "The pilot's effect is taken for the true one, and is itself uncertain: the range beside "
        "each number of questions is what the best and the worst truth in its 95 % interval need."
    )
    num = pilot.measures.num_questions
    if num < SMALL_PILOT:
        yield f"With {num} questions only, the pilot says little about how questions differ."
    if pilot.num_seeds < 2:
        yield "The pilot has one seed, which cannot tell whether further seeds would help."
    if len(plan.spec.seeds) != pilot.num_seeds:
        yield (
            f"Simulated and priced with {pilot.num_seeds} seed{'s' * (pilot.num_seeds > 1)} a "
            f"question, as in the pilot; the configuration has {len(plan.spec.seeds)}."
        )
    name = name_confidence(rows.trajectories, confidence)
    if name is not None:
        yield f"Confidence: {name}."
    if "simulated" in rows.trajectories.columns and rows.trajectories["simulated"].any():
        yield "Simulated agents took part: the pilot describes the simulation, not a model."
