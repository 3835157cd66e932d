"""Runs made at different times, compared: paired where their questions coincide."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import polars as pl

from debate.analysis.comparisons import correct_p_values
from debate.analysis.estimate import Estimate
from debate.analysis.measures import Measures
from debate.analysis.quantity import Missing, Quantity
from debate.analysis.states import members, states_frame
from debate.analysis.teams import compare_teams
from debate.analysis.votes import vote_states
from debate.experiments.pairing import (
    Pairing,
    cell_name,
    cells_in_common,
    pairing,
    together,
)
from debate.experiments.sources import Source, read_sources
from debate.log.differences import differences

FORMAT = 1
MEASURES = (
    "accuracy", "vote_accuracy", "confidence", "over_confidence", "brier", "entrenchment", "eai",
    "vote_gain", "tokens_per_debate",
)  # fmt: skip
FEWEST_TEAMS = 3
ABOUT_THE_FILE = ("name", "output", "description", "cluster", "hypotheses", "log")


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """One measure of one arm, in `first` and in `second`: `second` minus `first`.

    p_holm: corrected over all differences of the comparison, none of which was claimed beforehand.
    missing: why there is no value.
    """

    measure: str
    cell: str
    first: str
    second: str
    first_value: float | None = None
    second_value: float | None = None
    value: float | None = None
    low: float | None = None
    high: float | None = None
    p_value: float | None = None
    p_holm: float | None = None
    num_questions: int = 0
    missing: str = ""


@dataclass(frozen=True, kw_only=True)
class RunComparison:
    """Every run against the first. tables and estimates: of all teams together, where there are
    three or more (see `debate.analysis.teams`).
    """

    labels: tuple[str, ...]
    pairings: tuple[str, ...]
    differences: tuple[Difference, ...]
    configs: dict[str, tuple[str, ...]]
    tables: dict[str, pl.DataFrame]
    estimates: tuple[Estimate, ...]
    caveats: tuple[str, ...]

    def to_json(self) -> str:
        """Everything as JSON without nan."""
        content = {
            "format": FORMAT,
            "runs": self.labels,
            "pairings": self.pairings,
            "differences": [asdict(each) for each in self.differences],
            "configs": self.configs,
            "teams": {name: table.to_dicts() for name, table in self.tables.items()},
            "estimates": [asdict(each) for each in self.estimates],
            "caveats": self.caveats,
        }
        return json.dumps(content, allow_nan=False, ensure_ascii=False)


def compare_runs(paths: Sequence[Path]) -> RunComparison:
    """Compare runs (or tables of transcripts) with the first of them. Raises InputError."""
    first, *others = read_sources(paths)
    pairings = [pairing(first, other) for other in others]
    found = [each for paired in pairings for each in _differences(paired)]
    adjusted = correct_p_values([each.p_value for each in found])
    corrected = [replace(each, p_holm=p) for each, p in zip(found, adjusted, strict=True)]
    tables, estimates = _all_teams((first, *others))
    return RunComparison(
        labels=tuple(source.label for source in (first, *others)),
        pairings=tuple(f"{p.second.label} and {first.label}: {p.how}" for p in pairings),
        differences=tuple(corrected),
        configs={other.label: _config_differences(first, other) for other in others},
        tables=tables,
        estimates=tuple(estimates),
        caveats=tuple(_caveats((first, *others))),
    )


def _measures(*sources: Source) -> Measures:
    rows, verdicts = together(*sources)
    states = members(states_frame(rows))
    return Measures(states, vote_states(states, verdicts))


def _differences(paired: Pairing) -> Iterator[Difference]:
    measures = _measures(paired.first, paired.second)
    for mine, theirs in cells_in_common(paired.first, paired.second):
        for name in MEASURES:
            yield _difference(paired, measures, name, mine, theirs)


def _difference(
    paired: Pairing, measures: Measures, name: str, mine: str, theirs: str
) -> Difference:
    about = Difference(
        measure=name, cell=mine, first=paired.first.label, second=paired.second.label
    )
    first = measures.find(name, cell=cell_name(paired.first, mine))
    second = measures.find(name, cell=cell_name(paired.second, theirs))
    for measure, source in ((first, paired.first), (second, paired.second)):
        if isinstance(measure, Missing):
            return replace(about, missing=f"needs {measure.reason} in {source.label}")
    assert isinstance(first, Quantity)
    assert isinstance(second, Quantity)
    contrast = second.minus(first)
    gap = contrast.bounded()
    return replace(
        about, first_value=first.interval().value, second_value=second.interval().value,
        value=contrast.value, low=gap.low, high=gap.high, p_value=contrast.p_value(),
        num_questions=gap.num_questions,
    )  # fmt: skip


def _all_teams(sources: Sequence[Source]) -> tuple[dict[str, pl.DataFrame], list[Estimate]]:
    """The teams of all runs side by side, with dose and response over them."""
    measures = _measures(*sources)
    if len(measures.teams) < FEWEST_TEAMS:
        return {}, []
    found = compare_teams(measures)
    return found.tables, found.estimates


def _config_differences(first: Source, other: Source) -> tuple[str, ...]:
    if not first.spec or not other.spec:
        return ("a table of transcripts has no configuration",)
    return tuple(differences(first.spec, other.spec, ignoring=ABOUT_THE_FILE))


def _caveats(sources: Sequence[Source]) -> Iterator[str]:
    for source in sources:
        if source.status != "complete":
            yield f"{source.label} is {source.status}: only what is on disk is compared"
    for source in sources:
        rows = source.trajectories
        if "simulated" in rows.columns and rows["simulated"].any():
            yield f"{source.label}: simulated agents took part; it describes the simulation"
    yield "no difference here was claimed beforehand: they are observations, not findings"
