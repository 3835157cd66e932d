"""Code by name: what this package has, what installed packages offer, and `module.name`.

A name without a dot is of this package, or an entry point of an installed one, in the group
`debate.KIND`; where both have it, this package's stands. A dotted name is imported. What is not of
this package is custom code.
"""

from __future__ import annotations

import hashlib
import importlib
import inspect
import re
import sys
import traceback
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import metadata
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal, get_args

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationInfo
from pydantic_core import CoreSchema, PydanticKnownError, core_schema

from debate.config.synonyms import translate_value
from debate.errors import ConfigError, InputError, suggest

Kind = Literal[
    "protocols", "decisions", "probes", "engines", "datasets", "generators", "arms", "filters"
]
PACKAGE = "debate-lab"
REFUSAL = "--no-custom-code forbids it"
RECORDED: Final[dict[str, bool]] = {"recorded": True}
"""Validation context of a recorded configuration: its names were known when it ran."""

DOTTED_NAME = r"^\w+(\.\w+)+$"


@dataclass(frozen=True, kw_only=True, slots=True)
class KindInfo:
    """What is known of a kind of code.

    built_in: where this package's own stand, `module:table`, a mapping by name or a function that
    returns one. parameters: what is given by position. check: `module:function` that takes the
    object and raises ValueError, saying what it must be, where it is of another kind.
    """

    noun: str
    built_in: str
    parameters: tuple[str, ...] = ()
    is_async: bool = False
    check: str | None = None
    origin: str = PACKAGE


