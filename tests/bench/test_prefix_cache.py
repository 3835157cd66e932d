"""What an ideal prefix cache would have served."""

from __future__ import annotations

from pathlib import Path

import pytest

from debate.bench.prefix_cache import (
    BLOCK_SIZE,
    CPU_BLOCK_SIZE,
    compare_with_ideal,
    compute_ideal_tokens,
    get_block_size,
    make_tokenizer_reader,
    read_as_characters,
)
from debate.bench.workloads import Measurement, SkippedMeasurement, make_character_tokenizer
from debate.config.models import OpenaiModel, VllmModel
from debate.types import Message, Turn, Usage


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("tokenizer")
    make_character_tokenizer().save_pretrained(folder)
    return str(folder)


def prompted(
    start: float, end: float, *prompt: str, said: str = "said", cached: int | None = None
) -> Turn:
    roles = ("user", "assistant")
    messages = tuple(Message(role=roles[n % 2], content=text) for n, text in enumerate(prompt))
    return Turn(
        cell="main",
        question="q",
        seed=0,
        round=0,
        kind="opening",
        agent=f"a{start}",
        model="m",
        prompt=messages,
        text=said,
        started_at=start,
        finished_at=end,
        usage=Usage(prompt_tokens=len("".join(prompt)), cached_tokens=cached, generated_tokens=4),
    )


def test_an_ideal_cache_serves_whole_blocks_of_what_was_sent_before(weights: str) -> None:
    turns = [prompted(0, 1, "x" * 70), prompted(2, 3, "x" * 40 + "y" * 30), prompted(4, 5, "z")]
    shared = len("<s>user\n") - 2 + 40
    ideal = compute_ideal_tokens(turns, make_tokenizer_reader(weights), block_size=16)
    assert ideal == [0, shared // 16 * 16, 0]


def test_a_reply_is_in_the_cache_once_it_has_ended(weights: str) -> None:
    opening = prompted(0, 2, "q" * 20, said="r" * 40)
    during, after = (prompted(start, 9, "q" * 20, "r" * 40, "again") for start in (1, 3))
    first, early, late = compute_ideal_tokens(
        [opening, during, after], make_tokenizer_reader(weights), block_size=8
    )
    assert first == 0
    assert early < late
    assert late >= 60


def test_a_prompt_that_is_still_being_read_counts(weights: str) -> None:
    turns = [prompted(0, 5, "same" * 20), prompted(1, 6, "same" * 20)]
    assert compute_ideal_tokens(turns, make_tokenizer_reader(weights), block_size=16)[1] > 0


def test_the_last_token_of_a_prompt_is_computed_whatever_is_cached(weights: str) -> None:
    num_tokens = len("x" * 45) + len("user\nassistant\n") + 2
    assert num_tokens % 2 == 0
    twice = [prompted(0, 1, "x" * 45), prompted(2, 3, "x" * 45)]
    assert (
        compute_ideal_tokens(twice, make_tokenizer_reader(weights), block_size=2)[1]
        == num_tokens - 2
    )


def test_without_a_tokenizer_text_is_cut_as_finely_as_tokens_are_on_average() -> None:
    turns = [prompted(0, 1, "x" * 60), prompted(2, 3, "x" * 60)]
    found = compute_ideal_tokens(turns, read_as_characters, block_size=4)
    assert found[0] == 0
    assert 50 <= found[1] <= 60


def test_the_cache_is_measured_against_the_ideal(weights: str) -> None:
    turns = [prompted(0, 1, "x" * 64, cached=0), prompted(2, 3, "x" * 64, cached=32)]
    spec = VllmModel(engine="vllm", model=weights, engine_kwargs={"block_size": 32})
    found = compare_with_ideal(turns, {"m": spec})
    assert isinstance(found, Measurement)
    assert found.ratio == 32 / 64


def test_an_engine_that_does_not_tell_is_not_measured() -> None:
    spec = OpenaiModel(engine="openai", model="m", url="http://localhost/v1")
    found = compare_with_ideal([prompted(0, 1, "same")], {"m": spec})
    assert isinstance(found, SkippedMeasurement)
    assert "does not tell" in found.reason


def test_the_size_of_a_block_is_the_users_or_the_builds() -> None:
    sizes = [
        get_block_size(VllmModel(engine="vllm", model="m", **fields))
        for fields in ({"engine_kwargs": {"block_size": 64}}, {"gpus": 0}, {"gpus": 1})
    ]
    assert sizes == [64, CPU_BLOCK_SIZE, BLOCK_SIZE]


def test_prompts_and_questions_of_the_throwaway_debate_are_many_blocks_long(
    tmp_path: Path,
) -> None:
    from debate.bench.workloads import LONG_PROMPT_KWARGS, write_long_questions

    task = write_long_questions(tmp_path, 3)
    lines = Path(task["path"]).read_text().splitlines()
    assert len(lines) == 3
    assert min(map(len, lines)) > 10 * LONG_PROMPT_KWARGS["block_size"]
