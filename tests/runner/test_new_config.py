"""`debate new` asks for what it is not told, and writes configurations that run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from aiohttp import web

from debate.cli.new_command import Ask, Given, compose, require_kind
from debate.config.loader import load_run
from debate.errors import InputError
from debate.runner.describe_power import find_unsupported_claims
from debate.runner.plan import make_plan
from debate.runner.preview import find_ties
from debate.runner.seats import parse_seat, parse_seats
from debate.runner.starting_points import STARTING_POINTS
from debate.tasks.recognition import Told
from tests.processes import invoke
from tests.serving import serve_app

OWN = [name for name, point in STARTING_POINTS.items() if point.design]
SHIPPED = [name for name, point in STARTING_POINTS.items() if point.shipped]
MINE = "question,A,B,C,D,answer\n" + "".join(f"{n}?,p,q,r,s,{'ABCD'[n % 4]}\n" for n in range(8))
LIST_COLUMN = "".join(f"{n}?,\"['p', 'q', 'r', 's']\",{'pqrs'[n % 4]}\n" for n in range(8))
ARC = '{{"id": "{n}", "question": "{n}?", "choices": {{"text": ["p", "q"], "label": ["1", "2"]}}, '
FILES = {
    "mine.csv": MINE,
    "pandas.csv": "prompt,choices,gold\n" + LIST_COLUMN,
    "arc.jsonl": "".join(ARC.format(n=n) + f'"answerKey": "{n % 2 + 1}"}}\n' for n in range(6)),
    "gsm.jsonl": "".join(f'{{"question": "{n}?", "answer": "#### {n}"}}\n' for n in range(6)),
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def answer(*replies: str) -> Ask:
    """Somebody who gives these replies in turn, and what an empty one stands for."""
    left = iter(replies)
    return lambda what, default: next(left) or default


def flags(name: str, data: str, *models: str, told: Told | None = None) -> Given:
    return Given(name=name, data=data, models=models, told=told or Told())


@pytest.mark.parametrize("models", [("simulated", "simulated", "simulated"), ("simulated",)])
@pytest.mark.parametrize("name", OWN)
def test_every_starting_point_is_written_as_it_runs(
    folder: Path, name: str, models: tuple[str, ...]
) -> None:
    given = flags(name, "mine.csv", *models)
    if len(models) < STARTING_POINTS[name].least_models:
        with pytest.raises(InputError, match="needs 2 models"):
            compose(given, None, None, force=False)
        return
    path = compose(given, None, None, force=False).path
    assert len(make_plan(load_run(path)).questions) == 8
    text = path.read_text()
    assert STARTING_POINTS[name].asks in text
    assert all(re.search(f"^# .*\n(# .*\n)*{key}:", text, re.M) for key in ("agents", "task"))


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_starting_point_is_written_as_it_ships(folder: Path, name: str) -> None:
    done = invoke("new", name)
    assert done.returncode == 0, done.stderr
    written = yaml.safe_load(Path(f"{name}.yaml").read_text())
    assert written["name"] == STARTING_POINTS[name].shipped
    assert (f"written: {name}.yaml") in done.stdout
    assert ("cannot run here" in done.stdout) == (name == "gsm8k" or "fetch" in done.stdout)


def test_lines_are_wrapped_at_blanks_on_a_narrow_terminal_and_nowhere_else() -> None:
    told = "ships: `debate new NAME` writes it as it ships; own: with --data and --model, of yours"
    shown = invoke("new", "--list", COLUMNS="44", FORCE_COLOR="1", NO_COLOR="1").stdout
    said = shown[shown.index("ships: `debate") :].splitlines()
    assert max(map(len, said)) <= 44
    assert " ".join(line.strip() for line in said) == told
    assert told in invoke("new", "--list", COLUMNS="44").stdout.splitlines()


def test_the_list_has_every_starting_point(folder: Path) -> None:
    done = invoke("new", "--list", COLUMNS="120")
    assert [line.split()[1] for line in done.stdout.splitlines()[1:-1] if line[1:3].strip()] == [
        *STARTING_POINTS
    ]


@pytest.mark.parametrize(
    ("words", "missing"),
    [
        ([], ["NAME", "--data", "--model"]),
        (["judge"], ["--data", "--model"]),
        (["self_revision", "--data", "mine.csv"], ["--model"]),
    ],
)
def test_without_a_terminal_the_missing_flags_are_named(
    folder: Path, words: list[str], missing: list[str]
) -> None:
    done = invoke("new", *words)
    assert done.returncode == 2
    told = done.stderr.partition("missing: ")[2].split("; ")
    assert [each.split()[0].rstrip(",") for each in told] == missing


def test_a_file_is_replaced_by_force_alone(folder: Path) -> None:
    Path("judge.yaml").write_text("mine")
    words = ("new", "judge", "--data", "mine.csv", "--model", "simulated")
    done = invoke(*words)
    assert (done.returncode, Path("judge.yaml").read_text()) == (2, "mine")
    assert "judge.yaml exists; --force replaces it" in done.stderr
    assert invoke(*words, "--force").returncode == 0
    assert yaml.safe_load(Path("judge.yaml").read_text())["name"] == "judge"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["sweep", "--data", "mine.csv", "--model", "simulated"], "is written as it ships"),
        (["jugde", "--data", "mine.csv", "--model", "simulated"], 'did you mean "judge"'),
        (["judge", "--data", "arc", "--model", "simulated"], "give the path, `--dataset arc`"),
        (["judge", "--data", "two.csv", "--model", "simulated"], "(--target-as index or number)"),
        (["judge", "--data", "bare.csv", "--model", "simulated"], "; --no-header without names)"),
        (["judge", "--data", "arithmetic", "--kind", "text", "--model", "simulated"], "for files"),
        (["judge", "--data", "no.csv", "--model", "simulated"], "there is no such file"),
        (["judge", "--data", "mine.csv", "--model", "addr"], 'did you mean "adder"'),
        (["judge", "--data", "mine.csv", "--model", "http://h/v1"], "write URL MODEL"),
        (["judge", "--data", "mine.csv", "--model", "x", "--column", "q=b"], "FIELD one of"),
        (["judge", "--data", "mine.csv", "--model", "simulated", "--out", "a.txt"], ".yaml"),
    ],
)
def test_what_cannot_be_used_is_told_and_nothing_is_written(
    folder: Path, words: list[str], said: str
) -> None:
    Path("two.csv").write_text("question,A,B,C,D,answer\nq,5,6,7,8,2\nr,5,6,7,8,3\n")
    Path("bare.csv").write_text("2+2?,4\n3+3?,6\n")
    done = invoke("new", *words)
    assert (done.returncode, said in done.stderr) == (2, True), done.stderr
    assert not list(folder.glob("*.yaml"))


def test_a_key_in_place_of_its_variable_is_refused_and_not_repeated() -> None:
    for key in ("sk-abc123", "gsk_Abc123"):
        with pytest.raises(InputError) as caught:
            parse_seat(f"https://h/v1 m {key}")
        assert key not in str(caught.value)


def test_models_are_named_in_a_line(tmp_path: Path) -> None:
    lines = ["http://h/v1 org/Big-7B MY_KEY", "http://h/v1 Big-7B", "vllm Qwen/Qwen3-8B", "adder"]
    seats = parse_seats([*lines, "gallery/phi-4", str(tmp_path), "simulated"])
    assert [seat.id for seat in seats][:5] == ["big_7b", "big_7b_2", "qwen3_8b", "adder", "phi_4"]
    assert [(seat.model or {}).get("engine") for seat in seats] == [
        *("openai", "openai", "vllm", None, None, "transformers", "simulated")
    ]
    assert [seat.can_be_asked for seat in seats].count(False) == 1


def test_a_person_is_asked_for_what_is_not_given_until_it_can_be_used(folder: Path) -> None:
    Path("two.csv").write_text("q,w1,w2,w3\nq,5,6,2\nr,5,6,1\n")
    replies = ("nothing", "4", "no.csv", "two.csv", "w3", "none such", "w3")
    replies += ("nonsense", "simulated", "simulated", "")
    made = compose(Given(told=Told()), None, answer(*replies), force=False)
    assert made.path == Path("topologies.yaml")
    written = yaml.safe_load(made.path.read_text())
    assert written["task"] == {
        "path": "two.csv",
        "kind": "number",
        "columns": {"question": "q", "target": "w3"},
    }
    assert list(written["models"]) == ["simulated", "simulated_2"]


def test_a_file_elsewhere_is_named_by_its_whole_path_and_a_large_one_is_limited(
    folder: Path,
) -> None:
    rows = "".join(f"{n}+0?,{n}\n" for n in range(120))
    (folder / "large.csv").write_text("question,answer\n" + rows)
    (folder / "below").mkdir()
    given = flags("debate_helps", "large.csv", "simulated")
    path = compose(given, Path("below/my run.yaml"), None, force=False).path
    assert load_run(path).spec.name == "my-run"
    task = load_run(path).spec.task.model_dump()
    assert (task["path"], task["limit"], task["seed"]) == (str(folder / "large.csv"), 100, 0)


def make_endpoint() -> web.AppRunner:
    """An endpoint that answers as the question's form asks."""

    async def complete(request: web.Request) -> web.Response:
        body = await request.json()
        said = "\n".join(message["content"] for message in body["messages"])
        text = "Answer: B" if re.search(r"^\W*B\W", said, re.M) else "Answer: 4"
        message = {"role": "assistant", "content": text}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        tokens = {"prompt_tokens": 9, "completion_tokens": 3}
        return web.json_response({"id": "x", "choices": [choice], "usage": tokens})

    served = web.Application()
    served.router.add_post("/v1/chat/completions", complete)
    return web.AppRunner(served, access_log=None)


