"""One piece of custom code of each kind in one module, and configurations that name them."""

from __future__ import annotations

from pathlib import Path

MODULE = '''
from dataclasses import replace

import networkx as nx

from debate.agents.probes import ProbeFinding
from debate.engines.base import Capabilities, Completion, complete_concurrently
from debate.orchestrator.decision_rules import majority
from debate.tasks.items import Item
from debate.types import Confidence


async def speak(debate, author, round):
    """Hear nothing."""
    return await debate.answer_anew(author, round)


def rule(spec, ballots):
    """Count votes."""
    return majority(spec, ballots)


async def ask_nothing(subject, spec, ask):
    """Take all for equally sure."""
    return ProbeFinding(confidence=Confidence(source="flat", value=0.5))


class Echo:
    """Say one thing."""

    capabilities = Capabilities()

    def __init__(self, *, text="Answer: 4"):
        self.text = text

    async def start(self):
        pass

    close = start

    def complete(self, requests):
        return complete_concurrently(requests, self.one)

    async def one(self, request):
        return Completion(id=request.id, text=self.text, finish_reason="stop")


def read(row):
    """Read a row."""
    return Item(text=row.cells["q"], kind="number", target=row.cells["a"])


def wheel(n, seed=0):
    """Make everybody critique everybody."""
    return nx.complete_graph(n)


def alone(base):
    """Leave the author alone."""
    return replace(base, members=(base.author,), rounds=0, topology=base.topology.model_copy(
        update={"generator": None, "args": {}, "edges": (), "uncritiqued": "allow"}))


def shout(value):
    """Write in capitals."""
    return value.upper()


NUMBER = 7
'''
NAMES = {
    "protocols": "speak",
    "decisions": "rule",
    "probes": "ask_nothing",
    "engines": "Echo",
    "datasets": "read",
    "generators": "wheel",
    "arms": "alone",
    "filters": "shout",
}
LINES = {"protocols": 8, "decisions": 8, "probes": 8, "engines": 3, "datasets": 6,
         "generators": 5, "arms": 8, "filters": 3}  # fmt: skip
"""The line of the run's file, or of the prompt set's, on which each is named."""


LAST_LINES = {
    "protocols": "protocol: {}",
    "decisions": "decision: {}",
    "probes": "probes: [{}]",
    "arms": "sweep: {{arm: [self, {}]}}",
}


def write_config(folder: Path, kind: str, name: str, more: str = "") -> Path:
    """Write a run that names one piece of custom code; `more` is added to what names it."""
    model, topology, prompts = "engine: simulated", "pairwise", ""
    task = "generator: arithmetic, n: 4"
    if kind == "engines":
        model = f"engine: {name}{more}"
    elif kind == "generators":
        topology = f"{{generator: {name}, args: {{n: $n{more}}}}}"
    elif kind == "datasets":
        (folder / "rows.jsonl").write_text('{"q": "2 + 2?", "a": "4"}\n')
        task = f"dataset: {name}, path: rows.jsonl"
    elif kind == "filters":
        write_prompt_set(folder / "set", name)
        prompts = "prompts: ./set, "
    other = model if kind == "engines" else "engine: simulated"
    lines = [
        "name: run",
        "agents:",
        f"  - {{id: a, {prompts}model: {{{model}}}}}",
        f"  - {{id: b, model: {{{other}}}}}",
        f"topology: {topology}",
        f"task: {{{task}}}",
        "rounds: 1",
        LAST_LINES.get(kind, "").format(name),
    ]
    (folder / "run.yaml").write_text("\n".join(lines) + "\n")
    return folder / "run.yaml"


def write_prompt_set(folder: Path, *filters: str) -> None:
    """Write the shipped chat set with these filters, the first of them in use."""
    from debate.agents.prompt_sets import SHIPPED

    folder.mkdir()
    for file in (SHIPPED / "chat").iterdir():
        (folder / file.name).write_text(file.read_text())
    short = filters[0].rpartition(".")[2]
    (folder / "opening.j2").write_text(f"{{{{ question.text | {short} }}}}\n")
    listed = ", ".join(filters)
    (folder / "prompts.yaml").write_text(f"answers: chat\nown_turns: true\nfilters: [{listed}]\n")


def write_distribution(folder: Path, name: str, points: dict[str, str]) -> None:
    """Write an installed distribution: kinds to lines `name = module:object`."""
    info = folder / f"{name}-1.5.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.5\n")
    groups = (f"[debate.{kind}]\n{line}\n" for kind, line in points.items())
    (info / "entry_points.txt").write_text("\n".join(groups))
