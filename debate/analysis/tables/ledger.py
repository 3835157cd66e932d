"""What it cost: turns and tokens by arm, agent, model and kind of turn."""

from __future__ import annotations

import polars as pl

from debate.analysis.ledger import TOKENS
from debate.analysis.summary import Analysis
from debate.analysis.tables.table import Entry, Table, in_order, table
from debate.analysis.text import count, short

COLUMNS = {
    "turns": "turns", "prompt_tokens": "prompt tokens", "cached_tokens": "of them cached",
    "generated_tokens": "generated tokens",
}  # fmt: skip
KINDS = {
    "opening": "openings", "critique": "critiques", "revision": "revisions",
    "judgment": "judgments", "probe": "probes",
}  # fmt: skip


def tokens(analysis: Analysis) -> Table:
    """Turns and tokens by arm, agent, model and kind of turn, summed over rounds."""
    whole = in_order(analysis, analysis.tables["ledger"])
    by = ["cell", "agent", "model", "kind"]
    known = [
        pl.when(pl.col(n).is_not_null().any()).then(pl.col(n).sum()).alias(n)
        for n in ("turns", *TOKENS)
    ]
    summed = whole.group_by(by, maintain_order=True).agg(known)
    rows = [
        [Entry(analysis.labels.arm(row["cell"])),
         Entry(analysis.labels.agent(row["cell"], row["agent"])),
         Entry(short(row["model"])), Entry(KINDS.get(row["kind"], "–")),
         *(Entry(count(row[name])) for name in COLUMNS)]
        for row in summed.iter_rows(named=True)
    ]  # fmt: skip
    told = whole["generated_tokens"].is_not_null().any()
    note = "A turn that several arms share is counted in each of them."
    if not told:
        note += " Nothing tells how many tokens were used."
    columns = ["arm", "agent", "model", "kind", *COLUMNS.values()]
    return table("Turns and tokens", columns, rows, names=4, note=note)
