"""What must hold of the turns and verdicts of one debate, whoever wrote them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields

from debate.log.layout import Problem
from debate.types import DebateKey, Turn, Verdict


@dataclass(frozen=True, kw_only=True, slots=True)
class Expected:
    """What a run may contain; an empty collection means that nothing is known about it."""

    questions: Collection[str] = ()
    agents: Collection[str] = ()
    seeds: Collection[int] = ()


def debate_problems(
    debate: DebateKey, turns: Sequence[Turn], verdicts: Sequence[Verdict], expected: Expected
) -> Iterator[Problem]:
    """Everything wrong with one debate; `turns` and `verdicts` have distinct keys."""
    where = f'cell "{debate.cell}", question "{debate.question}", seed {debate.seed}'
    by_ref = {turn.ref: turn for turn in turns}
    for what in _unexpected_debate(debate, expected):
        yield Problem(place=where, what=what)
    for ref, turn in by_ref.items():
        for what in _turn_problems(turn, by_ref, expected):
            yield Problem(place=f"{where}, turn {ref}", what=what)
    for what in _verdict_problems(turns, verdicts):
        yield Problem(place=where, what=what)


def _unexpected_debate(debate: DebateKey, expected: Expected) -> Iterator[str]:
    if expected.questions and debate.question not in expected.questions:
        yield f'question "{debate.question}" is not among the run\'s questions'
    if expected.seeds and debate.seed not in expected.seeds:
        yield f"seed {debate.seed} is not among the manifest's seeds"


def _turn_problems(turn: Turn, by_ref: Mapping[str, Turn], expected: Expected) -> Iterator[str]:
    about = None if turn.kind == "probe" else turn.about  # a probe is about its estimator
    for agent in filter(None, (turn.agent, about)):
        if expected.agents and agent not in expected.agents:
            yield f'agent "{agent}" is not among the manifest\'s agents'
    yield from _round_problems(turn)
    yield from _hearing_problems(turn, by_ref)
    yield from _number_problems(turn)


def _round_problems(turn: Turn) -> Iterator[str]:
    if turn.round < 0:
        yield f"round {turn.round} is negative"
    if turn.kind == "opening" and turn.round != 0:
        yield f"an opening in round {turn.round}; openings are round 0"
    if turn.kind == "opening" and turn.heard:
        yield f"an opening heard {', '.join(turn.heard)}; openings are independent"


def _hearing_problems(turn: Turn, by_ref: Mapping[str, Turn]) -> Iterator[str]:
    for ref, times in Counter(turn.heard).items():
        heard = by_ref.get(ref)
        if times > 1:
            yield f"heard {ref} {times} times"
        if heard is None:
            yield f"heard {ref}, which does not exist"
        elif ref == turn.ref:
            yield "heard itself"
        elif heard.round > turn.round:
            yield f"heard {ref}, which is from a later round"
        elif heard.kind == "probe":
            yield f"heard {ref}, which is a probe; probes are heard by nobody"
        elif heard.failure is not None:
            yield f"heard {ref}, which failed"
        elif turn.ref in heard.heard:
            yield f"heard {ref}, which heard this turn"


def _number_problems(turn: Turn) -> Iterator[str]:
    usage = turn.usage
    for each in fields(usage):
        number = getattr(usage, each.name)
        if number is not None and not number >= 0:
            yield f"{each.name} is {number}"
    if (usage.cached_tokens or 0) > (usage.prompt_tokens or math.inf):
        yield f"cached_tokens {usage.cached_tokens} exceed prompt_tokens {usage.prompt_tokens}"
    for confidence in turn.confidences:
        if not 0 <= confidence.value <= 1:
            yield f"{confidence.source} confidence is {confidence.value}; it must be in [0, 1]"
    if turn.correct and turn.value is None:
        yield "counted as correct without an answer"
    if turn.is_cut and turn.finish_reason != "length":
        yield f"cut at a token limit, but its reply ended with {turn.finish_reason}"
    if turn.is_cut and turn.value is not None and turn.kind != "critique":
        yield f"cut before its answer was closed, but the answer is {turn.value!r}"


def _verdict_problems(turns: Sequence[Turn], verdicts: Sequence[Verdict]) -> Iterator[str]:
    rounds = {turn.round for turn in turns}
    for verdict in verdicts:
        if verdict.round not in rounds:
            yield f"{verdict.method} verdict on round {verdict.round}, which has no turns"
        if verdict.outcome == "correct" and verdict.value is None:
            yield f"{verdict.method} verdict on round {verdict.round} is correct without an answer"
    finals = Counter(verdict.method for verdict in verdicts if verdict.final)
    for method, count in finals.items():
        if count > 1:
            yield f"{count} final {method} verdicts"
