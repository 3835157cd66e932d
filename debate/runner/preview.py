"""What a run would ask, before anything is asked: prompts, tokens, price, and what it could show.

A debate is held without models, in which a placeholder stands for each reply.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from rich.console import Console

from debate.agents.views import estimate_tokens
from debate.analysis.power import find_detectable_change
from debate.config.models import LocalWeights, ModelSpec, OpenaiModel
from debate.config.secrets import redact_text
from debate.engines.addresses import make_address
from debate.engines.base import Request
from debate.engines.dialects import DIALECTS, guess_from_url
from debate.engines.registry import get_capabilities
from debate.errors import EngineError
from debate.interrupts import run_to_end
from debate.log.spend import CallSize
from debate.orchestrator.call_store import CallStore, PendingTurn
from debate.orchestrator.condition import Condition
from debate.orchestrator.debate import Debate
from debate.orchestrator.protocols import PROTOCOLS
from debate.orchestrator.question import run_debate
from debate.runner.offline import FULL_LENGTH, NullLog
from debate.runner.plan import Plan
from debate.runner.tariff import Tariff
from debate.tasks.loading import describe_target
from debate.text import clean, count_noun, format_percent, join_names, shorten
from debate.types import Answer, Question, Turn, states_answer

REPLY_TOKENS = 150
"""The length of a reply that estimates suppose, where the agent's limit is not lower."""
DISCORDANCE = 0.2
"""The share of questions whose outcome changes that the smallest change to be seen supposes."""
MAX_LINES = 30
"""Lines of a prompt that are shown."""
MAX_FIRST_LINES = 6
"""Lines of the first message that are shown where no prompts are asked for."""
_COMPETENCE = 0.6


@dataclass(frozen=True, kw_only=True)
class ShownPrompt:
    """The prompt of one kind of turn, and the agents that are given it so."""

    kind: str
    agents: tuple[str, ...]
    request: Request


class _Placeholders(CallStore):
    """Puts a placeholder in place of each reply, and notes the size of every call.

    length: of a reply, in characters.
    """

    def __init__(self, length: int = 0) -> None:
        log = NullLog()
        super().__init__(clients={}, log=log, watcher=log)
        self._length = length

    async def get_or_compute(self, draft: PendingTurn) -> Turn:
        """Return the turn with an answer that nobody else gives."""
        turn = draft.turn
        told = f"(the reply of {turn.agent} stands here)".ljust(self._length, ".")
        answer = Answer(value=f"(the answer of {turn.agent})") if states_answer(turn) else None
        return replace(turn, text=told, answer=answer)


def preview_turns(
    cell: Condition, question: Question, seed: int, *, rounds: int, length: int = 0
) -> list[tuple[Turn, Request]]:
    """Hold a debate of so many rounds without models; return its turns with their requests.

    length: of a placeholder for a reply, in characters.
    """
    whole = replace(
        cell,
        spec=cell.spec.model_copy(update=FULL_LENGTH),
        rounds=min(rounds, cell.rounds),
        probes=(),
        score=lambda value, question: None,
        normalise=lambda value, question: value,
    )

    async def hold() -> list[tuple[Turn, Request]]:
        debate = Debate(question, whole, _Placeholders(length), seed=seed)
        last = [transcript async for transcript in run_debate(debate)][-1]
        return [(turn, debate.request(turn.ref)) for turn in last.turns]

    try:
        return run_to_end(hold())
    except Exception:
        if cell.spec.name in PROTOCOLS:
            raise
        return []  # a protocol of others may need more than placeholders


def preview_prompts(plan: Plan, cell: Condition) -> list[ShownPrompt]:
    """Return the first prompt of each kind that each agent of a cell is given, alike ones once."""
    turns = preview_turns(cell, plan.questions[0], plan.spec.seeds[0], rounds=1)
    found: dict[tuple[str, str], Request] = {}
    for turn, request in turns:
        found.setdefault((turn.kind, turn.agent), request)
    alike: dict[tuple[str, object], list[str]] = {}
    for (kind, agent), request in found.items():
        alike.setdefault((kind, (request.messages, request.prefill)), []).append(agent)
    return [
        ShownPrompt(kind=kind, agents=tuple(agents), request=found[kind, agents[0]])
        for (kind, _), agents in alike.items()
    ]


