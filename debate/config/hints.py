"""What would be right where a field is unknown, missing, or holds what it cannot hold.

A place is the way of a field's names from the top of a run's file, without indices and the names
that users give: `agents.sampling` stands for the sampling of any agent.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel

from debate.config.agents import AgentCard
from debate.config.registry import list_built_in, list_entry_points
from debate.config.run import RunSpec
from debate.config.secrets import redact
from debate.config.synonyms import (
    EXAMPLES,
    NOTES,
    REMARKS,
    find_hosted,
    list_meanings,
    normalise,
    translate_value,
)
from debate.config.task import TaskSpec
from debate.config.topology import TopologySpec
from debate.errors import find_close, suggest

Place = tuple[str, ...]

_ROOTS: Mapping[type[BaseModel], Place] = {
    RunSpec: (),
    AgentCard: ("agents",),
    TopologySpec: ("topology",),
}
"""Where the specs of files stand in a run."""
_REPEATED = frozenset({"cells", "sweep", "hypotheses"})
"""Parts of a run whose fields are, or sound like, those of others."""
_CLOSE = 0.8
_MAX_VALUE_LENGTH = 60
_DATA_FILES = frozenset({".csv", ".tsv", ".json", ".jsonl", ".parquet", ".gz"})


def find_specs(annotation: Any) -> Iterator[type[BaseModel]]:
    """Yield the specs that a field's annotation names."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in getattr(annotation, "__args__", ()):
        yield from find_specs(part)


@cache
def list_places() -> Mapping[Place, frozenset[str]]:
    """List the fields of a run's specs by their places."""
    return dict(_walk([RunSpec], (), frozenset()))


def _walk(
    specs: Sequence[type[BaseModel]], place: Place, above: frozenset[type[BaseModel]]
) -> Iterator[tuple[Place, frozenset[str]]]:
    yield place, frozenset(name for spec in specs for name in spec.model_fields)
    fields: dict[str, list[type[BaseModel]]] = {}
    for spec in specs:
        for name, field in spec.model_fields.items():
            fields.setdefault(name, []).extend(find_specs(field.annotation))
    for name, found in fields.items():
        if inside := [spec for spec in found if spec not in above]:
            yield from _walk(inside, (*place, name), above | {*specs, *inside})


def find_place(root: type[BaseModel], loc: Iterable[int | str]) -> Place | None:
    """Return the place of a location in a file of this spec; None in files of other kinds.

    >>> find_place(RunSpec, ("agents", 0, "sampling"))
    ('agents', 'sampling')
    """
    place = _ROOTS.get(root)
    for key in loc if place is not None else ():
        if root is AgentCard and place == ("agents",) and key == "model":
            place = ("models",)
        elif (*place, key) in list_places():  # type: ignore[misc]
            place = (*place, str(key))  # type: ignore[misc]
    return place


def find_meaning(
    word: str, place: Place, fields: Collection[str], *, missing: Collection[str] = ()
) -> Place | None:
    """Return the field that an unknown one is likely to mean; None where none is.

    fields: those that may stand beside it, of which these are missing. Known are the words of other
    tools, and fields of this one that belong elsewhere; the nearest to where it was written counts.
    """
    elsewhere = [
        (*at, word)
        for at, names in list_places().items()
        if word in names and at != place and not _REPEATED & {*at}
    ]
    if place == ("task",):  # another word may make it another kind of task
        fields = list_places()[place]
    meant = [tuple(each.split(".")) for each in list_meanings(word)]
    if not meant and get_close_matches(word, fields, n=1, cutoff=_CLOSE):
        return None
    usable = [
        each
        for each in [*meant, *elsewhere]
        if _is_usable(each, place, fields, is_meant=each in meant)
    ]

    def rank(target: Place) -> tuple[bool, int, int]:
        is_missing = target[:-1] == place and target[-1] in missing
        common = next((n for n in range(len(place), 0, -1) if target[:n] == place[:n]), 0)
        return (not is_missing, -common, 0 if target in meant else len(target))

    return min(usable, key=rank, default=None)


