"""A run's YAML loaded: overridden, its references resolved, validated, its cells expanded.

An override is `a.b.0.c=value`, the value read as YAML.

`debate run --no-custom-code` refuses a configuration that would run code which does not come with
this package: what a dotted name or an installed package's stands for, in every place that takes a
name of code. Otherwise each is imported here, and what cannot be called as its kind is refused. A
module may lie in the configuration's folder. So is what could make an engine, an actor or Ray load
code (`debate.config.untrusted`). Everything else in a configuration is data: templates of a prompt
set run in a sandbox, and weights are read as data.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path, PurePath
from typing import Any

from debate.config.document import (
    MAX_DEPTH,
    ConfigDocument,
    KeyPath,
    Problem,
    SourceLocation,
    check_plain_values,
    parse_document,
    read_document,
)
from debate.config.expansion import expand_cells
from debate.config.graph_generators import check_arguments, is_seeded
from debate.config.models import CustomModel
from debate.config.references import list_shipped, resolve_references
from debate.config.registry import add_import_folders, find, is_custom, refuse_code
from debate.config.run import RunSpec
from debate.config.secrets import redact
from debate.config.spec import NamedCode, Spec, iterate_code
from debate.config.topology import TopologySpec
from debate.config.untrusted import find_loading_problems, find_sent_variables
from debate.config.validation import validate_document
from debate.errors import ConfigError, suggest

MAX_VALUES = 2_000_000
"""Values of a configuration that is given as a mapping."""


@dataclass(frozen=True, slots=True)
class LoadedRun:
    """A run's configuration, and where each part of it was written.

    `origins` leads from a part of an expanded cell to that part of `document` which it comes from.
    `custom_code` says whether code that is not this package's may be imported; where it may not,
    variables of the environment are sent that are named like keys, and `allowed_keys`.
    """

    spec: RunSpec
    document: ConfigDocument
    origins: Mapping[KeyPath, KeyPath] = field(default_factory=dict)
    custom_code: bool = True
    allowed_keys: Collection[str] = ()

    def error(self, problems: Iterable[Problem]) -> ConfigError:
        """Return one error for several problems, each with its location."""
        lines = [f"{self.locate(path)}: {message}" for path, message in problems]
        return ConfigError("\n".join(dict.fromkeys(lines)))

    def locate(self, path: KeyPath) -> SourceLocation:
        """Return where a part of the spec was written; a cell's parts may stand in sweep or run."""
        for length in (3, 2):
            if path[:length] in self.origins:
                return self.document.locate(self.origins[path[:length]] + path[length:])
        return self.document.locate(path)


def load_run(
    source: Path | str | Mapping[str, Any],
    overrides: Iterable[str] = (),
    *,
    custom_code: bool = True,
    allowed_keys: Collection[str] = (),
) -> LoadedRun:
    """Read, override, resolve and check a run's configuration, all offline.

    `source` is a YAML file, the name of a shipped configuration, or a mapping of the same shape.
    Without `custom_code`, one that would run code of the user's own is refused, and so is one that
    sends a variable of the environment which is neither named like a key nor among `allowed_keys`.
    Raises ConfigError that names every problem with its file and line.
    """
    document, unresolved = resolve_references(apply_overrides(_read_source(source), overrides))
    try:
        spec = validate_document(RunSpec, document, known=[path for path, _ in unresolved])
    except ConfigError as error:
        raise _join_problems(unresolved, str(error)) from None
    if unresolved:
        raise _join_problems(unresolved)
    written = LoadedRun(spec, document, custom_code=custom_code, allowed_keys=allowed_keys)
    _import_custom_code(written)
    expanded = expand_cells(spec)
    loaded = replace(written, spec=expanded.spec, origins=expanded.origins)
    if expanded.problems:
        raise loaded.error(expanded.problems)
    if any(kind == "arms" for kind, *_ in list_custom_code(spec)):
        _import_custom_code(loaded)  # an arm may name further code
    return loaded


def _join_problems(unresolved: Iterable[Problem], others: str = "") -> ConfigError:
    """Return one error for problems that tell their locations, in the order of a file's lines."""
    lines = "\n".join([*(message for _, message in unresolved), others]).splitlines()
    return ConfigError("\n".join(sorted(filter(None, dict.fromkeys(lines)), key=_find_line)))


def _find_line(message: str) -> tuple[str, int]:
    """Return the file and line that a message begins with."""
    found = re.match(r"(.+?):(\d+): ", message)
    return (found[1], int(found[2])) if found else (message, 0)


def _import_custom_code(loaded: LoadedRun) -> None:
    """Raise ConfigError for custom code that is forbidden, missing, or not of its kind."""
    if loaded.custom_code:
        problems = find_code_problems(loaded.spec, folder=loaded.document.folder)
    else:
        problems = list(find_custom_code(loaded.spec))
        problems += find_sent_variables(loaded.spec, loaded.allowed_keys)
    if problems:
        raise loaded.error(problems)


def list_custom_code(spec: Spec) -> list[NamedCode]:
    """List every name in a spec that stands for code of others. Imports none of it."""
    return [each for each in iterate_code(spec) if is_custom(each.kind, each.name)]


def find_code_problems(spec: Spec, *, folder: Path, custom_code: bool = True) -> list[Problem]:
    """Find the custom code of a spec that is missing or not of its kind; it is imported to know.

    Modules may lie in `folder`. Without `custom_code` nothing is imported, and each is a problem.
    """
    named = list_custom_code(spec)
    if not custom_code:
        return [Problem(each.path, refuse_code(each.kind, each.name)) for each in named]
    if named:
        add_import_folders([folder])
    return [problem for each in named for problem in _check_code(each)]


