"""Which one-line changes of policy no test notices.

    python -m tests.mutants [--num 200] [--seed 0] [--part log] [--quick]

A sample of mutants is drawn by seed from the queues, the log, the orchestrator, the decision rules
and the calls of agents: a comparison turned or moved by one, `and` for `or`, `min` for `max`, an
order or an element of what is hashed left out, a sync that is not made or waited for.

First all recorded tests are run on a copy of the tree, to see which execute which lines; that is
kept in a file until one of the modules changes. Then each mutant is made in the copy and in a fork
of one process that has imported everything, and the quickest tests that execute it are run there,
until one fails or they take far longer than recorded; both count as noticed. What survives, or is
in no function, meets the nearest test files whole in a process of its own, unless `--quick`.

Results are appended to the file as JSON lines: the same command goes on where it stopped, and tries
survivors again. At the end stand a table by part and the diff of each survivor, and the exit code
is 1 if there are any. `mutants.yaml` names the tests to record, the nearest ones, and the mutants
that change nothing, each with the reason; any other survivor wants a test.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.executed import Executed, Recorder, read_executed
from tests.forks import FORK, LATE, START_S, Forks, change_file, forbid_compiled_files
from tests.mutations import Mutant, list_mutants

ROOT = Path(__file__).parents[1]
COPIED = ("debate", "tests", "agents", "topologies", "configs", "examples", "docs")
QUICK = "not ray and not slow and not vllm and not gpu and not browser"
PRELOADED = (
    "aiohttp",
    "jinja2",
    "networkx",
    "polars",
    "pyarrow",
    "pydantic",
    "rich",
    "scipy.stats",
    "typer",
)
RESULTS = ("killed", "timed out", "survived", "equivalent", "not run")
LISTS: dict[str, Any] = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text())
NEAREST: Mapping[str, Mapping[str, list[str]]] = LISTS["nearest"]
FILES = tuple(dict.fromkeys(file for part in NEAREST.values() for file in part))
Judge = Callable[[Mutant, Sequence[str], float], tuple[str, str]]
MAX_TESTS = 40
"""How many tests that execute a mutant are tried."""


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

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        for name in COPIED:
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, folder / name, ignore=ignored)
        for name in ("pyproject.toml", "README.md", "CHANGELOG.md"):
            shutil.copy2(ROOT / name, folder / name)

    def record(self, path: Path) -> Executed:
        """Which tests execute which lines: as the file says, or else by running them all."""
        texts = [(self._folder / file).read_bytes() for file in FILES]
        texts.append(" ".join(LISTS["recorded"]).encode())
        digest = hashlib.blake2b(b"\0".join(texts), digest_size=8).hexdigest()
        executed = read_executed(path, digest)
        if executed is None:
            self._fork(_record_tests, (self._folder, LISTS["recorded"], path.absolute(), digest))
            executed = read_executed(path, digest)
        if executed is None:
            raise RuntimeError(f"nothing was recorded:\n{(self._folder / 'said.txt').read_text()}")
        for test in executed.failed:
            print(f"left out, it fails without any change: {test}", file=sys.stderr)
        return executed

    def serve(self, use: Callable[[Forks], None]) -> None:
        """Import and collect all recorded tests in one process, and call a function there."""
        if self._fork(_serve, (self._folder, LISTS["recorded"], use)):
            raise RuntimeError((self._folder / "said.txt").read_text(errors="replace"))

    def judge(self, mutant: Mutant, tests: Sequence[str], took_s: float) -> tuple[str, str]:
        """Run tests on the mutant in a new process; they took some seconds without it."""
        limit_s = 3 * (START_S + LATE * took_s)
        with change_file(self._folder / mutant.file, mutant.source):
            code = self._fork(_run_tests, (self._folder, tests), limit_s)
        if code is None:
            return "timed out", f"after {limit_s:.0f} s"
        text = (self._folder / "said.txt").read_text(errors="replace")
        failures = [line for line in text.splitlines() if line.startswith(("FAILED", "ERROR"))]
        if code == 0:
            return "survived", "the nearest tests"
        if failures:
            return "killed", failures[0].split(" - ")[0]
        if "+ Timeout +" in text:
            return "timed out", "by a test's own limit"
        raise RuntimeError(f"pytest ended with {code}:\n{text}")

    def _fork(
        self, run: Callable[..., None], words: tuple[Any, ...], limit_s: float | None = None
    ) -> int | None:
        """Call a function in a fork of this process; its exit code, or None where it is late."""
        process = FORK.Process(target=run, args=words)
        process.start()
        process.join(limit_s)
        is_late = process.is_alive()
        if is_late and process.pid:
            os.killpg(process.pid, signal.SIGKILL)
            process.join()
        return None if is_late else process.exitcode


def _enter_copy(folder: Path) -> list[str]:
    """Leave the project that was imported for its copy; return the words for pytest."""
    os.setsid()
    descriptor = os.open(folder / "said.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.chdir(folder)
    for name in [name for name in sys.modules if name.partition(".")[0] in ("tests", "debate")]:
        del sys.modules[name]
    others = [path for path in sys.path if path and Path(path) != ROOT]
    sys.path[:] = [str(folder), *others]
    os.environ["PYTHONPATH"] = os.pathsep.join(sys.path)
    return ["-p", "no:cacheprovider", "-m", QUICK, "--rootdir", str(folder)]


def _record_tests(folder: Path, tests: Sequence[str], path: Path, digest: str) -> None:
    recorder = Recorder(folder, FILES)
    words = _enter_copy(folder)
    pytest.main([*words, *tests], plugins=[recorder])
    recorder.write(path, digest)
    os._exit(0)


def _serve(folder: Path, tests: Sequence[str], use: Callable[[Forks], None]) -> None:
    plugin = Forks(folder, use)
    words = _enter_copy(folder)
    code = pytest.main([*words, "-x", *tests], plugins=[plugin])
    os._exit(code not in (0, 5))


def _run_tests(folder: Path, tests: Sequence[str]) -> None:
    forbid_compiled_files()
    words = _enter_copy(folder)
    os._exit(pytest.main([*words, "-x", *tests]))


def preload() -> None:
    """Import once what the tests of all mutants import."""
    for name in PRELOADED:
        importlib.import_module(name)


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


def run_sample(sample: Sequence[tuple[str, Mutant]], asked: argparse.Namespace) -> None:
    """Judge the mutants that have no result yet, or survived, and add each result to the file."""
    preload()
    with tempfile.TemporaryDirectory() as folder, asked.json.open("a") as file:
        tree = Tree(Path(folder))
        executed = tree.record(asked.executed)

        terminal = os.fdopen(os.dup(2), "w", buffering=1)

        def judge(part: str, mutant: Mutant, run: Judge, tests: Sequence[str]) -> None:
            started = time.monotonic()
            result, by = run(mutant, tests, executed.sum_seconds(tests))
            took_s = round(time.monotonic() - started, 1)
            place = f"{mutant.file}:{mutant.line}"
            told = {"place": place, "kind": mutant.kind, "result": result, "by": by}
            line = json.dumps({"key": mutant.key, "part": part, **told, "seconds": took_s})
            print(line, file=terminal)
            print(line, file=file, flush=True)

        def judge_in_forks(forks: Forks) -> None:
            for part, mutant in list_waiting(sample, asked.json):
                tests = executed.choose(
                    mutant.file,
                    mutant.lines,
                    list_nearest(part, mutant),
                    num=MAX_TESTS,
                    limit_s=asked.limit,
                )
                judge(part, mutant, forks.run, tests)

        tree.serve(judge_in_forks)
        for part, mutant in list_waiting(sample, asked.json) if not asked.quick else ():
            left_out = [f"--deselect={test}" for test in executed.failed]
            judge(part, mutant, tree.judge, [*list_nearest(part, mutant), *left_out])


def list_nearest(part: str, mutant: Mutant) -> list[str]:
    """The nearest files and folders of tests, the module's own doctests first."""
    return [mutant.file, *(f"tests/{name}" for name in NEAREST[part][mutant.file])]


def list_waiting(sample: Sequence[tuple[str, Mutant]], path: Path) -> list[tuple[str, Mutant]]:
    """The mutants that have no result in the file yet, or survived."""
    known = read_results(path)
    return [
        (part, mutant)
        for part, mutant in sample
        if not is_equivalent(mutant)
        and known.get(mutant.key, {"result": "survived"})["result"] == "survived"
    ]


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
    parser.add_argument(
        "--executed", type=Path, default=Path("executed.json"), help="which tests execute what"
    )
    parser.add_argument("--limit", type=float, default=40.0, help="seconds of its tests (40)")
    parser.add_argument("--quick", action="store_true", help="no whole files for survivors")
    parser.add_argument("--print", action="store_true", help="print what there is, run nothing")
    asked = parser.parse_args()
    sample = sample_mutants(asked.part or list(NEAREST), num=asked.num, seed=asked.seed)
    if not asked.print:
        run_sample(sample, asked)
    return min(1, print_results(sample, asked.json))


if __name__ == "__main__":
    raise SystemExit(main())
