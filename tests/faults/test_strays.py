"""What a failure led a debate to does not count once the debate has been led back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from debate.engines.base import Engine
from debate.log import RunLog
from debate.runner.verify_run import verify_run
from debate.types import DebateKey
from tests.faults.driver import disturbed, undisturbed
from tests.faults.engines import Faults, FaultyEngine
from tests.faults.records import compare, read

CONFIG: dict[str, Any] = {
    "agents": [
        {"id": name, "model": {"engine": "scripted", "replies": "Answer: 4"}} for name in "ab"
    ],
    "topology": "pairwise",
    "task": {"generator": "arithmetic", "n": 4},
    "rounds": 3,
    "protocol": {"name": "exchange", "stop": "consensus"},
}


def test_rounds_that_a_failure_added_are_set_aside(tmp_path: Path) -> None:
    undisturbed(CONFIG, tmp_path / "whole")

    def wrap(name: str, engine: Engine) -> Engine:
        return FaultyEngine(engine, Faults(forgetting=0.7), name)

    other = tmp_path / "other"
    disturbed(CONFIG, other, wrap)
    before = read(other)
    assert compare(read(tmp_path / "whole"), before).extra
    undisturbed(CONFIG, other)
    assert compare(read(tmp_path / "whole"), read(other)).is_clean
    assert verify_run(other).problems == ()
    kept = (other / "superseded" / "verdicts-0.jsonl").read_text().splitlines()
    assert any(json.loads(line)["round"] > 0 for line in kept)


def test_strays_that_a_crash_left_noted_are_moved_when_the_run_is_opened(tmp_path: Path) -> None:
    undisturbed(CONFIG, tmp_path)
    first = json.loads((tmp_path / "turns" / "0.jsonl").open().readline())
    key = {name: first[name] for name in ("cell", "question", "seed", "round", "kind", "agent")}
    (tmp_path / "strays").mkdir()
    (tmp_path / "strays" / "turns-0.jsonl").write_text(json.dumps(key) + '\n{"cell": "ma')
    spec = json.loads((tmp_path / "manifest.json").read_text())["spec"]
    from debate.log import read_questions

    with RunLog.open(tmp_path, spec=spec, questions=read_questions(tmp_path)) as log:
        debate = DebateKey(cell=key["cell"], question=key["question"], seed=key["seed"])
        assert f"0:opening:{key['agent']}" not in log.recorded(debate)
    assert not list((tmp_path / "strays").iterdir())
