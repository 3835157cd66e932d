"""What was run: questions, models, arms, prompts, claims and versions, before any number."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import polars as pl

from debate.analysis.design import KNOW_TRUTH
from debate.report.conditions import describe_condition, describe_model, describe_sampling
from debate.report.data import ReportData
from debate.report.glossary import list_values
from debate.report.transcripts import format_question, format_text
from debate.text import clean, count_noun, join_names, shorten
from debate.types import Message

NUM_EXAMPLES = 3
"""Questions that are shown with their targets."""
MAX_QUESTION_CHARACTERS, MAX_PROMPT_CHARACTERS = 1_500, 12_000
READS_NO_PROMPT = ("scripted", *KNOW_TRUTH)
"""Engines whose replies depend on no prompt and no sampling."""
VERSIONS = ("debate-lab", "transformers", "torch", "vllm", "openai", "ray")
"""Packages that decide what models say, where a run's environment lists them."""


class ExampleQuestion(NamedTuple):
    """A question as it was asked, its target, and its category where it has one."""

    text: str
    target: str
    category: str


class Row(NamedTuple):
    """A name and what is to be said of it; more: a second sentence."""

    name: str
    told: str
    more: str = ""


class ShownPrompt(NamedTuple):
    """The heading of a prompt, and its messages as pairs of role and text."""

    title: str
    messages: tuple[tuple[str, str], ...]


def describe_run(report: ReportData) -> dict[str, Any]:
    """Return the values of the template `run.html`: everything that was decided before the run."""
    spec: Mapping[str, Any] = report.manifest.spec if report.manifest else {}
    return {
        "questions": _describe_questions(report, spec),
        "examples": tuple(_pick_questions(report)),
        "agents": tuple(_describe_agents(report, spec)),
        "arms": tuple(_describe_arms(report, spec)),
        "hypotheses": tuple(_describe_hypotheses(spec)),
        "facts": tuple(_describe_settings(report, spec)),
        "prompts": tuple(_show_prompts(report)),
        "is_table": report.manifest is None,
    }


def _describe_questions(report: ReportData, spec: Mapping[str, Any]) -> str:
    """One sentence: how many questions, from where."""
    num = report.states["question"].n_unique()
    task = spec.get("task") or {}
    source = task.get("dataset") or task.get("generator") or task.get("path")
    told = count_noun(num, "question")
    if source:
        told += f" of {shorten(str(source).rsplit('/', 1)[-1])}"
    if families := task.get("families"):
        told += f" ({', '.join(map(str, families))})"
    return f"{clean(told)}."


def _pick_questions(report: ReportData) -> Iterator[ExampleQuestion]:
    """The first question of each category, then others in their order, three in all."""
    rows = report.states.group_by("question", maintain_order=True).agg(pl.col("target").first())
    asked = [(report.find_question(q), q, target) for q, target in rows.iter_rows()]
    categories: dict[str | None, int] = {}
    order = []
    for position, (question, *_) in enumerate(asked):
        category = question.category if question else None
        rank = categories[category] = categories.get(category, -1) + 1
        order.append((rank, position))
    for _, position in sorted(order)[:NUM_EXAMPLES]:
        question, name, target = asked[position]
        text = format_question(question) if question else clean(name)
        yield ExampleQuestion(
            text=format_text(text, limit=MAX_QUESTION_CHARACTERS),
            target=shorten(target),
            category=shorten(question.category) if question and question.category else "",
        )


def _describe_agents(report: ReportData, spec: Mapping[str, Any]) -> Iterator[Row]:
    """A line for each agent, or for several that differ in nothing but their names."""
    models = spec.get("models") or {}
    for agent in spec.get("agents") or ():
        model = models.get(agent.get("model")) or {}
        num = agent.get("count") or 1
        what = (
            *([f"{num} of them"] if num > 1 else []),
            *([str(agent["role"])] if agent.get("role") not in (None, "debater") else []),
            *([f"past version of {agent['past_of']}"] if agent.get("past_of") else []),
            *(["knows the right answers"] if model.get("engine") in KNOW_TRUTH else []),
            describe_model(model),
            *([] if model.get("engine") in READS_NO_PROMPT else _describe_asking(agent)),
        )
        more = [str(agent[name]) for name in ("persona", "description") if agent.get(name)]
        yield Row(shorten(agent.get("id")), clean("; ".join(what)), shorten(" ".join(more), 300))
    if not spec:
        pairs = report.states.select("agent", "model").unique().sort("agent", "model")
        yield from (Row(shorten(agent), shorten(model)) for agent, model in pairs.iter_rows())


def _describe_asking(agent: Mapping[str, Any]) -> tuple[str, str]:
    """The sampling and the prompt set of an agent that reads its prompts."""
    prompts = shorten(str(agent.get("prompts") or "–").rsplit("/", 1)[-1])
    return describe_sampling(agent), f"prompt set {prompts}"


def _describe_arms(report: ReportData, spec: Mapping[str, Any]) -> Iterator[tuple[str, Row]]:
    """The name of each arm's cell, and its label with what it shows an agent."""
    for cell in report.cells:
        yield cell, Row(report.label_arm(cell), describe_condition(spec, cell))


def _describe_hypotheses(spec: Mapping[str, Any]) -> Iterator[Row]:
    for name, claim in (spec.get("hypotheses") or {}).items():
        source = str(claim.get("source") or "").strip()
        yield Row(shorten(name), clean(str(claim.get("statement", ""))), clean(source))


def _describe_settings(report: ReportData, spec: Mapping[str, Any]) -> Iterator[Row]:
    """How confidence was had, how the team's answer is found, seeds and versions."""
    yield Row("Confidence", describe_estimator(report.analysis.confidence))
    rules = {
        str((cell.get("decision") or spec.get("decision") or {}).get("name", ""))
        for cell in (spec.get("cells") or {}).values()
    }
    if told := ", ".join(sorted(filter(None, rules))):
        yield Row("Team's answer", clean(told.replace("_", " ")))
    seeds = sorted(report.states["seed"].unique())
    if len(seeds) > 1:
        yield Row("Seeds", ", ".join(map(str, seeds)))
    if report.manifest and report.manifest.starts:
        start = report.manifest.starts[-1]
        packages = start.environment.packages
        known = [f"{name} {packages[name]}" for name in VERSIONS if name in packages]
        yield Row("Versions", clean(", ".join((f"Python {start.environment.python}", *known))))
        yield Row("Started", clean(f"{report.manifest.created_at}, {report.manifest.status}"))


def describe_estimator(name: str | None) -> str:
    """Return an estimator of confidence by name, with what it is.

    >>> describe_estimator("answer_token")
    "answer_token: the probability of the answer's tokens"
    """
    if name is None:
        return "none was recorded; numbers about confidence are left out"
    known = list_values("The estimators")
    told = next((known[part] for part in (name, name.split(":")[0]) if part in known), "")
    return clean(f"{name}: {told}" if told else name)


def _show_prompts(report: ReportData) -> Iterator[ShownPrompt]:
    for example in report.prompts:
        title = (
            f"{example.kind}, round {example.round}: {shorten(example.agent, 40)} "
            f"in {join_names([report.label_arm(cell) for cell in example.cells])}"
        )
        yield ShownPrompt(clean(title), tuple(_show_messages(example.messages)))


def _show_messages(messages: Sequence[Message]) -> Iterator[tuple[str, str]]:
    for message in messages:
        yield message.role, format_text(message.content, limit=MAX_PROMPT_CHARACTERS)
