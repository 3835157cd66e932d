"""Which one-line changes of policy no test notices.

    python -m tests.mutants [--num 200] [--seed 0] [--part log] [--json mutants.jsonl]

A sample of mutants is drawn by seed from the queues, the log, the orchestrator, the decision rules
and the calls of agents: a comparison turned or moved by one, `and` for `or`, `min` for `max`, an
order or an element of what is hashed left out, a sync that is not made or waited for. Each is made
in a copy of the tree in a temporary folder, and the nearest tests are run on it until one fails or
the time limit is over; both count as noticed. Results are appended to the file as JSON lines: the
same command goes on where it stopped, and tries survivors again. At the end stand a table by part
and the diff of each survivor, and the exit code is 1 if there are any. `mutants.yaml` names the
nearest tests, and the mutants that change nothing, each with the reason; any other survivor wants
a test. Without `--trust` all the tests are first run on the unchanged copy, and must pass.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import multiprocessing
import os
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.mutations import Mutant, list_mutants

ROOT = Path(__file__).parents[1]
COPIED = ("debate", "tests", "agents", "topologies", "configs", "examples", "docs")
QUICK = "not ray and not slow and not vllm and not gpu and not browser"
RESULTS = ("killed", "timed out", "survived", "equivalent", "not run")
FORK = multiprocessing.get_context("fork")
LISTS: dict[str, Any] = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text())
NEAREST: Mapping[str, Mapping[str, list[str]]] = LISTS["nearest"]


@dataclass(frozen=True, kw_only=True)
class Result:
    """What became of a mutant, what told it, and after how many seconds."""

    key: str
    part: str
    place: str
    kind: str
    result: str
    by: str
    seconds: float


def sample_mutants(parts: Sequence[str], *, num: int, seed: int) -> list[tuple[str, Mutant]]:
    """Draw `num` mutants, with their parts; the larger sample of a seed holds the smaller."""
    found = [
        (part, mutant)
        for part in parts
        for file in NEAREST[part]
        for mutant in list_mutants(ROOT, file)
    ]

    def draw(each: tuple[str, Mutant]) -> bytes:
        return hashlib.blake2b(f"{seed}/{each[1].key}".encode(), digest_size=8).digest()

    return sorted(found, key=draw)[:num]


class Tree:
    """A copy of the tree in which one module at a time is changed."""

    def __init__(self, folder: Path, *, limit_s: float) -> None:
        self._folder = folder
        self._limit_s = limit_s
        for name in COPIED:
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, folder / name, ignore=ignored)
        for name in ("pyproject.toml", "README.md", "CHANGELOG.md"):
            shutil.copy2(ROOT / name, folder / name)

    def require_success(self, tests: Sequence[str]) -> None:
        """Run tests on the unchanged copy. Raises RuntimeError where one fails."""
        result, by = self._run(tests, 60 * self._limit_s)
        if result != "survived":
            raise RuntimeError(f"{result} without any change: {by}")

    def judge(self, part: str, mutant: Mutant) -> Result:
        """Run the nearest tests on the mutant."""
        path, started = self._folder / mutant.file, time.monotonic()
        original, times = path.read_bytes(), path.stat()
        path.write_text(mutant.source)
        try:
            tests = [f"tests/{name}" for name in NEAREST[part][mutant.file]]
            result, by = self._run([mutant.file, *tests], self._limit_s)
        finally:
            path.write_bytes(original)
            os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
        return Result(
            key=mutant.key,
            part=part,
            place=f"{mutant.file}:{mutant.line}",
            kind=mutant.kind,
            result=result,
            by=by,
            seconds=round(time.monotonic() - started, 1),
        )

    def _run(self, tests: Sequence[str], limit_s: float) -> tuple[str, str]:
        """Run tests in a fork of this process; return the result, and what told it."""
        said = self._folder / "said.txt"
        process = FORK.Process(target=_run_tests, args=(self._folder, tests, said))
        process.start()
        process.join(limit_s)
        is_late = process.is_alive()
        if is_late and process.pid:
            os.killpg(process.pid, signal.SIGKILL)
            process.join()
        if is_late:
            return "timed out", f"after {limit_s:g} s"
        text = said.read_text(errors="replace")
        failures = [line for line in text.splitlines() if line.startswith(("FAILED", "ERROR"))]
        if process.exitcode == 0:
            return "survived", ""
        if failures:
            return "killed", failures[0].split(" - ")[0]
        if "+ Timeout +" in text:
            return "timed out", "by a test's own limit"
        raise RuntimeError(f"pytest ended with {process.exitcode}:\n{text}")


def _run_tests(folder: Path, tests: Sequence[str], said: Path) -> None:
    """Run tests of the copy with what the parent has imported; none of that is of the project."""
    os.setsid()
    descriptor = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.chdir(folder)
    for name in [name for name in sys.modules if name.partition(".")[0] in ("tests", "debate")]:
        del sys.modules[name]
    others = [path for path in sys.path if path and Path(path) != ROOT]
    sys.path[:] = [str(folder), *others]
    os.environ["PYTHONPATH"] = os.pathsep.join(sys.path)
    words = ["-x", "-p", "no:cacheprovider", "-m", QUICK, "--rootdir", str(folder), *tests]
    os._exit(pytest.main(words))


def preload() -> None:
    """Import once what the tests of all mutants import."""
    for name in ("aiohttp", "jinja2", "networkx", "polars", "pydantic", "rich"):
        __import__(name)


def read_results(path: Path) -> dict[str, dict[str, Any]]:
    """The last result of each mutant in the file, by key."""
    lines = path.read_text().splitlines() if path.exists() else []
    return {row["key"]: row for row in map(json.loads, lines)}


def is_equivalent(mutant: Mutant) -> bool:
    """Whether the mutant is listed among those that change nothing."""
    names = ("file", "function", "before", "after")
    return any(
        all(getattr(mutant, name) == row[name] for name in names) for row in LISTS["equivalent"]
    )


def run_sample(
    sample: Sequence[tuple[str, Mutant]], path: Path, *, limit_s: float, trust: bool
) -> None:
    """Judge the mutants that have no result yet, or survived, and add each result to the file."""
    known = read_results(path)
    waiting = [
        (part, mutant)
        for part, mutant in sample
        if not is_equivalent(mutant)
        and known.get(mutant.key, {"result": "survived"})["result"] == "survived"
    ]
    preload()
    with tempfile.TemporaryDirectory() as folder, path.open("a") as file:
        tree = Tree(Path(folder), limit_s=limit_s)
        named = {name: None for part, mutant in waiting for name in NEAREST[part][mutant.file]}
        if named and not trust:
            tree.require_success([f"tests/{name}" for name in named])
        for part, mutant in waiting:
            line = json.dumps(asdict(tree.judge(part, mutant)))
            print(line, file=sys.stderr)
            file.write(f"{line}\n")
            file.flush()


def print_results(sample: Sequence[tuple[str, Mutant]], path: Path) -> int:
    """Print the table and the survivors; return how many there are."""
    known, counts, survivors = read_results(path), Counter[tuple[str, str]](), []
    for part, mutant in sample:
        result = known.get(mutant.key, {"result": "not run"})["result"]
        result = "equivalent" if is_equivalent(mutant) else result
        counts.update([(part, result), ("all", result)])
        if result == "survived":
            survivors.append(mutant)
    print(f"{'':14}{'sampled':>10}", *(f"{name:>11}" for name in RESULTS))
    for part in dict.fromkeys([*(part for part, _ in sample), "all"]):
        row = [counts[part, name] for name in RESULTS]
        print(f"{part:14}{sum(row):>10}", *(f"{number:>11}" for number in row))
    for mutant in survivors:
        print(f"\n{mutant.function} ({mutant.kind})")
        print(mutant.diff((ROOT / mutant.file).read_text()))
    return len(survivors)


def main() -> int:
    """Draw, judge, print; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants")
    parser.add_argument("--num", type=int, default=200, help="mutants in the sample (200)")
    parser.add_argument("--seed", type=int, default=0, help="of the sample (0)")
    parser.add_argument("--part", choices=NEAREST, action="append", help="by default every part")
    parser.add_argument("--json", type=Path, default=Path("mutants.jsonl"), help="the results")
    parser.add_argument("--limit", type=float, default=60.0, help="seconds for each mutant (60)")
    parser.add_argument("--trust", action="store_true", help="that the tests pass as they are")
    parser.add_argument("--print", action="store_true", help="print what there is, run nothing")
    asked = parser.parse_args()
    sample = sample_mutants(asked.part or list(NEAREST), num=asked.num, seed=asked.seed)
    if not asked.print:
        run_sample(sample, asked.json, limit_s=asked.limit, trust=asked.trust)
    return min(1, print_results(sample, asked.json))


if __name__ == "__main__":
    raise SystemExit(main())
