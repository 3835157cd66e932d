"""How debates go, how confidence is probed in them, and how a team's answer is found."""

from __future__ import annotations

import re
from typing import Annotated, Literal, get_args

from pydantic import Field, PositiveInt, field_validator, model_validator

from debate.config.registry import CodeName, find, get_required, is_custom
from debate.config.spec import NamedSpec, Spec

_CONDITION = re.compile(r"^(disagreement|confidence\s*<\s*(0?\.\d+|[01](?:\.0*)?))$")

DecisionName = Literal[
    "majority",
    "super_majority",
    "unanimity",
    "confidence_weighted",
    "log_opinion_pool",
    "linear_pool",
    "ranked",
    "approval",
    "judge_majority",
    "judge_scores",
    "last_speaker",
]
ProbeName = Literal["belief", "belief_after", "verbal", "p_true", "consistency"]
Requirement = Literal["judges", "belief", "confidence"]
Reading = Literal["free", "constrained"]
Weight = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Threshold = Annotated[float, Field(gt=0, le=1)]

_DECISIONS_OF_FIELD = {
    "threshold": ("super_majority", "approval"),
    "weights": ("log_opinion_pool", "linear_pool"),
    "rule": ("ranked",),
    "score": ("judge_scores",),
}
"""The fields that only some decisions have."""

_REQUIREMENTS: dict[str, frozenset[Requirement]] = {
    "confidence_weighted": frozenset({"confidence"}),
    "log_opinion_pool": frozenset({"belief"}),
    "linear_pool": frozenset({"belief"}),
    "ranked": frozenset({"belief"}),
    "approval": frozenset({"belief"}),
    "judge_majority": frozenset({"judges"}),
    "judge_scores": frozenset({"judges"}),
}


class ViewSpec(Spec):
    """How much of the debate an agent is shown; what is left out is recorded on the turn."""

    rounds: Literal["all", "last"] = "all"
    """The rounds that are shown: all earlier ones, or only the last one (whose prompts no longer
    begin alike, so that prefix caches help less)."""
    answers_only: bool = False
    """Whether the answers of others are shown without their reasoning."""
    max_critics: PositiveInt | None = None
    """The most critics that are heard in a round, drawn by seed; by default all."""
    noise: bool = False
    """Whether random text of the same length and form takes the place of all that an author
    hears."""
    hear_reasoning: bool = False
    """Whether the private reasoning of a model is heard with its replies, by others and by itself;
    by default by nobody."""
    max_tokens: PositiveInt | None = None
    """The most tokens of a prompt, as the prompt set estimates them; by default no limit."""


class JudgingSpec(Spec):
    """What a critic is told when it judges an answer in private, under `cross_critique` and
    `filter`."""

    labels: Literal["honest", "swapped", "own", "others"] = "honest"
    """Whose an answer is said to be, where authors are named: its author's (`honest`); one's own
    for another's and every other one for one's own (`swapped`); one's own, whoever wrote it
    (`own`); or another agent's, the same one for all answers to a question (`others`)."""
    alternatives: Literal["own", "others", "padding"] | None = None
    """Candidate answers shown beside the one that is judged: fresh samples of the critic, other
    agents' openings, or as many lines of noise (the length control); unset, it stands alone."""
    k: Annotated[int, Field(ge=1, le=16, strict=True)] = 3
    """The number of alternatives."""


