"""What travels on the edges: protocols as short coroutines, ours and yours."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Mapping
from types import MappingProxyType

from debate.errors import ConfigError, suggestion
from debate.orchestrator.debate import Debate, Protocol
from debate.orchestrator.judging import cross_critique
from debate.types import AgentId, Turn


async def exchange(debate: Debate, author: AgentId, round: int) -> Turn | None:
    """Hear the critics' own latest answers, then answer again (Du et al. 2305.14325)."""
    heard = await debate.hear(author, round, debate.answer_of)
    return await debate.revise(author, round, heard)


async def critique(debate: Debate, author: AgentId, round: int) -> Turn | None:
    """Hear what each critic writes about one's latest answer, then answer again."""
    heard = await debate.hear(author, round, debate.critique_by)
    return await debate.revise(author, round, heard)


async def repeat(debate: Debate, author: AgentId, round: int) -> Turn | None:
    """Hear nothing and answer anew: the control for mere resampling."""
    return await debate.answer_anew(author, round)


async def restate(debate: Debate, author: AgentId, round: int) -> Turn | None:
    """Be told one's own last answer as somebody's: the control for ownership."""
    own = await debate.turn(author, round - 1)
    told = [] if own is None else [own]
    return await debate.answer_anew(author, round, told)


PROTOCOLS: Mapping[str, Protocol] = MappingProxyType(
    {
        "exchange": exchange,
        "critique": critique,
        "repeat": repeat,
        "restate": restate,
        "cross_critique": cross_critique,
    }
)


def find_protocol(name: str) -> Protocol:
    """A protocol by its name, or the coroutine function that `module.function` names.

    Raises ConfigError. A dotted name imports that module: only what the user names runs.
    """
    if name in PROTOCOLS:
        return PROTOCOLS[name]
    module, dot, function = name.rpartition(".")
    if not dot:
        raise ConfigError(f'protocol "{name}" is unknown; {suggestion(name, PROTOCOLS)}')
    try:
        found = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError) as cause:
        raise ConfigError(f'protocol "{name}" cannot be imported: {cause}') from None
    if not inspect.iscoroutinefunction(found):
        raise ConfigError(f'protocol "{name}" must be `async def` of (debate, author, round)')
    protocol: Protocol = found
    return protocol
