"""`debate new`: a first configuration from questions, models and what is to be known."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple, get_args

import typer
from rich.table import Table
from rich.text import Text

from debate.config.synonyms import translate_value
from debate.errors import InputError, Undecided, suggest
from debate.terminal import make_console, print_whole
from debate.text import clean
from debate.types import AnswerKind

if TYPE_CHECKING:
    from debate.runner.new_config import NewConfig
    from debate.runner.seats import Seat
    from debate.tasks.recognition import RecognisedFile, Told

FORMS = {
    "URL MODEL [KEY_VARIABLE]": "an endpoint, such as http://localhost:8000/v1 my-model MY_KEY",
    "ORG/MODEL": "a hub id; after the word vllm, by vLLM; or a folder",
    "CARD": "a shipped card, such as adder or gallery/qwen3-8b",
    "simulated": "opinions drawn at random, without any model",
}
"""How a model is named in a line, and what that is."""

Ask = Callable[[str, str], str]
"""Asks a person something, and says what an empty reply stands for; returns the reply."""

DataOption = Annotated[
    str | None,
    typer.Option(metavar="FILE|GENERATOR", help="A data file, arithmetic, or word_problems."),
]
ModelOption = Annotated[
    list[str] | None,
    typer.Option(
        "--model",
        metavar="LINE",
        help='"URL MODEL [KEY_VARIABLE]", a hub id, "vllm ID", a folder, a card such as adder or '
        "gallery/qwen3-8b, or simulated; repeatable.",
    ),
]
ColumnOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="FIELD=NAME",
        help="What a column holds, as in target=gold; options=A,B,C names several; repeatable.",
    ),
]


def complete_start(incomplete: str) -> list[str]:
    """Return the starting points that begin so."""
    from debate.runner.starting_points import STARTING_POINTS

    return [name for name in STARTING_POINTS if name.startswith(incomplete)]


def new(
    name: Annotated[
        str | None,
        typer.Argument(help="A starting point; --list shows them.", autocompletion=complete_start),
    ] = None,
    data: DataOption = None,
    model: ModelOption = None,
    out: Annotated[Path | None, typer.Option(help="The file; by default NAME.yaml.")] = None,
    kind: Annotated[
        str | None,
        typer.Option(metavar="|".join(get_args(AnswerKind)), help="The form of an answer."),
    ] = None,
    target_as: Annotated[
        str | None,
        typer.Option(
            metavar="letter|label|index|number|text",
            help="How targets name an option; index counts from 0, number from 1.",
        ),
    ] = None,
    column: ColumnOption = None,
    dataset: Annotated[
        str | None, typer.Option(help="The known data set that the file is, such as arc.")
    ] = None,
    unscored: Annotated[
        bool, typer.Option("--unscored", help="The questions have no targets.")
    ] = False,
    no_header: Annotated[
        bool,
        typer.Option("--no-header", help="The first row of the CSV or TSV file is a question."),
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it exists.")] = False,
    list_points: Annotated[
        bool, typer.Option("--list", help="List the starting points, and write nothing.")
    ] = False,
) -> None:
    """Write a commented configuration for your questions, your models, and what you want to know.

    What is not given by flags is asked on a terminal. A starting point that ships with the package
    is written as it is where neither --data nor --model is given.
    """
    from debate.tasks.recognition import Told

    if list_points:
        print_starting_points()
        return
    require_kind(kind)
    told = Told(
        dataset=dataset,
        kind=kind,
        target_as=target_as,
        columns=parse_columns(column or ()),
        scored=not unscored,
        header=not no_header,
    )
    ask = ask_terminal if sys.stdin.isatty() else None
    given = Given(name=name, data=data, models=tuple(model or ()), told=told)
    target, config = compose(given, out, ask, force=force)
    tell_composed(config, target)


def require_kind(kind: str | None) -> None:
    """Raise InputError for what is no kind of answer, with what it is called here."""
    known = get_args(AnswerKind)
    if kind is None or kind in known:
        return
    meant = translate_value("kind", kind)
    hint = f"here that is `--kind {meant}`" if meant else suggest(kind, known)
    raise InputError(f'--kind "{kind}" is no form of an answer; {hint}')


@dataclass(frozen=True, kw_only=True, slots=True)
class Given:
    """What was said by flags; the rest is asked."""

    name: str | None = None
    data: str | None = None
    models: tuple[str, ...] = ()
    told: Told


class Composed(NamedTuple):
    """A configuration, and the file that it was written to."""

    path: Path
    config: NewConfig


def compose(given: Given, out: Path | None, ask: Ask | None, *, force: bool) -> Composed:
    """Write a new configuration by what is given, and by what is asked where somebody can be.

    Raises InputError where something is missing and nobody can be asked, for a file that exists,
    and for what cannot be used.
    """
    from debate.runner.new_config import copy_shipped, make_config, refuse_existing, write_config
    from debate.runner.starting_points import find_starting_point, require_design

    if ask is None:
        _require_flags(given)
    name = given.name or _choose_start(ask)
    point = find_starting_point(name)
    path = out or Path(f"{name}.yaml")
    refuse_existing(path, force=force)
    is_own = bool(given.data or given.models)
    if not is_own and (point.design is None or (given.name and point.shipped)):
        config = copy_shipped(name)
    else:
        require_design(name)
        source = _choose_source(given.data, given.told, ask)
        seats = _choose_seats(given.models, ask)
        config = make_config(name, seats, source, path)
    write_config(config, path, force=force)
    return Composed(path, config)


def _require_flags(given: Given) -> None:
    """Raise InputError that names what is missing, where nobody can be asked."""
    from debate.runner.starting_points import STARTING_POINTS, find_starting_point

    is_shipped = given.name is not None and find_starting_point(given.name).shipped
    if is_shipped and not given.data and not given.models:
        return
    missing = {
        f"NAME ({', '.join(STARTING_POINTS)})": given.name,
        "--data FILE, arithmetic or word_problems": given.data,
        f"--model, once for each: {', '.join(FORMS)}": given.models,
    }
    lacking = [what for what, there in missing.items() if not there]
    if lacking:
        raise InputError("there is no terminal to ask on; missing: " + "; ".join(lacking))


def _choose_start(ask: Ask | None) -> str:
    from debate.runner.starting_points import STARTING_POINTS

    assert ask is not None
    print_starting_points()
    names = list(STARTING_POINTS)
    while True:
        reply = ask("What do you want to know? A name or a number", names[0])
        name = names[int(reply) - 1] if reply in map(str, range(1, len(names) + 1)) else reply
        if name in names:
            return name
        _say(f'"{reply}" is none of these: {", ".join(names)}')


def _choose_source(data: str | None, told: Told, ask: Ask | None) -> str | RecognisedFile:
    """Return the generator or the file that is given, or that a person names."""
    from debate.runner.new_config import GENERATORS

    while True:
        what = f"Questions: a data file, or {' or '.join(GENERATORS)}"
        named = data or (ask(what, "arithmetic") if ask else "")
        if named in GENERATORS:
            if told != type(told)():
                raise InputError(
                    f"{named} makes its questions: what is said of columns is for files"
                )
            return named
        try:
            return _recognise(named, told, ask)
        except InputError as error:
            if ask is None or data:
                raise
            _say(str(error))


def _recognise(named: str, told: Told, ask: Ask | None) -> RecognisedFile:
    """Return the file's task; what the file leaves open is asked, or refused with its flag."""
    from debate.tasks.datasets import DATASETS
    from debate.tasks.recognition import recognise_file

    if named in DATASETS:
        raise InputError(f'"{named}" is read from its own file: give the path, `--dataset {named}`')
    while True:
        try:
            return recognise_file(str(Path(named).expanduser()), told)
        except Undecided as open_question:
            if ask is None:
                raise InputError(f"{open_question} ({_name_flag(open_question)})") from None
            told = _settle(open_question, told, ask)


