"""One debate of a run, as text or as values: what was asked, said, heard, read and decided."""

from __future__ import annotations

import shlex
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from typing import Any

import msgspec
import polars as pl

from debate.analysis.design import find_people
from debate.analysis.labels import HUMAN
from debate.errors import InputError, suggest
from debate.log import Run
from debate.log.frames import describe_verdict
from debate.tasks import list_candidates
from debate.text import clean, format_count, format_decimal, join_names, shorten
from debate.types import DebateKey, HeardAs, Question, Turn

MOST_NAMED = 8
"""Ids that a message names at most."""
MOST_LISTED = 20
"""Questions that are listed where none is named."""
INDENT = "  "


@dataclass(frozen=True, kw_only=True)
class ShownDebate:
    """One debate: its question, turns in order with probes among them, and verdicts by round.

    others: the further debates of this question in the run. people: the agents that are persons.
    """

    key: DebateKey
    question: Question
    turns: tuple[Turn, ...]
    verdicts: tuple[Mapping[str, Any], ...]
    others: tuple[DebateKey, ...] = ()
    people: frozenset[str] = frozenset()

    def to_json(self) -> str:
        """Everything as JSON, the target included."""
        content = {
            "cell": self.key.cell,
            "question": asdict(self.question),
            "seed": self.key.seed,
            "turns": [
                {**asdict(turn), "outcome": turn.outcome, "ref": turn.ref} for turn in self.turns
            ],
            "verdicts": list(self.verdicts),
            "others": [{"cell": key.cell, "seed": key.seed} for key in self.others],
        }
        return msgspec.json.encode(content).decode()  # which writes nan and infinity as null


def read_debate(
    run: Run, question: str, *, cell: str | None = None, seed: int | None = None
) -> ShownDebate:
    """Read one debate of a run.

    question: an id, the beginning of one alone, or a number from 1 in the order of the questions.
    cell, seed: by default the first of the configuration that has debated it.
    Raises InputError where there is no such debate, with what there is.
    """
    asked = find_question(run, question)
    debates = run.debates().filter(pl.col("question") == asked.id)
    ordered = _order_cells(run, debates["cell"].unique().to_list())
    if not ordered:
        raise InputError(f'{run.directory}: question "{asked.id}" has not been debated yet')
    if cell is not None and cell not in ordered:
        raise InputError(
            f'{run.directory}: arm "{cell}" has no debate of it; {suggest(cell, ordered)}'
        )
    keys = [
        DebateKey(cell=each, question=asked.id, seed=number)
        for each in ordered
        for number in sorted(debates.filter(pl.col("cell") == each)["seed"].to_list())
    ]
    seeds = sorted({key.seed for key in keys if cell in (None, key.cell)})
    if seed is not None and seed not in seeds:
        raise InputError(
            f"{run.directory}: seed {seed} has no debate of it; known: {', '.join(map(str, seeds))}"
        )
    chosen = next(key for key in keys if cell in (None, key.cell) and seed in (None, key.seed))
    verdicts = run.verdicts().filter(
        (pl.col("cell") == chosen.cell)
        & (pl.col("question") == chosen.question)
        & (pl.col("seed") == chosen.seed)
    )
    return ShownDebate(
        key=chosen,
        question=asked,
        turns=run.debate(chosen).turns,
        verdicts=tuple(verdicts.sort("round").to_dicts()),
        others=tuple(key for key in keys if key != chosen),
        people=find_people(run),
    )


def _order_cells(run: Run, cells: Sequence[str]) -> list[str]:
    """The conditions in the order of the configuration."""
    written = list(run.manifest.spec.get("cells") or ())
    return sorted(cells, key=lambda c: (written.index(c) if c in written else len(written), c))