@pytest.mark.parametrize("data", FILES)
def test_every_shape_of_a_file_is_written_as_it_runs(folder: Path, data: str) -> None:
    path = compose(flags("debate_helps", data, "simulated"), None, None, force=False).path
    questions = make_plan(load_run(path)).questions
    assert len(questions) >= 6
    assert all(question.target for question in questions)


@pytest.mark.system
def test_from_a_file_to_the_end_of_a_run(folder: Path) -> None:
    with serve_app(make_endpoint()) as port:
        lines = [f"http://127.0.0.1:{port}/v1 {name}" for name in ("one", "two")]
        models = [word for line in lines for word in ("--model", line)]
        done = invoke("new", "debate_helps", "--data", "pandas.csv", *models)
        assert done.returncode == 0, done.stderr
        done = invoke("run", "debate_helps.yaml", "-q")
    assert done.returncode == 0, done.stderr
    assert "abstained" not in done.stdout
    assert Path("runs/debate_helps/report.html").exists()


def test_two_models_are_written_without_ties(folder: Path) -> None:
    given = flags("debate_helps", "mine.csv", "simulated", "simulated")
    path, _config = compose(given, None, None, force=False)
    plan = make_plan(load_run(path))
    assert find_ties(plan) == []


@pytest.mark.parametrize(("num", "warned"), [(6, True), (7, False)])
def test_a_claim_that_the_questions_are_too_few_for_is_warned_of(
    tmp_path: Path, num: int, warned: bool
) -> None:
    data = tmp_path / "few.csv"
    data.write_text("question,answer\n" + "".join(f"{n}+1?,{n + 1}\n" for n in range(num)))
    given = flags("debate_helps", str(data), "simulated", "simulated")
    path, config = compose(given, tmp_path / "run.yaml", None, force=False)
    told = f"warning: can be supported from 7 questions on; the task has {num}, so it cannot be"
    assert (f"hypothesis debate_gains: {told}" in config.remarks) == warned
    assert bool(find_unsupported_claims(make_plan(load_run(path)))) == warned


def test_a_kind_from_elsewhere_is_told_by_its_name_here() -> None:
    with pytest.raises(InputError, match="here that is `--kind choice`"):
        require_kind("mcq")
