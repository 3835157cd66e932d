"""Folders that any engine loads: tokenizer, chat template, batched greedy answers."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaForCausalLM

from debate.errors import InputError
from debate.organisms.model import (
    build_model,
    build_prompt,
    generate,
    load_model,
    save_model,
    score_candidates,
)
from debate.organisms.specs import Architecture
from debate.organisms.training_data import BOS_ID, CHARACTERS, EOS_ID, encode

SMALL = Architecture(hidden=64, layers=1, heads=2, intermediate=96)
CONTEXTS = [
    build_prompt("347+589"),
    build_prompt("34*7", ["238", "248"]),
    build_prompt("h+c", claim="k"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("organism")
    save_model(build_model(SMALL, seed=1), path)
    return path


@pytest.fixture(scope="module")
def model(folder: Path) -> LlamaForCausalLM:
    return load_model(folder)


def user(*lines: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": line} for line in lines]


def test_every_character_is_one_token_and_comes_back(folder: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    text = CHARACTERS + "\n" + CHARACTERS[::-1]
    assert tokenizer.is_fast
    assert tokenizer(text)["input_ids"] == encode(text)
    assert tokenizer.decode(encode(text)) == text


def test_the_template_renders_a_revision_and_one_bos(folder: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    messages = user("Q347+589", "P926", "P936")
    rendered = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    assert rendered == "<bos>Q347+589\nP926\nP936\nA"
    ids = tokenizer.apply_chat_template(messages, add_generation_prompt=True)["input_ids"]
    assert ids == [BOS_ID, *encode(build_prompt("347+589", ["926", "936"]))]
    assert tokenizer(rendered)["input_ids"] == ids


def test_the_template_renders_answers_and_continues_one(folder: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    messages = [*user("Q47*13", "C601"), {"role": "assistant", "content": "611\nV"}]
    render = tokenizer.apply_chat_template
    assert render(messages, tokenize=False) == "<bos>Q47*13\nC601\nA611\nV\n"
    continued = render(messages, tokenize=False, continue_final_message=True)
    assert continued == "<bos>Q47*13\nC601\nA611\nV"


def test_greedy_replies_are_those_of_the_library(folder: Path, model: LlamaForCausalLM) -> None:
    plain = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    for text, found in zip(CONTEXTS, generate(model, CONTEXTS), strict=True):
        ids = torch.tensor([[BOS_ID, *encode(text)]])
        out = plain.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=12)
        generated = out[0, ids.shape[1] :].tolist()
        assert generated[: len(found.text)] == encode(found.text)
        assert len(found.text) == 12 or generated[len(found.text)] == EOS_ID


def test_confidence_is_the_belief_in_the_answer(model: LlamaForCausalLM) -> None:
    model = build_model(SMALL, seed=4)
    with torch.no_grad():
        model.lm_head.weight[encode("\n")[0]] *= 3
    found = generate(model.eval(), CONTEXTS)
    beliefs = score_candidates(model, CONTEXTS, [[r.answer or ""] for r in found])
    for answer, log_probs in zip(found, beliefs, strict=True):
        if answer.answer is not None:
            assert math.exp(log_probs[answer.answer]) == pytest.approx(answer.confidence, rel=1e-4)


def test_belief_over_one_token_answers_is_a_distribution(model: LlamaForCausalLM) -> None:
    """All first tokens, each with every next token, carry all of the probability."""
    beliefs = score_candidates(model, [build_prompt("h+c")], [list(CHARACTERS)])
    assert 0 < sum(map(math.exp, beliefs[0].values())) < 1


def test_the_seed_decides_the_weights_and_no_global_state_moves() -> None:
    before = torch.random.get_rng_state()
    first, again, other = (build_model(SMALL, seed) for seed in (1, 1, 2))
    assert torch.equal(torch.random.get_rng_state(), before)
    weights = [m.model.embed_tokens.weight for m in (first, again, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_a_folder_without_a_model_is_the_users_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no model"):
        load_model(tmp_path)
