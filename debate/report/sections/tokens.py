"""What it cost."""

from __future__ import annotations

from debate.analysis.tables.ledger import tokens as ledger
from debate.report.material import Material
from debate.report.section import Section


def tokens(material: Material) -> Section:
    """Turns and tokens by arm, agent and model."""
    found = material.analysis
    return Section(
        name="tokens",
        title="Tokens",
        tables=(ledger(found),),
        data={"ledger": found.tables["ledger"], "estimates": found.frame()},
    )
