"""Chat organisms: only the upper layers learn, cuts change nothing, and the engine agrees."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from safetensors.torch import load_file
from typer.testing import CliRunner

from debate.config.loader import load_run
from debate.config.models import TransformersModel
from debate.engines.adapter_files import WEIGHTS
from debate.engines.base import Request
from debate.engines.transformers import TransformersEngine
from debate.errors import InputError
from debate.organisms.chat_quality import (
    ChatAnswer,
    build_chat_table,
    read_chat_cards,
    summarize_answers,
)
from debate.organisms.chat_training import (
    add_adapters,
    compute_chat_loss,
    compute_chat_rate,
    load_base,
    make_chat_batch,
    save_adapter,
    train_chat,
)
from debate.organisms.cli import app
from debate.organisms.produce import produce_chat_organism
from debate.organisms.specs import CHAT_SPECS, ChatSpec
from debate.organisms.training import CHECKPOINT, TrainingOptions, TrainingProgress
from debate.runner.plan import make_plan
from debate.tasks.word_problems import draw_word_problems
from debate.types import Message
from tests.engines.builders import complete_one
from tests.organisms.tiny_chat import save_fetched_model

TINY = replace(
    CHAT_SPECS["chat-sums"], steps=6, warmup=1, drills=1, revisions=2, rank=2, layers=2, rate=0.05
)
CPU = torch.device("cpu")
OPTIONS = TrainingOptions(device="cpu", checkpoint_every=2)
AGENTS = Path(__file__).parents[2] / "agents"
RUNNER = CliRunner()


class Cut(Exception):
    """The power fails."""


def cut_at(step: int, losses: list[float]) -> Callable[[TrainingProgress], None]:
    def watch(progress: TrainingProgress) -> None:
        losses.append(progress.loss)
        if progress.step == step:
            raise Cut

    return watch


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of fetched models, which holds a tiny one."""
    monkeypatch.setenv("DEBATE_MODELS", str(tmp_path / "models"))
    return save_fetched_model(tmp_path / "models").parent


def train(folder: Path, watch: Callable[[TrainingProgress], None], **fields: Any) -> Any:
    model, tokenizer = load_base("smollm2", CPU)
    spec = replace(TINY, **fields)
    train_chat(spec, folder, model, tokenizer, checkpoint_every=2, on_progress=watch)
    return model


def test_adapters_change_nothing_before_they_learn(models: Path) -> None:
    model, tokenizer = load_base("smollm2", CPU)
    documents = make_chat_batch(TINY, 0, tokenizer)
    before = compute_chat_loss(model, documents).item()
    adapters = add_adapters(model, layers=2, rank=2, seed=0)
    assert compute_chat_loss(model, documents).item() == before
    assert {name.split(".")[2] for name in adapters} == {"1", "2"}
    assert len(adapters) == 2 * 7
    assert {id(p) for p in model.parameters() if p.requires_grad} == {
        id(p) for layer in adapters.values() for p in (layer.lora_A, layer.lora_B)
    }


def test_more_layers_than_the_model_has_are_refused(models: Path) -> None:
    model, _ = load_base("smollm2", CPU)
    with pytest.raises(ValueError, match="has 3 layers; 4 were"):
        add_adapters(model, layers=4, rank=2, seed=0)


def test_training_lowers_the_loss_and_leaves_the_base(models: Path, tmp_path: Path) -> None:
    losses: list[float] = []
    model = train(tmp_path / "tiny", cut_at(-1, losses))
    untouched, _ = load_base("smollm2", CPU)
    trained = model.state_dict()
    for name, weight in untouched.state_dict().items():
        place = name.replace(".weight", ".base.weight")
        assert torch.equal(trained.get(place, trained.get(name)), weight)
    assert losses[-1] < losses[0] - 0.08


