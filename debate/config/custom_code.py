"""What in a configuration would run code that does not come with this package.

For configurations from strangers: `debate run --no-custom-code` refuses each of these. Everything
else in a configuration is data. Templates of a prompt set run in a sandbox; weights are read as
data.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from debate.config.document import KeyPath, Problem
from debate.config.run import RunSpec

REFUSAL = "--no-custom-code forbids it"
_PLAIN_WORD = re.compile(r"[A-Za-z0-9_-]*")
_LOADS_CODE = re.compile(r"plugin|processor|_cls$|class|code|module|callable|hook|middleware", re.I)
_LOADER_VARIABLES = re.compile(r"PYTHON|LD_|DYLD_|PATH$|PLUGIN|RAY_|BASH_ENV|ENV$", re.IGNORECASE)


def custom_code(spec: RunSpec) -> Iterator[Problem]:
    """Each place that names code of the user's own, and what it is."""
    yield from _protocols(spec)
    for name, model in spec.models.items():
        at: KeyPath = ("models", name, "engine_kwargs")
        for found in _arguments(getattr(model, "engine_kwargs", {})):
            yield Problem((*at, *found.path), f"{found.message}; {REFUSAL}")
    if spec.cluster.runtime_env:
        what = f"a runtime environment can install and run anything; {REFUSAL}"
        yield Problem(("cluster", "runtime_env"), what)
    for variable in spec.cluster.env:
        if _LOADER_VARIABLES.search(variable):
            what = f"the variable {variable} can make the actors load code"
            yield Problem(("cluster", "env", variable), f"{what}; {REFUSAL}")


def _protocols(spec: RunSpec) -> Iterator[Problem]:
    places: dict[KeyPath, Any] = {("protocol",): spec.protocol}
    places |= {("cells", name, "protocol"): cell.protocol for name, cell in spec.cells.items()}
    for at, protocol in places.items():
        if protocol is not None and "." in protocol.name:
            yield Problem(at, f'protocol "{protocol.name}" would be imported and run; {REFUSAL}')


def _arguments(value: Any, path: KeyPath = ()) -> Iterator[Problem]:
    """Arguments that can name code: only numbers, truth values and plain words cannot."""
    if isinstance(value, Mapping):
        for key, each in value.items():
            yield from _arguments(each, (*path, str(key)))
    elif isinstance(value, list | tuple):
        for index, each in enumerate(value):
            yield from _arguments(each, (*path, index))
    elif value and any(_LOADS_CODE.search(str(key)) for key in path):
        yield Problem(path, f"{path[-1]} can make the engine load code")
    elif isinstance(value, str) and not _PLAIN_WORD.fullmatch(value):
        yield Problem(path, f"{value!r} could name code or a file of the engine's")
