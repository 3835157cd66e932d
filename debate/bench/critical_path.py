"""The least time that a debate can take: the longest chain of calls that wait for one another."""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence

from debate.types import DebateKey, Turn

Latency = Callable[[Turn], float]
SPOKEN = ("opening", "revision", "judgment")


def by_debate(turns: Sequence[Turn]) -> dict[DebateKey, list[Turn]]:
    """The turns of each debate."""
    found: dict[DebateKey, list[Turn]] = {}
    for turn in turns:
        found.setdefault(turn.debate, []).append(turn)
    return found


def critical_path_s(turns: Sequence[Turn], latency_s: Latency) -> float:
    """Seconds that one debate takes if each of its calls starts as soon as it can.

    A turn waits for the turns that it heard and for its agent's own turns of earlier rounds, since
    all of these stand in its prompt. `latency_s` says how long each call takes.

    >>> def turn(agent, round, *heard):
    ...     kind = "revision" if round else "opening"
    ...     return Turn(cell="m", question="q", seed=0, round=round, kind=kind, agent=agent,
    ...                 model=agent, heard=heard)
    >>> slow = {"a": 1.0, "b": 0.25}
    >>> critical_path_s([turn("a", 0), turn("b", 0), turn("b", 1, "0:opening:a")],
    ...                 lambda turn: slow[turn.agent])
    1.25
    """
    by_ref = {turn.ref: turn for turn in turns}
    finished: dict[str, float] = {}

    def finish(ref: str) -> float:
        if ref not in finished:
            before = waits_for(by_ref[ref], by_ref)
            finished[ref] = max(map(finish, before), default=0.0) + latency_s(by_ref[ref])
        return finished[ref]

    return max(map(finish, by_ref), default=0.0)


def waits_for(turn: Turn, known: Container[str]) -> list[str]:
    """The refs of the turns that had to be there before this one could be asked for."""
    own = [f"{round}:{kind}:{turn.agent}" for round in range(turn.round) for kind in SPOKEN]
    return [ref for ref in (*turn.heard, *own) if ref in known]


def spans_s(turns: Sequence[Turn]) -> dict[DebateKey, float]:
    """Seconds that each debate took, from its first call to its last turn's end."""
    return {
        debate: max(t.finished_at for t in own) - min(t.started_at for t in own)
        for debate, own in by_debate(turns).items()
    }


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of all values does not exceed.

    >>> quantile([3, 1, 2, 4], 0.5), quantile([3, 1, 2, 4], 0.95)
    (2, 4)
    """
    ordered = sorted(values)
    rank = max(1, -(-round(share * 1e9) * len(ordered) // 10**9))
    return ordered[rank - 1]