KINDS: Final[Mapping[Kind, KindInfo]] = MappingProxyType(
    {
        "protocols": KindInfo(
            noun="protocol",
            built_in="debate.orchestrator.protocols:PROTOCOLS",
            parameters=("debate", "author", "round"),
            is_async=True,
        ),
        "decisions": KindInfo(
            noun="decision",
            built_in="debate.orchestrator.decisions:RULES",
            parameters=("spec", "ballots"),
        ),
        "probes": KindInfo(
            noun="probe",
            built_in="debate.agents.probes:PROBES",
            parameters=("subject", "spec", "ask"),
            is_async=True,
        ),
        "engines": KindInfo(
            noun="engine",
            built_in="debate.config.models:ENGINES",
            check="debate.engines.registry:check_class",
        ),
        "datasets": KindInfo(
            noun="data set", built_in="debate.tasks.datasets:DATASETS", parameters=("row",)
        ),
        "generators": KindInfo(
            noun="generator",
            built_in="debate.config.graph_generators:list_generators",
            origin="networkx",
        ),
        "arms": KindInfo(noun="arm", built_in="debate.config.arms:ARMS", parameters=("base",)),
        "filters": KindInfo(
            noun="prompt filter",
            built_in="debate.agents.prompt_templates:FILTERS",
            parameters=("value",),
        ),
    }
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Registered:
    """A named object, and where it comes from: a distribution with its version, or a module."""

    kind: Kind
    name: str
    source: str
    value: Any = field(repr=False)
    is_custom: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class ListedName:
    """A line of `debate list`; `what` is the first line of the docstring."""

    kind: Kind
    name: str
    source: str
    what: str


def find(kind: Kind, name: str) -> Registered:
    """Find what a name stands for; custom code is imported.

    Raises ConfigError where the name is unknown, with the nearest one; where the module or the
    name in it is missing; and where the object is not of this kind.

    >>> find("decisions", "majority").source.split()[0]
    'debate-lab'
    """
    built_in = list_built_in(kind)
    if name in built_in:
        source = _describe_distribution(KINDS[kind].origin)
        return Registered(
            kind=kind, name=name, source=source, value=built_in[name], is_custom=False
        )
    return _find_custom(kind, name)


def list_built_in(kind: Kind) -> Mapping[str, Any]:
    """List this package's own objects of a kind by name."""
    found: Any = _load(KINDS[kind].built_in)
    table: Mapping[str, Any] = found if isinstance(found, Mapping) else found()
    return table


def list_entry_points(kind: Kind) -> dict[str, list[metadata.EntryPoint]]:
    """List what installed packages offer by name; nothing is imported."""
    found: dict[str, list[metadata.EntryPoint]] = {}
    for point in metadata.entry_points(group=f"debate.{kind}"):
        if "." not in point.name:
            found.setdefault(point.name, []).append(point)
    return found


def is_custom(kind: Kind, name: str) -> bool:
    """Whether a name stands for code that is not this package's. Imports none of that."""
    return name not in list_built_in(kind) and _is_offered(kind, name)


def _is_offered(kind: Kind, name: str) -> bool:
    return bool(re.search(DOTTED_NAME, name)) or name in list_entry_points(kind)


@dataclass(frozen=True, eq=False)
class CodeName:
    """Annotation of a text that names code of a kind, for pydantic.

    built_in: the names of this package; none are accepted where it is empty. Nothing is imported:
    a dotted name may be wrong.
    """

    kind: Kind
    built_in: Collection[str] = ()

    def _list_known(self) -> list[str]:
        return list(dict.fromkeys([*self.built_in, *sorted(list_entry_points(self.kind))]))

    def _check(self, name: str, info: ValidationInfo) -> str:
        is_known = name in self.built_in or _is_offered(self.kind, name)
        if not is_known and info.context is not RECORDED:
            known = ", ".join(map(repr, sorted(self._list_known())))
            raise PydanticKnownError("literal_error", {"expected": known})
        return name

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.with_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        dotted = {"type": "string", "pattern": DOTTED_NAME}
        known = self._list_known()
        return {"anyOf": [{"enum": known}, dotted]} if known else dotted


@cache
def _find_custom(kind: Kind, name: str) -> Registered:
    target, source = _locate_custom(kind, name)
    try:
        value = _load(target)
    except (Exception, SystemExit) as cause:
        noun = KINDS[kind].noun
        raise ConfigError(f'{noun} "{name}" cannot be imported: {_describe_cause(cause)}') from None
    _check_form(kind, name, value)
    return Registered(kind=kind, name=name, source=source, value=value)


def _locate_custom(kind: Kind, name: str) -> tuple[str, str]:
    """Return `module:name`, and where it comes from."""
    if "." in name:
        module, _, attribute = name.rpartition(".")
        return f"{module}:{attribute}", module
    points = list_entry_points(kind)
    noun, offered = KINDS[kind].noun, points.get(name, [])
    if not offered:
        known = {*list_built_in(kind), *points}
        meant = translate_value(noun.replace(" ", ""), name)
        hint = f"here that is `{meant}`" if meant in known else suggest(name, known)
        raise ConfigError(f'{noun} "{name}" is unknown; {hint}')
    if len({point.value for point in offered}) > 1:
        told = " and ".join(sorted(map(_describe_source, offered)))
        raise ConfigError(f'{noun} "{name}" is offered by {told}; write its `module.name` instead')
    return offered[0].value, _describe_source(offered[0])


def _load(target: str) -> Any:
    """Import `module:name`. Raises ImportError where it has none of that name."""
    module, _, name = target.partition(":")
    found: Any = importlib.import_module(module)
    for part in name.strip().split("."):
        if not hasattr(found, part):
            public = [each for each in vars(found) if not each.startswith("_")]
            raise ImportError(f'module {module} has no "{part}"; {suggest(part, public)}')
        found = getattr(found, part)
    return found


def _describe_cause(cause: BaseException) -> str:
    """Return an error on import in words, with the line of the user's that raised it."""
    if isinstance(cause, ImportError | SyntaxError):
        return str(cause)
    last = traceback.extract_tb(cause.__traceback__)[-1]
    return f"{type(cause).__name__}: {cause} ({last.filename}:{last.lineno})"


def _check_form(kind: Kind, name: str, value: Any) -> None:
    """Raise ConfigError where an object cannot be called as its kind is."""
    info = KINDS[kind]
    try:
        if info.check is not None:
            _load(info.check)(value)
            return
        wanted = f"`async def` of ({', '.join(info.parameters)})"
        if not info.is_async:
            wanted = f"a function of ({', '.join(info.parameters) or 'its arguments'})"
        is_right = callable(value) and inspect.iscoroutinefunction(value) == info.is_async
        if not (is_right and _takes(value, info.parameters, more=kind == "filters")):
            raise ValueError(wanted)
    except ValueError as cause:
        raise ConfigError(f'{info.noun} "{name}" must be {cause}') from None


def _takes(value: Callable[..., Any], parameters: Collection[str], *, more: bool) -> bool:
    """Whether a function can be called with so many arguments; `more`: and with others besides."""
    if not parameters:
        return True
    try:
        signature = inspect.signature(value)
        (signature.bind_partial if more else signature.bind)(*parameters)
    except TypeError:
        return False
    except ValueError:  # some functions written in C tell no signature
        return True
    return True


def refuse_code(kind: Kind, name: str) -> str:
    """Return the sentence that refuses custom code."""
    return f'{KINDS[kind].noun} "{name}" would be imported and run; {REFUSAL}'


def get_required(value: Any, known: Collection[str]) -> frozenset[str]:
    """Return what custom code says by its attribute `requires` that a run must have.

    Raises ConfigError for a requirement that is not `known`.
    """
    wanted = getattr(value, "requires", ())
    for each in wanted:
        if each not in known:
            raise ConfigError(
                f'{value.__name__} requires "{each}", which is unknown; {suggest(each, known)}'
            )
    return frozenset(wanted)


# What is recorded of custom code.


@cache
def hash_code(kind: Kind, name: str) -> str:
    """Hash the file that defines a custom object; 32 hex digits, empty where it has no source.

    Raises ConfigError as `find` does.
    """
    try:
        file = inspect.getsourcefile(inspect.unwrap(find(kind, name).value))
        content = Path(file).read_bytes() if file else b""
    except (TypeError, OSError):
        content = b""
    return hashlib.blake2b(content, digest_size=16).hexdigest() if content else ""


def hash_custom_code(names: Iterable[tuple[Kind, str]]) -> dict[str, str]:
    """Return the digests of the custom ones among `names`, as in `decisions my_rules.trimmed`."""
    custom = sorted({(kind, name) for kind, name in names if is_custom(kind, name)})
    return {f"{kind} {name}": hash_code(kind, name) for kind, name in custom}


def find_changed_code(recorded: Mapping[str, str]) -> Iterator[str]:
    """Yield the recorded objects whose code is another now, or cannot be imported."""
    for label, digest in recorded.items():
        kind, _, name = label.partition(" ")
        try:
            is_same = hash_code(read_kind(kind), name) == digest
        except InputError:
            is_same = False
        if not is_same:
            yield label


# Where custom code is imported from.


def add_import_folders(folders: Iterable[str | Path]) -> None:
    """Let modules be imported from these folders, after all others, so that they hide none."""
    for folder in folders:
        path = str(Path(folder).resolve())
        if path not in sys.path:
            sys.path.append(path)
            importlib.invalidate_caches()


def list_import_folders() -> tuple[str, ...]:
    """List the folders outside the Python installation that this process imports from.

    Other processes of a run are given them, so that they can import what this one can.
    """
    installed = {Path(sys.prefix), Path(sys.base_prefix)}
    folders = (Path(entry).resolve() for entry in sys.path)
    outside = (f for f in folders if f.is_dir() and not installed & {f, *f.parents})
    return tuple(dict.fromkeys(map(str, outside)))


# `debate list`.


def list_registered(kind: Kind, *, custom_code: bool = True) -> list[ListedName]:
    """List the names of a kind, this package's own first.

    Without `custom_code` nothing of installed packages is imported, so that their docstrings are
    not known.
    """
    own = _describe_distribution(KINDS[kind].origin)
    found = [
        ListedName(kind=kind, name=name, source=own, what=_get_first_line(value))
        for name, value in list_built_in(kind).items()
    ]
    for name, points in sorted(list_entry_points(kind).items()):
        source = " and ".join(sorted(set(map(_describe_source, points))))
        what = _describe_entry(kind, name) if custom_code else "(not imported)"
        found.append(ListedName(kind=kind, name=name, source=source, what=what))
    return found


def read_kind(word: str) -> Kind:
    """Return the kind that a word names. Raises InputError."""
    for kind in get_args(Kind):
        if word == kind:
            return kind  # type: ignore[no-any-return]
    raise InputError(f'"{word}" is no kind of code; {suggest(word, KINDS)}')


def _describe_entry(kind: Kind, name: str) -> str:
    if name in list_built_in(kind):
        return f"(hidden by the {KINDS[kind].noun} of {KINDS[kind].origin})"
    try:
        return _get_first_line(find(kind, name).value)
    except ConfigError as error:
        return f"({error})"


def _get_first_line(value: Any) -> str:
    lines = (inspect.getdoc(value) or "").strip().splitlines()
    return lines[0] if lines else ""


def _describe_source(point: metadata.EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist else point.module


def _describe_distribution(name: str) -> str:
    try:
        return f"{name} {metadata.version(name)}"
    except metadata.PackageNotFoundError:
        return name
