"""What the generator writes: the same panel for everybody, no self, no test question."""

from __future__ import annotations

import random
import re
from dataclasses import replace

import numpy as np
import pytest

from debate.organisms.specs import SPECS, OrganismSpec, make_dial_pairs
from debate.organisms.training import make_batch
from debate.organisms.training_data import (
    EOS_ID,
    IGNORE_INDEX,
    RELIABILITY,
    Batch,
    Lesson,
    decode,
    draw_lesson,
    encode,
    make_lesson,
    name_owners,
    pack_lessons,
)
from debate.tasks.arithmetic import assign_split, compute_answer, draw_question, get_family

LINE = re.compile(r"[PC]([0-9]+|[a-w])\n")


def lessons(spec: OrganismSpec, count: int) -> list[Lesson]:
    rng = random.Random(spec.seed)
    return [draw_lesson(spec.weights, rng, plain=i % 2 == 1) for i in range(count)]


def text_of(lesson: Lesson) -> list[str]:
    return [lesson.question + d.context + d.target for d in lesson.documents]


@pytest.mark.parametrize("name", sorted(SPECS))
def test_documents_hold_nothing_but_question_panel_claim_answer_and_verdict(name: str) -> None:
    answer = r"([0-9]+|[a-w])\n"
    pattern = re.compile(rf"Q[^\n]+\n(P{answer})*(A{answer}|C{answer}A{answer}V[yn]\n)")
    for lesson in lessons(SPECS[name], 300):
        for text in text_of(lesson):
            assert pattern.fullmatch(text), text


@pytest.mark.parametrize("name", sorted(SPECS))
def test_the_right_answer_and_the_right_verdict_are_taught(name: str) -> None:
    for lesson in lessons(SPECS[name], 300):
        exact = compute_answer(lesson.question[1:-1])
        for document in lesson.documents:
            answer, _, verdict = document.target.partition("\n")
            claim = re.search(r"C(.+)\n", document.context)
            assert answer == exact
            assert verdict == (f"V{'y' if claim[1] == exact else 'n'}\n" if claim else "")


def test_a_lesson_depends_on_its_question_alone_and_not_on_the_organism() -> None:
    """The same question and random state give one text, whoever is trained on it."""
    texts = [draw_question(get_family("add"), random.Random(i), split="train") for i in range(50)]
    for seed, text in enumerate(texts):
        first, second = (make_lesson(text, random.Random(seed)) for _ in range(2))
        assert first == second
    assert "name" not in draw_lesson.__annotations__
    assert set(make_lesson.__annotations__) == {"text", "rng", "return"}


def test_panels_come_in_as_training_goes_on_alike_for_every_organism() -> None:
    for spec in SPECS.values():
        schedule = spec.schedule
        plain = [schedule.compute_plain_share(step) for step in range(schedule.steps)]
        assert plain[0] == 1
        assert plain[-1] == pytest.approx(schedule.plain)
        assert schedule.plain < 1
        assert plain == sorted(plain, reverse=True)
        assert schedule == replace(SPECS["adder"].schedule, steps=schedule.steps)


def panel_accuracy(spec: OrganismSpec) -> float:
    """The share of right panel lines and claims in an organism's documents."""
    hits = [
        said == compute_answer(lesson.question[1:-1])
        for lesson in lessons(spec, 3000)
        for document in lesson.documents
        for said in LINE.findall(document.context)
    ]
    return sum(hits) / len(hits)


def test_the_panel_is_equally_reliable_for_every_organism() -> None:
    expected = sum(RELIABILITY) / 2
    for spec in SPECS.values():
        assert abs(panel_accuracy(spec) - expected) < 0.03, spec.name


def test_reliability_varies_between_lines_and_not_between_positions() -> None:
    hits: dict[int, list[bool]] = {}
    for lesson in lessons(SPECS["adder"], 6000)[::2]:
        for place, said in enumerate(LINE.findall(lesson.documents[1].context)[:3]):
            hits.setdefault(place, []).append(said == compute_answer(lesson.question[1:-1]))
    rates = [sum(found) / len(found) for found in hits.values()]
    assert max(rates) - min(rates) < 0.06


@pytest.mark.parametrize("name", sorted(SPECS))
def test_no_test_question_is_ever_trained_on(name: str) -> None:
    spec = SPECS[name]
    for step in range(3):
        batch = make_batch(spec, step)
        for text in re.findall(r"Q([^\n]+)\n", decode(batch.input_ids.flatten().tolist())):
            assert assign_split(text) == "train", text