def _is_usable(target: Place, place: Place, fields: Collection[str], *, is_meant: bool) -> bool:
    """Whether a field can be advised for a word that was written at a place with these fields."""
    if target[: len(place)] == place:
        return target != place and target[len(place)] in fields
    return is_meant or _may_move(target, place)


def _may_move(target: Place, place: Place) -> bool:
    """Whether a field is likely to have been written at a place that is not above its own."""
    return len(target) == 1 or target[0] == place[0] or place in (("agents",), ("models",))


def explain_meaning(target: Place, place: Place, value: object) -> str:
    """Return how to write at `place` the field that is meant, with the value that was given."""
    entry = _write_entry(target, value)
    inside = place == target[: len(place)]
    around = target[len(place) : -1] if inside else target[:-1]
    note = NOTES.get(".".join(target))
    told = f"; {note}" if note else ""
    if not around and inside:
        return f"write it as `{entry}`{told}"
    if not around:
        return f"write it at the top of the file, as in `{entry}`{told}"
    if place == ("agents",) and around[0] == "models":
        around = ("model", *around[1:])
    return f"write it {_name_container(around)}, as in `{_nest(around, entry)}`{told}"


def explain_unknown(word: object, place: Place | None, fields: Collection[str]) -> str:
    """Return which fields there are, and how the nearest is written."""
    if (remark := REMARKS.get(normalise(word))) is not None and place is not None:
        return remark
    if place == ("task",) and any(word in spec.model_fields for spec in find_specs(TaskSpec)):
        return f"it is one of another kind of task; {_describe_tasks()}"
    close = get_close_matches(str(word), fields, n=1, cutoff=_CLOSE)
    example = EXAMPLES.get(".".join((*(place or ()), *close))) if close else None
    told = f"; it is written as in `{example}`" if example and place is not None else ""
    return suggest(word, fields) + told


def explain_missing(place: Place | None, field: str, written: object) -> str:
    """Return how a missing field is written; empty where its name says it."""
    keys: Mapping[str, Any] = written if isinstance(written, Mapping) else {}
    if place == ("task",) and field == "path" and "dataset" in keys:
        names = {*list_built_in("datasets"), *list_entry_points("datasets")}
        hint = f"known: {', '.join(sorted(names))}"
        if (named := keys["dataset"]) not in names and not translate_value("dataset", named):
            hint = f'the data set "{named}" is unknown; {suggest(named, names)}'
        return (
            "; nothing is downloaded, so name the data set's own file, as in "
            f"`task: {{{_write_source(named)}}}`; {hint}"
        )
    if place == ("task",) and field == "path":
        return f"; {_describe_tasks()}"
    if place == ("task",) and field == "kind":
        return "; write it as in `kind: choice` (or number, text, math, code)"
    example = None if place is None else EXAMPLES.get(".".join((*place, field)))
    return f"; write it as in `{example}`" if example else ""


def explain_form(root: type[BaseModel], path: Sequence[int | str], value: object) -> str:
    """Return how a field is written that holds what it cannot hold; empty where that is plain."""
    *around, field = path
    place = find_place(root, around)
    if place is None or field not in list_places().get(place, ()) or len(around) != len(place):
        return ""
    dotted = ".".join((*place, str(field)))
    if dotted == "task":
        return f", as in `{_write_task(value)}`; {_describe_tasks()}"
    example, note = EXAMPLES.get(dotted), NOTES.get(dotted)
    return "" if example is None else f", as in `{example}`" + (f"; {note}" if note else "")


def explain_value(loc: Sequence[int | str], value: object) -> str | None:
    """Return what a value of other tools is called here; None where it is not known."""
    names = [str(key) for key in loc if isinstance(key, str) and key != "name"]
    found = translate_value(names[-1], value) if names else None
    if found is None:
        return None
    also = "; its address is the field `url`" if (names[-1], found) == ("engine", "openai") else ""
    return f"here that is `{found}`{also}"


