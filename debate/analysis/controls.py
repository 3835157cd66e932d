"""Which cell is another cell's control, and what to say where there is none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from debate.errors import InputError, suggestion

CONTROL, BASELINE = "repeat", "single"
"""The arms that serve as control and as baseline where nothing else is said."""
IS_CONTROL = "this arm is itself the control"
NO_CONTROL = 'an arm of mere resampling beside it ("repeat", or the one named as control)'
"""What an estimate that takes the control off says where it cannot."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Controls:
    """The arms that a cell is compared with, by the names of the cells.

    resampling: cell -> its `repeat` cell; anonymous: cell -> its cell without speaker names;
    baseline: the cell that others are compared with, `baselines` the one of each cell. Cells that
    no entry names have none.
    """

    resampling: Mapping[str, str] = field(default_factory=dict)
    anonymous: Mapping[str, str] = field(default_factory=dict)
    baseline: str | None = None
    baselines: Mapping[str, str] = field(default_factory=dict)


def controls_for(
    cells: Iterable[str],
    *,
    control: str | None = None,
    baseline: str | None = None,
    controls: Mapping[str, str] | None = None,
    anonymous: Mapping[str, str] | None = None,
    baselines: Mapping[str, str] | None = None,
) -> Controls:
    """The controls among `cells`; explicit pairs win over `control`, and that over `repeat`.

    A cell's anonymous twin is, unless said, the cell of its name with "_anonymous" appended.
    Raises InputError where something names a cell that is not there.

    >>> controls_for(["self", "repeat"]).resampling
    {'self': 'repeat'}
    """
    known = sorted(set(cells))
    resampler = _named(control, CONTROL, known, "control")
    default = {c: resampler for c in known if c != resampler} if resampler else {}
    twins = {c: f"{c}_anonymous" for c in known if f"{c}_anonymous" in known}
    resampling = {**default, **(controls or {})}
    named = {**twins, **(anonymous or {})}
    first = _named(baseline, BASELINE, known, "baseline")
    compared = {**({c: first for c in known if c != first} if first else {}), **(baselines or {})}
    for pair in (*resampling.items(), *named.items(), *compared.items()):
        for cell in pair:
            _require(cell, known, "controls")
    return Controls(
        resampling=resampling,
        anonymous=named,
        baseline=first,
        baselines=compared,
    )


def _named(wanted: str | None, usual: str, known: list[str], what: str) -> str | None:
    """The cell that was asked for, or the usual one where there is one."""
    if wanted is None:
        return usual if usual in known else None
    _require(wanted, known, what)
    return wanted


def _require(cell: str, known: list[str], what: str) -> None:
    if cell not in known:
        raise InputError(f'{what}: arm "{cell}" is unknown; {suggestion(cell, known)}')
