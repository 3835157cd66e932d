"""After whatever goes wrong, the same command ends in the run that would have been."""

from __future__ import annotations

import pytest

from tests.faults.confinement import stand_alone
from tests.faults.on_files import FILE_AND_PROCESS_FAULTS
from tests.faults.on_ray import RAY_FAULTS
from tests.faults.processes import FORKING
from tests.faults.schedules import (
    ENDPOINT_FAULTS,
    ENGINE_FAULTS,
    run_schedule,
)

QUICK = (
    "engine, everything at once",
    "nan log-probabilities",
    "endpoint: everything at once",
    "driver killed",
    "torn last lines",
    "corrupted lines in the middle",
    "single bytes changed",
)
ON_A_DISK_OF_ONES_OWN = ("disk full", "read-only directory")
MANY = 20


def check(fault: str, number: int) -> None:
    result = run_schedule(fault, number)
    assert result.num_struck
    assert result.found.is_clean, result.found
    assert result.problems == ()


def _try_to_stand_alone() -> None:
    stand_alone()


def can_stand_alone() -> bool:
    """Whether a process may have mounts of its own here."""
    process = FORKING.Process(target=_try_to_stand_alone)
    process.start()
    process.join()
    return process.exitcode == 0


@pytest.mark.parametrize("fault", QUICK)
def test_a_fault_leaves_no_trace_once_the_run_is_resumed(fault: str) -> None:
    check(fault, 0)


@pytest.mark.slow
@pytest.mark.parametrize("number", range(MANY))
@pytest.mark.parametrize("fault", [*ENGINE_FAULTS, *ENDPOINT_FAULTS])
def test_no_fault_of_an_engine_leaves_a_trace(fault: str, number: int) -> None:
    check(fault, number)


@pytest.mark.slow
@pytest.mark.ray
@pytest.mark.parametrize("number", range(3))
@pytest.mark.parametrize("fault", RAY_FAULTS)
def test_no_process_lost_on_a_cluster_leaves_a_trace(fault: str, number: int) -> None:
    pytest.importorskip("ray", reason="Ray is not installed")
    check(fault, number)


@pytest.mark.slow
@pytest.mark.parametrize("number", range(MANY))
@pytest.mark.parametrize("fault", FILE_AND_PROCESS_FAULTS)
def test_no_fault_of_a_file_or_process_leaves_a_trace(fault: str, number: int) -> None:
    if fault in ON_A_DISK_OF_ONES_OWN and not can_stand_alone():
        pytest.skip("needs the right to mounts of its own, for a small or read-only disk")
    check(fault, number)
