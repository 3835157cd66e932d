"""Part f: what one program takes in each sandbox that works here."""

from __future__ import annotations

import statistics
from typing import get_args

from debate.bench.workloads import Measurement, Results, SkippedMeasurement
from debate.sandbox import SandboxName, explain_lack, run_python
from debate.sandbox.values import Limits

PROGRAM = "print(sum(n * n for n in range(1000)))"
LIMITS = Limits(time_s=10.0)


def measure_sandboxes(*, quick: bool) -> Results:
    """Measure a small program, run again and again; the first run, which starts things, apart."""
    for sandbox in get_args(SandboxName):
        if lack := explain_lack(sandbox):
            yield SkippedMeasurement(part="f", what=f"a program in {sandbox}", reason=lack)
            continue
        first = _time_run(sandbox)
        took = sorted(_time_run(sandbox) for _ in range(5 if quick else 200))
        yield Measurement(
            part="f",
            what=f"a program in {sandbox}",
            value=1000 * statistics.median(took),
            unit="ms",
            note=f"median of {len(took)}; at most {1000 * took[-1]:.3g}, first {1000 * first:.3g}",
        )


def _time_run(sandbox: SandboxName) -> float:
    """Return the seconds that the program takes."""
    ended = run_python(PROGRAM, sandbox=sandbox, limits=LIMITS)
    assert ended.output == "332833500", f"the program came to {ended.text}"
    return ended.took_s