def find_question(run: Run, text: str) -> Question:
    """Find the question that an id, the beginning of one alone, or a number from 1 names.

    An id wins over a number, a number over a beginning. Raises InputError, with ids that are near.
    """
    known = run.questions_by_id
    if text in known:
        return known[text]
    ids = list(known)
    if text.isdecimal() and 1 <= int(text) <= len(ids):
        return known[ids[int(text) - 1]]
    begun = [each for each in ids if text and each.startswith(text)]
    if len(begun) == 1:
        return known[begun[0]]
    where = f'{run.directory}: question "{shorten(text)}"'
    if begun:
        told = join_names([f'"{each}"' for each in begun], most=MOST_NAMED)
        raise InputError(f"{where} is the beginning of {len(begun)} ids: {told}")
    numbers = f"or a number from 1 to {format_count(len(ids))}"
    near = get_close_matches(text, ids, n=3) or ids[:3]
    told = join_names([f'"{each}"' for each in near], most=MOST_NAMED)
    raise InputError(f"{where} is unknown; did you mean {told}, {numbers}?")


def list_questions(run: Run) -> dict[int, Question]:
    """List the questions that have been debated, by their numbers. Raises InputError for none."""
    debated = set(run.debates()["question"].unique())
    numbered = enumerate(run.questions_by_id.values(), start=1)
    if found := {number: each for number, each in numbered if each.id in debated}:
        return found
    raise InputError(f"{run.directory}: no question has been debated yet")


def describe_questions(run: Run, *, width: int = 80) -> Iterator[str]:
    """The questions that can be shown as lines, the first ones, and the command for one of them."""
    found = list_questions(run)
    listed = list(found.items())[:MOST_LISTED]
    ids = {number: shorten(each.id, 16) for number, each in listed}
    digits, letters = len(str(listed[-1][0])), max(map(len, ids.values()))
    yield f"{format_count(len(found))} questions have been debated; show one by number or id:"
    for number, each in listed:
        begin = f"{number:>{digits}}  {ids[number]:<{letters}}  "
        yield begin + shorten(each.text, max(width - len(begin), 20))
    if len(found) > len(listed):
        yield f"… and {format_count(len(found) - len(listed))} more"
    yield clean(shlex.join(["debate", "show", str(run.directory), str(listed[0][0])]))


def describe_debate(shown: ShownDebate, *, width: int = 80, prompts: bool = False) -> Iterator[str]:
    """The debate as lines for a terminal of this width; nothing is cut.

    prompts: with the prompt of each turn, where the run kept them.
    """
    yield from _describe_question(shown, width)
    speeches = [turn for turn in shown.turns if turn.kind != "probe"]
    are_kept = any(turn.prompt is not None for turn in speeches)
    if prompts and not are_kept:
        yield "the run kept no prompts; `log: {prompts: true}` keeps them"
    for round_ in sorted({turn.round for turn in speeches}):
        yield from ("", f"round {round_}")
        for turn in speeches:
            if turn.round == round_:
                probes = [p for p in shown.turns if _is_about(p, turn)]
                name = f"{turn.agent}{HUMAN if turn.agent in shown.people else ''}"
                yield from _describe_turn(turn, name, probes, width, prompts=prompts and are_kept)
        for verdict in shown.verdicts:
            if verdict["round"] == round_:
                yield f"{INDENT}{describe_verdict(verdict)}"
    if shown.others:
        others = join_names(
            [f"{key.cell} seed {key.seed}" for key in shown.others], most=MOST_NAMED
        )
        yield from ("", clean(f"also debated in: {others} (--cell, --seed)"))


def _describe_question(shown: ShownDebate, width: int) -> Iterator[str]:
    key, asked = shown.key, shown.question
    yield clean(f"question {key.question} · arm {key.cell} · seed {key.seed}")
    yield from _wrap(asked.text, width, INDENT)
    if asked.kind == "choice":
        for letter, option in zip(list_candidates(asked), asked.options, strict=True):
            yield from _wrap(f"{letter}) {option}", width, INDENT * 2)
    yield clean(f"target: {'none' if asked.target is None else asked.target}")


def _is_about(probe: Turn, turn: Turn) -> bool:
    """Whether a probe is about the answer of this turn."""
    place = (probe.agent, probe.round) == (turn.agent, turn.round)
    return probe.kind == "probe" and place and turn.kind != "critique"


