"""What a run says of its cells: which arm each is, about whom, and what it is compared with."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

CONTROL_ARM, BASELINE_ARM = "repeat", "single"
_WHOM = {"arm", "author", "team"}
"""Factors that say what a cell is and about whom, not under which conditions it ran."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Design:
    """Pairs of cells, and the author of each cell that is an arm.

    controls: cell -> the `repeat` cell of its author under the same conditions; baselines: the
    same with `single`; anonymous: cell with named speakers -> the one that differs in this alone.
    """

    controls: Mapping[str, str] = field(default_factory=dict)
    baselines: Mapping[str, str] = field(default_factory=dict)
    anonymous: Mapping[str, str] = field(default_factory=dict)
    authors: Mapping[str, str] = field(default_factory=dict)

    @property
    def caveat(self) -> str | None:
        """What a reader must know of numbers that are about authors alone."""
        if not self.authors:
            return None
        whom = ", ".join(sorted(set(self.authors.values())))
        return (
            f"In arms, members' estimates are of the author alone ({whom}); votes are the team's."
        )

    def options(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """This design as options of `analyze`, less what is given by name."""
        found: dict[str, Any] = {"authors": self.authors, "anonymous": self.anonymous}
        if given.get("control") is None:
            found["controls"] = self.controls
        if given.get("baseline") is None:
            found["baselines"] = self.baselines
        return found


def design_of(spec: Mapping[str, Any], present: Collection[str]) -> Design:
    """The design of a recorded configuration, among the cells that are present.

    >>> cells = {"self": {"arm": "self", "author": "a"}, "repeat": {"arm": "repeat", "author": "a"}}
    >>> design_of({"cells": cells}, ["self", "repeat"]).controls
    {'self': 'repeat'}
    """
    written = spec.get("cells") or {}
    cells = {name: cell for name, cell in written.items() if name in present}
    return Design(
        controls=dict(_matched(cells, CONTROL_ARM)),
        baselines=dict(_matched(cells, BASELINE_ARM)),
        anonymous=dict(_twins(cells)),
        authors={
            name: c["author"] for name, c in cells.items() if c.get("arm") and c.get("author")
        },
    )


def _conditions(cell: Mapping[str, Any]) -> dict[str, str]:
    factors = cell.get("factors") or {}
    return {name: level for name, level in factors.items() if name not in _WHOM}


def _matched(cells: Mapping[str, Mapping[str, Any]], arm: str) -> Iterator[tuple[str, str]]:
    """Each arm's cell with the cell of this arm that agrees in all that it was run under."""
    serving = {name: cell for name, cell in cells.items() if cell.get("arm") == arm}
    for name, cell in cells.items():
        if not cell.get("arm") or name in serving:
            continue
        conditions = _conditions(cell)
        fitting = [
            other
            for other, control in serving.items()
            if control.get("author") == cell.get("author")
            and _conditions(control).items() <= conditions.items()
        ]
        if fitting:
            yield name, max(fitting, key=lambda other: len(_conditions(serving[other])))


def _twins(cells: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """Each cell with named speakers, and the one of the same levels without names."""
    places: dict[tuple[tuple[str, str], ...], dict[bool, str]] = {}
    for name, cell in cells.items():
        rest = {f: v for f, v in (cell.get("factors") or {}).items() if f != "anonymous"}
        is_anonymous = bool((cell.get("protocol") or {}).get("anonymous", True))
        if "anonymous" in (cell.get("factors") or {}):
            places.setdefault(tuple(sorted(rest.items())), {})[is_anonymous] = name
    return ((both[False], both[True]) for both in places.values() if len(both) == 2)
