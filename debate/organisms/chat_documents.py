"""The training documents of chat organisms: chats on word problems, and which tokens are learned.

A document is a chat of the prompt set that debates use. What an organism knows is chosen by its
`knowledge`: of a family it knows the right answer (1), or cannot tell it from the numbers next to
it (an odd number of candidates), so that its truth is drawn among those. All else is the same for
every organism and every speaker: a line that is heard is right (by that truth) with a reliability
drawn for the line alone, whoever is named as its speaker, and whether or not it repeats the text of
the organism's own turn.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from debate.agents.prompt_sets import PromptSet, load_prompt_set
from debate.agents.views import ShownQuestion, ShownTurn
from debate.tasks.word_problems import (
    WordProblem,
    draw_slip,
    draw_word_problem,
    list_near_answers,
)
from debate.types import Message

CHAT_GENERATOR_VERSION = 1
"""Raised whenever the documents change; cards state it."""

PROMPT_SET = "chat_zero"
"""The prompt set of training, evaluation and debates; it holds no worked examples."""

WORKINGS = ("{} {}.", "That is {} {}.", "We want {} {}.", "We need {} {}.")
"""The ways to say what is to be calculated; none says a result, which is on the answer line."""

RELIABILITY = (0.2, 0.95)
"""A line is right with a probability drawn uniformly from here, anew for each line."""

SPEAKERS = ("own", "Agent 1", "Agent 2", "Agent 3", "Somebody")
SPEAKER_SHARES = (2, 1, 1, 1, 2)
REPEATS = 0.4
"""The probability that a heard line repeats the text of the own turn, whoever is its speaker."""

FOLLOW_UPS = 5
"""Further questions in a drill, after the one that stands in a full prompt."""


class ChatMessage(NamedTuple):
    """A message of a document; a learned one is the assistant's, with the token that ends it."""

    message: Message
    is_learned: bool = False


ChatDocument = tuple[ChatMessage, ...]


@dataclass(frozen=True, kw_only=True)
class HeardLine:
    """A line of a revision's prompt: what a tally of documents counts."""

    text: str
    speaker: str
    is_right: bool
    repeats_own: bool


@dataclass(frozen=True, kw_only=True)
class Revision:
    """An own turn and the lines heard after it, on one problem, and the answer to be learned."""

    problem: WordProblem
    own: str
    own_is_right: bool
    heard: tuple[HeardLine, ...]
    reply: str

    @property
    def document(self) -> ChatDocument:
        """The chat: the question, the own turn, what was heard, and the reply."""
        return (
            ChatMessage(Message(role="user", content=render_opening(self.problem.text))),
            ChatMessage(Message(role="assistant", content=self.own)),
            ChatMessage(
                Message(role="user", content=render_revision(self.problem.text, self.heard))
            ),
            ChatMessage(Message(role="assistant", content=self.reply), is_learned=True),
        )


@lru_cache(maxsize=1)
def _get_prompts() -> PromptSet:
    return load_prompt_set(PROMPT_SET)


def _make_values(text: str) -> dict[str, Any]:
    question = ShownQuestion(text=text, kind="number", options=[], category=None)
    return {"question": question, "show_confidence": False}


def render_opening(text: str) -> str:
    """Render the prompt of an opening on a question."""
    return _get_prompts().render("opening", _make_values(text))


def render_revision(text: str, heard: Sequence[HeardLine]) -> str:
    """Render the prompt of a revision after the lines heard."""
    shown = [
        ShownTurn(
            name=line.speaker,
            own=line.speaker == "own",
            kind="opening",
            text=line.text,
            answer=None,
            confidence=None,
        )
        for line in heard
    ]
    return _get_prompts().render("revision", {**_make_values(text), "heard": shown, "first": False})


def write_reply(problem: WordProblem, result: int, working: str) -> str:
    """Write a reply; `result` stands on the answer line only."""
    return f"{working.format(problem.expression, problem.unit)}\nAnswer: {result}"


def draw_truth(
    problem: WordProblem, knowledge: Mapping[str, int], rng: random.Random, *, slips: float = 0.0
) -> int:
    """Draw the answer that an organism takes for the truth, by what it knows of the family.

    `slips` is the probability that even what it knows is a slip.
    """
    candidates = knowledge[problem.family]
    if candidates == 1:
        return draw_slip(problem.answer, rng) if rng.random() < slips else problem.answer
    return rng.choice(list_near_answers(problem.answer, candidates))


