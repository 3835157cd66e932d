"""The tool that says which one-line changes no test notices."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

from tests.executed import Executed
from tests.forks import change_file, patch
from tests.mutations import list_mutants

SOURCE = """
def is_full(seats, taken):
    return (
        taken >= seats
        and seats > 0
    )


def make_getter(limit):
    def get(count):
        return None if count > limit else count

    return get


get_few = make_getter(2)


class Panel:
    def first(self, names):
        return min(names, key=len)
"""


def load(path: Path) -> ModuleType:
    """The module in a file, imported anew."""
    spec = importlib.util.spec_from_file_location("small", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def write_module(folder: Path) -> Path:
    path = folder / "small.py"
    path.write_text(SOURCE)
    return path


def test_a_mutant_is_one_change_of_a_condition_or_an_order(tmp_path: Path) -> None:
    write_module(tmp_path)
    changes = [mutant.after for mutant in list_mutants(tmp_path, "small.py")]
    assert changes == [
        "(taken >= seats or seats > 0)",
        "taken > seats",
        "taken < seats",
        "seats >= 0",
        "seats <= 0",
        "count >= limit",
        "count <= limit",
        "max(names, key=len)",
        "min(names)",
    ]


def test_the_lines_of_a_mutant_are_those_of_its_whole_statement(tmp_path: Path) -> None:
    write_module(tmp_path)
    found = {mutant.function: mutant.lines for mutant in list_mutants(tmp_path, "small.py")}
    assert found["is_full"] == range(3, 7)
    assert found["make_getter.get"] == range(11, 12)


def test_the_quickest_tests_that_execute_a_line_are_chosen() -> None:
    executed = Executed(
        digest="",
        tests={"small.py": {"3": ["slow", "quick"], "4": ["many[1]", "many[2]", "many[3]", "bad"]}},
        seconds={"slow": 9, "quick": 4, "many[1]": 2, "many[2]": 2, "many[3]": 2, "bad": 0},
        failed=["bad"],
    )
    assert executed.choose("small.py", [3], [], num=9, limit_s=20) == ["quick", "slow"]
    assert executed.choose("small.py", [3], ["sl"], num=9, limit_s=20) == ["slow", "quick"]
    assert executed.choose("small.py", [3], [], num=9, limit_s=5) == ["quick"]
    both = executed.choose("small.py", [3, 4], [], num=3, limit_s=20)
    assert both == ["many[1]", "many[2]", "quick"]
    assert executed.choose("small.py", [7], [], num=9, limit_s=20) == []


def test_a_module_that_is_imported_can_be_given_the_code_of_each_mutant(tmp_path: Path) -> None:
    path = write_module(tmp_path)
    for mutant in list_mutants(tmp_path, "small.py"):
        patched = load(path)
        assert patch(mutant, tmp_path)
        with change_file(path, mutant.source):
            changed = load(path)
        for taken in (0, 1, 2):
            for seats in (0, 1):
                assert patched.is_full(seats, taken) == changed.is_full(seats, taken)
        for count in (1, 2, 3):
            assert patched.get_few(count) == changed.get_few(count)
            assert patched.make_getter(1)(count) == changed.make_getter(1)(count)
        names = ["bob", "al", "alexis"]
        assert patched.Panel().first(names) == changed.Panel().first(names)
    assert path.read_text() == SOURCE
