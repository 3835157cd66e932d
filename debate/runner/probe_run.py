"""`debate probe`: a run's beliefs completed, so that one set of candidates serves all its cells."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

from rich.console import Console

from debate.agents.probes import ProbeSubject, build_belief_request, find_unsupported
from debate.config.run import expand_agents
from debate.config.untrusted import find_sent_variables
from debate.engines.base import CompletionClient
from debate.errors import BudgetSpent, EngineError, InputError, RunEnded
from debate.interrupts import run_to_end
from debate.log import Run, RunLog, read_questions
from debate.log.manifest import read_manifest
from debate.orchestrator.call_store import ScoreStore
from debate.orchestrator.condition import Condition
from debate.orchestrator.probing import (
    BELIEF,
    find_next_number,
    hash_scoring_context,
    note_recorded_scores,
    run_further_probe,
)
from debate.runner.cells import RebuiltCells, rebuild_cells
from debate.runner.concurrency import run_workers
from debate.runner.execute import compute_num_workers, print_line
from debate.runner.lazy_models import Guard, LazyModels
from debate.runner.monitoring import RunProgress, show_progress
from debate.runner.offline import ReplayedAnswers, replay_answers
from debate.runner.plan import Plan, WorkItem
from debate.runner.spending import Spending, open_account, sum_up
from debate.tasks import list_candidates
from debate.types import DebateKey, Question, Turn, states_answer

MAX_NAMED = 3


@dataclass(kw_only=True)
class ProbeResult:
    """The counts of a `debate probe`. Pairs are of a recorded answer's prompt and a candidate.

    `num_calls` were made, or with a dry run would be at most; `num_changed` answers were left out
    because their prompt is not what was recorded, and `unchecked` says which cells, and why.
    """

    num_answers: int = 0
    num_pairs: int = 0
    num_calls: int = 0
    num_changed: int = 0
    failures: list[str] = field(default_factory=list)
    spending: Spending | None = None
    unchecked: tuple[str, ...] = ()

    def in_words(self, *, dry_run: bool = False) -> Iterator[str]:
        """Yield the counts, a line each."""
        if not self.num_pairs:
            yield f"nothing is missing at {self.num_answers:,} answers"
        else:
            done = "missing" if dry_run else "scored"
            yield (
                f"{done}: {self.num_pairs:,} candidates at {self.num_answers:,} answers, by "
                f"{self.num_calls:,} calls"
            )
        if self.num_changed:
            yield (
                f"{self.num_changed:,} answers were left out: their prompt is not what was recorded"
            )
        if self.spending is not None and self.spending.spent_on is None:
            yield self.spending.in_words()
        yield from (f"left out: {what}" for what in self.unchecked)

    def count(self, gaps: Iterable[MissingScores], scores: ScoreStore) -> None:
        """Count what is missing: one call for all candidates after the same prompt."""
        missing: dict[str, set[str]] = {}
        for gap in gaps:
            request = build_belief_request(gap.subject)
            context = hash_scoring_context(gap.subject.agent, request)
            missing.setdefault(context, set()).update(scores.missing(context, request.candidates))
        self.num_calls += sum(map(bool, missing.values()))
        self.num_pairs += sum(map(len, missing.values()))


class MissingScores(NamedTuple):
    """An answer whose belief lacks the subject's candidates, and the number of its next probe."""

    subject: ProbeSubject
    number: int


ReadTurns = Callable[[DebateKey], Mapping[str, Turn]]
"""Returns the completed turns of a debate by ref."""

NO_ANSWERS = ReplayedAnswers((), 0)


def probe_run(
    directory: Path | str,
    *,
    console: Console,
    quiet: bool = False,
    custom_code: bool = False,
    dry_run: bool = False,
) -> ProbeResult:
    """Score, at each recorded answer, every answer that was stated in any cell, and the target.

    What is on record is not asked again; the log has the rest as further probes. With `dry_run`
    nothing is asked or written. Raises InputError where there is no such run, an engine cannot
    score, or no prompt is as recorded; RunConflict where the run is in use; EngineError where
    calls failed, after all others; BudgetSpent where the run's own budget stopped it.
    """
    directory = Path(directory)
    manifest = read_manifest(directory)
    rebuilt = rebuild_cells(manifest.spec, custom_code=custom_code)
    if problems := () if custom_code else tuple(find_sent_variables(rebuilt.spec)):
        told = "; ".join(f"{'.'.join(map(str, each.path))}: {each.message}" for each in problems)
        raise InputError(f"{directory} cannot be probed: {told} (here: --custom-code)")
    plan = _make_plan(directory, rebuilt, custom_code=custom_code)
    _require_scoring(directory, plan.cells)
    probed = ProbeResult(unchecked=rebuilt.unchecked)
    others = rebuilt.names - rebuilt.cells.keys()
    if dry_run:
        run_to_end(_count_missing(plan, Run(directory), others, probed))
        return _require_success(directory, probed)
    log = RunLog.reopen(directory)
    try:
        run_to_end(_score_missing(plan, log, others, probed, console, quiet=quiet))
    finally:
        status = "interrupted" if manifest.status == "running" else manifest.status
        log.close(status, spent=None if probed.spending is None else probed.spending.record)
    return _require_success(directory, probed)


