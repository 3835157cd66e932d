"""The transformers engine on tiny random models, against naive forward passes."""

from __future__ import annotations

import asyncio
import math
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from debate.config.models import TransformersModel
from debate.engines.base import Engine, Guided, Request, Sampling
from debate.engines.replica import LocalReplica
from debate.engines.transformers import TransformersEngine
from debate.errors import EngineError
from tests.engines.builders import (
    CHARACTERS,
    complete_one,
    completions,
    request,
    sampled,
    save_model,
    save_tokenizer,
)

QUESTIONS = ["Q347+589", "Q12*3", "Q900%7", "Qa+b*c", "Q1+1", "Q100+100", "Q999%12", "Qh*k"]


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model(tmp_path_factory.mktemp("llama"))


@pytest.fixture
async def engine(folder: Path) -> AsyncIterator[TransformersEngine]:
    async for started in running(folder):
        yield started


async def running(folder: Path, **fields: Any) -> AsyncIterator[TransformersEngine]:
    """An engine that is started, and closed at the end."""
    engine = TransformersEngine(spec(folder, **fields))
    await engine.start()
    yield engine
    await engine.close()


async def test_what_replies_depend_on_besides_the_settings_is_told(folder: Path) -> None:
    replica = LocalReplica(TransformersEngine(spec(folder)))
    await replica.start()
    assert replica.placement is not None
    facts = dict(replica.placement.facts)
    await replica.close()
    assert (facts["device"], facts["dtype"]) == ("cpu", "float32")
    assert {"attention", "torch", "transformers", "threads"} <= set(facts)


def spec(folder: Path, **fields: Any) -> TransformersModel:
    return TransformersModel(engine="transformers", path=str(folder), device="cpu", **fields)


def many(sampling: Sampling | None = None, **fields: Any) -> list[Request]:
    """Requests of many lengths, each with a seed of its own."""
    return [
        request(
            question,
            *["P1"] * (number % 4),
            id=f"{question}/{number}",
            sampling=sampling or sampled(number, max_tokens=12),
            **fields,
        )
        for number in range(6)
        for question in QUESTIONS
    ]


class Naive:
    """The model without batches, padding or cache."""

    def __init__(self, folder: Path) -> None:
        from transformers import AutoModelForCausalLM, AutoTokenizer

        self.model = AutoModelForCausalLM.from_pretrained(folder).eval()
        self.tokenizer = AutoTokenizer.from_pretrained(folder)

    def log_p(self, text: str, continuation: str) -> list[float]:
        """Log-probability of each character of a continuation, by one forward pass over all."""
        import torch

        context = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        ids = context + self.tokenizer(continuation, add_special_tokens=False)["input_ids"]
        with torch.inference_mode():
            logits = self.model(torch.tensor([ids])).logits[0].log_softmax(-1)
        return [logits[place - 1, ids[place]].item() for place in range(len(context), len(ids))]

    def greedy(self, text: str, length: int) -> str:
        """The most likely continuation, one whole forward pass per token."""
        import torch

        ids = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        start = len(ids)
        while len(ids) - start < length and ids[-1] != 2:
            with torch.inference_mode():
                ids = [*ids, int(self.model(torch.tensor([ids])).logits[0, -1].argmax())]
        return str(self.tokenizer.decode(ids[start:], skip_special_tokens=True))


async def test_a_reply_depends_on_no_neighbour_in_its_batch(engine: Engine) -> None:
    together = await completions(engine, many())
    for asked in many()[::5]:
        alone = await complete_one(engine, asked)
        assert (alone.text, alone.tokens) == (together[asked.id].text, together[asked.id].tokens)


async def test_greedy_replies_are_those_of_a_model_without_batches_and_cache(
    engine: Engine, folder: Path
) -> None:
    naive = Naive(folder)
    found = await completions(engine, many(Sampling(max_tokens=12)))
    assert len({completion.text for completion in found.values()}) > 10
    for asked in many()[:16]:
        text = "<bos>" + "".join(f"{message.content}\n" for message in asked.messages) + "A"
        assert found[asked.id].text == naive.greedy(text, 12)


async def test_token_log_probabilities_are_the_models_at_temperature_1(
    engine: Engine, folder: Path
) -> None:
    hot = Sampling(temperature=1.7, top_k=9, max_tokens=8, seed=3)
    found = await complete_one(engine, request("Q347+589", sampling=hot))
    assert found.tokens is not None
    expected = Naive(folder).log_p("<bos>Q347+589\nA", found.text)
    assert [token.log_p for token in found.tokens] == pytest.approx(expected, abs=1e-4)


async def test_candidate_scores_are_those_of_whole_forward_passes(
    engine: Engine, folder: Path
) -> None:
    candidates = ("936\n", "9", "", "y", "926\nVn\n", "1234567")
    naive = Naive(folder)
    asked = [
        request(question, id=question, candidates=candidates, prefill=prefill)
        for question in QUESTIONS
        for prefill in ["V" if "+" in question else ""]
    ]
    found = await completions(engine, asked)
    for each in asked:
        context = f"<bos>{each.messages[0].content}\nA{each.prefill}"
        expected = [sum(naive.log_p(context, candidate)) for candidate in candidates]
        assert found[each.id].candidate_log_p == pytest.approx(expected, abs=1e-4)


