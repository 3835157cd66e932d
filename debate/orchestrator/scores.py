"""What candidates were scored at, by what they were scored after: each pair is asked about once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

from debate.errors import EngineError
from debate.orchestrator.promise import Promise

Ask = Callable[[tuple[str, ...]], Awaitable[Sequence[float]]]
"""Scores candidates, in their order, by a call made now."""


class Scores:
    """Log-probabilities (nats) of candidate replies, for all cells of one question and seed.

    A context is the digest of all that a candidate's score depends on but the candidate.
    """

    def __init__(self) -> None:
        self._known: dict[str, dict[str, Promise[float]]] = {}

    def note(self, context: str, log_p: Mapping[str, float]) -> None:
        """Take over what is on record; a score that is known already stands."""
        known = self._known.setdefault(context, {})
        for candidate, score in log_p.items():
            if candidate not in known:
                known[candidate] = Promise.kept(score)

    def missing(self, context: str, candidates: Sequence[str]) -> tuple[str, ...]:
        """The candidates that nobody has scored, nor is about to."""
        known = self._known.get(context, {})
        return tuple(candidate for candidate in dict.fromkeys(candidates) if candidate not in known)

    async def of(self, context: str, candidates: Sequence[str], ask: Ask) -> dict[str, float]:
        """The scores of all candidates; `ask` is given those that are missing, if any.

        Raises what `ask` raises, also to others who wait for its scores; they are then missing
        again.
        """
        known = self._known.setdefault(context, {})
        missing = self.missing(context, candidates)
        wanted = {candidate: known.setdefault(candidate, Promise()) for candidate in candidates}
        if missing:
            await self._ask(known, missing, ask)
        return {candidate: await promise for candidate, promise in wanted.items()}

    async def _ask(
        self, known: dict[str, Promise[float]], missing: tuple[str, ...], ask: Ask
    ) -> None:
        try:
            scores = await ask(missing)
        except BaseException as error:
            told = error if isinstance(error, Exception) else EngineError("a call was given up")
            for candidate in missing:
                known.pop(candidate).fail(told)
            raise
        for candidate, score in zip(missing, scores, strict=True):
            known[candidate].keep(score)
