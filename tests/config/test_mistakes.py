"""What other tools call a field or a value is understood, and named in its place."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from debate.config.hints import list_places
from debate.config.loader import load_run
from debate.config.synonyms import EXAMPLES, FIELDS, NOTES, VALUES
from debate.errors import InputError, suggest
from debate.runner.plan import make_plan
from tests.config.mistakes import MISTAKES, Mistake
from tests.processes import invoke

FOREIGN = re.compile(
    r"tuple|dictionary|instance of|valid |\(char |TableTask|should|pattern|NoneType|"
    r"sk-abc|hunter2|Traceback|, …"
)
"""Words of Python, keys, and lists that are cut."""


def _write(mistake: Mistake, folder: Path) -> Path:
    model = mistake.written if mistake.where == "model" else "engine: simulated"
    agent = f", {mistake.written}" if mistake.where == "agent" else ""
    parts = {
        "agents": f"[{{id: a, model: {{{model}}}{agent}}}, "
        "{id: b, model: {engine: simulated}}]",
        "topology": "pairwise",
        "task": "{generator: arithmetic, n: 4}",
    }
    parts |= {mistake.where: mistake.written} if mistake.where in parts else {}
    lines = [f"{name}: {text}" for name, text in parts.items()]
    path = folder / "run.yaml"
    path.write_text("\n".join([*lines, mistake.written if mistake.where == "top" else ""]))
    return path


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda each: f"{each.where}: {each.written}")
def test_one_error_says_what_to_write_and_where(mistake: Mistake, tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        make_plan(load_run(_write(mistake, tmp_path)))
    message = str(caught.value)
    assert len(message.splitlines()) == 1, message
    assert all(word in message for word in mistake.words), message
    assert not FOREIGN.search(message), message


def test_a_missing_field_is_not_told_where_its_other_name_is(tmp_path: Path) -> None:
    written = "engine: openai, base_url: 'http://h/v1', model_name: m, api_key: hunter2"
    with pytest.raises(InputError) as caught:
        load_run(_write(Mistake("model", written, ()), tmp_path))
    assert len(str(caught.value).splitlines()) == 3
    assert "is missing" not in str(caught.value)


@pytest.mark.parametrize("place", [*FIELDS, *EXAMPLES, *NOTES])
def test_what_the_tables_lead_to_is_there(place: str) -> None:
    *around, field = place.split(".")
    if around[-1:] in (["extra"], ["engine_kwargs"]):
        *around, field = around
    assert field in list_places()[tuple(around)]


def test_a_word_is_one_value_of_a_field_and_no_other() -> None:
    for names in VALUES.values():
        words = [word for name, told in names.items() for word in (name, *told.split())]
        assert len(words) == len(set(words))


def test_known_names_are_listed_whole() -> None:
    names = [f"name{number}" for number in range(60)]
    assert all(name in suggest("other", names) for name in names)
    assert "…" not in suggest("name", names)


def test_a_shipped_configuration_mistyped_is_told_with_all_that_there_are() -> None:
    done = invoke("validate", "quickstrat")
    assert done.returncode == 2
    assert 'did you mean "quickstart"? (anchors, chat, cross_critique, diversity' in done.stderr


MODELS = """\
agents:
  - {id: a, model: gpd, temp: 3}
  - {id: b, model: openai/gpt-4o}
  - {id: c, model: multiplyer}
  - claude-sonnet-4
  - {id: d, model: Qwen/Qwen3-8B}
  - galery/qwen3-8b
  - QWEN3
models: {gpt: {engine: simulated}}
task: {generator: arithmetic, n: 4}
topology: ring
bogus: 3
"""
TOLD_OF_MODELS = (
    (2, 'did you mean "gpt"? (gpt)'),
    (2, "sampling: {temperature: 3}"),
    (3, "url: 'https://api.openai.com/v1', model: gpt-4o, api_key_env: OPENAI_API_KEY}"),
    (4, 'did you mean "multiplier"? That is an agent card'),
    (5, "url: 'https://api.anthropic.com/v1', model: claude-sonnet-4, api_key_env: ANTHRO"),
    (6, "`model: {engine: transformers, model: Qwen/Qwen3-8B}`"),
    (7, 'is neither a file nor a name; did you mean "gallery/qwen3-8b"? ('),
    (8, 'is unknown; did you mean "gallery/qwen3-8b"? ('),
    (12, '"bogus" is not a field here'),
)


def test_unknown_models_are_told_beside_unknown_fields_each_with_a_way_out(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text(MODELS)
    with pytest.raises(InputError) as caught:
        load_run(path)
    lines = str(caught.value).splitlines()
    assert [int(line.split(":")[1]) for line in lines] == [line for line, _ in TOLD_OF_MODELS]
    for line, (_, words) in zip(lines, TOLD_OF_MODELS, strict=True):
        assert words in line


@pytest.mark.parametrize(
    "override",
    [
        "a." * 3000 + "a=3",
        "a." * 40 + "a=3",
        "y" * 5000 + "=3",
        "rounds=" + "x" * 5000,
        "decision=" + "x" * 5000,
        "topology=" + "x" * 5000,
        "agents.0=" + "x" * 5000,
        "agents=[{id: a, model: " + "x" * 5000 + "}]",
        "task={generator: " + "x" * 5000 + "}",
        "task={path: " + "x" * 5000 + ".csv, kind: number}",
    ],
    ids=lambda text: text[:12],
)
def test_a_long_value_takes_up_no_more_than_a_line_of_its_error(override: str) -> None:
    done = invoke("validate", "quickstart", "-o", override)
    assert done.returncode == 2
    assert "error: override 'a.a.a" in done.stderr or not override.startswith("a.")
    assert not re.search(r"(.)\1{99}|(a\.){60}", done.stderr)
    assert len(done.stderr) < 1600
