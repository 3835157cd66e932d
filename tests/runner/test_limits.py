"""What computes for ever, or takes all memory, is refused with its place; nothing hangs."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from debate.agents.prompt_sets import SHIPPED, load_prompt_set
from debate.agents.template_checks import require_rendering
from debate.errors import ConfigError, TopologyError
from debate.limits import CPU_S, LimitExceeded, call_limited
from debate.topologies import build_schedule, load_topology
from debate.topologies.seats import make_default_seats

TIME, MEMORY = "1 s of processor time", "memory|MemoryError|OverflowError"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A prompt set of one's own."""
    return Path(shutil.copytree(SHIPPED / "compact", tmp_path / "mine"))


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls may take one second of processor time, instead of three."""
    defaults = call_limited.__kwdefaults__
    assert defaults == {"cpu_s": CPU_S}
    monkeypatch.setitem(defaults, "cpu_s", 1)


@pytest.mark.parametrize(
    ("template", "why"),
    [
        ("{{ 1/0 }}", "ZeroDivisionError"),
        ("{% include 'critique.j2' %}", "RecursionError"),
        ("{% for x in range(10**9) %}{% endfor %}", "OverflowError"),
        ("{{ 'a' * 10**11 }}", MEMORY),
        ("{% if heard %}{% else %}{{ [0] * 10**11 }}{% endif %}", MEMORY),
        ("{% if", "TemplateSyntaxError"),
        ("{% include 'none.j2' %}", "TemplateNotFound"),
    ],
)
def test_a_template_that_nothing_can_fill_in_is_refused_with_its_line(
    folder: Path, template: str, why: str
) -> None:
    (folder / "critique.j2").write_text(f"Criticise.\n{template}\n")
    with pytest.raises(ConfigError, match=rf"critique\.j2:2: .*({why})"):
        require_rendering(load_prompt_set(str(folder)))


def test_a_template_that_is_no_text_is_refused(folder: Path) -> None:
    (folder / "critique.j2").write_bytes(b"Criticise \xff\n")
    with pytest.raises(ConfigError, match=r"critique\.j2: UnicodeDecodeError"):
        require_rendering(load_prompt_set(str(folder)))


@pytest.mark.usefixtures("impatient")
def test_a_template_that_computes_for_ever_is_refused(folder: Path) -> None:
    loops = "{% for x in range(99999) %}{% for y in range(99999) %}{% endfor %}{% endfor %}"
    (folder / "opening.j2").write_text(f"Answer.\n{loops}\n")
    with pytest.raises(ConfigError, match=rf"opening\.j2:2: .*{TIME}"):
        require_rendering(load_prompt_set(str(folder)))


@pytest.mark.parametrize("name", [path.name for path in SHIPPED.iterdir() if path.is_dir()])
def test_a_copy_of_a_shipped_set_is_accepted(tmp_path: Path, name: str) -> None:
    copy = shutil.copytree(SHIPPED / name, tmp_path / "mine")
    require_rendering(load_prompt_set(str(copy)))


def test_an_exception_while_rendering_names_template_and_line(folder: Path) -> None:
    (folder / "opening.j2").write_text("One.\n{{ 1 // question.text.count('x') }}\n")
    prompts = load_prompt_set(str(folder))
    with pytest.raises(ConfigError, match=r"opening\.j2:2: UndefinedError"):
        prompts.render("opening", {})


@pytest.mark.usefixtures("impatient")
def test_a_generator_without_an_end_is_refused() -> None:
    spec = load_topology(
        {"generator": "duplication_divergence_graph", "args": {"n": "$n", "p": 0.0}}
    )
    with pytest.raises(TopologyError, match=TIME):
        build_schedule(spec, make_default_seats(4, spec))


def test_a_call_in_a_child_returns_and_raises_as_here() -> None:
    assert call_limited(lambda: {"a": 1}) == {"a": 1}
    with pytest.raises(ValueError, match="no"):
        call_limited(lambda: int("no"))
    with pytest.raises(LimitExceeded, match="memory"):
        call_limited(lambda: len(bytearray(2**34)))