def _check_code(named: NamedCode) -> Iterator[Problem]:
    """Yield why custom code cannot be used as it is named."""
    kind, name, path, spec = named
    try:
        found = find(kind, name)
        if isinstance(spec, CustomModel):
            path = (*path[:-1], "options")
            _check_options(name, found.value, spec.options)
        elif isinstance(spec, TopologySpec):
            _check_generator_use(name, spec)
    except (ConfigError, ValueError) as error:
        yield Problem(path, str(error))


def _check_options(name: str, engine: type, options: Mapping[str, Any]) -> None:
    """Raise ValueError where the class does not take these arguments."""
    signature = inspect.signature(engine)
    try:
        signature.bind(**options)
    except TypeError as cause:
        raise ValueError(f'engine "{name}": {cause}; its options are {signature}') from None


def _check_generator_use(name: str, spec: TopologySpec) -> None:
    """Raise ValueError where the generator cannot be called as the topology says."""
    check_arguments(name, spec.args)
    if spec.resample != "never" and not is_seeded(name):
        raise ValueError(f"{name} has nothing to draw anew; a random generator takes a `seed`")


def _read_source(source: Path | str | Mapping[str, Any]) -> ConfigDocument:
    if isinstance(source, Mapping):
        location = SourceLocation("the configuration")
        plain = _make_plain(source, location, count())
        check_plain_values(plain, location)
        return ConfigDocument(plain, {(): location}, Path.cwd())
    path, shipped = Path(source), list_shipped("configs")
    if path.exists() or path.is_symlink():
        return read_document(path)
    if str(source) in shipped:
        return read_document(shipped[str(source)])
    hint = suggest(path.stem, shipped)
    raise ConfigError(f"{source}: there is no such file, and no shipped configuration; {hint}")


def _make_plain(
    value: Any, location: SourceLocation, numbers: Iterator[int], depth: int = 0
) -> Any:
    """Return what YAML could have held: paths as texts, numpy's numbers and arrays as Python's.

    `numbers` count the values. Raises ConfigError for what is nested too deep, such as a mapping in
    itself, and for what holds some list so often that it is too much.
    """
    if next(numbers) > MAX_VALUES:
        raise ConfigError(f"{location}: more than {MAX_VALUES:,} values")
    if depth > MAX_DEPTH:
        raise ConfigError(f"{location}: nested deeper than {MAX_DEPTH} levels, or in itself")
    if isinstance(value, PurePath):
        return str(value)
    if type(value).__module__ == "numpy" and hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {
            _make_plain(key, location, numbers, depth + 1): _make_plain(
                each, location, numbers, depth + 1
            )
            for key, each in value.items()
        }
    if isinstance(value, list | tuple):
        return [_make_plain(each, location, numbers, depth + 1) for each in value]
    return value


def apply_overrides(document: ConfigDocument, assignments: Iterable[str]) -> ConfigDocument:
    """Apply each `path=value` to the document in turn. Raises ConfigError."""
    for assignment in assignments:
        document = _assign(document, assignment)
    return document


def _assign(document: ConfigDocument, assignment: str) -> ConfigDocument:
    dotted, equals, text = assignment.partition("=")
    location = SourceLocation(f"override {_quote_assignment(dotted, equals, text)!r}")
    if not equals or not dotted.strip():
        raise ConfigError(f"{location}: write it as path=value, as in rounds=4")
    words = dotted.strip().split(".")
    if len(words) > MAX_DEPTH:
        raise ConfigError(f"{location}: nested deeper than {MAX_DEPTH} levels")
    path: KeyPath = ()
    for word in words:
        document, path = _descend(document, path, word, location)
    branch = parse_document(text, source=str(location), folder=document.folder)
    locations = dict.fromkeys(branch.locations, location)
    changed = document.replace_at(path, ConfigDocument(branch.value, locations, document.folder))
    made = {path[:n]: location for n in range(1, len(path)) if path[:n] not in changed.locations}
    return replace(changed, locations={**changed.locations, **made})


def _quote_assignment(dotted: str, equals: str, text: str) -> str:
    """Return the assignment as errors quote it, with the values of secrets hidden."""
    return f"{dotted}{equals}{redact(text, dotted.strip().rpartition('.')[2])}"


def _descend(
    document: ConfigDocument, path: KeyPath, word: str, location: SourceLocation
) -> tuple[ConfigDocument, KeyPath]:
    """Go one word further down; a list's members go by number or by the name they carry."""
    here = document.at(path).value if path in document.locations or not path else None
    if isinstance(here, list):
        names = [_get_item_name(item) for item in here]
        index = int(word) if word.isdecimal() else names.index(word) if word in names else None
        if index is None or index >= len(here):
            known = [name for name in names if name] + [str(i) for i in range(len(here))]
            raise ConfigError(f'{location}: "{word}" is not in that list; {suggest(word, known)}')
        path = (*path, index)
        if isinstance(here[index], str):
            card = document.at(path).with_value({"card": here[index]})
            document = document.replace_at(path, card)
        return document, path
    return document, (*path, word)


def _get_item_name(item: Any) -> str:
    if isinstance(item, dict):
        return str(item.get("id", item.get("card", "")))
    return str(item)


def find_custom_code(spec: RunSpec) -> Iterator[Problem]:
    """Find each part of the configuration that names code of the user's own, or could load some."""
    yield from find_code_problems(spec, folder=Path(), custom_code=False)
    yield from find_loading_problems(spec)
