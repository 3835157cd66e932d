"""The pages in docs/: what they name exists, what they link to is there, README leads to each."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import Any

import pytest

import debate
from debate.config.registry import KINDS
from debate.orchestrator import Debate
from tests.pages import DOCS, ROOT, find_code, read_page, read_rows

PAGES = sorted(path.name for path in DOCS.glob("*.md"))
PARTS = sorted(path.name for path in Path(debate.__file__).parent.iterdir())
NAMED = sorted(
    {
        (page, name)
        for page in PAGES
        for code in find_code(read_page(page))
        for name in re.findall(r"(?<![\w./-])debate(?:\.[A-Za-z]\w*)+", code)
    }
)


def _resolve(name: str) -> Any:
    """What a dotted name leads to. Raises ImportError or AttributeError."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        try:
            found: Any = importlib.import_module(".".join(parts[:length]))
        except ModuleNotFoundError:
            continue
        for part in parts[length:]:
            found = getattr(found, part)
        return found
    raise ImportError(name)


@pytest.mark.parametrize(("page", "name"), NAMED)
def test_a_dotted_name_on_a_page_exists(page: str, name: str) -> None:
    of_debate = name.removeprefix("debate.")
    if hasattr(Debate, of_debate):  # in a protocol `debate` is the debate, as in `debate.hear`
        return
    if of_debate in KINDS:  # the group of entry points
        return
    assert _resolve(name) is not None


def test_a_name_that_does_not_exist_is_noticed() -> None:
    with pytest.raises(AttributeError):
        _resolve("debate.config.loader.load_runs")


def test_the_table_of_parts_has_every_part_once() -> None:
    told = [
        name.removeprefix("debate.") for name in read_rows(read_page("architecture.md"), "part")
    ]
    parts = {name.removesuffix(".py") for name in PARTS if not name.startswith("_")}
    assert len(told) == len(set(told))
    assert set(told) == parts - {"hashes", "input_files", "py.typed"}


@pytest.mark.parametrize("page", [*PAGES, "../CONTRIBUTING.md", "../README.md"])
def test_a_link_leads_somewhere(page: str) -> None:
    here = (DOCS / page).resolve()
    for target in re.findall(r"\]\(([^)\s]+)\)", here.read_text(encoding="utf-8")):
        if target.startswith(("http:", "https:")):
            continue
        file, _, anchor = target.partition("#")
        path = (here.parent / file).resolve() if file else here
        assert path.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in map(_make_anchor, headings), target


def _make_anchor(heading: str) -> str:
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("page", PAGES)
def test_the_readme_leads_to_every_page(page: str) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert f"](docs/{page})" in readme
