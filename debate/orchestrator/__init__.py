"""Rounds as coroutines, and the verdicts on them."""

from debate.orchestrator.debate import Debate, Heard, Protocol

__all__ = ["Debate", "Heard", "Protocol"]