def explain_model(name: str, models: Collection[str], cards: Collection[str]) -> str:
    """Return what would be right where an agent names a model that is not among `models`.

    cards: the agent cards that there are, which bring models of their own.
    """
    if find_close(name, models):
        return suggest(name, models)
    entry, card = write_endpoint(name), find_close(name, cards, cutoff=_CLOSE)
    if entry is not None and card != name:
        return entry
    if card is not None:
        lead = "that is" if card == name else f'did you mean "{card}"? That is'
        return f"{lead} an agent card, which brings its model: write `card: {card}` for `model`"
    known = suggest(name, models) if models else "none are written yet"
    weights = "model: {engine: transformers, model: ORG/NAME}"
    if "/" in name:
        weights = weights.replace("ORG/NAME", name if len(name) <= _MAX_VALUE_LENGTH else "NAME")
    endpoint = EXAMPLES["models"].replace("models: {m:", "models: {NAME:")
    return f"{known}; an endpoint is written as `{endpoint}`, weights as `{weights}`"


def write_endpoint(name: str) -> str | None:
    """Return how a well-known hosted model is written; None where the name is none of one."""
    hosted = find_hosted(name)
    if hosted is None or len(name) > _MAX_VALUE_LENGTH:
        return None
    own = re.sub(r"[^A-Za-z0-9_.-]+", "-", hosted.name.rpartition("/")[2]).strip("-.") or "m"
    key = f", api_key_env: {hosted.key}" if hosted.key else ""
    entry = f"{{engine: openai, url: '{hosted.url}', model: {_write_value(hosted.name)}{key}}}"
    return (
        "a hosted model is written with its endpoint, as in "
        f"`models: {{{own}: {entry}}}`, and named by its agent as `{{id: a, model: {own}}}`"
    )


def _write_task(written: object) -> str:
    """Return the task that a word alone, or the first of a list, is likely to mean."""
    first = written[0] if isinstance(written, list) and written else written
    return f"task: {{{_write_source(first)}}}"


def _write_source(word: object) -> str:
    """Write the fields of the task that a word is likely to mean."""
    if Path(str(word)).suffix in _DATA_FILES:
        return f"path: {word}, kind: number"
    if word in ("arithmetic", "word_problems"):
        return f"generator: {word}, n: 100"
    return f"dataset: {translate_value('dataset', word) or 'gsm8k'}, path: FILE"


def _describe_tasks() -> str:
    return (
        "a task is a file of yours, `{path: questions.csv, kind: choice}` (or number, text, math, "
        "code), the file of a known data set, `{dataset: gsm8k, path: test.jsonl}`, or "
        "`{generator: arithmetic, n: 100}`"
    )


def _write_entry(target: Place, value: object) -> str:
    """Write a field with a value of its kind, the given one where that is likely to be."""
    field, given = target[-1], redact(value, target[-1])
    if target == ("task", "dataset"):
        return _write_source(given)
    if target == ("task",):
        return _write_task(given)
    translated = translate_value(field, given) if isinstance(given, str) else None
    if translated is None and (example := EXAMPLES.get(".".join(target))) is not None:
        return example
    return f"{field}: {_write_value(translated or given)}"


def _write_value(value: object) -> str:
    """Write a short plain value as YAML does."""
    try:
        text = yaml.safe_dump(value, default_flow_style=True, width=1000, allow_unicode=True)
    except yaml.YAMLError:
        return "VALUE"
    text = re.sub(r"\n\.\.\.\n?$", "", text).strip()
    return text if len(text) <= _MAX_VALUE_LENGTH and "\n" not in text else "VALUE"


def _name_container(around: Place) -> str:
    """Name the place where a field belongs, in words."""
    words = {"agents": "in an agent", "models": "in a model, under `models:`"}
    first, *rest = around
    told = [words.get(first, f"under `{first}:`"), *(f"under `{name}:`" for name in rest)]
    return ", ".join(told)


def _nest(around: Place, entry: str) -> str:
    """Write an entry inside the fields around it."""
    for name in reversed(around):
        if name in ("model", "models") and entry.startswith("url:"):
            entry = f"engine: openai, {entry}, model: NAME"
        if name == "agents":
            known = {"id": "a", "model": "m"}
            lead = ", ".join(f"{k}: {v}" for k, v in known.items() if not entry.startswith(k))
            entry = f"agents: [{{{lead}, {entry}}}]"
        else:
            entry = f"models: {{m: {{{entry}}}}}" if name == "models" else f"{name}: {{{entry}}}"
    return entry
