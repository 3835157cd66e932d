"""The graph generators that a topology may name, and their arguments: networkx's and others."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, Protocol

from debate.config.registry import find
from debate.errors import suggest

Arguments = Mapping[str, Any] | Sequence[Any]


class GraphFunction(Protocol):
    """Makes the graph of who critiques whom: a generator.

    It is called with the arguments that the topology has under `args`, in which `$n` and the like
    are numbers already, and with `seed`, a number, if it takes one of that name. It returns a
    `networkx.Graph` or `networkx.DiGraph` with one node for each agent of `among`: sorted, its
    nodes stand for these agents in order. In a DiGraph u → v says that u critiques v; the edges of
    a Graph run both ways unless the topology's `direction` says otherwise. Equal arguments and
    seeds give equal graphs. An exception is told as arguments that do not fit.
    """

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Return the graph."""


GRAPH_CLASSES = ("Graph", "DiGraph")
_WITHHELD = {"backend", "seed"}
_NO_GENERATOR = re.compile(
    r"^(is_|maybe_|number_of_|graph_atlas|nonisomorphic_)|_(edges|sequence)$"
)
_COUNT = re.compile(r"\$n(?:\s*(?P<operator>[-+*]|//)\s*(?P<number>\d{1,6}))?")


@cache
def list_generators() -> dict[str, Callable[..., Any]]:
    """List, by name, what `networkx.generators` publishes that makes a graph from plain numbers.

    Left out is what needs a graph to begin with, reads files, or answers a question.
    """
    import networkx.generators as package

    found: dict[str, Callable[..., Any]] = {}
    for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        if not module.ispkg:
            published = importlib.import_module(module.name)
            names = filter(lambda name: not _NO_GENERATOR.search(name), published.__all__)
            found.update({name: getattr(published, name) for name in names})
    return {name: make for name, make in found.items() if "G" not in _get_parameters(make)}


def find_generator(name: str) -> Callable[..., Any]:
    """Find a generator of networkx, or a custom one, by name. Raises ConfigError."""
    found = list_generators().get(name)
    return find("generators", name).value if found is None else found


def _get_parameters(make: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    return inspect.signature(make).parameters


def is_seeded(name: str) -> bool:
    """Whether the generator draws at random."""
    return "seed" in _get_parameters(find_generator(name))


def get_signature(name: str) -> inspect.Signature:
    """Return the generator's arguments as a topology may write them: without seed and backend."""
    kept = [
        parameter
        for parameter in _get_parameters(find_generator(name)).values()
        if parameter.name not in _WITHHELD and parameter.kind is not parameter.VAR_KEYWORD
    ]
    return inspect.Signature(kept)


def format_call(name: str) -> str:
    """Format the generator as one would call it.

    >>> format_call("star_graph")
    'star_graph(n, create_using=None)'
    """
    shown = [
        parameter.replace(annotation=inspect.Parameter.empty)
        for parameter in get_signature(name).parameters.values()
    ]
    return f"{name}{inspect.Signature(shown)}"


def check_generator(name: str) -> None:
    """Raise ValueError where networkx has no such generator."""
    if name not in list_generators():
        raise ValueError(f'networkx has no generator "{name}"; {suggest(name, list_generators())}')


def check_arguments(name: str, arguments: Arguments) -> None:
    """Raise ValueError where the generator cannot be called so, naming its signature."""
    named = arguments if isinstance(arguments, Mapping) else {}
    if "seed" in named:
        raise ValueError('a random graph is seeded by the topology: write "seed:" beside "args:"')
    if named.get("create_using", "Graph") not in GRAPH_CLASSES:
        raise ValueError('create_using is "Graph" or "DiGraph"')
    try:
        call_with(get_signature(name).bind, fill_counts(arguments, 2))
    except TypeError as problem:
        raise ValueError(
            f"{name}: {problem}; it is {format_call(name)}, "
            'and "$n" stands for the number of seats, e.g. {n: $n} or {n: $n-1}'
        ) from None


def call_with(function: Callable[..., Any], arguments: Arguments, **more: Any) -> Any:
    """Call with arguments by name or by position."""
    if isinstance(arguments, Mapping):
        return function(**arguments, **more)
    return function(*arguments, **more)


def fill_counts(value: Any, num_seats: int) -> Any:
    """Return the arguments with `$n`, `$n-1`, `$n+1`, `$n*2`, `$n//2` as numbers, at any depth.

    Raises ValueError for anything that is not plain data.

    >>> fill_counts({"n": "$n - 1", "offsets": [1, "$n//2"]}, 6)
    {'n': 5, 'offsets': [1, 3]}
    """
    if isinstance(value, Mapping):
        return {str(key): fill_counts(item, num_seats) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [fill_counts(item, num_seats) for item in value]
    if isinstance(value, str) and value.startswith("$"):
        return _evaluate_count(value, num_seats)
    if value is None or isinstance(value, (str, int, float)):
        return value
    raise ValueError(f"{value!r} cannot be an argument; numbers, words and lists can")


def _evaluate_count(text: str, num_seats: int) -> int:
    match = _COUNT.fullmatch(text.strip())
    if match is None or (match["operator"] == "//" and not int(match["number"])):
        raise ValueError(f'"{text}" is no count of seats; write $n, $n-1, $n+1, $n*2 or $n//2')
    number = int(match["number"] or 0)
    results: dict[str | None, Callable[[], int]] = {
        None: lambda: num_seats,
        "-": lambda: num_seats - number,
        "+": lambda: num_seats + number,
        "*": lambda: num_seats * number,
        "//": lambda: num_seats // number,
    }
    return results[match["operator"]]()
