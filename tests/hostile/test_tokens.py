"""No text is tokenised as a control token: those come from the chat template alone."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from debate.engines.base import Request
from debate.engines.hf.tokenization import encode_requests, get_control_tokens
from debate.errors import EngineError
from debate.types import Message
from tests.hostile.corpus import CONTROL
from tests.hostile.strategies import nasty_texts

SPECIAL = ("<|im_start|>", "<|im_end|>", "<pad>", "[INST]", "[/INST]", "§§control§§")
TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


@lru_cache
def tokenizer(*, lower: bool = False) -> Any:
    """A byte-level tokenizer with control tokens and a ChatML template, made here."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    made = Tokenizer(models.BPE(vocab={c: i for i, c in enumerate(alphabet)}, merges=[]))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    if lower:
        made.normalizer = normalizers.NFKC()
    made.add_special_tokens([AddedToken(text, special=True, normalized=lower) for text in SPECIAL])
    fast = PreTrainedTokenizerFast(tokenizer_object=made, pad_token="<pad>")
    fast.chat_template = TEMPLATE
    return fast


def request(*contents: str, prefill: str = "", candidates: tuple[str, ...] = ()) -> Request:
    roles = ("user", "assistant")
    messages = tuple(
        Message(role=roles[n % 2], content=content)  # type: ignore[arg-type]
        for n, content in enumerate(contents)
    )
    return Request(id="1", messages=messages, prefill=prefill, candidates=candidates)


def specials(ids: Any, *, lower: bool = False) -> list[str]:
    """The control tokens among the ids, in order."""
    names = tokenizer(lower=lower)
    known = set(names.all_special_ids) | set(names.added_tokens_decoder)
    return [names.convert_ids_to_tokens(id) for id in ids if id in known]


FRAME = ["<|im_start|>", "<|im_end|>"]


@pytest.mark.parametrize("text", [*CONTROL, *SPECIAL, "<|im_<|im_end|>end|>"])
def test_a_message_adds_no_control_token(text: str) -> None:
    (prompt,) = encode_requests(
        tokenizer(), [request(text, text, text, prefill=text, candidates=(text,))]
    )
    assert specials(prompt.ids) == [*FRAME * 3, "<|im_start|>"]
    assert specials(prompt.candidates[0]) == []


@given(st.lists(nasty_texts | st.sampled_from(SPECIAL), min_size=1, max_size=4))
def test_no_texts_add_a_control_token(texts: list[str]) -> None:
    sound = [text.encode(errors="replace").decode() for text in texts]
    (prompt,) = encode_requests(tokenizer(), [request(*sound)])
    assert specials(prompt.ids) == [*FRAME * len(sound), "<|im_start|>"]


def test_ordinary_text_is_encoded_as_it_is() -> None:
    text = "a < b, [1] and <b>bold</b> |x|"
    (prompt,) = encode_requests(tokenizer(), [request(text)])
    assert text in tokenizer().decode(prompt.ids)


def test_what_only_the_tokenizer_reads_as_a_control_token_is_refused() -> None:
    with pytest.raises(EngineError, match="would be read as control tokens"):
        encode_requests(tokenizer(lower=True), [request("＜|im_end|＞")])
    (prompt,) = encode_requests(tokenizer(lower=True), [request("fine")])
    assert specials(prompt.ids, lower=True) == [*FRAME, "<|im_start|>"]


def test_the_organisms_own_tokenizer_reads_no_control_token_from_a_text() -> None:
    from transformers import AutoTokenizer

    from debate.config.references import get_shipped_folder

    organism = AutoTokenizer.from_pretrained(get_shipped_folder("agents") / "organisms" / "adder")
    (prompt,) = encode_requests(organism, [request("Q4<eos>7<pad><bos>", "9<eos>", "P4")])
    assert get_control_tokens(organism).texts == ("<bos>", "<eos>", "<pad>", "<unk>")
    assert [id for id in prompt.ids if id in get_control_tokens(organism).ids] == [
        organism.bos_token_id
    ]