def _require_success(directory: Path, probed: ProbeResult) -> ProbeResult:
    """Return the result. Raises InputError, EngineError and BudgetSpent as `probe_run` does."""
    if probed.spending is not None and probed.spending.spent_on is not None:
        raise BudgetSpent(f"{probed.spending.in_words()} (`debate run`, and then this one)")
    if probed.num_changed and not probed.num_answers:
        raise InputError(
            f"{directory}: no answer has the prompt that it was recorded with: the weights, the "
            "settings or the prompt set of its model are not what they were"
        )
    if probed.failures:
        told = "; ".join(dict.fromkeys(probed.failures[:MAX_NAMED]))
        raise EngineError(
            f"{len(probed.failures):,} scoring calls failed ({told}); the same command asks again"
        )
    return probed


def _make_plan(directory: Path, rebuilt: RebuiltCells, *, custom_code: bool) -> Plan:
    """Plan the run as its own directory tells it. Raises InputError where no cell can be told."""
    if not rebuilt.cells:
        hint = "" if custom_code else " (--custom-code imports the run's own code)"
        raise InputError(f"{directory} cannot be probed: {'; '.join(rebuilt.unchecked)}{hint}")
    spec = rebuilt.spec
    return Plan(
        spec=spec,
        agents=expand_agents(spec),
        cells=tuple(rebuilt.cells.values()),
        questions=read_questions(directory),
    )


def _require_scoring(directory: Path, cells: Sequence[Condition]) -> None:
    """Raise InputError where somebody states answers by an engine that cannot score."""
    for cell in cells:
        for speaker in cell.speakers:
            agent = cell.agents[speaker]
            lack = None if agent.spec.confederate else find_unsupported(BELIEF, agent)
            if lack:
                where = f'{directory}, cell "{cell.name}"'
                raise InputError(f'{where}: agent "{speaker}" cannot be probed: {lack}')


async def _score_missing(
    plan: Plan,
    log: RunLog,
    others: Collection[str],
    probed: ProbeResult,
    console: Console,
    *,
    quiet: bool,
) -> None:
    """Ask for what is missing, several questions at once, and write it down."""
    progress = RunProgress(models=plan.models, num_debates=plan.num_work * len(plan.cells))
    left, guard = plan.work, Guard(keep_going=False)
    tell = None if quiet else partial(print_line, console)
    async with (
        LazyModels(
            plan.models, plan.spec.cluster, run=plan.spec.name, guard=guard, tell=tell
        ) as models,
        open_account(plan, log, end=guard.end.begin) as account,
    ):
        models.meter = account

        async def score_rest() -> None:
            for work in left:
                scores = ScoreStore()
                gaps = await _find_missing(plan.cells, others, work, log.recorded, scores, probed)
                await asyncio.gather(
                    *(_score(g, models, scores, log, progress, probed) for g in gaps)
                )
                progress.debates += len(plan.cells)

        async with show_progress(progress, models.metrics, console, quiet=quiet):
            await run_workers(score_rest, compute_num_workers(plan))
    probed.spending = None if account is None else sum_up(account, guard.end.error)


async def _count_missing(
    plan: Plan, run: Run, others: Collection[str], probed: ProbeResult
) -> None:
    """Count what is missing, and ask nothing."""

    def read(key: DebateKey) -> dict[str, Turn]:
        return {turn.ref: turn for turn in run.recorded(key) if turn.failure is None}

    for work in plan.work:
        await _find_missing(plan.cells, others, work, read, ScoreStore(), probed)


async def _find_missing(
    cells: Sequence[Condition],
    others: Collection[str],
    work: WorkItem,
    read: ReadTurns,
    scores: ScoreStore,
    probed: ProbeResult,
) -> list[MissingScores]:
    """Find the answers to one question and seed whose beliefs lack candidates.

    `others` are cells that cannot be held again, whose answers count as candidates all the same.
    `scores` takes over what is on record, and `probed` counts.
    """
    question, seed = work
    names = [*(cell.name for cell in cells), *others]
    keys = {name: DebateKey(cell=name, question=question.id, seed=seed) for name in names}
    recorded = {name: read(key) for name, key in keys.items()}
    turns = [turn for there in recorded.values() for turn in there.values()]
    stated = {t.value for t in turns if states_answer(t) and t.value is not None}
    target = set() if question.target is None else {question.target}
    wanted = list_candidates(question) or tuple(sorted(stated | target))
    gaps = []
    for cell in cells:
        there = recorded[cell.name]
        found = await replay_answers(cell, question, seed, there) if there else NO_ANSWERS
        probed.num_changed += found.num_changed
        for subject in _make_subjects(cell, question, found):
            known = note_recorded_scores(scores, subject, there.values())
            probed.num_answers += 1
            if lacking := tuple([candidate for candidate in wanted if candidate not in known]):
                number = find_next_number(subject.turn, there.values())
                gaps.append(MissingScores(replace(subject, candidates=lacking), number))
    probed.count(gaps, scores)
    return gaps


def _make_subjects(
    cell: Condition, question: Question, found: ReplayedAnswers
) -> Iterator[ProbeSubject]:
    """Yield the answers that are probed: confederates have no belief."""
    for turn, request in found.stated:
        agent = cell.agents[turn.agent]
        if not agent.spec.confederate:
            yield ProbeSubject(
                agent=agent, question=question, turn=turn, request=request, candidates=()
            )


async def _score(
    gap: MissingScores,
    clients: Mapping[str, CompletionClient],
    scores: ScoreStore,
    log: RunLog,
    progress: RunProgress,
    probed: ProbeResult,
) -> None:
    """Fill one gap; a call that fails leaves it."""
    client = clients[gap.subject.turn.model]
    try:
        turn = await run_further_probe(gap.subject, gap.number, client=client, scores=scores)
    except RunEnded:
        return
    except EngineError as error:
        probed.failures.append(str(error))
        progress.failures += 1
        return
    log.queue(turn)
    progress.on_turn(turn, replayed=False)