def estimate_sizes(plan: Plan, reply_tokens: int = REPLY_TOKENS) -> Mapping[str, CallSize]:
    """Estimate the tokens of all turns by model, probes left out, each reply being so long.

    Debates go their full length; what turns ask alike counts once. People take no tokens.
    """
    seed, question = plan.spec.seeds[0], plan.questions[0]
    sizes: dict[str, CallSize] = {}
    seen: set[str] = set()
    for cell in plan.cells:
        per_token = max(a.prompts.spec.chars_per_token for a in cell.agents.values())
        length = int(reply_tokens * per_token)
        for turn, request in preview_turns(cell, question, seed, rounds=cell.rounds, length=length):
            if turn.prompt_hash in seen:
                continue
            seen.add(turn.prompt_hash)
            agent = cell.agents[turn.agent]
            if agent.capabilities.human:
                continue
            generated = min(reply_tokens, agent.spec.sampling.max_tokens or reply_tokens)
            size = CallSize(1, estimate_tokens(agent, request.messages), generated)
            model = agent.spec.model
            sizes[model] = sizes.get(model, CallSize()).plus(size)
    num = len(plan.questions) * len(plan.spec.seeds)
    return {name: CallSize(*(each * num for each in size)) for name, size in sizes.items()}


def describe_size(plan: Plan) -> list[str]:
    """Return lines on the tokens and the price that are to be expected."""
    sizes = estimate_sizes(plan)
    prompt = sum(size.prompt_tokens for size in sizes.values())
    generated = sum(size.generated_tokens for size in sizes.values())
    lines = [
        f"tokens: about {prompt:,} of prompts and {generated:,} of replies, if each reply has "
        f"{REPLY_TOKENS} (or its agent's `max_tokens`); without probes"
    ]
    priced = [name for name, spec in plan.models.items() if spec.price is not None]
    if priced:
        tariff = Tariff(budget=plan.spec.budget, models=plan.models)
        dollars = sum((tariff.price(n, sizes[n])["dollars"] for n in sizes), Decimal(0))
        lines.append(f"price: about ${dollars:,.2f} (US dollars), for {', '.join(priced)}")
    return [*lines, *describe_unpriced(plan)]


def describe_unpriced(plan: Plan) -> list[str]:
    """Return a line on endpoints without a price, and how it is set; none where all have one."""
    free = [
        clean(name)
        for name, spec in plan.models.items()
        if isinstance(spec, OpenaiModel) and spec.price is None
    ]
    if not free:
        return []
    return [
        f"price: not known of {', '.join(free)}; set it in the model, as in "
        "`price: {prompt: 0.15, generated: 0.60}`, in US dollars per million tokens"
    ]


def describe_detectable(plan: Plan) -> str:
    """Return the smallest change of the vote's accuracy that so many questions are likely to show.

    Seeds are not counted: they ask the same questions.
    """
    num = len(plan.questions)
    change = find_detectable_change(num, discordance=DISCORDANCE)
    supposed = f"if the outcome of {DISCORDANCE:.0%} of questions changes"
    if change is None:
        return (
            f"too few to show any change of the vote's accuracy in 80 % of runs: "
            f"{count_noun(num, 'question')}, {supposed} (`debate power` says what a pilot's "
            "numbers need)"
        )
    return (
        f"smallest change of the vote's accuracy that {num:,} questions show in 80 % of runs: "
        f"{change:.3f}, {supposed} (`debate power` computes it from a pilot)"
    )


def find_ties(plan: Plan) -> list[str]:
    """Return a warning for cells in which majorities of an even number of voters may tie."""
    cells: dict[int, list[str]] = {}
    for cell in plan.cells:
        if cell.decision.name == "majority" and len(cell.voters) % 2 == 0:
            cells.setdefault(len(cell.voters), []).append(cell.name)
    return [_describe_tie(num, names) for num, names in sorted(cells.items()) if num]