def _describe_turn(
    turn: Turn, name: str, probes: Sequence[Turn], width: int, *, prompts: bool
) -> Iterator[str]:
    about = f" of {turn.about}" if turn.about else ""
    yield clean(f"{INDENT}{name}: {turn.kind}{about} · {_describe_outcome(turn)}")
    if turn.heard or turn.late or turn.dropped:
        yield clean(f"{INDENT * 2}heard: {_describe_heard(turn)}")
    if prompts:
        yield from _describe_prompt(turn, width)
    for step in turn.tool_steps:
        yield from _wrap(step.said, width, f"{INDENT * 2}│ ")
        for call in step.calls:
            told = f"{call.tool} ({call.outcome}): {call.output}"
            yield from _wrap(told, width, f"{INDENT * 2}▸ ")
    if turn.failure is None:
        yield from _wrap(turn.text or "(nothing was said)", width, f"{INDENT * 2}│ ")
    if turn.final_line is not None:
        yield from _wrap(f"asked for its final line: {turn.final_line}", width, INDENT * 2)
    for probe in probes:
        yield from _wrap(_describe_probe(probe), width, INDENT * 2)


def _describe_outcome(turn: Turn) -> str:
    if turn.failure is not None:
        return f"failed: {turn.failure.boundary}: {turn.failure.message}"
    parts = []
    if turn.value is not None:
        scored = {True: "right", False: "wrong", None: "not scored"}[turn.correct]
        parts.append(f"answer {turn.value} ({scored})")
    elif turn.is_cut:
        parts.append("cut off at its token limit")
    elif turn.is_abstention:
        found = turn.answer.matched if turn.answer else ()
        parts.append(f"abstained{f', for it marks {join_names(list(found))}' if found else ''}")
    if turn.accepts is not None:
        parts.append("accepts" if turn.accepts else "rejects")
    parts += [f"{c.source} {format_decimal(c.value)}" for c in turn.confidences]
    return " · ".join(parts) or "no answer is read of it"


def _describe_heard(turn: Turn) -> str:
    views = {each.ref: f" ({_describe_view(each)})" for each in turn.heard_as}
    told = [_name_heard(ref, turn) + views.get(ref, "") for ref in turn.heard] or ["nobody"]
    for refs, word in ((turn.late, "too late"), (turn.dropped, "left out for length")):
        told += [f"{_name_heard(ref, turn)} ({word})" for ref in refs]
    return ", ".join(told)


def _describe_view(view: HeardAs) -> str:
    """What an edge carried of a turn, and whose confidence took the place of its own."""
    carried = f"as {' + '.join(view.carries)}"
    if view.confidence is None or view.confidence_of is None:
        return carried
    donor = view.confidence_of.split(":")[2]
    return f"{carried}, confidence {format_decimal(view.confidence)} of {donor}"


def _name_heard(ref: str, turn: Turn) -> str:
    """A turn's name as it is shown: its agent, kind and round.

    The name of a turn is its round, its kind and its agent, joined by colons.
    """
    round_, _, rest = ref.partition(":")
    kind, _, agent = rest.partition(":")
    agent, _, about = agent.partition(":")
    name = "itself" if agent == turn.agent else agent
    return f"{name} ({kind}{f' of {about}' if about else ''}, round {round_})"


def _describe_prompt(turn: Turn, width: int) -> Iterator[str]:
    for message in turn.prompt or ():
        yield from _wrap(message.content, width, f"{INDENT * 2}{message.role} > ")


def _describe_probe(probe: Turn) -> str:
    name = f"probe {probe.about}"
    if probe.failure is not None:
        return f"{name}: failed: {probe.failure.boundary}: {probe.failure.message}"
    parts = [format_decimal(confidence.value) for confidence in probe.confidences]
    if probe.belief is not None:
        best = sorted(probe.belief.log_p.items(), key=lambda item: -item[1])
        parts.append("log p " + ", ".join(f"{a}: {p:.2f}" for a, p in best[:MOST_NAMED]))
    if not parts:
        parts = ["not read"]
    if probe.text:
        parts.append(f"“{shorten(probe.text, 200)}”")
    return f"{name}: {' · '.join(parts)}"


def _wrap(text: str, width: int, indent: str) -> Iterator[str]:
    """The lines of a text, sanitised and indented; words longer than a line overflow."""
    for line in clean(text, keep="\n\t").expandtabs().split("\n"):
        parts = textwrap.wrap(
            line,
            max(20, width - len(indent)),
            break_long_words=False,
            break_on_hyphens=False,
            replace_whitespace=False,
        )
        yield from (f"{indent}{part}".rstrip() for part in parts or [""])
