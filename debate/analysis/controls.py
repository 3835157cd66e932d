"""Which cell is another cell's control, and what to say where there is none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from debate.errors import InputError, suggestion


@dataclass(frozen=True, kw_only=True, slots=True)
class Controls:
    """The arms that a cell is compared with, by the names of the cells.

    resampling: cell -> its `repeat` cell; anonymous: cell -> its cell without speaker names;
    baseline: the cell that others are compared with. Cells that no entry names have none.
    """

    resampling: Mapping[str, str] = field(default_factory=dict)
    anonymous: Mapping[str, str] = field(default_factory=dict)
    baseline: str | None = None


def controls_for(
    cells: Iterable[str],
    *,
    control: str = "repeat",
    baseline: str = "single",
    controls: Mapping[str, str] | None = None,
    anonymous: Mapping[str, str] | None = None,
) -> Controls:
    """The controls among `cells`; explicit pairs win over the arms named `control` and `baseline`.

    A cell's anonymous twin is, unless said, the cell of its name with "_anonymous" appended.
    Raises InputError where a pair names a cell that is not there.

    >>> controls_for(["self", "repeat"]).resampling
    {'self': 'repeat'}
    """
    known = sorted(set(cells))
    default = {c: control for c in known if c != control} if control in known else {}
    twins = {c: f"{c}_anonymous" for c in known if f"{c}_anonymous" in known}
    resampling = {**default, **(controls or {})}
    named = {**twins, **(anonymous or {})}
    for pair in (*resampling.items(), *named.items()):
        for cell in pair:
            if cell not in known:
                raise InputError(f'controls: cell "{cell}" is unknown; {suggestion(cell, known)}')
    first = baseline if baseline in known else None
    return Controls(resampling=resampling, anonymous=named, baseline=first)
