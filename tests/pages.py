"""Reading the pages in docs/: their tables, under their headings."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"


def read_page(name: str) -> str:
    """The text of a page in docs/."""
    return (DOCS / name).read_text(encoding="utf-8")


def read_section(page: str, heading: str) -> str:
    """The text under a heading, up to the next one."""
    found = re.search(rf"^#+ {re.escape(heading)}\n(.*?)(?=^#|\Z)", page, re.MULTILINE | re.DOTALL)
    assert found is not None, f"there is no heading “{heading}”"
    return found[1]


def read_rows(text: str, column: str) -> dict[str, dict[str, str]]:
    """The rows of the tables whose first column is called so, by what stands in it."""
    rows: dict[str, dict[str, str]] = {}
    for table in re.findall(r"(?:^\|.*\|\n)+", text + "\n", re.MULTILINE):
        head, _, *body = [_split(line) for line in table.splitlines()]
        if head[0] == column:
            rows |= {row[0].strip("`"): dict(zip(head, row, strict=True)) for row in body}
    return rows


def _split(line: str) -> list[str]:
    cells = re.split(r"(?<!\\)\|", line)[1:-1]
    return [cell.strip() for cell in cells]


def find_code(text: str) -> set[str]:
    """What stands between backticks."""
    return set(re.findall(r"`([^`\n]+)`", text))
