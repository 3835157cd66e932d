"""A probe of one's own: ask in private how sure the agent is, in words, and read a number."""

import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import debate
from debate.agents.probes import CallModel, ProbeFinding, ProbeSubject
from debate.config.protocol import ProbeSpec
from debate.types import Confidence, Message

WORDS = {"certain": 0.95, "fairly sure": 0.75, "unsure": 0.4}


async def in_words(subject: ProbeSubject, spec: ProbeSpec, ask: CallModel) -> ProbeFinding:
    """Ask for one of three words, and take each for a confidence."""
    asked = Message(role="user", content=f"How sure are you? Say one of {', '.join(WORDS)}.")
    said = Message(role="assistant", content=subject.turn.text)
    reply = await ask(replace(subject.request, messages=(*subject.request.messages, said, asked)))
    value = next((value for word, value in WORDS.items() if word in reply.text), None)
    found = None if value is None else Confidence(source="in_words", value=value)
    return ProbeFinding(confidence=found, text=reply.text)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    sayings = {"bold": "I am certain.\nAnswer: 7", "shy": "I am unsure.\nAnswer: 8"}
    agents = [
        {"id": name, "model": {"engine": "scripted", "replies": text}}
        for name, text in sayings.items()
    ]
    task = {"generator": "arithmetic", "n": 5}
    probes = [f"{Path(__file__).stem}.in_words"]
    config = {"agents": agents, "topology": "pairwise", "task": task, "rounds": 1, "probes": probes}
    run = debate.run(config, out=f"{tempfile.mkdtemp()}/run", quiet=True)
    print(run.trajectories().group_by("agent").agg("confidence_in_words").sort("agent"))
