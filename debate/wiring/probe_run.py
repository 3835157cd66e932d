"""`debate probe`: a run's beliefs completed, so that one set of candidates serves all its cells."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from rich.console import Console

from debate.agents.probes import Subject, belief_request, shortcoming
from debate.config.seating import seats
from debate.errors import EngineError, InputError
from debate.log import Run, RunLog, read_questions
from debate.log.manifest import read_manifest
from debate.orchestrator.calls import Client
from debate.orchestrator.cell import Cell
from debate.orchestrator.further import BELIEF, next_number, note_recorded, probe_further
from debate.orchestrator.probing import scoring_context
from debate.orchestrator.scores import Scores
from debate.tasks import closed_candidates
from debate.types import DebateKey, Question, Turn, speaks
from debate.wiring.audit_cells import Rebuilt, rebuild
from debate.wiring.collecting import collecting_seldom
from debate.wiring.debating import all_or_first_error
from debate.wiring.execute import debates_at_once
from debate.wiring.models import Models
from debate.wiring.offline import Replayed, replay_answers
from debate.wiring.plan import Plan, Work
from debate.wiring.progress import Tally, shown

MOST_NAMED = 3


@dataclass(kw_only=True)
class Probed:
    """What came of it. Pairs are of a recorded answer's prompt and a candidate.

    `num_calls` were made, or with a dry run would be at most; `num_changed` answers were left out
    because their prompt is not what was recorded, and `unchecked` says which cells, and why.
    """

    num_answers: int = 0
    num_pairs: int = 0
    num_calls: int = 0
    num_changed: int = 0
    failures: list[str] = field(default_factory=list)
    unchecked: tuple[str, ...] = ()

    def in_words(self, *, dry_run: bool = False) -> Iterator[str]:
        """What there is to tell, a line each."""
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
        yield from (f"left out: {what}" for what in self.unchecked)

    def note(self, gaps: Iterable[Gap], scores: Scores) -> None:
        """Count what is missing: one call for all candidates after the same prompt."""
        missing: dict[str, set[str]] = {}
        for gap in gaps:
            request = belief_request(gap.subject)
            context = scoring_context(gap.subject.agent, request)
            missing.setdefault(context, set()).update(scores.missing(context, request.candidates))
        self.num_calls += sum(map(bool, missing.values()))
        self.num_pairs += sum(map(len, missing.values()))


class Gap(NamedTuple):
    """An answer whose belief lacks the subject's candidates, and the number of its next probe."""

    subject: Subject
    number: int


Read = Callable[[DebateKey], Mapping[str, Turn]]
"""The completed turns of a debate by ref."""

NOTHING = Replayed((), 0)


def probe_run(
    directory: Path | str,
    *,
    console: Console,
    quiet: bool = False,
    custom_code: bool = False,
    dry_run: bool = False,
) -> Probed:
    """Score, at each recorded answer, whatever anybody stated in any cell, and the truth.

    What is on record is not asked again; the log has the rest as further probes. With `dry_run`
    nothing is asked or written. Raises InputError where there is no such run, an engine cannot
    score, or no prompt is as recorded; RunConflict where the run is in use; EngineError where
    calls failed, after all others.
    """
    directory = Path(directory)
    manifest = read_manifest(directory)
    rebuilt = rebuild(manifest.spec, custom_code=custom_code)
    plan = _plan(directory, rebuilt, custom_code=custom_code)
    _require_scores(directory, plan.cells)
    probed = Probed(unchecked=rebuilt.unchecked)
    others = rebuilt.known - rebuilt.cells.keys()
    if dry_run:
        asyncio.run(_count(plan, Run(directory), others, probed))
        return _checked(directory, probed)
    log = RunLog.reopen(directory)
    try:
        asyncio.run(_fill(plan, log, others, probed, console, quiet=quiet))
    finally:
        log.close("interrupted" if manifest.status == "running" else manifest.status)
    return _checked(directory, probed)


def _checked(directory: Path, probed: Probed) -> Probed:
    if probed.num_changed and not probed.num_answers:
        raise InputError(
            f"{directory}: no answer has the prompt that it was recorded with: the weights, the "
            "settings or the prompt set of its model are not what they were"
        )
    if probed.failures:
        told = "; ".join(dict.fromkeys(probed.failures[:MOST_NAMED]))
        raise EngineError(
            f"{len(probed.failures):,} scoring calls failed ({told}); the same command asks again"
        )
    return probed