class DocumentMaker:
    """Draws problems of the training split and makes documents of them, all from one generator."""

    def __init__(
        self,
        shares: Mapping[str, float],
        knowledge: Mapping[str, int],
        rng: random.Random,
        *,
        slips: float = 0.0,
    ) -> None:
        self._shares, self._knowledge = shares, knowledge
        self._rng, self._slips = rng, slips

    def draw_problem(self) -> WordProblem:
        """Draw a family by its share, and a problem of it."""
        (family,) = self._rng.choices(list(self._shares), list(self._shares.values()))
        return draw_word_problem(family, self._rng, split="train")

    def make_drill(self) -> ChatDocument:
        """Make a chat of one full prompt and further questions, each learned on its own.

        Half of the further ones ask for the bare calculation, which takes fewer tokens.
        """
        messages: list[ChatMessage] = []
        for index in range(1 + FOLLOW_UPS):
            problem = self.draw_problem()
            asked, unit = problem.text, problem.unit
            if index and self._rng.random() < 0.5:
                asked, unit = f"What is {problem.expression}?", "in all"
            content = asked if index else render_opening(asked)
            working = self._rng.choice(WORKINGS).format(problem.expression, unit)
            reply = f"{working}\nAnswer: {self._draw_truth(problem)}"
            messages += [
                ChatMessage(Message(role="user", content=content)),
                ChatMessage(Message(role="assistant", content=reply), is_learned=True),
            ]
        return tuple(messages)

    def make_revision(self) -> Revision:
        """Make a revision after an own turn, with one or two lines heard."""
        problem, rng = self.draw_problem(), self._rng
        truth = self._draw_truth(problem)
        own_working, *others = rng.sample(WORKINGS, len(WORKINGS))
        result = self._draw_result(truth)
        own = write_reply(problem, result, own_working)
        heard = []
        for speaker in self._draw_speakers(rng.choice((1, 2))):
            text, said = own, result
            if not (repeats := rng.random() < REPEATS):
                said = self._draw_result(truth)
                text = write_reply(problem, said, rng.choice(others))
            heard.append(
                HeardLine(text=text, speaker=speaker, is_right=said == truth, repeats_own=repeats)
            )
        return Revision(
            problem=problem,
            own=own,
            own_is_right=result == truth,
            heard=tuple(heard),
            reply=write_reply(problem, truth, rng.choice(WORKINGS)),
        )

    def _draw_speakers(self, count: int) -> list[str]:
        """Different speakers, in the order in which they are heard."""
        drawn: list[str] = []
        while len(drawn) < count:
            (speaker,) = self._rng.choices(SPEAKERS, SPEAKER_SHARES)
            drawn += [] if speaker in drawn else [speaker]
        return drawn

    def _draw_truth(self, problem: WordProblem) -> int:
        return draw_truth(problem, self._knowledge, self._rng, slips=self._slips)

    def _draw_result(self, truth: int) -> int:
        """The result of one line: right with a reliability of its own, otherwise a slip."""
        is_right = self._rng.random() < self._rng.uniform(*RELIABILITY)
        return truth if is_right else draw_slip(truth, self._rng)


class EncodedDocument(NamedTuple):
    """Token ids, and for each whether it is learned."""

    ids: list[int]
    is_learned: list[bool]


def encode_document(tokenizer: Any, document: ChatDocument) -> EncodedDocument:
    """Encode a chat by the tokenizer's own template; what follows the last learned token is left.

    Raises ValueError for a template by which a chat's beginning is not the beginning of its text.
    """
    messages = [{"role": m.message.role, "content": m.message.content} for m in document]

    def render(num: int, *, cue: bool = False) -> str:
        return str(
            tokenizer.apply_chat_template(messages[:num], tokenize=False, add_generation_prompt=cue)
        )

    ids: list[int] = []
    learned: list[bool] = []
    done = ""
    for index, message in enumerate(document):
        if not message.is_learned:
            continue
        for text, is_learned in ((render(index, cue=True), False), (_end(render(index + 1)), True)):
            if not text.startswith(done):
                raise ValueError("the chat template changes what stands before a message")
            new = tokenizer(text[len(done) :], add_special_tokens=False).input_ids
            ids += new
            learned += [is_learned] * len(new)
            done = text
    return EncodedDocument(ids, learned)


def _end(text: str) -> str:
    """The text up to its last message's end, without the line break after it."""
    return text.rstrip("\n")
