"""New configurations: a question, models and a file as a commented YAML text that runs."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from debate.config.loader import load_run
from debate.config.references import list_shipped
from debate.errors import InputError
from debate.runner.describe_power import find_unsupported_claims
from debate.runner.plan import make_plan
from debate.runner.preview import find_ties
from debate.runner.seats import Seat
from debate.runner.starting_points import design_fields, find_starting_point
from debate.tasks.choice import LETTERS
from debate.tasks.recognition import RecognisedFile, describe_targets

FIRST_LIMIT = 100
"""Of a larger file, so many questions are asked at first."""
GENERATORS: Mapping[str, Mapping[str, Any]] = {
    "arithmetic": {"generator": "arithmetic", "families": ["add", "mul", "mod"], "n": 100},
    "word_problems": {"generator": "word_problems", "n": 100},
}
"""Tasks that need no file, by name."""
COMMENTS = {
    "models": "Where each model is; keys come from the environment and are written nowhere.",
    "agents": "The seats: who speaks. More fields: persona, system, prompts, sampling.",
    "task": "The questions. More fields: limit, filter, scoring, …; docs/data.md.",
    "topology": "Who hears whom: ring, star, … or edges; `debate topology NAME` draws it.",
    "protocol": "What is heard and said: exchange, critique, …; docs/config.md, protocol.",
    "rounds": "Rounds after the openings.",
    "decision": "How the team's answer is found after every round; docs/decisions.md.",
    "probes": "Confidence, asked after each answer in private; one more call each. docs/probes.md.",
    "cells": "The conditions that are compared; they share openings and all other calls alike.",
    "sweep": "The conditions that are compared, one for each level; shared calls are made once.",
    "hypotheses": "What is claimed before any answer, and the effect that matters (smallest).",
}
"""A line of comment above each part."""
_ORDER = ("models", "agents", "task", "topology", "protocol", "rounds", "decision", "probes")
_LINE = 98


@dataclass(frozen=True, kw_only=True, slots=True)
class NewConfig:
    """A configuration that is not written yet, and what is to be known of it.

    remarks: in sentences. variables: those of the environment that hold keys.
    """

    text: str
    remarks: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()


def copy_shipped(start: str) -> NewConfig:
    """Return the shipped configuration of a starting point that has one, as it is written."""
    name = find_starting_point(start).shipped
    assert name is not None
    path = list_shipped("configs")[name]
    written = path.read_text("utf-8")
    return NewConfig(
        text=f"# The shipped configuration {name}; every field: docs/config.md\n{written}"
    )


def find_problem(path: Path) -> str | None:
    """Return why the configuration cannot run here as it stands; None where nothing is known."""
    try:
        make_plan(load_run(path))
    except InputError as error:
        return str(error)
    return None


def make_config(
    start: str, seats: Sequence[Seat], source: str | RecognisedFile, out: Path
) -> NewConfig:
    """Return the configuration that asks a starting point's question of these models.

    source: the name of a generator, or a file that was recognised. out: where it is to be written,
    which its paths are relative to. Raises InputError where it would not be valid.
    """
    fields = design_fields(start, seats)
    models = {seat.id: seat.model for seat in seats if seat.model and _sits(seat, fields)}
    if models:
        fields["models"] = models
    can_be_asked = all(seat.can_be_asked for seat in seats)
    if not can_be_asked:
        fields.pop("probes", None)
    task, told = _make_task(source, out)
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", out.stem).strip("-") or start
    fields = {"name": name, **fields, "task": task}
    ordered = {"name": name} | {key: fields[key] for key in _ORDER if key in fields} | fields
    remarks = (*told, *_check(_make_absolute(ordered, source), seats))
    keys = tuple(dict.fromkeys(m["api_key_env"] for m in models.values() if "api_key_env" in m))
    text = _write(find_starting_point(start).asks, ordered, told, can_be_asked=can_be_asked)
    return NewConfig(text=text, remarks=remarks, variables=keys)


def _check(fields: Mapping[str, Any], seats: Sequence[Seat]) -> Iterator[str]:
    """Yield what the models cannot, and the run's size. Raises InputError if it is not valid."""
    plan = make_plan(load_run(fields))
    organisms = [seat.id for seat in seats if not seat.can_be_asked]
    if organisms and "path" in fields["task"]:
        names = ", ".join(organisms)
        yield f"warning: {names}: knows short calculations alone; `arithmetic` has such questions"
    size = f"{_count(len(plan.questions), 'question')} in {_count(len(plan.cells), 'cell')}"
    yield f"{size}, at most {plan.max_total_calls:,} model calls"
    yield from find_ties(plan)
    yield from find_unsupported_claims(plan)


def _sits(seat: Seat, fields: Mapping[str, Any]) -> bool:
    return any(agent.get("model") == seat.id for agent in fields["agents"])


