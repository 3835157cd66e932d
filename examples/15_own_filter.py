"""A prompt filter of one's own: what others say is shown without its numbers."""

import re
import shutil
import sys
import tempfile
from pathlib import Path

import debate
from debate.agents.prompt_sets import SHIPPED
from debate.types import DebateKey


def hide_numbers(value: object, mark: str = "#") -> object:
    """Put a mark in the place of every number of a text."""
    return re.sub(r"\d+", mark, value) if isinstance(value, str) else value


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    folder = Path(tempfile.mkdtemp())
    shutil.copytree(SHIPPED / "chat", folder / "hiding")
    revision = folder / "hiding" / "revision.j2"
    revision.write_text(revision.read_text().replace("turn.text }}", "turn.text | hide_numbers }}"))
    with (folder / "hiding" / "prompts.yaml").open("a") as prompts:
        prompts.write(f"filters: [{Path(__file__).stem}.hide_numbers]\n")
    agents = [
        {"id": name, "prompts": str(folder / "hiding"), "model": {"engine": "simulated"}}
        for name in "ab"
    ]
    task, log = {"generator": "arithmetic", "n": 1}, {"prompts": True}
    config = {"agents": agents, "topology": "pairwise", "task": task, "rounds": 1, "log": log}
    run = debate.run(config, out=folder / "run", quiet=True)
    key = DebateKey(**run.debates().row(0, named=True))
    revised = next(turn for turn in run.debate(key).turns if turn.kind == "revision")
    print(revised.prompt[-1].content)
