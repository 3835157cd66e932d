"""The values that the parts exchange: frozen, standard library only, safe to send and log."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Final, Literal

AgentId = str
Role = Literal["debater", "critic", "judge", "tool", "human"]
Kind = Literal["opening", "critique", "revision", "judgment", "probe"]
AnswerKind = Literal["number", "choice", "text", "math", "code"]
Outcome = Literal["correct", "wrong", "abstained", "tied", "cut", "failed"]
"""What became of an answer. Only a reply can be cut, and only a team's vote can be tied."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """One item. `target` is seen by scoring and probes only, never by a prompt or a `repr`.

    `tests` are Python assertions that an answer of kind `code` must pass; scoring alone sees them.
    `cluster` names what questions have in common that are no independent draws (a passage, a
    template): the unit by which intervals cluster. None stands for the question itself.
    """

    id: str
    text: str
    kind: AnswerKind = "text"
    options: tuple[str, ...] = ()
    category: str | None = None
    cluster: str | None = None
    target: str | None = field(default=None, repr=False)
    tests: str | None = field(default=None, repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """One chat message as an engine receives it."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """A parsed answer. `value is None` is an abstention; `matched` says what was found then.

    `form` names the form in which it was stated (mark, sentence, box, …); None for an abstention,
    and in logs from before it was written. Answers that differ in nothing else are equal.
    """

    value: str | None
    matched: tuple[str, ...] = ()
    form: str | None = field(default=None, compare=False, repr=False)

    @property
    def is_abstention(self) -> bool:
        """Whether no single answer was found."""
        return self.value is None


BELIEF_AFTER: Final = "belief_after"
"""The probe of belief after a turn's own working: another estimator than `belief`, before it."""

CONSTRAINED: Final = "constrained"
"""The form of an answer that stands in a turn's final line, not in its reply."""
NO_FINAL_LINE: Final = "no final line"
"""The beginning of the note on why a turn that was asked for its final line has none."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Confidence:
    """A value in [0, 1] and the estimator that it comes from."""

    source: str
    value: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Belief:
    """Unnormalised log-probability (nats) of each candidate answer in one context."""

    log_p: Mapping[str, float]

    def normalised(self) -> dict[str, float]:
        """Return the probability of each candidate among the candidates; they sum to 1.

        >>> Belief(log_p={"4": 0.0, "5": 0.0}).normalised()
        {'4': 0.5, '5': 0.5}
        """
        if not self.log_p:
            return {}
        top = max(self.log_p.values())
        weights = {candidate: math.exp(lp - top) for candidate, lp in self.log_p.items()}
        total = sum(weights.values())
        return {candidate: weight / total for candidate, weight in weights.items()}


@dataclass(frozen=True, kw_only=True, slots=True)
class HeardAs:
    """What was shown of a turn that was heard over an edge whose view keeps a part of it back.

    `ref` names the turn, `carries` what the edge carries. With `hides_answer` the answer was kept
    back. `confidence_of` names the turn whose `confidence` was shown in place of its own.
    """

    ref: str
    carries: tuple[str, ...]
    hides_answer: bool = False
    confidence_of: str | None = None
    confidence: float | None = None


MAX_TOKENS: Final = 10**12
"""The largest number of tokens that is believed; sums of many stay far below 64 bits."""
LOG_P_SLACK: Final = 0.01
"""Nats above 0 up to which a log-probability is taken for rounding: a probability that is written
with 8 bits, as in bfloat16, may stand one step above 1, which is 0.0078 nats."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Usage:
    """What one call cost. Token counts are None where the backend does not tell them."""

    prompt_tokens: int | None = None
    cached_tokens: int | None = None
    generated_tokens: int | None = None
    queued_s: float | None = None
    running_s: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ToolCall:
    """One use of a tool: what it was given, how that ended, and what came out.

    `outcome` is `done`, or what kept the tool from it: `error`, `timeout`, `memory`, `flood`,
    `died`. `took_s` is in seconds.
    """

    tool: str
    source: str
    outcome: str
    output: str
    took_s: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class ToolStep:
    """A part of a turn before its last reply: a reply that used tools, and what it was told."""

    said: str
    calls: tuple[ToolCall, ...]
    told: str
    reasoning: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """An error at a boundary, recorded on the turn that it hit."""

    boundary: str
    message: str