def _make_task(source: str | RecognisedFile, out: Path) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return the task, and what is said of it in sentences."""
    if isinstance(source, str):
        return dict(GENERATORS[source]), (f"questions are drawn by the generator {source}",)
    task = dict(source.task)
    path, folder = Path(task["path"]).resolve(), out.resolve().parent
    is_below = path.is_relative_to(folder)  # a relative path must not leave the YAML file's folder
    task["path"] = str(path.relative_to(folder) if is_below else path)
    if len(source.questions) > FIRST_LIMIT:
        task |= {"limit": FIRST_LIMIT, "seed": 0}
    return task, describe_file(source)


def describe_file(file: RecognisedFile) -> tuple[str, ...]:
    """Return what a file holds, in sentences: columns, kind, targets, and the first question."""
    first, num = file.questions[0], len(file.questions)
    what = file.task.get("dataset") or first.kind
    lines = [
        f"{Path(file.task['path']).name}: {_count(num, 'question')} ({what}); columns: "
        f"{', '.join(file.columns)}",
        f"targets: {describe_targets(file.questions)}",
    ]
    shown = [f"first question: {' '.join(first.text.split()):.160}"]
    if first.options:
        lettered = zip(LETTERS, first.options, strict=False)
        shown.append(" / ".join(f"{letter}: {text:.40}" for letter, text in lettered))
    lines.append(" | ".join([*shown, f"target: {first.target or 'none'}"]))
    if file.task.get("shuffle_options"):
        lines.append(
            "the right option stood at one place in nearly all rows; `shuffle_options` draws an "
            "order for each question"
        )
    if num > FIRST_LIMIT:
        lines.append(f"{FIRST_LIMIT} of them are asked, drawn by the seed; without `limit`, all")
    return (*lines, *file.remarks)


def _count(num: int, what: str) -> str:
    return f"{num:,} {what}" + "s" * (num != 1)


def _make_absolute(fields: Mapping[str, Any], source: str | RecognisedFile) -> dict[str, Any]:
    """Return the fields with the data file's whole path."""
    if isinstance(source, str):
        return dict(fields)
    path = str(Path(source.task["path"]).resolve())
    return {**fields, "task": {**fields["task"], "path": path}}


def _write(asks: str, fields: Mapping[str, Any], told: Sequence[str], *, can_be_asked: bool) -> str:
    """Return the YAML, each part below a comment; a probe as one, where agents can be asked."""
    lines = [f"# {asks}", "# Every field: docs/config.md. Check this file with `debate validate`."]
    for key, value in fields.items():
        comments = [COMMENTS[key]] if key in COMMENTS else []
        comments += told if key == "task" else []
        lines += [f"# {line}" for comment in comments for line in _fold(comment)]
        lines += _write_block({key: value}, levels=3 if key == "hypotheses" else 2)
        if key == "decision" and "probes" not in fields and can_be_asked:
            lines += [f"# {COMMENTS['probes']}", "# probes: [verbal]"]
    return "\n".join(lines) + "\n"


def _write_block(value: Any, *, levels: int) -> list[str]:
    """Return lines of YAML: mappings and lists of mappings of so many levels, the rest in a line.

    >>> _write_block({"task": {"kind": "text", "columns": {"target": "b"}}}, levels=2)
    ['task:', '  kind: text', '  columns: {target: b}']
    """
    if levels and isinstance(value, list) and all(isinstance(each, dict) for each in value):
        return [f"- {_write_flow(each)}" for each in value]
    if not levels or not isinstance(value, dict):
        return [_write_flow(value)]
    lines: list[str] = []
    for key, each in value.items():
        below = _write_block(each, levels=levels - 1)
        is_inline = levels == 1 or not isinstance(each, dict | list) or below[0].startswith("[")
        name = f"{_write_flow(key)}:"
        lines += [f"{name} {below[0]}"] if is_inline else [name, *(f"  {line}" for line in below)]
    return lines


def _write_flow(value: Any) -> str:
    dumped: str = yaml.dump(
        value,
        Dumper=_PlainDumper,
        default_flow_style=True,
        sort_keys=False,
        allow_unicode=True,
        width=float("inf"),
    )
    return dumped.rstrip("\n").removesuffix("\n...")


class _PlainDumper(yaml.SafeDumper):
    """Writes what occurs twice twice, without anchors."""

    def ignore_aliases(self, data: Any) -> bool:
        """Answer that nothing is written as an alias."""
        return True


def _fold(text: str) -> list[str]:
    """Return printable lines of a comment, of one width."""
    return textwrap.wrap("".join(c if c.isprintable() else " " for c in text), _LINE)


def write_config(config: NewConfig, out: Path, *, force: bool) -> None:
    """Write the text to a file. Raises InputError for one that exists, unless forced."""
    refuse_existing(out, force=force)
    try:
        with out.open("w" if force else "x", encoding="utf-8") as file:
            file.write(config.text)
    except OSError as cause:
        raise InputError(f"{out} cannot be written: {cause.strerror}") from None


def refuse_existing(out: Path, *, force: bool) -> None:
    """Raise InputError where the file exists and may not be replaced, or has no ending of YAML."""
    if out.suffix not in (".yaml", ".yml"):
        raise InputError(f"{out}: a configuration's name ends in .yaml")
    if out.exists() and not force:
        raise InputError(f"{out} exists; --force replaces it, --out writes another file")