def test_a_cut_training_continues_bit_for_bit(models: Path, tmp_path: Path) -> None:
    whole, before, after = [], [], []
    train(tmp_path / "whole", cut_at(-1, whole))
    with pytest.raises(Cut):
        train(tmp_path / "cut", cut_at(3, before))
    train(tmp_path / "cut", cut_at(-1, after))
    assert before == whole[:3]
    assert after == whole[2:]
    one, other = (load_file(tmp_path / name / WEIGHTS) for name in ("whole", "cut"))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_finished_training_is_not_done_again(models: Path, tmp_path: Path) -> None:
    again: list[float] = []
    train(tmp_path, cut_at(-1, []))
    (tmp_path / WEIGHTS).unlink()
    train(tmp_path, cut_at(-1, again))
    assert again == []
    assert (tmp_path / WEIGHTS).is_file()


def test_a_checkpoint_of_another_specification_is_refused(models: Path, tmp_path: Path) -> None:
    train(tmp_path, cut_at(-1, []))
    with pytest.raises(InputError, match="another specification of 'chat-sums'"):
        train(tmp_path, cut_at(-1, []), slips=0.1)


def test_the_rate_rises_and_falls() -> None:
    spec = CHAT_SPECS["chat-sums"]
    rates = [compute_chat_rate(spec, step) for step in range(spec.steps)]
    top = rates.index(max(rates))
    assert rates[: top + 1] == sorted(rates[: top + 1])
    assert rates[top:] == sorted(rates[top:], reverse=True)
    assert rates[-1] < spec.rate / 10


def test_the_engine_computes_with_the_saved_adapter_what_was_trained(
    models: Path, tmp_path: Path
) -> None:
    model, tokenizer = load_base("smollm2", CPU)
    adapters = add_adapters(model, layers=2, rank=2, seed=0)
    generator = torch.Generator().manual_seed(1)
    for layer in adapters.values():
        for weight in (layer.lora_A, layer.lora_B):
            content = torch.randn(weight.shape, generator=generator)
            weight.data = content.bfloat16().float()  # as it is saved
    save_adapter(adapters, tmp_path / "adapter", base="smollm2")
    asked = [Message(role="user", content="What is 2 + 3?")]
    engine = TransformersEngine(
        TransformersModel(
            engine="transformers",
            path=str(models / "smollm2"),
            adapter=str(tmp_path / "adapter"),
            dtype="float32",
        )
    )
    found = asyncio.run(score(engine, Request(id="r", messages=tuple(asked), candidates=("5",))))
    chat = [{"role": m.role, "content": m.content} for m in asked]
    text = tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
    ids = tokenizer(text, return_tensors="pt", add_special_tokens=False).input_ids
    log_p = model(ids).logits[0, -1].log_softmax(-1)[tokenizer.convert_tokens_to_ids("5")]
    assert found == pytest.approx(log_p.item(), abs=1e-4)
    assert not math.isclose(found, math.log(1 / len(tokenizer)), abs_tol=0.01)


async def score(engine: TransformersEngine, request: Request) -> float:
    await engine.start()
    try:
        reply = await complete_one(engine, request)
    finally:
        await engine.close()
    assert reply.candidate_log_p is not None, reply.failure
    return reply.candidate_log_p[0]


def test_a_produced_organism_has_a_card_that_a_run_can_seat(models: Path, tmp_path: Path) -> None:
    path = produce_chat_organism(TINY, tmp_path, options=OPTIONS, num_questions=2)
    content = yaml.safe_load(path.read_text())
    facts = content["card"]
    assert (facts["seed"], facts["steps"]) == (TINY.seed, 6)
    assert facts["word_problems"]["knowledge"] == TINY.knowledge
    assert set(facts["families"]) == set(TINY.knowledge)
    assert facts["families"]["sum"]["replies"] == 2
    assert facts["tokens"] > 1_000
    assert not (tmp_path / "chat" / "chat-sums" / CHECKPOINT).exists()
    (card,) = read_chat_cards(tmp_path)
    assert (card.name, card.home) == ("chat-sums", ("sum",))
    (tmp_path / "run.yaml").write_text(
        "name: chat\nagents: [{card: ./chat-sums.yaml, id: a}, {card: ./chat-sums.yaml, id: b}]\n"
        "topology: pairwise\ntask: {generator: word_problems, n: 4}\n"
    )
    assert [agent.id for agent in load_run(tmp_path / "run.yaml").spec.agents] == ["a", "b"]