class ProtocolSpec(NamedSpec):
    """How a debate goes. A bare name stands for `{name: NAME}`."""

    code_fields = {"name": "protocols"}

    name: str = "exchange"
    """The protocol: one that comes with the package, such as `exchange` or `critique`, one of an
    installed package, or `module.function` of your own."""
    speaking: Literal["simultaneous", "sequential"] = "simultaneous"
    """Whether turns of round t hear round t−1 alone, or also those who spoke earlier in round t."""
    anonymous: bool = True
    """Whether speakers are numbered instead of named."""
    show_confidence: bool = False
    """Whether a confidence is asked for in each turn, and shown to those who hear the turn."""
    stop: Literal["never", "consensus", "no_change"] = "never"
    """What ends a debate before its last round: that all answers agree (`consensus`), or that a
    round changed none."""
    quorum: PositiveInt | None = None
    """The number of critics after whom an author goes on; those that speak later are not heard, and
    are recorded as late. By default it waits for all."""
    hear_cut: bool = False
    """Whether others hear a reply that its token limit cut before its answer was closed: the text
    as far as it goes, without an answer. By default only its author sees it."""
    read: Reading = "free"
    """How answers are had from replies: as they state them (`free`), or, where a reply states none,
    from one more private call for its final line, constrained to the form of an answer."""
    equal_calls: bool = False
    """Whether an author that keeps its answer, because it heard nothing or was accepted, is asked
    anew nevertheless, to no effect: so that conditions cost equally many calls of the author."""
    debate_if: str | None = None
    """What must be so at the opening for a debate to go on: `disagreement`, `confidence < X`, or
    both joined by `or`; by default every debate goes on."""
    view: ViewSpec = ViewSpec()
    """How much of the debate an agent is shown."""
    judging: JudgingSpec = JudgingSpec()
    """What critics are told under `cross_critique` and `filter`."""

    @field_validator("debate_if")
    @classmethod
    def _check_debate_if(cls, value: str | None) -> str | None:
        for term in (value or "disagreement").split(" or "):
            if not _CONDITION.match(term.strip()):
                raise ValueError(
                    f'"{term.strip()}" is no condition; write "disagreement", '
                    '"confidence < 0.8", or both joined by " or "'
                )
        return value


class ProbeSpec(NamedSpec):
    """A confidence question in a private fork of the context. A bare name stands for itself."""

    code_fields = {"name": "probes"}

    name: Annotated[str, CodeName("probes", get_args(ProbeName))]
    """The estimator of confidence, or a probe of an installed package's or of your own, as
    `module.function`."""
    samples: Annotated[int, Field(ge=2, le=256)] = 5
    """`consistency`: the number of samples."""
    temperature: Annotated[float, Field(gt=0)] = 1.0
    """`consistency`: the sampling temperature."""


class DecisionSpec(NamedSpec):
    """How the team's answer is found. A bare name stands for `{name: NAME}`."""

    code_fields = {"name": "decisions"}

    name: Annotated[str, CodeName("decisions", get_args(DecisionName))] = "majority"
    """The rule by which the answer is found, or one of an installed package's or of your own, as
    `module.function`."""
    ties: Literal["abstain", "first", "confidence", "random"] = "abstain"
    """The answer in a tie: none, that of the first agent in order, the most confident, or one drawn
    by seed."""
    confidence: str | None = None
    """The confidence estimator to read, such as `answer_token`; by default each turn's first."""
    threshold: Threshold | None = None
    """`super_majority`: the share of votes needed, by default 2/3. `approval`: the belief from
    which on a candidate is approved of, by default 1/4."""
    weights: dict[str, Weight] | None = None
    """`log_opinion_pool`, `linear_pool`: relative weight by agent, 1 for those not named; scaled to
    sum to 1 over those who vote."""
    rule: Literal["borda", "instant_runoff", "copeland"] | None = None
    """`ranked`: how rankings are counted, by default `borda`."""
    score: Literal["accepts", "confidence"] | None = None
    """`judge_scores`: by whether the judge accepts the answer, 1 or 0 (the default), or by its
    confidence that the answer is right."""

    @model_validator(mode="after")
    def _check_fields(self) -> DecisionSpec:
        for field, names in _DECISIONS_OF_FIELD.items():
            if getattr(self, field) is not None and self.name not in names:
                raise ValueError(f"`{field}` belongs to {' and '.join(names)}, not to {self.name}")
        if self.name == "super_majority" and self.threshold is not None and self.threshold <= 0.5:
            raise ValueError(
                f"a super-majority needs a threshold above 0.5, not {self.threshold}; "
                "`majority` takes the most frequent answer"
            )
        return self

    @property
    def share_needed(self) -> float:
        """The share of the completed ballots below which the winner does not stand."""
        if self.name == "unanimity":
            return 1.0
        return (self.threshold or 2 / 3) if self.name == "super_majority" else 0.0


def get_requirements(spec: DecisionSpec) -> frozenset[Requirement]:
    """Return what a run must have for the decision to be made. Imports a custom one.

    >>> sorted(get_requirements(DecisionSpec(name="log_opinion_pool", ties="confidence")))
    ['belief', 'confidence']
    """
    asks = spec.ties == "confidence" or spec.score == "confidence"
    named = _REQUIREMENTS.get(spec.name, frozenset())
    if is_custom("decisions", spec.name):
        required = get_required(find("decisions", spec.name).value, get_args(Requirement))
        named = frozenset(each for each in get_args(Requirement) if each in required)
    return named | (frozenset({"confidence"}) if asks else frozenset())
