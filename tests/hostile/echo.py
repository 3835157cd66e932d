"""Debates in memory whose every request is kept: what agents saw, all of it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

from debate.config.loader import load_run
from debate.engines.base import Completion, Request
from debate.engines.validation import validate_completion
from debate.orchestrator.call_store import CallStore
from debate.orchestrator.condition import Condition
from debate.runner.plan import make_plan
from debate.types import DebateKey, Turn, Usage, Verdict

ROLES = {"a": "debater", "b": "debater", "c": "debater", "k": "critic", "j": "judge"}


def cells_of(
    *, prompts: str, protocol: str, probes: Sequence[Any] = (), **fields: Any
) -> tuple[Condition, ...]:
    """Three debaters who hear one another, a judge, and under `critique` a critic."""
    speakers = [name for name in ROLES if name != "k" or protocol == "critique"]
    edges = ["debaters <-> debaters", "each debaters -> itself", "judges -> debaters"]
    edges += ["k -> debaters"] if "k" in speakers else []
    model = {"engine": "transformers", "model": "nobody/nothing"}
    config = {
        "models": {"m": model},
        "agents": [
            {"id": name, "model": "m", "role": ROLES[name], "prompts": prompts, "persona": "a cat"}
            for name in speakers
        ],
        "topology": {"edges": edges},
        "task": {"generator": "arithmetic", "n": 1},
        "rounds": 1 if protocol == "cross_critique" else 2,
        "protocol": {"name": protocol, "show_confidence": prompts == "chat"},
        "probes": list(probes),
        **fields,
    }
    return make_plan(load_run(config)).cells


class Everything:
    """Says one thing, or what a function makes of the prompt; keeps every request."""

    def __init__(self, said: str | Callable[[Request], str]) -> None:
        self._said = said
        self.requests: list[Request] = []

    async def complete(self, request: Request) -> Completion:
        self.requests.append(request)
        if request.candidates:
            scores = tuple(-_draw(request, candidate) for candidate in request.candidates)
            return Completion(id=request.id, candidate_log_p=scores, usage=Usage())
        text = self._said if isinstance(self._said, str) else self._said(request)
        return validate_completion(
            Completion(id=request.id, text=text, finish_reason="stop"), request, "echo"
        )


def _draw(request: Request, what: str) -> float:
    content = repr((request.messages, request.prefill, what)).encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(content, digest_size=2).digest(), "big") / 2**14


def answer_by_prompt(request: Request) -> str:
    """An answer, a confidence and a verdict that depend on the prompt alone."""
    drawn = int(1000 * _draw(request, "answer"))
    verdict = ("correct", "incorrect")[drawn % 2]
    return f"I think.\nAnswer: {drawn % 7}\nConfidence: {drawn % 101}%\nVerdict: {verdict}"


def choice_by_prompt(request: Request) -> str:
    """The same with a letter, which number and text questions take for an odd text."""
    said, drawn = answer_by_prompt(request), int(1000 * _draw(request, "answer"))
    return said.replace(f"Answer: {drawn % 7}", f"Answer: {'ABCD'[drawn % 4]}")


def compact_by_prompt(request: Request) -> str:
    """The same in the organisms' format."""
    drawn = int(1000 * _draw(request, "answer"))
    return f"{drawn % 7}\nV{'yn'[drawn % 2]}\n"


class _Nowhere:
    """A log that has nothing, keeps nothing but verdicts, and a watcher that looks away."""

    def __init__(self) -> None:
        self.verdicts: list[Verdict] = []

    def recorded(self, debate: DebateKey) -> dict[str, Turn]:
        return {}

    def queue(self, turn: Turn) -> None:
        return

    async def append_verdicts(self, verdicts: Sequence[Verdict]) -> None:
        self.verdicts += verdicts

    def prune(self, debate: DebateKey, *, turns: Collection[str], rounds: Collection[int]) -> None:
        return

    def on_turn(self, turn: Turn, *, replayed: bool) -> None:
        return

    def on_verdicts(self, verdicts: Sequence[Verdict]) -> None:
        return


class _One(Mapping[str, Everything]):
    """The same client for every model."""

    def __init__(self, client: Everything) -> None:
        self._client = client

    def __getitem__(self, name: str) -> Everything:
        return self._client

    def __iter__(self) -> Iterator[str]:
        return iter(["m"])

    def __len__(self) -> int:
        return 1


def calls_to(client: Everything) -> CallStore:
    """Calls that all go to one client."""
    nowhere = _Nowhere()
    return CallStore(clients=_One(client), log=nowhere, watcher=nowhere)
