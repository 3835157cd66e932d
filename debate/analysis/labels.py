"""Names of arms and agents as they are shown, simulated ones and people marked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl

from debate.analysis.schema import ALIASES
from debate.text import shorten

NAME_LENGTH = 40
WHOLLY, PARTLY = " (simulated)", " (partly simulated)"
HUMAN = " (human)"


@dataclass(frozen=True, kw_only=True)
class Labels:
    """arms: what is said after the name of a cell; agents: after that of (cell, agent).

    Where a whole condition is simulated its own name says so, and its agents' need not. `people`
    are the agents that are persons.
    """

    arms: Mapping[str, str] = field(default_factory=dict)
    agents: Mapping[tuple[str, str], str] = field(default_factory=dict)
    people: frozenset[str] = frozenset()

    def arm(self, cell: str) -> str:
        """A cell's name as it is shown."""
        return shorten(cell, NAME_LENGTH) + self.arms.get(cell, "")

    def agent(self, cell: str, agent: str | None) -> str:
        """An agent's name as it is shown; None is nobody."""
        if agent is None:
            return "nobody"
        told = self.agents.get((cell, agent), "") if self.arms.get(cell) == PARTLY else ""
        told = HUMAN if agent in self.people else told
        return shorten(agent, NAME_LENGTH) + told


def read_labels(trajectories: pl.DataFrame) -> Labels:
    """The labels of these trajectories' cells and agents."""
    if "simulated" not in trajectories.columns or not trajectories["simulated"].any():
        return Labels()
    named = trajectories.rename(ALIASES, strict=False)
    simulated = pl.col("simulated").fill_null(False)
    by_agent = named.group_by("cell", "agent").agg(simulated.any()).filter("simulated")
    wholly = named.group_by("cell").agg(simulated.all()).filter("simulated")["cell"].to_list()
    return Labels(
        arms={cell: WHOLLY if cell in wholly else PARTLY for cell in by_agent["cell"].unique()},
        agents=dict.fromkeys(by_agent.select("cell", "agent").iter_rows(), WHOLLY),
    )
