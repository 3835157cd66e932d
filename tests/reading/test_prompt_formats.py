"""A prompt set defines how answers are read, and holds examples that stand as earlier exchanges."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from debate.agents.prompt_sets import SHIPPED, PromptSet, load_prompt_set
from debate.errors import ConfigError
from debate.log import Run
from debate.tasks.answer_format import CHAT, COMPACT, FORMATS
from debate.tasks.assessments import parse_confidence, parse_verdict
from debate.tasks.parsing import parse_answer
from debate.types import Message, Question
from tests.support import by_ref, run, scripted

NUMBER = Question(id="q", text="?", kind="number")
SETS = ("chat", "chat_zero", "json", "compact")


def write_set(folder: Path, **fields: Any) -> Path:
    """A copy of the set without examples, with these fields of its own."""
    shutil.copytree(SHIPPED / "chat_zero", folder / "own")
    path = folder / "own" / "prompts.yaml"
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), **fields}))
    return folder / "own"


def load(folder: Path, **fields: Any) -> PromptSet:
    return load_prompt_set(str(write_set(folder, **fields)))


def test_a_set_changes_the_fields_of_its_format_that_it_names(tmp_path: Path) -> None:
    format = load(tmp_path, format={"answer": ["antwort"], "separators": ["->"]}).format
    assert parse_answer("Antwort -> 18", NUMBER, format).value == "18"
    assert parse_answer("Answer: 18", NUMBER, format).form != "mark"
    assert format.confidence == CHAT.confidence


def test_a_set_changes_a_format_that_it_names(tmp_path: Path) -> None:
    format = load(tmp_path, answers="compact", format={"verdict": ["W"]}).format
    assert format == COMPACT.model_copy(update={"verdict": ("W",)})


def test_a_set_says_which_forms_are_read(tmp_path: Path) -> None:
    format = load(tmp_path, format={"forms": ["tag"], "names": {"answer": ["out"]}}).format
    assert parse_answer("<out>18</out>", NUMBER, format).form == "tag"
    for text in ("<answer>18</answer>", "Answer: 18", "The answer is 18.", "18", r"\boxed{18}"):
        assert parse_answer(text, NUMBER, format).is_abstention, text


def test_a_closing_ends_a_value(tmp_path: Path) -> None:
    format = load(tmp_path, format={"closings": ["###"]}).format
    assert parse_answer("Answer: 18### and more", NUMBER, format).value == "18"


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"answers": "chta"}, "chat"),
        ({"format": {"forms": ["marks"]}}, "prompts.yaml:"),
        ({"format": {"answer": [""]}}, "cannot mark anything"),
        ({"format": {"answer": ["a\nb"]}}, "cannot mark anything"),
        ({"format": {"answer": []}}, "needs words"),
        ({"format": {"separators": []}}, "prompts.yaml:"),
        ({"format": {"anwser": ["x"]}}, "anwser"),
        ({"examples": [{"user": "{{ x", "assistant": "y"}]}, "TemplateSyntaxError"),
        ({"examples": [{"user": "{{ qestion }}", "assistant": "y"}]}, "question"),
        ({"examples": [{"user": "x"}]}, "assistant"),
        ({"examples": [{"user": "x", "assistant": "y", "templates": ["closing"]}]}, "opening"),
        ({"examples": [{"user": "x", "assistant": "y", "kinds": ["letters"]}]}, "choice"),
    ],
)
def test_a_mistake_in_a_set_is_told_with_its_file(
    fields: dict[str, Any], told: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=r"prompts\.yaml") as error:
        load(tmp_path, **fields)
    assert told in str(error.value)


def test_an_example_of_a_template_that_is_not_there_is_refused(tmp_path: Path) -> None:
    example = {"user": "x", "assistant": "y", "templates": ["verbal"]}
    folder = write_set(tmp_path, examples=[example])
    (folder / "verbal.j2").unlink()
    with pytest.raises(ConfigError, match=r"prompts\.yaml:\d+: .*no verbal\.j2"):
        load_prompt_set(str(folder))


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("kind", ["number", "choice", "text"])
@pytest.mark.parametrize("confidence", [True, False])
def test_shipped_examples_are_read_by_their_own_format(
    name: str, kind: Any, confidence: bool
) -> None:
    prompts = load_prompt_set(name)
    asked = Question(id="q", text="?", kind=kind, options=("a", "b", "c") * (kind == "choice"))
    values = {"question": asked, "show_confidence": confidence}
    for template in ("opening", "judgment"):
        found = prompts.render_examples(template, kind, values)
        assert bool(found) == (name == "chat")
        for message in found[1::2]:
            value = parse_answer(message.content, asked, prompts.format).value
            assert value is not None
            working = message.content.split("Answer:")[0]
            assert value not in working.split()
            stated = parse_confidence(message.content, prompts.format)
            assert (stated is not None) == confidence


def test_the_examples_of_a_critique_accept_as_often_as_they_reject() -> None:
    prompts = load_prompt_set("chat")
    found = prompts.render_examples("critique", "number", {})
    verdicts = [parse_verdict(each.content, prompts.format) for each in found[1::2]]
    assert sorted(map(str, verdicts)) == ["False", "True"]


@pytest.fixture(scope="module")
def debated(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("examples")
    turns = ["opening", "revision", "critique", "judgment", "verbal"]
    examples = [
        {"user": f"ask {name}", "assistant": f"say {name}", "templates": [name]} for name in turns
    ]
    own = str(write_set(folder, examples=examples))
    agents = [
        scripted("a", "Answer: 4", prompts=own, system="Be brief."),
        scripted("b", "Answer: 4", prompts=own),
        scripted("j", "Answer: 4", prompts=own, role="judge"),
    ]
    return run(
        folder,
        agents,
        topology={"edges": ["a <-> b", "j -> debaters"]},
        protocol="critique",
        rounds=2,
        probes=["verbal"],
        log={"prompts": True},
    )


def list_contents(prompt: tuple[Message, ...] | None) -> list[str]:
    assert prompt is not None
    return [message.content for message in prompt]


def test_examples_stand_after_the_system_prompt_as_earlier_exchanges(debated: Run) -> None:
    turns = by_ref(debated)
    opening = turns["0:opening:a"].prompt
    assert opening is not None
    assert list_contents(opening)[:3] == ["Be brief.", "ask opening", "say opening"]
    assert [message.role for message in opening] == ["system", "user", "assistant", "user"]
    for ref, name in (("1:revision:a", "revision"), ("1:critique:a:b", "critique")):
        shown = list_contents(turns[ref].prompt)[1:5]
        assert shown == ["ask opening", "say opening", f"ask {name}", f"say {name}"]
    judged = list_contents(turns["0:judgment:j"].prompt)
    assert judged[:2] == ["ask judgment", "say judgment"]


def test_roles_take_turns_with_examples(debated: Run) -> None:
    for turn in by_ref(debated).values():
        if turn.prompt is None:
            continue  # a probe, whose prompt is not logged
        roles = [message.role for message in turn.prompt if message.role != "system"]
        assert roles == ["user", "assistant"] * (len(roles) // 2) + ["user"], turn.ref


def test_every_shipped_format_has_a_name() -> None:
    assert {load_prompt_set(name).spec.answers for name in SETS} == set(FORMATS)


def test_replies_of_one_json_object_are_read(tmp_path: Path) -> None:
    said = '{"reasoning": "2 + 2", "answer": "4", "confidence": 90, "verdict": "correct"}'
    agents = [scripted("a", said, prompts="json"), scripted("b", said, prompts="json")]
    found = by_ref(run(tmp_path, agents, protocol="critique", rounds=1))
    assert found["1:revision:a"].value == "4"
    assert found["1:revision:a"].confidence("verbal") == 0.9
    assert found["1:critique:a:b"].accepts is True