def _describe_tie(num: int, cells: Sequence[str]) -> str:
    p = _COMPETENCE
    share = math.comb(num, num // 2) * (p * (1 - p)) ** (num // 2)
    return (
        f"warning: {num} voters and `majority` (arm {', '.join(cells)}): a tie has no verdict. "
        f"Of voters that are each right in {p:.0%} of cases, independently of each other, "
        f"{format_percent(share)} of openings tie, more where wrong answers differ. An odd number "
        "of voters, or `decision: confidence_weighted`, avoids it"
    )


def find_unsure_arms(plan: Plan) -> list[str]:
    """Return a warning for arms in which no confidence is asked for, and engines may give none."""
    asked = [cell for cell in plan.cells if not (plan.spec.probes or cell.spec.show_confidence)]
    sources = {
        cell.name: {_give_log_p(plan.spec.models[a.spec.model]) for a in cell.agents.values()}
        for cell in asked
    }
    never = [name for name, found in sources.items() if found == {False}]
    maybe = [name for name, found in sources.items() if None in found and True not in found]
    told = (
        (never, "warning: no confidence will be recorded"),
        (maybe, "confidence will be recorded only where endpoints give log-probabilities"),
    )
    return [
        f"{what} (arm {join_names(names)}), so nothing on over-confidence, error amplification "
        f"or calibration{' otherwise' * (names is maybe)}; `probes: [verbal]` asks for it"
        for names, what in told
        if names
    ]


def _give_log_p(spec: ModelSpec) -> bool | None:
    """Whether a model's engine gives log-probabilities; None where its endpoint decides."""
    if not get_capabilities(spec).logprobs:
        return False
    if not isinstance(spec, OpenaiModel):
        return True
    dialect = DIALECTS.get(spec.dialect) or guess_from_url(spec.url)
    return False if dialect is not None and "logprobs" in dialect.lacks else None


def describe_model(name: str, spec: ModelSpec) -> str:
    """Return a line on a model: engine, where it is, and its key's variable, never the value."""
    told = f"{clean(name)}: {spec.engine}"
    if isinstance(spec, LocalWeights):
        adapter = f" with adapter {clean(spec.adapter)}" if spec.adapter else ""
        return f"{told}, {clean(spec.weights)}{adapter}"
    if not isinstance(spec, OpenaiModel):
        return told
    told = f"{told}, {clean(spec.model)} at {clean(redact_text(spec.url))}"
    try:
        make_address(spec.url, spec.model, None)
    except EngineError as error:
        return f"{told}; WARNING: {clean(redact_text(str(error)))}"
    if spec.api_key_env is None:
        return f"{told}, without a key (`api_key_env: NAME` names the variable of one)"
    is_set = bool(os.environ.get(spec.api_key_env))
    state = "is set" if is_set else "IS NOT SET: export it before the run"
    return f"{told}, key from ${clean(spec.api_key_env)}, which {state}"


def print_question(plan: Plan, console: Console) -> None:
    """Print the first question as it was read, with its target and how that was written."""
    question = plan.questions[0]
    console.rule("the first question, as it is read")
    _say(
        f"id {question.id}, {question.kind}: {shorten(' '.join(question.text.split()), 400)}",
        console,
    )
    for letter, option in zip("ABCDEFGHIJKLMNOPQRSTUVWXYZ", question.options, strict=False):
        _say(f"  {letter}. {shorten(option, 120)}", console)
    _say(describe_target(plan.spec.task, question), console)


def print_prompts(plan: Plan, console: Console, *, whole: bool = False) -> None:
    """Print what is asked in the first arm with revisions; `whole`: in all, without a limit."""
    first = next((cell for cell in plan.cells if cell.rounds), plan.cells[0])
    for cell in plan.cells if whole else (first,):
        for shown in preview_prompts(plan, cell):
            who = ", ".join(shown.agents)
            console.rule(f"{shown.kind} of {clean(who)} (arm {clean(cell.name)})")
            _say("\n".join(_list_lines(shown.request, whole=whole)), console)
    if not whole and len(plan.cells) > 1:
        _say("--prompts shows those of all arms", console)


def print_first_prompt(plan: Plan, console: Console) -> None:
    """Print the end of what is asked first: its last message, and how much stands before it."""
    first = next((cell for cell in plan.cells if cell.rounds), plan.cells[0])
    shown = next(iter(preview_prompts(plan, first)))
    *before, last = shown.request.messages
    console.rule(f"{shown.kind} of {clean(', '.join(shown.agents))} (arm {clean(first.name)})")
    if before:
        _say(f"({count_noun(len(before), 'message')} before it; --prompts shows all)", console)
    lines = [f"[{last.role}]", *last.content.splitlines()]
    head, left = MAX_FIRST_LINES // 2, len(lines) - MAX_FIRST_LINES
    if left > 1:
        gap = f"({left} more lines; --prompts shows all)"
        lines = [*lines[:head], gap, *lines[head - MAX_FIRST_LINES :]]
    _say("\n".join(lines), console)


def _list_lines(request: Request, *, whole: bool) -> list[str]:
    lines = []
    for message in request.messages:
        lines += [f"[{message.role}]", *message.content.splitlines()]
    if request.prefill:
        lines += ["[assistant, to be continued]", request.prefill]
    if whole or len(lines) <= MAX_LINES:
        return lines
    left = len(lines) - MAX_LINES
    head = MAX_LINES // 2
    gap = f"({left} more lines; --prompts shows all)"
    return [*lines[:head], gap, *lines[-(MAX_LINES - head) :]]


def _say(text: str, console: Console) -> None:
    console.print(clean(text, keep="\n"), markup=False, highlight=False)