def _plan(directory: Path, rebuilt: Rebuilt, *, custom_code: bool) -> Plan:
    """The run as its own directory tells it. Raises InputError where no cell can be told."""
    if not rebuilt.cells:
        hint = "" if custom_code else " (--custom-code imports the run's own protocols)"
        raise InputError(f"{directory} cannot be probed: {'; '.join(rebuilt.unchecked)}{hint}")
    spec = rebuilt.spec
    return Plan(
        spec=spec,
        agents=seats(spec),
        cells=tuple(rebuilt.cells.values()),
        questions=read_questions(directory),
    )


def _require_scores(directory: Path, cells: Sequence[Cell]) -> None:
    """Raise InputError where somebody states answers by an engine that cannot score."""
    for cell in cells:
        for speaker in cell.speakers:
            agent = cell.agents[speaker]
            lack = None if agent.spec.confederate else shortcoming(BELIEF, agent)
            if lack:
                where = f'{directory}, cell "{cell.name}"'
                raise InputError(f'{where}: agent "{speaker}" cannot be probed: {lack}')


async def _fill(
    plan: Plan,
    log: RunLog,
    others: Collection[str],
    probed: Probed,
    console: Console,
    *,
    quiet: bool,
) -> None:
    """Ask for what is missing, several questions at once, and write it down."""
    tally = Tally(models=plan.models, num_debates=plan.num_work * len(plan.cells))
    left = plan.work
    async with Models(plan.models, plan.spec.cluster, run=plan.spec.name) as models:

        async def worker() -> None:
            for work in left:
                scores = Scores()
                gaps = await _gaps(plan.cells, others, work, log.recorded, scores, probed)
                await asyncio.gather(*(_ask(g, models, scores, log, tally, probed) for g in gaps))
                tally.debates += len(plan.cells)

        async with shown(tally, models.counters, console, quiet=quiet):
            with collecting_seldom():
                await all_or_first_error([worker() for _ in range(debates_at_once(plan))])


async def _count(plan: Plan, run: Run, others: Collection[str], probed: Probed) -> None:
    """Only say what is missing."""

    def read(key: DebateKey) -> dict[str, Turn]:
        return {turn.ref: turn for turn in run.recorded(key) if turn.failure is None}

    for work in plan.work:
        await _gaps(plan.cells, others, work, read, Scores(), probed)


async def _gaps(
    cells: Sequence[Cell],
    others: Collection[str],
    work: Work,
    read: Read,
    scores: Scores,
    probed: Probed,
) -> list[Gap]:
    """The answers to one question and seed whose beliefs lack candidates.

    `others` are cells that cannot be held again, whose answers count as candidates all the same.
    `scores` takes over what is on record, and `probed` counts.
    """
    question, seed = work
    names = [*(cell.name for cell in cells), *others]
    keys = {name: DebateKey(cell=name, question=question.id, seed=seed) for name in names}
    recorded = {name: read(key) for name, key in keys.items()}
    turns = [turn for there in recorded.values() for turn in there.values()]
    stated = {t.value for t in turns if speaks(t) and t.value is not None}
    target = set() if question.target is None else {question.target}
    wanted = closed_candidates(question) or tuple(sorted(stated | target))
    gaps = []
    for cell in cells:
        there = recorded[cell.name]
        found = await replay_answers(cell, question, seed, there) if there else NOTHING
        probed.num_changed += found.num_changed
        for subject in _subjects(cell, question, found):
            known = note_recorded(scores, subject, there.values())
            probed.num_answers += 1
            if lacking := tuple([candidate for candidate in wanted if candidate not in known]):
                number = next_number(subject.turn, there.values())
                gaps.append(Gap(replace(subject, candidates=lacking), number))
    probed.note(gaps, scores)
    return gaps


def _subjects(cell: Cell, question: Question, found: Replayed) -> Iterator[Subject]:
    """The answers that are probed: confederates have no belief."""
    for turn, request in found.stated:
        agent = cell.agents[turn.agent]
        if not agent.spec.confederate:
            yield Subject(agent=agent, question=question, turn=turn, request=request, candidates=())


async def _ask(
    gap: Gap,
    clients: Mapping[str, Client],
    scores: Scores,
    log: RunLog,
    tally: Tally,
    probed: Probed,
) -> None:
    """Fill one gap; a call that fails leaves it."""
    client = clients[gap.subject.turn.model]
    try:
        turn = await probe_further(gap.subject, gap.number, client=client, scores=scores)
    except EngineError as error:
        probed.failures.append(str(error))
        tally.failures += 1
        return
    log.queue(turn)
    tally.on_turn(turn, replayed=False)
