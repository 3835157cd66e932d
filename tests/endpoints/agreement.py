"""How far two recordings of one debate agree, on what both models were asked."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import polars as pl

from debate.types import Message
from tests.endpoints.recording import Exchange, Tape

TRUTH = ("True", "False")
"""The candidates of P(true); all others are answers."""
LOWEST = -12.0
"""Nats below which no difference of a candidate counts: e⁻¹² of a probability is nothing."""

Place = tuple[tuple[Message, ...], str]
"""A prompt and the beginning of the reply, behind which candidates are scored."""


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """Counts, shares and greatest distances; log-probabilities in nats.

    `log_p` is over the tokens of replies up to and including the first that differs: where two
    tokens are near a tie, either may be chosen, and their log-probabilities are near as well.
    """

    num_replies: int
    prompts: float
    texts: float
    answers: float
    log_p: float
    num_scores: int
    belief: float | None
    p_true: float | None

    def __str__(self) -> str:
        def show(value: float | None) -> str:
            return "–" if value is None else f"{value:.4f}"

        return (
            f"{self.num_replies} replies to the same prompts: tokens of the prompt equal "
            f"{self.prompts:.2f}, texts equal {self.texts:.2f}, answers of all turns equal "
            f"{self.answers:.2f}, max |Δ log p| {self.log_p:.4f}; {self.num_scores} scores: belief "
            f"max |Δ log p| {show(self.belief)}, P(true) max |Δ| {show(self.p_true)}"
        )


def compare(
    ours: Tape, theirs: Tape, our_turns: pl.DataFrame, their_turns: pl.DataFrame
) -> Agreement:
    """Compare what was said and scored behind equal prompts, and the answers of all turns."""
    replies = [(ours[asked], theirs[asked]) for asked in ours if asked in theirs]
    replies = [pair for pair in replies if not pair[0].request.candidates]
    mine, other = _list_scores(ours), _list_scores(theirs)
    beliefs = [
        abs(mine[place][each] - score)
        for place, scores in other.items()
        if place in mine
        for each, score in scores.items()
        if each in mine[place] and each not in TRUTH and mine[place][each] > LOWEST
    ]
    truths = [
        abs(_compute_truth(mine[place]) - _compute_truth(scores))
        for place, scores in other.items()
        if place in mine and set(TRUTH) <= scores.keys() & mine[place].keys()
    ]
    key = ["question", "agent", "round"]
    both = _list_answers(our_turns).join(_list_answers(their_turns), on=key)
    same = both.select(pl.col("answer").eq_missing(pl.col("answer_right")).mean()).item()
    return Agreement(
        num_replies=len(replies),
        prompts=_compute_share(replies, lambda one, two: _count_prompt(one) == _count_prompt(two)),
        texts=_compute_share(replies, lambda one, two: one.completion.text == two.completion.text),
        answers=same,
        log_p=max(each for pair in replies for each in _list_distances(*pair)),
        num_scores=len(beliefs) + len(truths),
        belief=max(beliefs, default=None),
        p_true=max(truths, default=None),
    )


def _compute_share(pairs: list[tuple[Exchange, Exchange]], test: object) -> float:
    assert callable(test)
    return sum(map(bool, (test(*pair) for pair in pairs))) / len(pairs)


def _count_prompt(exchange: Exchange) -> int | None:
    return exchange.completion.usage.prompt_tokens


def _list_distances(ours: Exchange, theirs: Exchange) -> Iterator[float]:
    for mine, other in zip(
        ours.completion.tokens or (), theirs.completion.tokens or (), strict=False
    ):
        yield abs(mine.log_p - other.log_p)
        if mine.text != other.text:
            return


def _list_scores(tape: Tape) -> Mapping[Place, Mapping[str, float]]:
    found: dict[Place, dict[str, float]] = {}
    for (messages, prefill, candidates), exchange in tape.items():
        scores = exchange.completion.candidate_log_p or ()
        place = found.setdefault((messages, prefill), {})
        place |= zip(candidates, scores, strict=False)
    return found


def _compute_truth(scores: Mapping[str, float]) -> float:
    return 1 / (1 + math.exp(scores["False"] - scores["True"]))


def _list_answers(turns: pl.DataFrame) -> pl.DataFrame:
    kept = turns.filter(pl.col("kind") != "probe")
    return kept.select("question", "agent", "round", "answer")
