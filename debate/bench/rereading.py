"""Part d: what a debate rereads, served from the prefix cache; by default in a debate of long
prompts between seats of a throwaway model."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from debate.bench.debates import timed
from debate.bench.legs import calls
from debate.bench.measure import Results, Skipped
from debate.bench.prefixes import measure_prefixes
from debate.bench.throwaway import long_prompts
from debate.bench.tokens import PLAIN
from debate.config.resolve import load_run
from debate.wiring.plan import make_plan


def measure(folder: Path, *, quick: bool, config: str | None = None) -> Results:
    """One debate at engines started for it. `config` is a run of the user's own."""
    if config is None and find_spec("vllm") is None:
        what = "vllm: prompt tokens from the prefix cache"
        yield Skipped(part="d", what=what, reason="vLLM is not installed here")
        return
    wanted = config or long_prompts(folder, quick=quick)
    overrides = [*PLAIN, "log.prompts=true"]
    models = make_plan(load_run(wanted, overrides)).models
    done = timed(wanted, folder / "reread", overrides=overrides)
    yield measure_prefixes(calls(done.turns()), models)