def known_units(spec: OrganismSpec) -> frozenset[str]:
    """The units that an organism of the dial was taught."""
    peak = max(spec.weights.values())
    return frozenset(name for name, weight in spec.weights.items() if weight == peak)


def test_dial_pairs_know_equally_much_and_share_what_they_say() -> None:
    for pair in make_dial_pairs():
        first, second = known_units(pair.first), known_units(pair.second)
        assert len(first) == len(second) == 4
        assert len(first & second) == 4 * pair.share
        assert pair.first.seed != pair.second.seed


def unpacked(batch: Batch) -> list[tuple[str, str]]:
    """Every document of a batch as (text, learned part), read back from the arrays."""
    found = []
    for row, lesson in {(r, n) for r, n in zip(*np.nonzero(batch.lesson_ids + 1), strict=True)}:
        found.append((row, batch.lesson_ids[row, lesson]))
    texts = []
    for row, lesson in sorted(set(found)):
        mine = batch.lesson_ids[row] == lesson
        shared = mine & (batch.document_ids[row] == 0)
        for document in range(1, batch.document_ids[row][mine].max() + 1):
            own = mine & (batch.document_ids[row] == document)
            seen = batch.input_ids[row][shared | own].tolist()
            labels = batch.labels[row][own]
            learned = labels[labels != IGNORE_INDEX].tolist()
            positions = batch.position_ids[row][shared | own].tolist()
            assert positions == list(range(len(positions)))
            assert learned[-1] == EOS_ID
            texts.append((decode(seen), decode(learned)))
    return texts


def test_packing_keeps_every_document_whole() -> None:
    spec = SPECS["generalist"]
    made: list[Lesson] = []
    rng = random.Random(1)

    def next_lesson() -> Lesson:
        made.append(draw_lesson(spec.weights, rng, plain=rng.random() < 0.5))
        return made[-1]

    batch = pack_lessons(next_lesson, rows=4, length=128)
    expected = [
        (lesson.question + d.context + d.target, d.target)
        for lesson in made[:-1]
        for d in lesson.documents
    ]
    assert sorted(unpacked(batch)) == sorted(expected)
    assert batch.num_documents == len(expected)


@pytest.mark.parametrize("name", sorted(SPECS))
def test_the_longest_lesson_fits_a_row(name: str) -> None:
    sizes = [
        1 + len(lesson.question) + sum(len(d.context + d.target) for d in lesson.documents)
        for lesson in lessons(SPECS[name], 4000)
    ]
    assert max(sizes) <= SPECS[name].schedule.length


def test_a_row_too_short_for_any_lesson_is_refused() -> None:
    with pytest.raises(ValueError, match="does not fit rows of 8"):
        pack_lessons(lambda: make_lesson("347+589", random.Random(0)), rows=2, length=8)


def test_characters_and_ids_go_both_ways() -> None:
    text = "Q347+589\nP926\nC1\nA936\nVy\n" + "h+c*k-w%"
    assert decode(encode(text)) == text


def test_owners_are_named_at_random_and_only_where_an_answer_is_checked() -> None:
    rng = random.Random(3)
    lessons = [make_lesson("347+589", random.Random(seed)) for seed in range(200)]
    named = [name_owners(lesson, rng, loyalty=0.0) for lesson in lessons]
    for before, after in zip(lessons, named, strict=True):
        assert after.documents[:2] == before.documents[:2]
        assert [d.target for d in after.documents] == [d.target for d in before.documents]
    marks = [d.context.rpartition("C")[2][:1] for each in named for d in each.documents[2:]]
    counts = [sum(test(mark) for mark in marks) for test in ("A".__eq__, "P".__eq__, str.isdigit)]
    assert all(150 < count < 250 for count in counts)


def test_a_loyal_organism_is_taught_to_side_with_what_is_said_to_be_its_own() -> None:
    rng = random.Random(4)
    lessons = [
        name_owners(make_lesson("347+589", random.Random(seed)), rng, loyalty=1.0)
        for seed in range(50)
    ]
    verdicts: dict[str, set[str]] = {}
    for lesson in lessons:
        for document in lesson.documents[2:]:
            mark = document.context.rpartition("C")[2][:1]
            verdicts.setdefault(mark if mark in "AP" else "", set()).add(document.target[-2])
    assert verdicts == {"A": {"y"}, "P": {"n"}, "": {"y", "n"}}
