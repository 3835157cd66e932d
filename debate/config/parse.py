"""YAML text read into documents: plain data alone, of bounded size, each value with its line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from debate.config.document import Document, Key, KeyPath, Place
from debate.errors import ConfigError

MAX_BYTES = 1_000_000
MAX_NODES = 100_000
MAX_DEPTH = 64
LARGEST = 2**63

_ODD = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")

_PLAIN = {
    yaml.MappingNode: {"map"},
    yaml.SequenceNode: {"seq"},
    yaml.ScalarNode: {"null", "bool", "int", "float", "str"},
}
"""The types of YAML that are plain data, by the kind of node that they are written as."""


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
        """A node and all below it."""
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


def read_document(path: Path) -> Document:
    """Read one YAML file. Raises ConfigError with file and line."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(f"{path}: there is no such file") from None
    except (OSError, UnicodeDecodeError) as cause:
        raise ConfigError(f"{path}: cannot be read as text: {cause}") from None
    return parse_document(text, source=str(path), folder=path.parent)


def parse_document(text: str, *, source: str, folder: Path) -> Document:
    """Parse YAML text: safe tags only, no duplicate keys, bounded size and aliases."""
    if len(text) > MAX_BYTES:
        raise ConfigError(f"{source}: larger than {MAX_BYTES:,} characters; is this a config?")
    try:
        return _Builder(text, source, folder).document()
    except yaml.MarkedYAMLError as cause:
        mark = cause.problem_mark or cause.context_mark
        line = mark.line + 1 if mark else 1
        context = f" ({cause.context})" if cause.context else ""
        raise ConfigError(f"{source}:{line}: not valid YAML: {cause.problem}{context}") from None
    except yaml.YAMLError as cause:
        raise ConfigError(f"{source}:1: not valid YAML: {cause}") from None
    except RecursionError:
        raise ConfigError(f"{source}: nested deeper than {MAX_DEPTH} levels") from None


def refuse_odd_texts(value: Any, place: Place) -> None:
    """Raise ConfigError where a text is not all characters, or a number is beyond all use."""
    if isinstance(value, Mapping):
        for key, each in value.items():
            refuse_odd_texts(key, place)
            refuse_odd_texts(each, place)
    elif isinstance(value, list | tuple):
        for each in value:
            refuse_odd_texts(each, place)
    elif isinstance(value, int) and abs(value) >= LARGEST:
        raise ConfigError(f"{place}: a number of more than 64 bits")
    elif isinstance(value, str) and (odd := _ODD.search(value)):
        raise ConfigError(
            f"{place}: the text {_cut(value)!r} holds U+{ord(odd[0]):04X}, which is no character "
            "of any text"
        )


def _cut(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:59]}…"


class _Builder:
    """Builds one document from YAML nodes, counting what aliases expand to."""

    def __init__(self, text: str, source: str, folder: Path) -> None:
        self._loader = _Loader(text)
        self._source = source
        self._folder = folder
        self._nodes = 0
        self._places: dict[KeyPath, Place] = {}

    def document(self) -> Document:
        node = self._loader.get_single_node()
        value = None if node is None else self._build(node, ())
        return Document(value, self._places or {(): Place(self._source, 1)}, self._folder)

    def _build(self, node: yaml.Node, path: KeyPath) -> Any:
        self._nodes += 1
        place = Place(self._source, node.start_mark.line + 1)
        if self._nodes > MAX_NODES:
            raise ConfigError(f"{place}: expands to more than {MAX_NODES:,} values (aliases?)")
        if len(path) > MAX_DEPTH:
            raise ConfigError(f"{place}: nested deeper than {MAX_DEPTH} levels")
        self._places[path] = place
        prefix, _, kind = node.tag.rpartition(":")
        if prefix != "tag:yaml.org,2002" or kind not in _PLAIN[type(node)]:
            raise ConfigError(f"{place}: not valid YAML here: the tag {node.tag} is not plain data")
        if isinstance(node, yaml.MappingNode):
            return {key: self._build(value, (*path, key)) for key, value in self._items(node)}
        if isinstance(node, yaml.SequenceNode):
            return [self._build(item, (*path, i)) for i, item in enumerate(node.value)]
        assert isinstance(node, yaml.ScalarNode)
        return self._scalar(node, place)

    def _scalar(self, node: yaml.ScalarNode, place: Place) -> Any:
        """A scalar's value. Texts are whole characters, none of which is a control character."""
        try:
            value = self._loader.construct_object(node)
        except (ValueError, LookupError) as cause:
            raise ConfigError(f"{place}: not valid YAML: {_cut(str(cause))}") from None
        refuse_odd_texts(value, place)
        return value

    def _items(self, node: yaml.MappingNode) -> Iterator[tuple[Key, yaml.Node]]:
        seen: dict[Key, int] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode) or key_node.tag.endswith(":merge"):
                raise ConfigError(f"{self._source}:{line}: keys must be plain words")
            key = self._scalar(key_node, Place(self._source, line))
            if isinstance(key, bool) or not isinstance(key, (str, int)):
                key = str(key_node.value)
            if key in seen:
                raise ConfigError(
                    f'{self._source}:{line}: "{key}" is written twice '
                    f"(first on line {seen[key]}); remove one"
                )
            seen[key] = line
            yield key, value_node
