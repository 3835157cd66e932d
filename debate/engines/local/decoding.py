"""Generation of many replies at once, each as it would come out alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch

from debate.engines.base import Sampling
from debate.engines.local.encoding import Prompt
from debate.engines.local.forward import Context
from debate.engines.local.padding import filled_up
from debate.engines.local.sampling import Chosen, choose
from debate.engines.local.weights import Weights
from debate.engines.local.writing import Generated, Writer

_FILLER = Sampling()


@torch.inference_mode()
def generate(weights: Weights, prompts: Sequence[Prompt]) -> Iterator[list[Generated]]:
    """Reply to prompts of one canonical width; yields replies as they finish.

    Rows that have finished leave the batch, down to whole multiples of `row_multiple`.
    """
    writers = [Writer(weights, prompt, row) for row, prompt in enumerate(prompts)]
    start = filled_up(range(len(writers)), weights.row_multiple)
    context = Context(weights, [prompts[row].ids for row in start])
    rows: list[Writer | None] = [*writers, *[None] * (len(start) - len(writers))]
    while True:
        chosen = _choose(context, rows)
        finished = _write(rows, chosen)
        if finished:
            yield finished
        active = [place for place, writer in enumerate(rows) if writer is not None]
        if not active:
            return
        ids, keep = chosen.ids, filled_up(active, weights.row_multiple)
        if len(keep) < len(rows):
            context, ids = context.select(keep), ids[keep]
            rows = [*(rows[place] for place in active), *[None] * (len(keep) - len(active))]
        context.step(ids)


def _choose(context: Context, rows: Sequence[Writer | None]) -> Chosen:
    samplings = [writer.sampling if writer else _FILLER for writer in rows]
    uniforms = [writer.randomness.random() if writer else 0.0 for writer in rows]
    return choose(context.logits, samplings, uniforms)


def _write(rows: list[Writer | None], chosen: Chosen) -> list[Generated]:
    """Give every row its token; take out the rows that finish, and return their replies."""
    finished = []
    tokens = zip(chosen.ids.tolist(), chosen.log_p.tolist(), strict=True)
    for place, (token_id, log_p) in enumerate(tokens):
        writer = rows[place]
        reply = writer.write(token_id, log_p) if writer else None
        if reply is not None:
            rows[place] = None
            finished.append(reply)
    return finished