def _name_flag(open_question: Undecided) -> str:
    if open_question.field == "target_as":
        return f"--target-as {' or '.join(open_question.choices)}"
    is_target = open_question.field == "target"
    unscored = "; --unscored where there are none" if is_target else "; --no-header without names"
    return f"--column {open_question.field}=NAME{unscored}"


def _settle(open_question: Undecided, told: Told, ask: Ask) -> Told:
    """Ask what a file leaves open, and return what is then known."""
    name = open_question.field
    _say(str(open_question))
    for choice, meaning in open_question.choices.items():
        _say(f"  {choice}: {meaning}" if meaning else f"  {choice}")
    is_target = name == "target"
    known = ", ".join([*open_question.choices, *(["none"] if is_target else [])])
    reply = ask(f"Which is the {name}? {known}", "")
    if is_target and reply == "none":
        return replace(told, scored=False)
    if reply not in open_question.choices:
        _say(f'"{reply}" is none of {", ".join(open_question.choices)}')
        return told
    if name == "target_as":
        return replace(told, target_as=reply)
    return replace(told, columns={**told.columns, name: reply})


def _choose_seats(lines: Sequence[str], ask: Ask | None) -> list[Seat]:
    """Return seats for the models that are given, or that a person names until she has no more."""
    from debate.runner.seats import parse_seats

    if lines or ask is None:
        return parse_seats(lines)
    _say("Models, one a line, and an empty line at the end:")
    for form, what in FORMS.items():
        _say(f"  {form:<24} {what}")
    named: list[str] = []
    while reply := ask(f"Model {len(named) + 1}", "" if named else "simulated"):
        try:
            parse_seats([reply])
            named.append(reply)
        except InputError as error:
            _say(str(error))
    return parse_seats(named)


