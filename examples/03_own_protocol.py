"""A protocol of one's own: hear only those critics that are surer than oneself."""

import sys
import tempfile
from pathlib import Path

import debate
from debate.orchestrator import Debate, Heard
from debate.types import AgentId, Turn


async def defer_to_the_surer(table: Debate, author: AgentId, round: int) -> Turn | None:
    """Hear the critics' latest answers, and revise only in the light of the surer ones."""
    own = await table.turn(author, round - 1)
    heard = await table.hear(author, round, table.answer_of)
    limit = (own.confidence() if own else None) or 0.0
    surer = tuple(turn for turn in heard.turns if (turn.confidence() or 0.0) > limit)
    return await table.revise(author, round, Heard(turns=surer, late=heard.late))


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    run = debate.run(
        {
            "agents": [
                {"id": "bold", "model": {"engine": "simulated", "confidence_bias": 1.5}},
                {"id": "shy", "model": {"engine": "simulated", "confidence_bias": -1.5}},
            ],
            "topology": "pairwise",
            "protocol": f"{Path(__file__).stem}.defer_to_the_surer",
            "task": {"generator": "arithmetic", "n": 100},
            "rounds": 2,
        },
        out=f"{tempfile.mkdtemp()}/run",
        quiet=True,
    )
    revisions = run.turns().filter(kind="revision")
    print(revisions.group_by("agent").len().sort("agent"))
