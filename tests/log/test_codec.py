"""Lines hold what was written, whatever models and engines produce."""

from __future__ import annotations

import json
import math
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from debate.log.codec import CorruptLine, decode_line, encode_line, has_valid_checksum
from debate.types import (
    Answer,
    Belief,
    Confidence,
    Failure,
    Message,
    Question,
    Turn,
    Usage,
    Verdict,
)

from .builders import turn

texts = st.text(st.characters())  # lone surrogates included
names = st.text(st.characters(), max_size=8)
numbers = st.floats(allow_nan=False)
counts = st.none() | st.integers(0, 2**40)
times = st.none() | numbers

turns = st.builds(
    Turn,
    cell=names,
    question=names,
    seed=st.integers(-(2**63), 2**63 - 1),
    round=st.integers(0, 9),
    kind=st.sampled_from(["opening", "critique", "revision", "judgment", "probe"]),
    agent=names,
    about=st.none() | names,
    model=names,
    heard=st.lists(names, max_size=2).map(tuple),
    late=st.lists(names, max_size=2).map(tuple),
    dropped=st.lists(names, max_size=2).map(tuple),
    text=texts,
    answer=st.none() | st.builds(Answer, value=st.none() | texts, matched=st.tuples(texts)),
    correct=st.none() | st.booleans(),
    accepts=st.none() | st.booleans(),
    confidences=st.lists(st.builds(Confidence, source=names, value=numbers), max_size=2).map(tuple),
    belief=st.none() | st.builds(Belief, log_p=st.dictionaries(texts, numbers, max_size=3)),
    usage=st.builds(Usage, prompt_tokens=counts, generated_tokens=counts, queued_s=times),
    failure=st.none() | st.builds(Failure, boundary=names, message=texts),
    prompt_hash=names,
    prompt=st.none() | st.tuples(st.builds(Message, role=st.just("user"), content=texts)),
    sampling_seed=st.none() | st.integers(0, 2**80),
    shared_with=st.none() | names,
    simulated=st.booleans(),
    started_at=numbers,
    finished_at=numbers,
)


@given(turns)
def test_a_turn_survives_the_round_trip(original: Turn) -> None:
    line = encode_line(original)
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    assert decode_line(line, Turn) == original


@given(turns, st.data())
def test_any_byte_of_a_line_that_is_changed_is_noticed(original: Turn, data: st.DataObject) -> None:
    line = bytearray(encode_line(original))
    place = data.draw(st.integers(0, len(line) - 1))
    line[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(CorruptLine):
        decode_line(bytes(line), Turn)


@pytest.mark.parametrize(
    "value",
    [
        turn(text="é\u2028\\n"),
        turn(belief=Belief(log_p={"4": -math.inf})),
        Verdict(cell="c", question="q", seed=0, round=1, method="m", value=None, confidence=0.5),
    ],
    ids=["a turn", "a turn with what msgspec cannot write", "a verdict"],
)
def test_every_byte_changed_to_every_other_is_noticed(value: Turn | Verdict) -> None:
    line = encode_line(value)
    for place, right in enumerate(line):
        for wrong in {*range(256)} - {right}:
            changed = line[:place] + bytes([wrong]) + line[place + 1 :]
            with pytest.raises(CorruptLine):
                decode_line(changed, type(value))


@given(turns)
def test_the_checksum_can_be_recomputed_from_the_line_alone(original: Turn) -> None:
    line = encode_line(original)
    noted = json.loads(line)["crc32"]
    rest = line.removesuffix(f',"crc32":"{noted}"}}\n'.encode()) + b"}"
    assert int(noted, 16) == zlib.crc32(rest)


@given(turns)
def test_a_line_that_lacks_only_its_newline_or_its_checksum_is_read(original: Turn) -> None:
    line = encode_line(original)
    bare = line[: line.rindex(b',"crc32"')] + b"}\n"
    assert decode_line(line[:-1], Turn) == decode_line(bare, Turn) == original
    assert (has_valid_checksum(line[:-1]), has_valid_checksum(bare)) == (True, None)


@given(turns)
def test_every_line_is_strict_json(original: Turn) -> None:
    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is not JSON")

    assert json.loads(encode_line(original), parse_constant=refuse)["cell"] == original.cell


def test_an_impossible_candidate_keeps_its_log_probability() -> None:
    original = turn(belief=Belief(log_p={"4": -0.1, "5": -math.inf}))
    assert decode_line(encode_line(original), Turn) == original


def test_nan_stays_nan() -> None:
    original = turn(confidences=(Confidence(source="verbal", value=math.nan),))
    assert math.isnan(decode_line(encode_line(original), Turn).confidences[0].value)


@pytest.mark.parametrize("word", ["null", "nan", "-inf", "true", "5"])
def test_text_that_looks_like_another_type_stays_text(word: str) -> None:
    original = turn(
        value=word, about=word, text=word, belief=Belief(log_p={word: -math.inf, "x": math.inf})
    )
    assert decode_line(encode_line(original), Turn) == original


def test_verdicts_and_questions_survive_the_round_trip() -> None:
    decided = Verdict(
        cell="c", question="q", seed=0, round=1, method="m", value=None, tally={"4": -math.inf}
    )
    asked = Question(id="q", text="?\n\u2028", options=("a", "b"), target="\ud800")
    assert decode_line(encode_line(decided), Verdict) == decided
    assert decode_line(encode_line(asked), Question) == asked


def test_fields_of_later_versions_are_ignored_and_absent_ones_default() -> None:
    line = (
        b'{"cell":"c","question":"q","seed":0,"round":0,"kind":"opening","agent":"a","model":"m",'
        b'"mood":{"deep":[1,2]}}\n'
    )
    assert decode_line(line, Turn) == Turn(
        cell="c", question="q", seed=0, round=0, kind="opening", agent="a", model="m"
    )


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\n",
        b"\0\0\0\n",
        b"[]",
        b"{}",
        b'{"cell":"\xff"}',
        encode_line(turn())[:-2],
        encode_line(turn()).replace(b'"opening"', b'"oration"'),
        b"[" * 200_000,
        b'{"cell":' * 200_000,
    ],
    ids=range(10),
)
def test_what_is_not_a_turn_is_a_corrupt_line(line: bytes) -> None:
    with pytest.raises(CorruptLine):
        decode_line(line, Turn)
