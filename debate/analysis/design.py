"""Controls and baselines of conditions: by name, or as a recorded configuration says."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from debate.config.agents import AgentSpec
from debate.config.registry import RECORDED
from debate.config.run import RunSpec, expand_agents
from debate.errors import InputError, suggest
from debate.log import Run
from debate.text import join_names

CONTROL, BASELINE = "repeat", "single"
"""The arms that serve as control and as baseline where nothing else is said."""
NOISE = "noise"
"""The arm that is shown random text, where nothing else is said."""
OWNERSHIP = ("restate", NOISE, "sibling")
"""The arms that entrenchment is held against: ownership, more text, another's text."""
KNOW_TRUTH = ("checker", "oracle")
"""The engines that are told whether the answers that they judge are right."""
IS_CONTROL = "this arm is itself the control"
NO_CONTROL = 'an arm of mere resampling beside it ("repeat", or the one named as control)'
"""What an estimate that takes the control off says where it cannot."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Controls:
    """The conditions that a cell is compared with, by the names of the cells.

    resampling: cell -> its `repeat` cell; anonymous: cell -> its cell without speaker names;
    ownership: cell -> the cells that tell what it is about its own text that moves it: the same
    answer with no speaker named, as much noise, a sibling's text. baseline: the cell that others
    are compared with, `baselines` the one of each cell. Cells that no entry names have none.
    """

    resampling: Mapping[str, str] = field(default_factory=dict)
    ownership: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    anonymous: Mapping[str, str] = field(default_factory=dict)
    baseline: str | None = None
    baselines: Mapping[str, str] = field(default_factory=dict)


def choose_controls(
    cells: Iterable[str],
    *,
    control: str | None = None,
    baseline: str | None = None,
    controls: Mapping[str, str] | None = None,
    anonymous: Mapping[str, str] | None = None,
    baselines: Mapping[str, str] | None = None,
    ownership: Mapping[str, tuple[str, ...]] | None = None,
) -> Controls:
    """The controls among `cells`; explicit pairs win over `control`, and that over `repeat`.

    A cell's anonymous twin is, unless said, the cell of its name with "_anonymous" appended.
    Raises InputError where something names a cell that is not there.

    >>> choose_controls(["self", "repeat"]).resampling
    {'self': 'repeat'}
    """
    known = sorted(set(cells))
    resampler = _choose_named(control, CONTROL, known, "control")
    default = {c: resampler for c in known if c != resampler} if resampler else {}
    twins = {c: f"{c}_anonymous" for c in known if f"{c}_anonymous" in known}
    resampling = {**default, **(controls or {})}
    named = {**twins, **(anonymous or {})}
    first = _choose_named(baseline, BASELINE, known, "baseline")
    compared = {**({c: first for c in known if c != first} if first else {}), **(baselines or {})}
    beside = tuple(cell for cell in OWNERSHIP if cell in known)
    owned = {c: beside for c in known if beside and c not in (*beside, BASELINE)}
    owned = {**owned, **(ownership or {})}
    for pair in (*resampling.items(), *named.items(), *compared.items()):
        for cell in pair:
            _require_known(cell, known, "controls")
    return Controls(
        resampling=resampling,
        ownership=owned,
        anonymous=named,
        baseline=first,
        baselines=compared,
    )


def _choose_named(wanted: str | None, usual: str, known: list[str], what: str) -> str | None:
    """The cell that was asked for, or the usual one where there is one."""
    if wanted is None:
        return usual if usual in known else None
    _require_known(wanted, known, what)
    return wanted


def _require_known(cell: str, known: list[str], what: str) -> None:
    if cell not in known:
        raise InputError(f'{what}: arm "{cell}" is unknown; {suggest(cell, known)}')


def read_seats(run: Run) -> tuple[AgentSpec, ...]:
    """The seats of a run's recorded configuration; none where it cannot be read."""
    try:
        spec = RunSpec.model_validate(run.manifest.spec, context=RECORDED)
        return tuple(expand_agents(spec))
    except ValidationError:
        return ()


def find_silent_seats(run: Run) -> set[str]:
    """The agents whose answers are no ballots: confederates, tools, judges."""
    return {seat.id for seat in read_seats(run) if seat.confederate or seat.role != "debater"}


def find_past_versions(run: Run) -> frozenset[tuple[str, str]]:
    """The pairs of an agent and the one of which it is a past version, each by its seat."""
    seats = read_seats(run)
    return frozenset(
        (seat.id, other.id)
        for seat in seats
        for other in seats
        if seat.past_of is not None and seat.past_of in (other.id, other.group)
    )


def find_knowing_seats(run: Run) -> set[str]:
    """The agents that know the right answers: the exact scorer and oracles."""
    models: Mapping[str, Mapping[str, Any]] = run.manifest.spec.get("models") or {}
    knowing = {name for name, model in models.items() if model.get("engine") in KNOW_TRUTH}
    return {seat.id for seat in read_seats(run) if seat.model in knowing}


