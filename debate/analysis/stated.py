"""Which hypotheses a run was begun with, and what was changed about them while it went on.

A claim that was dropped or reworded still counts: it is judged, and corrected for, with the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from pydantic import ValidationError

from debate.analysis.findings import Finding
from debate.config.hypotheses import HypothesisSpec
from debate.errors import InputError
from debate.log.manifest import Manifest


class Claim(NamedTuple):
    """One wording of one hypothesis. num_turns: recorded when it was stated; until: when it was
    dropped or reworded, None if it stands.
    """

    hypothesis: HypothesisSpec
    num_turns: int = 0
    until: str | None = None

    @property
    def note(self) -> str:
        """What tempers it, in a clause; empty where it was stated before the first turn."""
        said = [f"stated when {self.num_turns:,} turns were on record"] if self.num_turns else []
        return "; ".join([*said, *(["withdrawn or reworded later"] if self.until else [])])


def claims_of(manifest: Manifest, *, place: str) -> dict[str, Claim]:
    """Every wording ever stated, by name; one that no longer stands is called NAME (until TIME).

    Raises InputError where one cannot be read.
    """
    present = parsed(manifest.spec.get("hypotheses") or {}, place=place)
    wordings = [(each, parsed(each.hypotheses, place=place)) for each in manifest.stated]
    first: dict[tuple[str, HypothesisSpec], Claim] = {}
    for position, (told, wording) in enumerate(wordings):
        for name, hypothesis in wording.items():
            later = [(s.at, w) for s, w in wordings[position + 1 :] if w.get(name) != hypothesis]
            until = None if present.get(name) == hypothesis else (later[0][0] if later else told.at)
            first.setdefault((name, hypothesis), Claim(hypothesis, told.num_turns, until))
    found = {name: first.get((name, each), Claim(each)) for name, each in present.items()}
    withdrawn = [(name, claim) for (name, _), claim in first.items() if claim.until]
    return found | {f"{name} (until {claim.until})": claim for name, claim in withdrawn}


def parsed(written: Mapping[str, Any], *, place: str) -> dict[str, HypothesisSpec]:
    """Recorded hypotheses as specs. Raises InputError where one cannot be read."""
    try:
        return {name: HypothesisSpec.model_validate(each) for name, each in written.items()}
    except ValidationError as cause:
        raise InputError(f"{place}: its hypotheses cannot be read: {cause}") from cause


def tempered(found: tuple[Finding, ...], claims: Mapping[str, Claim]) -> tuple[Finding, ...]:
    """The findings, each with what tempers it."""
    return tuple(
        replace(each, reason="; ".join(filter(None, (each.reason, claims[each.name].note))))
        for each in found
    )
