"""A debate on a Ray of its own, whose metrics are exported until the standard input ends.

    python -m tests.cluster.metered PORT FOLDER

In a process of its own: Ray's exporter stays with the first Ray that a process has started.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.support import run, scripted


def main(port: int, folder: Path) -> None:
    import ray

    ray.init(
        num_cpus=2,
        include_dashboard=False,
        logging_level="ERROR",
        _metrics_export_port=port,
        _system_config={"metrics_report_interval_ms": 500},
    )
    seats = [scripted("a", "Answer: 4"), scripted("b", "Answer: 5", latency_s=0.3)]
    for seat in seats:
        seat["model"]["host"] = "actor"
    run(folder, seats, num_questions=3, rounds=1)
    print("debated", flush=True)
    sys.stdin.read()
    ray.shutdown()


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