def find_scripted_seats(run: Run) -> set[str]:
    """The agents that call no model: tools, and confederates that speak from a script."""
    models: Mapping[str, Mapping[str, Any]] = run.manifest.spec.get("models") or {}
    scripts = {name for name, model in models.items() if model.get("engine") == "scripted"}
    return {
        seat.id
        for seat in read_seats(run)
        if seat.role == "tool" or (seat.confederate and seat.model in scripts)
    }


def find_people(run: Run) -> frozenset[str]:
    """Find the agents that are persons."""
    models: Mapping[str, Mapping[str, Any]] = run.manifest.spec.get("models") or {}
    people = {name for name, model in models.items() if model.get("engine") == "human"}
    return frozenset(seat.id for seat in read_seats(run) if seat.model in people)


_WHOM = {"arm", "author", "team"}
"""Factors that say what a cell is and about whom, not under which conditions it ran."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Design:
    """Pairs of cells, and the author of each cell that is an arm.

    controls: cell -> the `repeat` cell of its author under the same conditions; baselines: the
    same with `single`; ownership: the same with `restate`, `noise` and `sibling`; anonymous: cell
    with named speakers -> the one that differs in this alone. noisy: the cells whose agents are
    shown random text.
    """

    controls: Mapping[str, str] = field(default_factory=dict)
    baselines: Mapping[str, str] = field(default_factory=dict)
    ownership: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    anonymous: Mapping[str, str] = field(default_factory=dict)
    authors: Mapping[str, str] = field(default_factory=dict)
    noisy: tuple[str, ...] = ()

    @property
    def caveat(self) -> str | None:
        """A sentence on numbers that are about authors alone; None where none are."""
        if not self.authors:
            return None
        whom = join_names(sorted(set(self.authors.values())))
        return (
            f"In arms about an author ({whom}), accuracy, confidence and all other numbers of "
            "members are the author's alone; votes and teams are of all who vote, tokens and "
            "calls of everybody."
        )

    def options(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """This design as options of `analyze`, less what is given by name."""
        found: dict[str, Any] = {"authors": self.authors, "anonymous": self.anonymous}
        if given.get("control") is None:
            found["controls"] = self.controls
        found |= {"ownership": self.ownership, "noisy": self.noisy}
        if given.get("baseline") is None:
            found["baselines"] = self.baselines
        return found


def read_design(spec: Mapping[str, Any], present: Collection[str]) -> Design:
    """The design of a recorded configuration, among the cells that are present.

    >>> cells = {"self": {"arm": "self", "author": "a"}, "repeat": {"arm": "repeat", "author": "a"}}
    >>> read_design({"cells": cells}, ["self", "repeat"]).controls
    {'self': 'repeat'}
    """
    written = spec.get("cells") or {}
    cells = {name: cell for name, cell in written.items() if name in present}
    return Design(
        controls=dict(_match_controls(cells, CONTROL)),
        baselines=dict(_match_controls(cells, BASELINE)),
        ownership=_match_ownership(cells),
        anonymous=dict(_match_twins(cells)),
        authors={
            name: c["author"] for name, c in cells.items() if c.get("arm") and c.get("author")
        },
        noisy=tuple(name for name, cell in cells.items() if _is_noisy(cell)),
    )


def _is_noisy(cell: Mapping[str, Any]) -> bool:
    view = (cell.get("protocol") or {}).get("view") or {}
    return bool(view.get("noise"))


def _get_conditions(cell: Mapping[str, Any]) -> dict[str, str]:
    factors = cell.get("factors") or {}
    return {name: level for name, level in factors.items() if name not in _WHOM}


def _match_controls(cells: Mapping[str, Mapping[str, Any]], arm: str) -> Iterator[tuple[str, str]]:
    """Each arm's cell with the cell of this arm that agrees in all that it was run under."""
    serving = {name: cell for name, cell in cells.items() if cell.get("arm") == arm}
    for name, cell in cells.items():
        if not cell.get("arm") or name in serving:
            continue
        conditions = _get_conditions(cell)
        fitting = [
            other
            for other, control in serving.items()
            if control.get("author") == cell.get("author")
            and _get_conditions(control).items() <= conditions.items()
        ]
        if fitting:
            yield name, max(fitting, key=lambda other: len(_get_conditions(serving[other])))


def _match_ownership(cells: Mapping[str, Mapping[str, Any]]) -> dict[str, tuple[str, ...]]:
    """Each arm's cell with the cells that entrenchment is held against, itself left out."""
    found: dict[str, tuple[str, ...]] = {}
    for arm in OWNERSHIP:
        for name, other in _match_controls(cells, arm):
            if cells[name].get("arm") not in (*OWNERSHIP, BASELINE):
                found[name] = (*found.get(name, ()), other)
    return found


def _match_twins(cells: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """Each cell with named speakers, and the one of the same levels without names."""
    places: dict[tuple[tuple[str, str], ...], dict[bool, str]] = {}
    for name, cell in cells.items():
        rest = {f: v for f, v in (cell.get("factors") or {}).items() if f != "anonymous"}
        is_anonymous = bool((cell.get("protocol") or {}).get("anonymous", True))
        if "anonymous" in (cell.get("factors") or {}):
            places.setdefault(tuple(sorted(rest.items())), {})[is_anonymous] = name
    return ((both[False], both[True]) for both in places.values() if len(both) == 2)
