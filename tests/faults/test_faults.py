"""After whatever goes wrong, the same command ends in the run that would have been."""

from __future__ import annotations

from functools import cache

import pytest

from tests.faults.confinement import stand_alone, take_name
from tests.faults.on_files import FILE_AND_PROCESS_FAULTS
from tests.faults.on_ray import RAY_FAULTS
from tests.faults.processes import FORKING
from tests.faults.schedules import (
    COMMAND_FAULTS,
    ENDPOINT_FAULTS,
    ENGINE_FAULTS,
    FAULTS,
    SHARDED_FAULTS,
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
SLOWER = tuple(
    fault
    for fault in FAULTS
    if fault not in (*QUICK, *ENGINE_FAULTS, *ENDPOINT_FAULTS) and fault != "disk full"
)
SAME_WAY_OUT = ("SIGINT, ", "SIGHUP, ", "folder renamed away and back, ")
"""Faults in shards that end a run as SIGTERM or a lost lock do; many schedules of each are slow."""
CONFINED = (
    "disk full",
    "disk full at the manifest",
    "read-only directory",
    "a second process on another machine",
)
MANY = 20


def check(fault: str, number: int) -> None:
    if fault in CONFINED and not can_be_confined():
        pytest.skip("needs the right to mounts and a host's name of its own")
    result = run_schedule(fault, number)
    assert result.num_struck
    assert result.found.is_clean, result.found
    assert result.problems == ()


def _try_confinement() -> None:
    stand_alone()
    take_name("elsewhere")


@cache
def can_be_confined() -> bool:
    """Whether a process may have mounts and a host's name of its own here."""
    process = FORKING.Process(target=_try_confinement)
    process.start()
    process.join()
    return process.exitcode == 0


@pytest.mark.parametrize("fault", QUICK)
def test_a_fault_leaves_no_trace_once_the_run_is_resumed(fault: str) -> None:
    check(fault, 0)


@pytest.mark.system
@pytest.mark.parametrize("fault", SLOWER)
def test_a_fault_of_a_process_or_file_leaves_no_trace_either(fault: str) -> None:
    check(fault, 0)


@pytest.mark.system
@pytest.mark.ray
@pytest.mark.parametrize(
    "fault", [f for f in (*RAY_FAULTS, *SHARDED_FAULTS) if not f.startswith(SAME_WAY_OUT)]
)
def test_a_fault_on_a_cluster_leaves_no_trace(fault: str) -> None:
    pytest.importorskip("ray", reason="Ray is not installed")
    check(fault, 0)


@pytest.mark.slow
@pytest.mark.parametrize("number", range(MANY))
@pytest.mark.parametrize("fault", [*ENGINE_FAULTS, *ENDPOINT_FAULTS])
def test_no_fault_of_an_engine_leaves_a_trace(fault: str, number: int) -> None:
    check(fault, number)


@pytest.mark.slow
@pytest.mark.ray
@pytest.mark.parametrize("number", range(1, 4))
@pytest.mark.parametrize("fault", [*RAY_FAULTS, *SHARDED_FAULTS])
def test_no_process_lost_on_a_cluster_leaves_a_trace(fault: str, number: int) -> None:
    pytest.importorskip("ray", reason="Ray is not installed")
    check(fault, number)


@pytest.mark.slow
@pytest.mark.parametrize("number", range(MANY))
@pytest.mark.parametrize("fault", [*FILE_AND_PROCESS_FAULTS, *COMMAND_FAULTS])
def test_no_fault_of_a_file_or_process_leaves_a_trace(fault: str, number: int) -> None:
    check(fault, number)
