"""One call to each endpoint before a run, so that what is wrong is told at once, and in words."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from urllib.parse import urlsplit, urlunsplit

from rich.console import Console

from debate.agents.agent import Agent, make_sampling
from debate.config.models import OpenaiModel
from debate.config.secrets import redact_text
from debate.engines.addresses import make_address
from debate.engines.base import Completion, Request
from debate.engines.client import ModelClient
from debate.engines.dialects import DIALECTS, guess_from_url
from debate.errors import BudgetSpent, ModelRefused
from debate.log.manifest import TrialCall
from debate.runner.plan import Plan
from debate.text import clean, format_count
from debate.types import Message, Usage

ASKED = "This is a test. Reply with the one word: ready"


class Preflight:
    """Tries the endpoints of a plan, and keeps what the calls that were answered cost, by model."""

    def __init__(self, plan: Plan, console: Console, *, quiet: bool) -> None:
        self._plan = plan
        self._console = console
        self._quiet = quiet
        self.usages: dict[str, Usage] = {}

    async def __call__(self, clients: Mapping[str, ModelClient]) -> None:
        """Make one call to each, all at once.

        Raises ModelRefused with a line for each failure, BudgetSpent where a call does not fit.
        """
        agents = choose_agents(self._plan)
        replies = await asyncio.gather(
            *(_try(client, make_request(name, agents[name])) for name, client in clients.items())
        )
        tried = dict(zip(clients, replies, strict=True))
        found = {name: reply for name, reply in tried.items() if isinstance(reply, Completion)}
        for name, reply in found.items():
            if reply.failure is None:
                self.usages[name] = reply.usage
                if not self._quiet:
                    told = clean(describe_answer(name, reply))
                    is_file = not self._console.is_terminal
                    self._console.print(told, markup=False, highlight=False, soft_wrap=is_file)
        if failed := {name: reply for name, reply in found.items() if reply.failure}:
            raise ModelRefused(self._describe_failures(failed), boundary="preflight")
        for spent in replies:
            if isinstance(spent, BudgetSpent):
                raise spent

    @property
    def trial_calls(self) -> list[TrialCall]:
        """The calls as the manifest records them."""
        return [
            TrialCall(
                model=name,
                prompt_tokens=usage.prompt_tokens,
                generated_tokens=usage.generated_tokens,
            )
            for name, usage in self.usages.items()
        ]

    def _describe_failures(self, failed: Mapping[str, Completion]) -> str:
        specs = self._plan.models
        lines = []
        for name, reply in failed.items():
            assert reply.failure is not None
            spec = specs[name]
            assert isinstance(spec, OpenaiModel)
            lines.append(describe_failure(name, spec, reply.failure.message))
        noun = "model" if len(lines) == 1 else "models"
        head = f"{len(lines)} {noun} did not answer before the run, so nothing else was asked"
        return "\n".join([f"{head} (--no-preflight goes without this call):", *lines])


async def _try(client: ModelClient, request: Request) -> Completion | BudgetSpent:
    try:
        return await client.complete(request)
    except BudgetSpent as spent:
        return spent


def choose_agents(plan: Plan) -> dict[str, Agent]:
    """Choose for each model the agent whose calls have the most parameters, or the most tokens."""
    chosen: dict[str, Agent] = {}
    agents = {agent.id: agent for cell in plan.cells for agent in cell.agents.values()}
    for agent in sorted(agents.values(), key=_rank):
        chosen[agent.spec.model] = agent
    return chosen


def _rank(agent: Agent) -> tuple[int, int, str]:
    sampling = agent.sampling
    given = (sampling.temperature, sampling.top_p, sampling.top_k, sampling.max_tokens)
    num = sum(value is not None for value in given) + len(sampling.stop) + len(sampling.extra)
    num += bool(sampling.temperature) + bool(agent.system_messages)
    return num, sampling.max_tokens or 0, agent.id


def make_request(model: str, agent: Agent) -> Request:
    """Make the smallest call with the parameters of the agent's own calls."""
    asked = Message(role="user", content=ASKED)
    return Request(
        id=f"preflight/{model}",
        messages=(*agent.system_messages, asked),
        sampling=make_sampling(agent, 0),
        is_preflight=True,
    )


def describe_answer(name: str, reply: Completion) -> str:
    """Say in a line that a model answered, what that took, and what was done otherwise."""
    usage = reply.usage
    known = (usage.prompt_tokens, "prompt"), (usage.generated_tokens, "generated")
    counts = [f"{format_count(num)} {what} tokens" for num, what in known if num is not None]
    parts = [f"{usage.running_s or 0.0:.1f} s", *counts, *reply.notes]
    return f"preflight: model {name} answers ({', '.join(parts)})"


def describe_failure(name: str, spec: OpenaiModel, message: str) -> str:
    """Say in one line which model did not answer, where it is, in the server's words, and why.

    Keys in it are hidden.
    """
    told = " ".join(message.split())
    hint = find_hint(spec, told)
    where = f'  {name} ("{spec.model}" at {spec.url})'
    return redact_text(f"{where}: {told}" + (f"; {hint}" if hint else ""))


def find_hint(spec: OpenaiModel, message: str) -> str | None:
    """Find what would help against a failure; None where its own words say all."""
    status = re.match(r"HTTP (\d+)", message)
    code = int(status[1]) if status else 0
    if code in (401, 403):
        if spec.api_key_env is None:
            return "no key was sent; api_key_env names the variable that holds it"
        return f"the key came from {spec.api_key_env} (api_key_env)"
    if code in (404, 405):
        return _describe_path(spec)
    if message.startswith("cannot connect"):
        return "is the server running, and is url right?"
    if message.startswith(("no connection", "no reply within")):
        return "is url right, and is the server ready?"
    return None


def _describe_path(spec: OpenaiModel) -> str:
    """Say which path was asked, and that of a version where the url has no path at all."""
    dialect = guess_from_url(spec.url) if spec.dialect == "auto" else DIALECTS.get(spec.dialect)
    asked = urlsplit(make_address(spec.url, spec.model, dialect).chat).path
    told = f"the path asked was {asked}; check url and model: {spec.url} and {spec.model!r}"
    parts = urlsplit(spec.url)
    if parts.path.strip("/") or (dialect is not None and dialect.name == "azure"):
        return told
    return f"{told}; most servers have a version in it: {urlunsplit(parts._replace(path='/v1'))}"