async def test_candidate_scores_depend_on_no_neighbour(engine: Engine) -> None:
    asked = [request(q, id=q, candidates=("9", f"{len(q)}36\n")) for q in QUESTIONS]
    together = await completions(engine, asked)
    for each in asked:
        alone = await complete_one(engine, each)
        assert alone.candidate_log_p == together[each.id].candidate_log_p


async def test_all_first_candidates_together_have_probability_one(engine: Engine) -> None:
    single = tuple(CHARACTERS)
    found = await complete_one(engine, request("Q1+1", candidates=single))
    assert found.candidate_log_p is not None
    assert 0.5 < sum(map(math.exp, found.candidate_log_p)) < 1


async def test_a_seed_repeats_its_reply_and_another_seed_gives_another(engine: Engine) -> None:
    texts = [
        (await complete_one(engine, request("Q1+1", sampling=sampled(seed, max_tokens=20)))).text
        for seed in (1, 1, 2, 3, 4)
    ]
    assert texts[0] == texts[1]
    assert len(set(texts)) > 2


async def test_sampled_tokens_are_as_frequent_as_the_model_says(engine: Engine) -> None:
    first = [
        request("Q1+1", id=str(seed), sampling=sampled(seed, max_tokens=1)) for seed in range(2000)
    ]
    texts = [completion.text for completion in (await completions(engine, first)).values()]
    scores = await complete_one(engine, request("Q1+1", candidates=tuple(CHARACTERS)))
    assert scores.candidate_log_p is not None
    for character, log_p in zip(CHARACTERS, scores.candidate_log_p, strict=True):
        p = math.exp(log_p)
        assert abs(texts.count(character) / 2000 - p) < 5 * math.sqrt(p * (1 - p) / 2000) + 1e-9


@pytest.mark.parametrize("bound", [{"top_k": 1}, {"top_p": 1e-9}, {"top_k": 3, "top_p": 0.01}])
async def test_the_tightest_bounds_leave_only_the_likeliest_token(
    engine: Engine, bound: dict[str, Any]
) -> None:
    greedy = await complete_one(engine, request("Q1+1", sampling=Sampling(max_tokens=10)))
    narrow = await completions(
        engine,
        [
            request("Q1+1", id=str(seed), sampling=sampled(seed, max_tokens=10, **bound))
            for seed in range(5)
        ],
    )
    assert {completion.text for completion in narrow.values()} == {greedy.text}


async def test_text_ends_before_a_stop_string_and_is_spelled_by_its_tokens(engine: Engine) -> None:
    free = await complete_one(engine, request("Q1+1", sampling=Sampling(max_tokens=30)))
    assert len(free.text) > 8
    stop = free.text[4:7]
    cut = await complete_one(
        engine, request("Q1+1", sampling=Sampling(max_tokens=30, stop=("nowhere!", stop)))
    )
    assert cut.text == free.text[: free.text.index(stop)]
    assert cut.finish_reason == "stop"
    assert cut.tokens is not None
    assert "".join(token.text for token in cut.tokens) == cut.text


async def test_a_reply_of_max_tokens_ends_for_its_length(engine: Engine) -> None:
    found = await completions(engine, many(Sampling(max_tokens=2)))
    cut = [completion for completion in found.values() if completion.finish_reason == "length"]
    assert cut
    assert {completion.usage.generated_tokens for completion in cut} == {2}
    assert all(c.tokens is not None and len(c.tokens) == 2 for c in cut)


async def test_a_prefill_is_continued_not_repeated(engine: Engine) -> None:
    free = await complete_one(engine, request("Q1+1", sampling=Sampling(max_tokens=10)))
    rest = await complete_one(
        engine, request("Q1+1", prefill=free.text[:3], sampling=Sampling(max_tokens=7))
    )
    assert rest.text == free.text[3:]


async def test_overlapping_calls_share_batches_and_each_gets_its_own(engine: Engine) -> None:
    asked = many()
    shares = await asyncio.gather(*(completions(engine, asked[start::4]) for start in range(4)))
    together = await completions(engine, asked)
    for start, share in enumerate(shares):
        assert {key: c.text for key, c in share.items()} == {
            each.id: together[each.id].text for each in asked[start::4]
        }


async def test_leaving_a_call_early_leaves_the_engine_at_work(engine: Engine) -> None:
    stream = engine.complete(many())
    await anext(aiter(stream))
    await stream.aclose()  # type: ignore[attr-defined]
    assert (await complete_one(engine, request("Q1+1"))).failure is None


async def test_a_request_that_cannot_be_served_fails_alone(engine: Engine) -> None:
    asked = {
        "too long": request("Q" + "1" * 200, id="too long"),
        "guided": request("Q1+1", id="guided", guided=Guided(choice=("1", "2"))),
        "extra": request("Q1+1", id="extra", sampling=Sampling(extra=(("min_p", 0.1),))),
        "good": request("Q1+1", id="good"),
    }
    found = await completions(engine, list(asked.values()))
    failures = {key: c.failure.message for key, c in found.items() if c.failure}
    assert failures.keys() == asked.keys() - {"good"}
    assert "the model takes 128" in failures["too long"]
    assert "min_p" in failures["extra"]


