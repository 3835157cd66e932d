"""Debates as coroutines: their turns, their probes, and the verdicts on their rounds."""

from debate.orchestrator.condition import Protocol
from debate.orchestrator.debate import Debate, Heard

__all__ = ["Debate", "Heard", "Protocol"]
