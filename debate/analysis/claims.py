"""What was claimed beforehand: the wordings on record, in words, and the questions they need."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from pydantic import ValidationError

from debate.analysis.hypotheses import Finding, get_estimate_name
from debate.analysis.measures import CONTRASTED
from debate.analysis.power import count_least_questions
from debate.config.run import HypothesisSpec
from debate.errors import InputError
from debate.log.manifest import Manifest


def plan_questions(
    hypotheses: Mapping[str, HypothesisSpec], *, several_pairs: Collection[str] = ()
) -> dict[str, int]:
    """For each hypothesis about a change of right answers, the least number of questions with
    which it could be supported at all; other units, whose variance is not known, are left out.

    several_pairs: the hypotheses of which one question holds several pairs, of agents or seeds.
    """
    return {
        name: count_least_questions(
            h.smallest,
            direction=h.direction,
            num_hypotheses=len(hypotheses),
            several_pairs=name in several_pairs,
        )
        for name, h in hypotheses.items()
        if _is_paired_share(h) and 0 < h.smallest < 1
    }


def _is_paired_share(hypothesis: HypothesisSpec) -> bool:
    """Whether the number is a mean difference of two 0/1 scores of the same questions."""
    measure = CONTRASTED.get(get_estimate_name(hypothesis))
    if measure is None or measure.of_confidence or hypothesis.reference:
        return False
    is_change = measure.kind == "difference" and hypothesis.control is None
    return is_change or (measure.is_proportion and hypothesis.control is not None)


class Claim(NamedTuple):
    """One wording of one hypothesis. num_turns: recorded when it was stated; until: when it was
    dropped or reworded, None if it stands.
    """

    hypothesis: HypothesisSpec
    num_turns: int = 0
    until: str | None = None

    @property
    def note(self) -> str:
        """A clause on when it was stated or dropped; empty if stated before the first turn."""
        clauses = [f"stated when {self.num_turns:,} turns were on record"] if self.num_turns else []
        return "; ".join([*clauses, *(["withdrawn or reworded later"] if self.until else [])])


def read_claims(manifest: Manifest, *, place: str) -> dict[str, Claim]:
    """Every wording ever stated, by name; one that no longer stands is called NAME (until TIME).

    Raises InputError where one cannot be read.
    """
    present = parse_hypotheses(manifest.spec.get("hypotheses") or {}, place=place)
    wordings = [(each, parse_hypotheses(each.hypotheses, place=place)) for each in manifest.stated]
    first: dict[tuple[str, HypothesisSpec], Claim] = {}
    for position, (told, wording) in enumerate(wordings):
        for name, hypothesis in wording.items():
            later = [(s.at, w) for s, w in wordings[position + 1 :] if w.get(name) != hypothesis]
            until = None if present.get(name) == hypothesis else (later[0][0] if later else told.at)
            first.setdefault((name, hypothesis), Claim(hypothesis, told.num_turns, until))
    found = {name: first.get((name, each), Claim(each)) for name, each in present.items()}
    withdrawn = [(name, claim) for (name, _), claim in first.items() if claim.until]
    return found | {f"{name} (until {claim.until})": claim for name, claim in withdrawn}


def parse_hypotheses(written: Mapping[str, Any], *, place: str) -> dict[str, HypothesisSpec]:
    """Recorded hypotheses as specs. Raises InputError where one cannot be read."""
    try:
        return {name: HypothesisSpec.model_validate(each) for name, each in written.items()}
    except ValidationError as cause:
        raise InputError(f"{place}: its hypotheses cannot be read: {cause}") from cause


def temper_findings(found: tuple[Finding, ...], claims: Mapping[str, Claim]) -> tuple[Finding, ...]:
    """The findings, each with what tempers it."""
    return tuple(
        replace(each, reason="; ".join(filter(None, (each.reason, claims[each.name].note))))
        for each in found
    )
