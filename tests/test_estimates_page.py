"""The reference page of estimates is what the registry of measures writes."""

from __future__ import annotations

from pathlib import Path

from debate.analysis.registry import write_reference

PAGE = Path(__file__).parents[1] / "docs" / "estimates.md"


def test_the_reference_page_is_what_the_registry_writes() -> None:
    told = "write it anew: python -m debate.analysis.registry > docs/estimates.md"
    assert PAGE.read_text(encoding="utf-8").splitlines() == write_reference().splitlines(), told
