"""Plain values that remember the file and line they were written on, read from YAML.

What is read is plain data alone, of bounded size.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from debate.errors import ConfigError
from debate.input_files import find_file_problem

PathKey = str | int
KeyPath = tuple[PathKey, ...]

MAX_BYTES = 1_000_000
MAX_NODES = 100_000
MAX_DEPTH = 64
MAX_INTEGER = 2**63

_CONTROL_CHARACTER = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")

_PLAIN_TAGS = {
    yaml.MappingNode: {"map"},
    yaml.SequenceNode: {"seq"},
    yaml.ScalarNode: {"null", "bool", "int", "float", "str"},
}
"""The types of YAML that are plain data, by the kind of node that they are written as."""


class Problem(NamedTuple):
    """One thing that is wrong, with what would be right; `path` leads to it inside the document."""

    path: KeyPath
    message: str

    def below(self, path: KeyPath) -> Problem:
        """Return the same problem for a part that stands at `path` of a larger document."""
        return Problem(path + self.path, self.message)


@dataclass(frozen=True, slots=True)
class SourceLocation:
    """Where a value was written: a file and a line from 1, or a command-line override."""

    source: str
    line: int | None = None

    def __str__(self) -> str:
        return self.source if self.line is None else f"{self.source}:{self.line}"


@dataclass(frozen=True, slots=True)
class ConfigDocument:
    """A plain value with the location of each of its parts; changes make a new document.

    Relative paths in it are relative to `folder`.
    """

    value: Any
    locations: Mapping[KeyPath, SourceLocation]
    folder: Path

    def locate(self, path: KeyPath) -> SourceLocation:
        """Return where `path` was written, or else the nearest part around it."""
        while path not in self.locations and path:
            path = path[:-1]
        return self.locations.get(path, SourceLocation("the configuration"))

    def replace_at(self, path: KeyPath, branch: ConfigDocument) -> ConfigDocument:
        """Return this document with the whole of `branch` in place of what stands at `path`."""
        kept = {p: where for p, where in self.locations.items() if p[: len(path)] != path}
        moved = {path + p: where for p, where in branch.locations.items()}
        value = _copy_with(self.value, path, branch.value)
        return replace(self, value=value, locations={**kept, **moved})

    def at(self, path: KeyPath) -> ConfigDocument:
        """Return the part of this document that stands at `path`."""
        value = self.value
        for key in path:
            value = value[key]
        depth = len(path)
        inside = {p[depth:]: where for p, where in self.locations.items() if p[:depth] == path}
        return ConfigDocument(value, {(): self.locate(path), **inside}, self.folder)

    def has(self, path: KeyPath) -> bool:
        """Whether anything stands at `path`."""
        value = self.value
        for key in path:
            if not has_key(value, key):
                return False
            value = value[key]
        return True

    def with_value(self, value: Any) -> ConfigDocument:
        """Return another value, as if it were written where this one is."""
        return ConfigDocument(value, {(): self.locate(())}, self.folder)

    def merge(self, over: ConfigDocument) -> ConfigDocument:
        """Return this mapping with `over` merged into it, deeply; `over` wins."""
        merged = self
        for key, value in over.value.items():
            below, branch = self.value.get(key), over.at((key,))
            if isinstance(value, dict) and isinstance(below, dict):
                branch = self.at((key,)).merge(branch)
            merged = merged.replace_at((key,), branch)
        return merged


def has_key(value: Any, key: PathKey) -> bool:
    """Whether a value has a part of this name or number.

    >>> has_key({"a": 1}, "a"), has_key([7], 0), has_key([7], 1), has_key("text", 0)
    (True, True, False, False)
    """
    if isinstance(value, dict):
        return key in value
    return isinstance(value, list) and isinstance(key, int) and key < len(value)


def _copy_with(value: Any, path: KeyPath, new: Any) -> Any:
    """Copy `value` with `new` at `path`; mappings on the way are made where missing."""
    if not path:
        return new
    key, rest = path[0], path[1:]
    if isinstance(value, list) and isinstance(key, int):
        return [*value[:key], _copy_with(value[key], rest, new), *value[key + 1 :]]
    below = value if isinstance(value, dict) else {}
    return {**below, key: _copy_with(below.get(key), rest, new)}


class _Loader(yaml.SafeLoader):
    """SafeLoader that reads `1e-5` as the number that YAML 1.2 and every reader take it for.

    Dates stay texts, and what is nested too deeply is refused before it is read to its end.
    """

    yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":timestamp")]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Compose a node and all below it."""
        if self._depth > MAX_DEPTH:
            raise RecursionError
        self._depth += 1
        node: yaml.Node | None = super().compose_node(parent, index)
        self._depth -= 1
        return node


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?[0-9][0-9_]*(?:\.[0-9_]*)?[eE][-+]?[0-9]+$"),
    list("-+0123456789"),
)


