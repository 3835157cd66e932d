"""How sure a reply is: what it states, and what its tokens were worth."""

from __future__ import annotations

import math

import pytest

from debate.agents.agent import Agent, is_reply_cut, read_reply
from debate.config.loader import load_run
from debate.engines.base import Completion, Token
from debate.runner.plan import make_plan
from debate.types import CallResult, Kind, Question
from tests.support import scripted

QUESTION = Question(id="q", text="2+2?", kind="number", target="4")
SAID = (("Answer:", 0.5), (" 1", 0.5), ("2", 0.25), ("\n", 0.5))


def agent() -> Agent:
    """A seat of a run, as the orchestrator has it."""
    config = {"agents": [scripted("a", "Answer: 4")], "task": {"generator": "arithmetic", "n": 1}}
    (cell,) = make_plan(load_run({**config, "topology": "self_loop", "rounds": 1})).cells
    return cell.agents["a"]


def read(*said: tuple[str, float], kind: Kind = "opening", ended: str = "stop") -> CallResult:
    """What is read of a reply of tokens with these probabilities."""
    tokens = tuple(Token(text=text, log_p=math.log(p)) for text, p in said)
    text = "".join(token.text for token in tokens)
    reply = Completion(id="1", text=text, tokens=tokens, finish_reason=ended)
    return read_reply(agent(), QUESTION, kind, reply)


def confidences(result: CallResult) -> dict[str, float]:
    return {each.source: pytest.approx(each.value) for each in result.confidences}


def test_the_answer_s_own_tokens_alone_tell_how_sure_it_is() -> None:
    result = read(*SAID)
    assert result.answer is not None
    assert result.answer.value == "12"
    assert confidences(result) == {"answer_token": 0.5 * 0.25, "sequence": math.sqrt(0.5 * 0.25)}


def test_no_confidence_exceeds_one_by_rounding() -> None:
    result = read(("Answer:", 1.0), (" 12", 1.0 + 1e-9))
    assert confidences(result) == {"answer_token": 1.0, "sequence": 1.0}
    assert max(each.value for each in result.confidences) <= 1.0


def test_what_a_reply_states_comes_first() -> None:
    result = read(*SAID, ("Confidence: 80%", 0.9))
    assert [each.source for each in result.confidences] == ["verbal", "answer_token", "sequence"]
    assert result.confidences[0].value == 0.8


def test_a_reply_without_an_answer_has_no_confidence() -> None:
    assert read(("I do not know.", 0.5)).confidences == ()


@pytest.mark.parametrize(("word", "right"), [("correct", 0.75), ("incorrect", 0.25)])
def test_a_verdict_s_word_tells_how_likely_the_answer_is_right(word: str, right: float) -> None:
    result = read(("Verdict:", 0.1), (f" {word}", 0.75), ("\n", 0.1), kind="critique")
    assert result.accepts is (word == "correct")
    assert confidences(result) == {"p_true": right}


@pytest.mark.parametrize("word", ["correct", "incorrect"])
@pytest.mark.parametrize("p", [1.0, 1.0 + 1e-9])
def test_a_certain_verdict_is_certain_and_no_more(word: str, p: float) -> None:
    result = read(("Verdict:", 0.1), (f" {word}", p), ("\n", 0.1), kind="critique")
    assert [each.value for each in result.confidences] == [float(word == "correct")]


@pytest.mark.parametrize(
    ("ended", "is_cut"), [("stop", False), ("length", True), ("refusal", True), (None, False)]
)
def test_a_reply_is_cut_where_a_limit_or_a_filter_ended_it(ended: str | None, is_cut: bool) -> None:
    assert is_reply_cut(agent(), Completion(id="1", text="Ans", finish_reason=ended)) is is_cut


@pytest.mark.parametrize(("text", "is_cut"), [("no", True), ("no way", False), ("n", True)])
def test_a_choice_that_no_other_continues_is_whole(text: str, is_cut: bool) -> None:
    config = {
        "models": {"m": {"engine": "vllm", "model": "nobody/nothing"}},
        "agents": [{"id": "a", "model": "m", "sampling": {"choice": ["yes", "no", "no way"]}}],
        "topology": "self_loop",
        "rounds": 1,
        "task": {"generator": "arithmetic", "n": 1},
    }
    (cell,) = make_plan(load_run(config)).cells
    reply = Completion(id="1", text=text, finish_reason="length")
    assert is_reply_cut(cell.agents["a"], reply) is is_cut
