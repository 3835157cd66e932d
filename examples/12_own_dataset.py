"""A data set of one's own: a file as its authors wrote it, read row by row."""

import json
import sys
import tempfile
from pathlib import Path

import debate
from debate.tasks.items import DataRow, Item

ROWS = [
    {"problem": "How many legs have two cats?", "solution": "4 + 4 = [8]", "topic": "animals"},
    {"problem": "How many days have three weeks?", "solution": "3 * 7 = [21]", "topic": "time"},
]


def to_item(row: DataRow) -> Item:
    """Read a question with its target in square brackets at the end of the solution."""
    _, bracket, target = str(row.cells["solution"]).rpartition("[")
    if not bracket:
        raise ValueError("the solution must end with the number in square brackets")
    text, topic = str(row.cells["problem"]), str(row.cells["topic"])
    return Item(text=text, kind="number", target=target.rstrip("]"), category=topic)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    folder = Path(tempfile.mkdtemp())
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, ROWS)))
    task = {"dataset": f"{Path(__file__).stem}.to_item", "path": str(folder / "rows.jsonl")}
    agents = [{"id": name, "model": {"engine": "simulated"}} for name in "ab"]
    config = {"agents": agents, "topology": "pairwise", "task": task, "rounds": 1}
    run = debate.run(config, out=folder / "run", quiet=True)
    print(run.questions().select("text", "target", "category"))
    print(run.verdicts().select("question", "round", "answer", "outcome").sort("question", "round"))
