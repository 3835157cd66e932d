"""The errors raised on purpose: those of the user's input, and those of the outside world.

DebateError
├── InputError         what a user wrote: exit code 2, one paragraph, no traceback
│   ├── ConfigError    in YAML or an override: file, line, value, what would be right
│   ├── TopologyError  in a graph
│   ├── TaskError      in a data file
│   │   └── Undecided  it may be read in several ways, and its user is to say in which
│   └── RunConflict    the run directory holds another run, or is in use
├── RunEnded           the run is ended in order, as a model failed too often in a row; it can go on
│   └── BudgetSpent    it is, as what it may spend is spent: exit code 3
└── BoundaryError      the outside world: recorded as a `Failure` on the turn it hit
    ├── EngineError    a model or an endpoint
    │   └── ModelRefused   also an InputError: a model that cannot be started as it is written
    ├── ClusterError   Ray, an actor, a GPU
    ├── DrawingError   the process that draws pictures
    └── LogError       the disk
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from difflib import get_close_matches

from debate.types import Failure

MAX_LISTED = 500
"""Names up to which all that are known are listed."""
MIN_PART = 4
"""Letters from which on a part of a name stands for it."""
_QUOTED = re.compile(r"""(?<!\w)(?:"[^"\n]*"|'[^'\n]*')(?!\w)""")
_WORD = re.compile(r"\S{201,}")
_MAX_QUOTED = 100


class DebateError(Exception):
    """The root of every error that this package raises on purpose."""


class InputError(DebateError, ValueError):
    """Something that a user wrote is wrong; the message says what would be right.

    What it quotes is cut to a part of a line.
    """

    def __init__(self, *parts: object) -> None:
        super().__init__(*(cut_values(each) if isinstance(each, str) else each for each in parts))


class ConfigError(InputError):
    """A YAML file or an override is wrong."""


class TopologyError(InputError):
    """A graph of who critiques whom cannot be used."""


class TaskError(InputError):
    """A data file cannot be read as questions."""


class Undecided(TaskError):
    """A data file may be read in several ways, or none is known; its user is to say in which.

    field: what is to be said: a field of the task or of its columns. choices: what it may be, each
    with what it means, or "".
    """

    def __init__(
        self, message: str, *, field: str = "", choices: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.field = field
        self.choices = choices or {}


class RunConflict(InputError):
    """The run directory belongs to a different run, or another process is writing to it."""


class RunEnded(DebateError):
    """The run is ended in order: a model failed too often in a row. The call was not made."""


class BudgetSpent(RunEnded):
    """What the run may spend does not suffice for another call; `cap` names what it lacks."""

    def __init__(self, message: str, *, cap: str = "") -> None:
        super().__init__(message)
        self.cap = cap


class BoundaryError(DebateError):
    """The outside world failed; `boundary` says where."""

    def __init__(self, message: str, *, boundary: str = "") -> None:
        super().__init__(message)
        self.boundary = boundary

    @property
    def failure(self) -> Failure:
        """This error as data for a turn."""
        return Failure(boundary=self.boundary or type(self).__name__, message=str(self))


class EngineError(BoundaryError):
    """A model or its endpoint failed."""


class ModelRefused(EngineError, InputError):
    """A model that cannot be started as the user wrote it."""


class ClusterError(BoundaryError):
    """Ray, an actor or a device failed."""


class DrawingError(BoundaryError):
    """The process that draws pictures failed."""


class LogError(BoundaryError):
    """The run directory cannot be written or read."""


@contextmanager
def boundary(error: type[BoundaryError], place: str) -> Iterator[None]:
    """Turn whatever a call to the outside world raises into one error that says where.

    >>> with boundary(EngineError, "adder: generate"):
    ...     raise OSError("connection reset")
    Traceback (most recent call last):
    ...
    debate.errors.EngineError: OSError: connection reset
    """
    try:
        yield
    except DebateError:
        raise
    except Exception as cause:
        raise error(f"{type(cause).__name__}: {cause}", boundary=place) from cause


def cut_values(message: str) -> str:
    """Return a message with the middle cut out of long values: quoted ones, and long words.

    >>> cut_values(f'model "{"m" * 900}" is unknown')
    'model "mmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmm…mmmmmmmmmmmmmmm" is unknown'
    """
    message = _QUOTED.sub(lambda found: _cut_middle(found[0], _MAX_QUOTED), message)
    return _WORD.sub(lambda found: _cut_middle(found[0], 200), message)


def _cut_middle(value: str, most: int) -> str:
    return value if len(value) <= most else f"{value[:41]}…{value[-16:]}"


def suggest(name: object, known: Iterable[str]) -> str:
    """Return what would have been right, as a clause to append to a message.

    Letters may be large or small, and a name may be a part of what is meant.

    >>> suggest("rnig", ["ring", "star"]), suggest("STAR", ["ring", "star"])
    ('did you mean "ring"? (ring, star)', 'did you mean "star"? (ring, star)')
    >>> suggest("qwen", ["adder", "gallery/qwen3-8b"])
    'did you mean "gallery/qwen3-8b"? (adder, gallery/qwen3-8b)'
    """
    names = sorted(known)
    close = find_close(name, names)
    listed = ", ".join(names) if len(names) <= MAX_LISTED else f"{len(names):,} are known"
    return f'did you mean "{close}"? ({listed})' if close else f"known: {listed}"


def find_close(name: object, names: Iterable[str], *, cutoff: float = 0.6) -> str | None:
    """Return the name that is meant by one that is not among them; None where none is near."""
    wanted = str(name).casefold()
    folded = {each.casefold(): each for each in names}
    near = get_close_matches(wanted, folded, n=1, cutoff=cutoff)
    if not near and len(wanted) >= MIN_PART:
        near = sorted((each for each in folded if wanted in each), key=len)
    return folded[near[0]] if near else None
