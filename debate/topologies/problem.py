"""What is wrong with a topology, and where in its YAML."""

from __future__ import annotations

from collections.abc import Iterable

from debate.config.document import KeyPath, Problem
from debate.errors import TopologyError

__all__ = ["BrokenTopology", "KeyPath", "Problem"]


class BrokenTopology(TopologyError):
    """A spec that cannot be built over the seats; `problems` says where and why."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(dict.fromkeys(problems))
        super().__init__("\n".join(dict.fromkeys(problem.message for problem in self.problems)))
