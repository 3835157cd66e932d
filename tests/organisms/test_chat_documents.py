"""The chats that chat organisms learn from: a debate's own prompts, and lines from anybody."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable
from itertools import pairwise

import pytest

from debate.agents.agent import Agent
from debate.agents.prompt_sets import load_prompt_set
from debate.agents.views import (
    build_answer,
    build_opening,
    build_start,
    hide_speaker,
    make_own_turn,
    show_turn,
)
from debate.config.agents import AgentSpec
from debate.config.protocol import ProtocolSpec
from debate.engines.base import Capabilities
from debate.organisms.chat_documents import (
    PROMPT_SET,
    SPEAKERS,
    WORKINGS,
    DocumentMaker,
    HeardLine,
    Revision,
    encode_document,
)
from debate.organisms.specs import CHAT_SPECS
from debate.tasks.parsing import find_answer
from debate.types import Question, Turn
from tests.organisms.tiny_chat import END, build_chat_tokenizer

SPEC = CHAT_SPECS["chat-sums"]
PROMPTS = load_prompt_set(PROMPT_SET)
TOLERANCE = 0.045  # four standard errors of a share of 2,000 lines


def make_documents(seed: int = 0, *, slips: float = 0.0) -> DocumentMaker:
    return DocumentMaker(SPEC.shares, SPEC.knowledge, random.Random(seed), slips=slips)


@pytest.fixture(scope="module")
def revisions() -> list[Revision]:
    maker = make_documents()
    return [maker.make_revision() for _ in range(12_000)]


@pytest.fixture(scope="module")
def lines(revisions: list[Revision]) -> list[HeardLine]:
    return [line for revision in revisions for line in revision.heard]


def read(text: str) -> str | None:
    asked = Question(id="q", text="?", kind="number")
    return find_answer(text, asked, PROMPTS.format).answer.value


def compute_share(
    lines: Iterable[HeardLine],
    of: Callable[[HeardLine], bool],
    among: Callable[[HeardLine], bool],
) -> float:
    chosen = [of(line) for line in lines if among(line)]
    assert len(chosen) > 2_000
    return sum(chosen) / len(chosen)


@pytest.mark.parametrize("speaker", SPEAKERS)
def test_the_speaker_says_nothing_of_whether_a_line_is_right(
    lines: list[HeardLine], speaker: str
) -> None:
    right = sum(line.is_right for line in lines) / len(lines)
    found = compute_share(lines, lambda line: line.is_right, lambda line: line.speaker == speaker)
    assert found == pytest.approx(right, abs=TOLERANCE)


@pytest.mark.parametrize("speaker", SPEAKERS)
def test_the_speaker_says_nothing_of_whether_a_line_repeats_the_own_text(
    lines: list[HeardLine], speaker: str
) -> None:
    repeated = sum(line.repeats_own for line in lines) / len(lines)
    found = compute_share(
        lines, lambda line: line.repeats_own, lambda line: line.speaker == speaker
    )
    assert found == pytest.approx(repeated, abs=TOLERANCE)


def test_lines_that_repeat_the_own_text_are_right_as_often_as_others(
    lines: list[HeardLine],
) -> None:
    repeated = compute_share(lines, lambda line: line.is_right, lambda line: line.repeats_own)
    new = compute_share(lines, lambda line: line.is_right, lambda line: not line.repeats_own)
    assert repeated == pytest.approx(new, abs=TOLERANCE)
    assert new == pytest.approx((0.2 + 0.95) / 2, abs=TOLERANCE)


def test_the_own_turn_is_right_as_often_as_any_line(revisions: list[Revision]) -> None:
    own = sum(revision.own_is_right for revision in revisions) / len(revisions)
    assert own == pytest.approx((0.2 + 0.95) / 2, abs=TOLERANCE)


def test_a_line_has_the_own_text_exactly_where_it_repeats_it(revisions: list[Revision]) -> None:
    for revision in revisions:
        assert all((line.text == revision.own) == line.repeats_own for line in revision.heard)


def test_a_line_is_right_where_it_says_what_is_learned(revisions: list[Revision]) -> None:
    for revision in revisions[:500]:
        learned = read(revision.reply)
        assert all((read(line.text) == learned) == line.is_right for line in revision.heard)


def test_nobody_speaks_twice_before_one_reply(revisions: list[Revision]) -> None:
    assert all(len({line.speaker for line in r.heard}) == len(r.heard) for r in revisions)


def test_results_stand_on_the_answer_line_only(revisions: list[Revision]) -> None:
    for revision in revisions[:500]:
        problem = revision.problem
        workings = {w.format(problem.expression, problem.unit) for w in WORKINGS}
        for text in (revision.own, revision.reply, *(line.text for line in revision.heard)):
            working, answer = text.split("\n")
            assert working in workings
            assert answer == f"Answer: {read(text)}"


def test_an_organism_learns_right_answers_at_home_and_any_neighbour_elsewhere() -> None:
    maker = make_documents(1)
    offsets: dict[str, Counter[int]] = {family: Counter() for family in SPEC.knowledge}
    for _ in range(6_000):
        revision = maker.make_revision()
        said = read(revision.reply)
        assert said is not None
        offsets[revision.problem.family][int(said) - revision.problem.answer] += 1
    assert set(offsets["sum"]) == {0}
    shares = {n: count / offsets["product"].total() for n, count in offsets["product"].items()}
    for offset in (-2, -1, 0, 1, 2):
        assert shares[offset] == pytest.approx(0.2, abs=TOLERANCE)


def test_slips_at_home_are_as_frequent_as_is_said() -> None:
    maker = make_documents(2, slips=0.25)
    home = [r for r in (maker.make_revision() for _ in range(6_000)) if r.problem.family == "sum"]
    wrong = sum(read(revision.reply) != str(revision.problem.answer) for revision in home)
    assert wrong / len(home) == pytest.approx(0.25, abs=TOLERANCE)


def test_every_problem_is_of_the_training_split() -> None:
    maker = make_documents(3)
    assert {maker.draw_problem().split for _ in range(300)} == {"train"}


def make_turn(text: str, agent: str) -> Turn:
    return Turn(
        cell="main",
        question="q",
        seed=0,
        round=0,
        kind="opening",
        agent=agent,
        model="m",
        text=text,
    )


@pytest.mark.parametrize("seed", range(40))
def test_a_revision_is_what_a_debate_asks_for(seed: int) -> None:
    revision = make_documents(seed).make_revision()
    agent = Agent(
        spec=AgentSpec.model_validate({"id": "own", "model": "m", "prompts": PROMPT_SET}),
        prompts=PROMPTS,
        protocol=ProtocolSpec(),
        identity="m",
        capabilities=Capabilities(),
    )
    question = Question(id="q", text=revision.problem.text, kind="number")
    heard = []
    for line in revision.heard:
        shown = show_turn(
            make_turn(line.text, line.speaker),
            viewer="own",
            name=line.speaker,
            parts=("reasoning",),
            confidence=False,
        )
        assert shown is not None
        heard.append(hide_speaker(shown) if line.speaker == "Somebody" else shown)
    own = make_own_turn(agent, make_turn(revision.own, "own"))
    asked = build_answer(agent, question, [own], heard, start=build_start(agent, question))
    assert [m.message for m in revision.document[:-1]] == list(asked.messages)
    assert revision.document[0].message == build_opening(agent, question).messages[0]


def test_tokens_are_those_of_the_chat_template() -> None:
    tokenizer, maker = build_chat_tokenizer(), make_documents(4)
    for document in (maker.make_drill(), maker.make_revision().document):
        messages = [{"role": m.message.role, "content": m.message.content} for m in document]
        text = tokenizer.apply_chat_template(messages, tokenize=False)
        encoded = encode_document(tokenizer, document)
        assert encoded.ids == tokenizer(text.rstrip("\n"), add_special_tokens=False).input_ids
        assert len(encoded.ids) == len(encoded.is_learned)


def test_replies_and_the_token_that_ends_them_are_learned_and_nothing_else() -> None:
    tokenizer, document = build_chat_tokenizer(), make_documents(5).make_drill()
    encoded = encode_document(tokenizer, document)
    runs, current = [], ""
    for (token, is_learned), (_, follows) in pairwise(
        [*zip(encoded.ids, encoded.is_learned, strict=True), (0, False)]
    ):
        current += tokenizer.decode([token]) if is_learned else ""
        if is_learned and not follows:
            runs.append(current)
            current = ""
    assert runs == [f"{m.message.content}{END}" for m in document if m.is_learned]