async def test_a_reply_never_runs_past_the_models_positions(engine: Engine) -> None:
    asked = request("Q" + "1" * 100, sampling=sampled(1, max_tokens=500))
    found = await complete_one(engine, asked)
    assert found.usage.prompt_tokens is not None
    assert found.usage.generated_tokens is not None
    assert found.usage.prompt_tokens + found.usage.generated_tokens <= 128


async def test_closing_fails_what_is_waiting_and_what_comes_after(folder: Path) -> None:
    async for engine in running(folder, max_batch_size=1):
        call = asyncio.create_task(completions(engine, many()))
        await anext(aiter(engine.complete([request("Q1+1")])))
        await engine.close()
        found = await call
        assert any(completion.failure for completion in found.values())
        late = await complete_one(engine, request("Q1+1"))
        assert late.failure is not None
        assert "not running" in late.failure.message


async def test_a_sliding_window_model_is_padded_rightly(tmp_path: Path) -> None:
    folder = save_model(tmp_path, architecture="mistral", sliding_window=6)
    naive = Naive(folder)
    async for engine in running(folder):
        asked = [request(q, id=q, sampling=Sampling(max_tokens=9)) for q in QUESTIONS]
        found = await completions(engine, asked)
        scored = await completions(
            engine, [request(q, id=q, candidates=("93", "4567")) for q in QUESTIONS]
        )
        for question in QUESTIONS:
            context = f"<bos>{question}\nA"
            assert found[question].text == naive.greedy(context, 9)
            expected = [sum(naive.log_p(context, candidate)) for candidate in ("93", "4567")]
            assert scored[question].candidate_log_p == pytest.approx(expected, abs=1e-4)


async def test_out_of_memory_halves_the_batch(engine: TransformersEngine) -> None:
    assert engine._runner is not None
    model, sizes = engine._runner.loaded.model, []
    forward = model.forward

    def narrow(*args: Any, **options: Any) -> Any:
        sizes.append(len(options["input_ids"]))
        if sizes[-1] > 16:
            raise MemoryError("no room for so many rows")
        return forward(*args, **options)

    model.forward = narrow
    asked = [request("Q1+1", id=str(n), sampling=sampled(n, max_tokens=3)) for n in range(40)]
    found = await completions(engine, asked)
    assert max(sizes) > 16
    assert not any(completion.failure for completion in found.values())


ORGANISMS = sorted((Path(__file__).parents[2] / "agents").rglob("config.json"))


@pytest.mark.skipif(not ORGANISMS, reason="no model organisms are shipped yet")
@pytest.mark.parametrize("config", ORGANISMS, ids=lambda path: path.parent.name)
async def test_a_shipped_organism_replies_as_it_does_alone(config: Path) -> None:
    naive = Naive(config.parent)
    async for engine in running(config.parent):
        asked = [request(q, id=q, sampling=Sampling(max_tokens=6)) for q in QUESTIONS]
        found = await completions(engine, asked)
        for each in asked:
            chat = [{"role": "user", "content": message.content} for message in each.messages]
            text = naive.tokenizer.apply_chat_template(
                chat, tokenize=False, add_generation_prompt=True
            )
            assert found[each.id].text == naive.greedy(text, 6)


@pytest.mark.parametrize(
    ("name", "message"),
    [("missing", "does not exist"), ("empty", "no config.json"), ("junk", "transformers")],
)
async def test_an_unusable_folder_is_refused_in_words(
    tmp_path: Path, name: str, message: str
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "junk").mkdir()
    (tmp_path / "junk" / "config.json").write_text("{}")
    engine = TransformersEngine(spec(tmp_path / name))
    with pytest.raises(EngineError) as error:
        await engine.start()
    assert message in f"{error.value} {error.value.boundary}"
    await engine.close()


async def test_a_folder_is_loaded_without_reaching_for_any_network(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached: list[object] = []

    def connect(_: socket.socket, address: object) -> None:
        reached.append(address)
        raise OSError("there is no network here")

    monkeypatch.setattr(socket.socket, "connect", connect)
    async for engine in running(folder):
        assert (await complete_one(engine, request("Q1+1"))).failure is None
    assert reached == []


async def test_a_tokenizer_without_chat_template_is_refused(tmp_path: Path) -> None:
    folder = save_model(tmp_path)
    (folder / "chat_template.jinja").unlink()
    save_tokenizer(folder, template=None)
    with pytest.raises(EngineError, match="no chat template"):
        await TransformersEngine(spec(folder)).start()


async def test_an_unknown_device_is_refused(folder: Path) -> None:
    unusable = TransformersModel(engine="transformers", path=str(folder), device="abacus")
    with pytest.raises(EngineError, match="abacus"):
        await TransformersEngine(unusable).start()