@dataclass(frozen=True, kw_only=True, slots=True, order=True)
class DebateKey:
    """One debate: a question, under one cell of the run, with one seed."""

    cell: str
    question: str
    seed: int


@dataclass(frozen=True, kw_only=True, slots=True)
class CallResult:
    """What the calls of a turn gave: the fields of a turn that identical calls have in common.

    `finish_reason` says how the reply ended: `stop` (the model's own end, or a stop string),
    `length` (a token limit), `refusal` (by the model or a filter), `error` (with a `failure`), or
    the engine's own word where it has another; None where that is not known.
    `is_cut`: the reply ended at a token limit before its answer, or in a critique its verdict, was
    closed. What was half read is no answer; it stands in `answer.matched`.
    `reasoning` is what the model wrote for itself before the reply, and is no part of `text`.
    `notes` say what the engine did otherwise than asked.
    `final_line` states the answer where the reply did not, and a further call under a constraint
    gave it; others hear it after the reply.
    `served_by` is the model that an endpoint says it was, with its fingerprint.
    `tool_steps` are the parts of the turn before `text`, in which tools were used; `usage` sums the
    calls of all parts.
    """

    text: str = ""
    finish_reason: str | None = None
    is_cut: bool = False
    answer: Answer | None = None
    correct: bool | None = None
    accepts: bool | None = None
    confidences: tuple[Confidence, ...] = ()
    belief: Belief | None = None
    usage: Usage = field(default_factory=Usage)
    failure: Failure | None = None
    reasoning: str | None = None
    notes: tuple[str, ...] = ()
    final_line: str | None = None
    served_by: str | None = None
    tool_steps: tuple[ToolStep, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Turn:
    """One turn of a debate, exactly as a line of `turns/*.jsonl`.

    Its fields are its place in the debate and what it was asked, and those of a `CallResult`.
    `heard` names turns of the same debate by their `ref`, `late` critics that were not waited for;
    `heard_as` says of which of them a part was kept back.
    `shared_with` names the turn (`cell:ref`) whose identical call this one shares, so that its cost
    is counted once.
    Times are seconds since the epoch.
    """

    cell: str
    question: str
    seed: int
    round: int
    kind: Kind
    agent: AgentId
    about: str | None = None
    model: str
    heard: tuple[str, ...] = ()
    late: tuple[str, ...] = ()
    heard_as: tuple[HeardAs, ...] = ()
    dropped: tuple[str, ...] = ()
    text: str = ""
    finish_reason: str | None = None
    is_cut: bool = False
    answer: Answer | None = None
    correct: bool | None = None
    accepts: bool | None = None
    confidences: tuple[Confidence, ...] = ()
    belief: Belief | None = None
    usage: Usage = field(default_factory=Usage)
    failure: Failure | None = None
    reasoning: str | None = None
    notes: tuple[str, ...] = ()
    final_line: str | None = None
    served_by: str | None = None
    tool_steps: tuple[ToolStep, ...] = ()
    prompt_hash: str = ""
    prompt: tuple[Message, ...] | None = None
    sampling_seed: int | None = None
    shared_with: str | None = None
    simulated: bool = False
    started_at: float = 0.0
    finished_at: float = 0.0

    @property
    def debate(self) -> DebateKey:
        """The debate that this turn belongs to."""
        return DebateKey(cell=self.cell, question=self.question, seed=self.seed)

    @property
    def ref(self) -> str:
        """The turn's name inside its debate."""
        return format_turn_ref(round=self.round, kind=self.kind, agent=self.agent, about=self.about)

    @property
    def value(self) -> str | None:
        """The answer's value; None for an abstention, a failure, or a turn without an answer."""
        return self.answer.value if self.answer else None

    @property
    def is_abstention(self) -> bool:
        """Whether the turn completed, was not cut, and gave no single answer."""
        return self.outcome == "abstained"

    @property
    def outcome(self) -> Outcome | None:
        """What became of the turn's answer; None without an answer or without a target.

        A critique has an outcome where it failed, was cut, or states an answer of its own.
        """
        if self.failure is not None:
            return "failed"
        if self.is_cut:
            return "cut"
        if self.answer is None:
            return None
        if self.answer.value is None:
            return "abstained"
        return None if self.correct is None else "correct" if self.correct else "wrong"

    def with_result(self, result: CallResult) -> Turn:
        """Return the turn with what its calls gave."""
        return replace(self, **{name: getattr(result, name) for name in RESULT_FIELDS})

    @property
    def result(self) -> CallResult:
        """What its calls gave."""
        return CallResult(**{name: getattr(self, name) for name in RESULT_FIELDS})

    def confidence(self, source: str | None = None) -> float | None:
        """Return the confidence from `source`, or the first one; None where there is none."""
        for confidence in self.confidences:
            if source in (None, confidence.source):
                return confidence.value
        return None


RESULT_FIELDS: Final = tuple(each.name for each in fields(CallResult))


def format_turn_ref(*, round: int, kind: Kind, agent: AgentId, about: str | None = None) -> str:
    """Return a turn's name inside its debate.

    >>> format_turn_ref(round=2, kind="critique", agent="a", about="b")
    '2:critique:a:b'
    """
    return f"{round}:{kind}:{agent}:{about}" if about else f"{round}:{kind}:{agent}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Transcript:
    """All turns on one question so far, neutral, in a fixed order (round, then as scheduled)."""

    debate: DebateKey
    round: int
    turns: tuple[Turn, ...]

    def latest(self, agent: AgentId, *, by: int | None = None) -> Turn | None:
        """Return the agent's last opening, revision or judgment up to round `by`."""
        limit = self.round if by is None else by
        for turn in reversed(self.turns):
            if turn.agent == agent and turn.round <= limit and states_answer(turn):
                return turn
        return None


def states_answer(turn: Turn) -> bool:
    """Whether the turn states its agent's own answer."""
    return turn.kind in ("opening", "revision", "judgment")


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """The team's answer after one round, exactly as a line of `verdicts/*.jsonl`.

    `tied` holds the answers of most weight where the rule leaves a tie between them undecided.
    `score` is the expected value of the answer: 1 or 0 where there is one, the share of the tied
    answers that are right where it is tied, 0 for an abstention; None where the question has no
    target or every turn that was to decide failed, and in logs from before it was written.
    """

    cell: str
    question: str
    seed: int
    round: int
    method: str
    value: str | None
    outcome: Outcome | None = None
    tally: Mapping[str, float] = field(default_factory=dict)
    tied: tuple[str, ...] = ()
    score: float | None = None
    confidence: float | None = None
    num_failed: int = 0
    final: bool = False
    stopped_by: str | None = None

    @property
    def debate(self) -> DebateKey:
        """The debate that this verdict closes or follows."""
        return DebateKey(cell=self.cell, question=self.question, seed=self.seed)


def find_leaders(tally: Mapping[str, float]) -> tuple[str, ...]:
    """Return the answers of most weight, sorted; none where no weight is above 0.

    Weights that differ by rounding alone are equal.

    >>> find_leaders({"b": 0.1 + 0.2, "a": 0.3, "c": 0.1}), find_leaders({"a": 0.0})
    (('a', 'b'), ())
    """
    most = max(tally.values(), default=0.0)
    if not most > 0:
        return ()
    return tuple(sorted(a for a, weight in tally.items() if math.isclose(weight, most)))
