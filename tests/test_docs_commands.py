"""Commands that README and docs print are run as they stand, but for a few, each for a reason."""

from __future__ import annotations

import csv
import re
import shlex
import shutil
from pathlib import Path

import polars as pl
import pytest
import yaml

from debate.log import Run
from tests.processes import invoke

ROOT = Path(__file__).parents[1]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
FIRST = re.compile(
    r"debate (analyze|bench|compare|doctor|list|models|new|organisms|power|probe|read"
    r"ing|report|run|schema|show|summarise|topology|validate|verify)\b(?! in )"
)
ELSEWHERE = {
    "debate new": "asks on a terminal: tests/runner/test_new_config.py",
    "debate bench": "takes minutes: tests/bench",
    "debate bench --config configs/vllm.yaml --json bench.json": "needs GPUs",
    "debate validate configs/vllm.yaml -o cluster.address=auto": "needs a cluster: tests/cluster",
    "debate run configs/vllm.yaml -o cluster.address=auto": "needs GPUs: tests/vllm",
    "debate run configs/gsm8k.yaml -o task.path=/data/gsm8k/test.jsonl": "needs the data",
    "debate run debate_helps.yaml": "needs endpoints: tests/runner/test_new_config.py",
    "debate run human": "asks a person: tests/human",
    "debate run human -o models.person.via=web": "asks a person: tests/human",
    "debate models fetch smollm2": "fetches: tests/chat",
    "debate organisms evaluate --chat": "takes minutes: tests/organisms",
    "debate organisms train --chat chat-sums --chat chat-products --out trained": "takes long",
    "debate organisms train loyal-adder --out trained": "takes long",
}
"""What cannot be run in a moment, or not everywhere, and where it is tried instead."""
HELPS = "debate_helps.yaml"
"""What two commands write and others read."""

PRICE = {"prompt": 0.1, "generated": 0.1}
CONFIG = {
    "name": "my-run",
    "agents": [
        {"id": id, "model": {"engine": "simulated", "competence": 0.6, "price": PRICE}}
        for id in ("ada", "bo", "cy")
    ],
    "task": {"generator": "arithmetic", "n": 12},
    "topology": "ring",
    "rounds": 2,
    "probes": ["belief"],
    "cells": {
        "ring": {"topology": "ring"},
        "repeat": {"topology": "isolated", "protocol": "repeat"},
    },
    "hypotheses": {
        "debate_corrects": {
            "statement": "Debate lessens the mass of confident errors.",
            "estimate": "eai",
            "cell": "ring",
            "control": "repeat",
            "direction": "below",
            "smallest": 0.05,
        }
    },
}


def list_commands() -> list[str]:
    """The lines of the pages that begin with a command, without what is said beside it."""
    lines = (line.strip() for page in PAGES for line in page.read_text("utf-8").splitlines())
    found = (line.partition(" #")[0].strip() for line in lines if FIRST.match(line))
    return list(dict.fromkeys(found))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files and runs that the commands name."""
    made = tmp_path_factory.mktemp("docs")
    (made / "my-run.yaml").write_text(yaml.safe_dump(CONFIG))
    for name in ("my-run", "a", "b"):
        out = str(made / "runs" / name)
        done = invoke("run", str(made / "my-run.yaml"), "--out", out, "-q", "--no-report")
        assert done.returncode == 0, done.stderr
    rows = Run(made / "runs" / "my-run").trajectories().filter(pl.col("cell") == "ring")
    theirs = rows.select(
        "round", "agent", "answer", "correct", question_id="question", confidence=pl.lit(0.7)
    )
    theirs.write_parquet(made / "theirs.parquet")
    theirs.rename({"question_id": "qid", "answer": "pred"}).write_csv(made / "theirs.csv")
    with (made / "mine.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("question", "answer"), ("2+2", 4), ("3+4", 7), ("1+1", 2)])
    shutil.copy(made / "my-run.yaml", made / HELPS)
    return made


def test_commands_that_are_not_run_stand_in_the_pages() -> None:
    assert set(ELSEWHERE) < set(list_commands())


@pytest.mark.docs
@pytest.mark.parametrize("line", [each for each in list_commands() if each not in ELSEWHERE])
def test_a_command_of_the_pages_runs(
    line: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    if line.startswith("debate new"):
        Path(HELPS).unlink(missing_ok=True)
    for name, value in {"RUN": "runs/my-run", "URL": "http://localhost:8000/v1"}.items():
        line = re.sub(rf"\b{name}\b", value, line)
    words, _, target = line.partition(" > ")
    done = invoke(*shlex.split(words)[1:])
    assert done.returncode == 0, done.stderr
    assert done.stdout
    if target:
        Path(target).write_text(done.stdout)