def read_document(path: Path) -> ConfigDocument:
    """Read one YAML file. Raises ConfigError with file and line."""
    if problem := find_file_problem(path):
        raise ConfigError(f"{path}: {problem}")
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        _require_size(len(content), str(path))
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as cause:
        line = content.count(b"\n", 0, cause.start) + 1
        wrong = content[cause.start : cause.end]
        what = f"the bytes {wrong!r} are no UTF-8 text; save the file as UTF-8"
        raise ConfigError(f"{path}:{line}: {what}") from None
    except OSError as cause:
        raise ConfigError(f"{path}: cannot be read: {cause.strerror}") from None
    return parse_document(text, source=str(path), folder=path.parent)


def _require_size(num: int, source: str) -> None:
    if num > MAX_BYTES:
        raise ConfigError(f"{source}: larger than {MAX_BYTES:,} bytes; is this a config?")


def parse_document(text: str, *, source: str, folder: Path) -> ConfigDocument:
    """Parse YAML text. Raises ConfigError with `source` and line.

    Refused are tags other than those of plain data, duplicate keys, and what is too large or too
    deep with its aliases expanded.
    """
    _require_size(len(text), source)
    try:
        return _Builder(text, source, folder).build()
    except yaml.MarkedYAMLError as cause:
        mark = cause.problem_mark or cause.context_mark
        line = mark.line + 1 if mark else 1
        context = f" ({cause.context})" if cause.context else ""
        raise ConfigError(f"{source}:{line}: not valid YAML: {cause.problem}{context}") from None
    except yaml.YAMLError as cause:
        raise ConfigError(f"{source}:1: not valid YAML: {cause}") from None
    except RecursionError:
        raise ConfigError(f"{source}: nested deeper than {MAX_DEPTH} levels") from None


def check_plain_values(value: Any, location: SourceLocation) -> None:
    """Raise ConfigError for a text with control characters, or an integer beyond 64 bits."""
    if isinstance(value, Mapping):
        for key, each in value.items():
            check_plain_values(key, location)
            check_plain_values(each, location)
    elif isinstance(value, list | tuple):
        for each in value:
            check_plain_values(each, location)
    elif isinstance(value, int) and abs(value) >= MAX_INTEGER:
        raise ConfigError(f"{location}: a number of more than 64 bits")
    elif isinstance(value, str) and (found := _CONTROL_CHARACTER.search(value)):
        raise ConfigError(
            f"{location}: the text {_shorten(value)!r} holds U+{ord(found[0]):04X}, "
            "which is no character of any text"
        )


def _shorten(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:59]}…"


class _Builder:
    """Builds one document from YAML nodes, counting the values that aliases expand to."""

    def __init__(self, text: str, source: str, folder: Path) -> None:
        self._loader = _Loader(text)
        self._source = source
        self._folder = folder
        self._nodes = 0
        self._locations: dict[KeyPath, SourceLocation] = {}

    def build(self) -> ConfigDocument:
        node = self._loader.get_single_node()
        value = None if node is None else self._build_value(node, ())
        return ConfigDocument(
            value, self._locations or {(): SourceLocation(self._source, 1)}, self._folder
        )

    def _build_value(self, node: yaml.Node, path: KeyPath) -> Any:
        self._nodes += 1
        location = SourceLocation(self._source, node.start_mark.line + 1)
        if self._nodes > MAX_NODES:
            raise ConfigError(f"{location}: expands to more than {MAX_NODES:,} values (aliases?)")
        if len(path) > MAX_DEPTH:
            raise ConfigError(f"{location}: nested deeper than {MAX_DEPTH} levels")
        self._locations[path] = location
        prefix, _, kind = node.tag.rpartition(":")
        if prefix != "tag:yaml.org,2002" or kind not in _PLAIN_TAGS[type(node)]:
            raise ConfigError(
                f"{location}: not valid YAML here: the tag {node.tag} is not plain data"
            )
        if isinstance(node, yaml.MappingNode):
            return {
                key: self._build_value(value, (*path, key))
                for key, value in self._iterate_items(node)
            }
        if isinstance(node, yaml.SequenceNode):
            return [self._build_value(item, (*path, i)) for i, item in enumerate(node.value)]
        assert isinstance(node, yaml.ScalarNode)
        return self._read_scalar(node, location)

    def _read_scalar(self, node: yaml.ScalarNode, location: SourceLocation) -> Any:
        """Return a scalar's value. Raises ConfigError for a text with control characters."""
        try:
            value = self._loader.construct_object(node)
        except (ValueError, LookupError) as cause:
            raise ConfigError(f"{location}: not valid YAML: {_shorten(str(cause))}") from None
        check_plain_values(value, location)
        return value

    def _iterate_items(self, node: yaml.MappingNode) -> Iterator[tuple[PathKey, yaml.Node]]:
        seen: dict[PathKey, int] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode) or key_node.tag.endswith(":merge"):
                raise ConfigError(f"{self._source}:{line}: keys must be plain words")
            key = self._read_scalar(key_node, SourceLocation(self._source, line))
            if isinstance(key, bool) or not isinstance(key, (str, int)):
                key = str(key_node.value)
            if key in seen:
                raise ConfigError(
                    f'{self._source}:{line}: "{key}" is written twice '
                    f"(first on line {seen[key]}); remove one"
                )
            seen[key] = line
            yield key, value_node
