"""A decision rule of one's own: the votes of those who are sure count twice."""

import sys
import tempfile
from pathlib import Path

import debate
from debate.config.protocol import DecisionSpec
from debate.orchestrator.decision_rules import Ballots, VoteCount


def trust_the_sure(spec: DecisionSpec, ballots: Ballots) -> VoteCount:
    """Count the votes by answer, those of confidence above 0.8 twice."""
    poll = ballots.poll(ballots.turns)
    tally: dict[str, float] = {}
    for vote in poll.votes:
        weight = 2.0 if (vote.turn.confidence() or 0.0) > 0.8 else 1.0
        tally[vote.answer] = tally.get(vote.answer, 0.0) + weight
    return VoteCount(tally=tally, poll=poll)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    run = debate.run(
        {
            "agents": [{"id": name, "model": {"engine": "simulated"}} for name in "abcd"],
            "topology": "ring",
            "task": {"generator": "arithmetic", "n": 50},
            "rounds": 1,
            "sweep": {"decision": ["majority", f"{Path(__file__).stem}.trust_the_sure"]},
        },
        out=f"{tempfile.mkdtemp()}/run",
        quiet=True,
    )
    print(run.verdicts().group_by("method", "outcome").len().sort("method", "outcome"))
