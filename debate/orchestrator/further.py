"""Further probes: what a run's debates left out of their beliefs, scored when they were over.

A debate scores what came up in it. What others said of the same question is scored afterwards, as
further probes of the same turns, about `belief/1`, `belief/2` and so on. Nothing in a debate reads
them.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from debate.agents.agent import ENCODER
from debate.agents.probes import Subject, belief
from debate.config.protocol import ProbeSpec
from debate.errors import EngineError
from debate.orchestrator.calls import Calls, Client
from debate.orchestrator.debate import Debate
from debate.orchestrator.probing import Paid, begin_probe, note_scores
from debate.orchestrator.scores import Scores
from debate.types import Transcript, Turn, speaks

BELIEF = ProbeSpec(name="belief")
PREFIX = f"{BELIEF.name}/"


def is_further(turn: Turn) -> bool:
    """Whether the turn is a further probe."""
    return turn.kind == "probe" and (turn.about or "").startswith(PREFIX)


def further_probes(turn: Turn, recorded: Iterable[Turn]) -> list[Turn]:
    """The further probes of a turn that are on record and still are of what it was asked."""
    return [
        probe
        for probe in recorded
        if (probe.agent, probe.round) == (turn.agent, turn.round)
        and is_further(probe)
        and probe.belief is not None
        and probe.prompt_hash == further_hash(turn, tuple(probe.belief.log_p))
    ]


def standing(turns: Sequence[Turn], recorded: Mapping[str, Turn]) -> set[str]:
    """The refs of the further probes on record that are of these turns."""
    further = [turn for turn in recorded.values() if is_further(turn)]
    spoken = [turn for turn in turns if speaks(turn)] if further else []
    return {probe.ref for turn in spoken for probe in further_probes(turn, further)}


def take_over(debate: Debate, last: Transcript, calls: Calls) -> None:
    """Know what further probes of this debate have scored, for cells that ask the same."""
    recorded = calls.all_recorded(debate.key).values()
    further = [turn for turn in recorded if is_further(turn)]
    for turn in last.turns if further else ():
        if speaks(turn) and turn.failure is None:
            subject = Subject(
                agent=debate.cell.agents[turn.agent],
                question=debate.question,
                turn=turn,
                request=debate.request(turn.ref),
                candidates=(),
            )
            note_recorded(calls.scores, subject, further)


def further_hash(turn: Turn, candidates: tuple[str, ...]) -> str:
    """What decides a further probe, as 32 hex digits: the turn's call and the candidates."""
    content = ENCODER.encode([turn.prompt_hash, "further", candidates])
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def note_recorded(scores: Scores, subject: Subject, recorded: Iterable[Turn]) -> set[str]:
    """Take over every score of the subject's turn that is on record; return the candidates."""
    turn, known = subject.turn, set[str]()
    for probe in (*_own(turn, recorded), *further_probes(turn, recorded)):
        if probe.belief is not None:
            note_scores(scores, subject, probe.belief)
            known |= set(probe.belief.log_p)
    return known


def _own(turn: Turn, recorded: Iterable[Turn]) -> Iterator[Turn]:
    """The debate's own probe of the turn's belief."""
    for probe in recorded:
        place = (probe.agent, probe.round, probe.kind, probe.about)
        if place == (turn.agent, turn.round, "probe", BELIEF.name):
            yield probe


async def probe_further(subject: Subject, number: int, *, client: Client, scores: Scores) -> Turn:
    """Score the subject's candidates as its further probe of this number, from 1.

    Raises EngineError where the call fails.
    """
    turn, about, started = subject.turn, f"{PREFIX}{number}", time.time()
    paid = Paid(client=client, probe=about, agent=subject.agent, scores=scores)
    found = (await belief(subject, BELIEF, paid)).belief
    if found is None:
        raise EngineError("no belief was found", boundary=turn.agent)
    begun = begin_probe(turn, about, further_hash(turn, tuple(found.log_p)))
    return replace(
        begun, belief=found, usage=paid.usage, started_at=started, finished_at=time.time()
    )


def next_number(turn: Turn, recorded: Iterable[Turn]) -> int:
    """The number of the turn's next further probe."""
    taken = [
        int((probe.about or "").removeprefix(PREFIX))
        for probe in recorded
        if is_further(probe) and (probe.agent, probe.round) == (turn.agent, turn.round)
    ]
    return max(taken, default=0) + 1