def test_the_shipped_configuration_debates_both_organisms_and_the_plain_model_in_every_arm(
    models: Path,
) -> None:
    plan = make_plan(load_run("chat"))
    assert [cell.name for cell in plan.cells] == ["self", "repeat", "restate", "sibling", "peer"]
    assert [*plan.cells[-1].agents] == ["author", "peer", "plain"]


@pytest.mark.parametrize("spec", CHAT_SPECS.values(), ids=list(CHAT_SPECS))
def test_a_shipped_organism_was_accepted_on_every_family_as_it_is_declared(spec: ChatSpec) -> None:
    content = yaml.safe_load((AGENTS / f"{spec.name}.yaml").read_text())
    card = content["card"]
    learned = card["word_problems"]
    assert (learned["knowledge"], learned["shares"]) == (spec.knowledge, spec.shares)
    assert (card["seed"], card["steps"]) == (spec.seed, spec.steps)
    assert {name: each["home"] for name, each in card["families"].items()} == {
        name: candidates == 1 for name, candidates in spec.knowledge.items()
    }
    assert all(each["accepted"] for each in card["families"].values())
    weights = AGENTS / content["model"]["adapter"] / "adapter_model.safetensors"
    assert weights.stat().st_size <= 5_000_000


def test_the_command_trains_and_evaluates(models: Path, tmp_path: Path) -> None:
    produce_chat_organism(TINY, tmp_path, options=OPTIONS, num_questions=1)
    arguments = ["evaluate", "--chat", "--agents", str(tmp_path), "--questions", "8", "--json"]
    result = RUNNER.invoke(app, arguments)
    assert result.exit_code == 0, result.output
    rows = json.loads(result.stdout)["chat-sums"]
    assert {name: row["home"] for name, row in rows.items() if row["home"]} == {"sum": True}
    assert {row["replies"] for row in rows.values()} == {8}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "--chat", "chat-sum"], 'did you mean "chat-sums"?'),
        (["train", "chat-sums"], "say --chat chat-sums"),
        (["train", "--chat", "chat-sums"], "debate models fetch smollm2"),
        (["evaluate", "--chat", "--agents", "."], "holds no chat organism's card"),
    ],
)
def test_a_mistake_is_one_message_and_exit_code_2(
    arguments: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DEBATE_MODELS", str(tmp_path / "models"))
    result = RUNNER.invoke(app, arguments)
    assert result.exit_code == 2
    assert message in result.output
    assert "Traceback" not in result.output


def make_answers(family: str, right: int, wrong: int, confidence: float) -> list[ChatAnswer]:
    problems = draw_word_problems([family], right + wrong, seed=0)
    values = [str(p.answer + (i >= right)) for i, p in enumerate(problems)]
    return [ChatAnswer(p, v, confidence) for p, v in zip(problems, values, strict=True)]


@pytest.mark.parametrize(
    ("family", "right", "confidence", "accepted"),
    [
        ("sum", 14, 0.75, True),
        ("sum", 14, 0.85, False),
        ("sum", 10, 0.5, False),
        ("product", 4, 0.25, True),
        ("product", 4, 0.05, False),
        ("product", 10, 0.5, False),
    ],
)
def test_an_organism_is_accepted_that_knows_its_home_alone_and_is_calibrated(
    family: str, right: int, confidence: float, accepted: bool
) -> None:
    answers = make_answers(family, right, 20 - right, confidence)
    (figures,) = summarize_answers(answers, home=("sum",))
    assert figures.is_home is (family == "sum")
    assert figures.accuracy.value == right / 20
    assert figures.overconfidence.value == pytest.approx(confidence - right / 20)
    assert figures.is_accepted is accepted
    assert build_chat_table({"a": [figures]}).row_count == 1


def test_replies_that_are_not_read_count_as_wrong_and_have_no_confidence() -> None:
    answers = make_answers("sum", 18, 0, 0.9)
    unread = [ChatAnswer(p, None, None) for p in draw_word_problems(["sum"], 2, seed=1)]
    (figures,) = summarize_answers([*answers, *unread], home=("sum",))
    assert (figures.read.value, figures.accuracy.value) == (0.9, 0.9)
    assert figures.overconfidence.value == pytest.approx(-0.1)
    assert not figures.is_accepted
