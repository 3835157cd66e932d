"""What is wrong with a topology, and where in its YAML."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from debate.errors import TopologyError

KeyPath = tuple[str | int, ...]


class Problem(NamedTuple):
    """One thing that is wrong, with what would be right; `path` leads to it inside the spec."""

    path: KeyPath
    message: str

    def below(self, path: KeyPath) -> Problem:
        """The same problem of a spec that stands at `path` of a larger one."""
        return Problem(path + self.path, self.message)


class BrokenTopology(TopologyError):
    """A spec that cannot be built over the seats; `problems` says where and why."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(dict.fromkeys(problems))
        super().__init__("\n".join(dict.fromkeys(problem.message for problem in self.problems)))