def ask_terminal(what: str, default: str) -> str:
    """Ask a person at the terminal."""
    reply: str = typer.prompt(what, default=default, show_default=bool(default))
    return reply.strip()


def parse_columns(pairs: Sequence[str]) -> dict[str, str | tuple[str, ...]]:
    """Parse the columns of `--column`, by field. Raises InputError for what is no pair.

    >>> parse_columns(["target=gold", "options=A,B"])
    {'target': 'gold', 'options': ('A', 'B')}
    """
    from debate.config.task import ColumnsSpec

    fields = tuple(ColumnsSpec.model_fields)
    found: dict[str, str | tuple[str, ...]] = {}
    for pair in pairs:
        field, equals, name = pair.partition("=")
        if not equals or not name or field not in fields:
            raise InputError(f"--column {pair}: write FIELD=NAME, FIELD one of {', '.join(fields)}")
        several = field == "options" and "," in name
        found[field] = tuple(name.split(",")) if several else name
    return found


def print_starting_points() -> None:
    """Print the starting points, numbered, and what each asks."""
    from debate.runner.starting_points import STARTING_POINTS

    table = Table("", "name", "what it asks", "ships", "own", box=None)
    for number, (name, point) in enumerate(STARTING_POINTS.items(), start=1):
        marks = ["yes" if there else "–" for there in (point.shipped, point.design)]
        table.add_row(str(number), name, point.asks, *marks)
    print_whole(table, make_console())
    _say("ships: `debate new NAME` writes it as it ships; own: with --data and --model, of yours")


def tell_composed(config: NewConfig, path: Path) -> None:
    """Print what was written, what is to be known of it, and how to go on."""
    from debate.runner.new_config import find_problem

    for remark in config.remarks:
        _say(remark)
    for variable in config.variables:
        if not os.environ.get(variable):
            _say(f"warning: ${variable} is not set; set it before `debate run`")
    if problem := find_problem(path):
        _say(f"warning: it cannot run here as it stands: {problem}")
    _say(f"written: {path}")
    _say(f"next: debate validate {shlex.quote(str(path))}; debate run {shlex.quote(str(path))}")


def _say(line: str) -> None:
    """Print a line; on a terminal it is wrapped at blanks."""
    console = make_console()
    text = Text(clean(line, keep="\n"))
    console.print(text, soft_wrap=not console.is_terminal, highlight=False)
