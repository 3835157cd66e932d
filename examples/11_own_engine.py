"""An engine of one's own: a model that always gives the same number."""

import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import debate
from debate.engines.base import Capabilities, Completion, Request, complete_concurrently


class StubbornEngine:
    """Replies with one number, whatever it hears."""

    capabilities = Capabilities()

    def __init__(self, *, number: int = 7) -> None:
        self.number = number

    async def start(self) -> None:
        """Load nothing."""

    close = start

    def complete(self, requests: Sequence[Request]) -> AsyncIterator[Sequence[Completion]]:
        return complete_concurrently(requests, self.complete_one)

    async def complete_one(self, request: Request) -> Completion:
        return Completion(id=request.id, text=f"Answer: {self.number}", finish_reason="stop")


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    own = {"engine": f"{Path(__file__).stem}.StubbornEngine", "options": {"number": 12}}
    agents = [{"id": "own", "model": own}, {"id": "sim", "model": {"engine": "simulated"}}]
    task = {"generator": "arithmetic", "n": 20}
    config = {"agents": agents, "topology": "pairwise", "task": task, "rounds": 1}
    run = debate.run(config, out=f"{tempfile.mkdtemp()}/run", quiet=True)
    print(run.turns().filter(answer="12").group_by("agent", "round").len().sort("agent", "round"))
