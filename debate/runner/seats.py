"""Models as a person names them in a line, and the seats of a configuration that they take."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from debate.config.fetchable import FETCHABLE
from debate.config.references import GALLERY, list_shipped
from debate.config.synonyms import find_hosted
from debate.errors import InputError, suggest

SAMPLING = {"temperature": 0.7, "max_tokens": 1024}

_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]*")
_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
_LOCAL = ("transformers", "vllm")


@dataclass(frozen=True, kw_only=True, slots=True)
class Seat:
    """A seat, and the model that it names unless its card does.

    can_be_asked: whether it answers a question about its confidence.
    """

    id: str
    agent: dict[str, Any]
    model: dict[str, Any] | None = None
    can_be_asked: bool = True


def parse_seats(lines: Sequence[str]) -> list[Seat]:
    """Return a seat for each line that names a model; ids that are alike are numbered.

    Raises InputError for a line that names none.
    """
    seats: list[Seat] = []
    for seat in map(parse_seat, lines):
        taken, number, name = {each.id for each in seats}, 2, seat.id
        while name in taken:
            name, number = f"{seat.id}_{number}", number + 1
        agent = seat.agent | {"id": name} | ({"model": name} if seat.model else {})
        seats.append(replace(seat, id=name, agent=agent))
    return seats


def parse_seat(line: str) -> Seat:
    """Return the seat of the model that a line names. Raises InputError where it names none.

    >>> parse_seat("http://localhost:8000/v1 my-org/Model-7B MY_KEY").model["api_key_env"]
    'MY_KEY'
    """
    words = line.split()
    if not words:
        raise InputError("an empty line names no model")
    if words[0].startswith(("http://", "https://")):
        return _make_endpoint(words)
    engine = words.pop(0) if words[0] in _LOCAL else "transformers"
    name = " ".join(words)
    if name == "simulated":
        return _make_seat(name, {"engine": name})
    if name in list_shipped("agents"):
        return _make_card(name)
    if Path(name).is_dir() and name:
        weights = {"path": str(Path(name).absolute())}
    elif (hosted := find_hosted(name)) is not None:
        line = " ".join(filter(None, (hosted.url, hosted.name, hosted.key)))
        raise InputError(f'"{name}" is behind an endpoint: write it as "{line}"')
    elif name in FETCHABLE or _HUB_ID.fullmatch(name):
        weights = {"model": name}
    else:
        known = suggest(name, ["simulated", *list_shipped("agents"), *FETCHABLE])
        raise InputError(f'no model "{name}" is known; {known}')
    return _make_seat(Path(name).name, {"engine": engine, **weights})


def _make_endpoint(words: Sequence[str]) -> Seat:
    if not 2 <= len(words) <= 3:
        raise InputError(
            f'the endpoint "{words[0]}" is followed by {len(words) - 1} words; write URL MODEL, '
            "or URL MODEL KEY_VARIABLE"
        )
    model = {"engine": "openai", "url": words[0], "model": words[1]}
    for variable in words[2:]:
        if not _VARIABLE.fullmatch(variable):  # small letters may be a key's
            raise InputError(
                "the third word of an endpoint is no name of an environment variable in capitals; "
                "put the key into the environment, and name the variable here, such as MY_KEY"
            )
        model["api_key_env"] = variable
    return _make_seat(words[1].rpartition("/")[2], model)


def _make_seat(name: str, model: dict[str, Any]) -> Seat:
    id = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_") or "model"
    agent: dict[str, Any] = {"id": id, "model": id}
    if model["engine"] != "simulated":
        agent["sampling"] = dict(SAMPLING)
    return Seat(id=id, agent=agent, model=model)


def _make_card(name: str) -> Seat:
    card = yaml.safe_load(list_shipped("agents")[name].read_text("utf-8"))
    id = re.sub(r"[^a-z0-9]+", "_", name.removeprefix(GALLERY).lower())
    agent: dict[str, Any] = {"card": name, "id": id}
    if card.get("sampling", {}).get("temperature") == 0:  # samples of one opening would be alike
        agent["sampling"] = {"temperature": 1.0}
    return Seat(id=id, agent=agent, can_be_asked=card.get("prompts") != "compact")


def widen(seats: Sequence[Seat], num: int) -> list[dict[str, Any]]:
    """Return the seats as `num` agents, or one each if they are more; the first ones fill up."""
    each, more = divmod(max(num, len(seats)), len(seats))
    counts = [each + (place < more) for place in range(len(seats))]
    return [
        seat.agent | ({"count": count} if count > 1 else {})
        for seat, count in zip(seats, counts, strict=True)
    ]
