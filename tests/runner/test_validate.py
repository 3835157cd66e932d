"""What `debate validate` shows before anything is asked, and that run and forecast say the same."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
import yaml

from debate.analysis.power import find_detectable_change
from debate.config.loader import load_run
from debate.log import Run
from debate.runner.plan import make_plan
from debate.runner.preview import MAX_LINES, find_ties, find_unsure_arms
from debate.runner.spending import compute_cost
from tests.processes import invoke

QUESTIONS = """\
id,question,A,B,C,D,answer
q1,Which planet is largest?,Mars,Jupiter,Venus,Earth,B
q2,What is the capital of Peru?,Lima,Quito,La Paz,Bogota,A
"""
ENDPOINTS = """\
name: two
agents:
  - {id: alice, model: small}
  - {id: bob, model: big, persona: a sceptic}
models:
  small: {engine: openai, url: "http://127.0.0.1:9/v1", model: qwen-7b, retries: 0}
  big: {engine: openai, url: "http://127.0.0.1:9/v1", model: gpt-big, api_key_env: BIG_KEY,
    price: {prompt: 2, generated: 8}, retries: 0}
topology: pairwise
task: {path: q.csv, kind: choice, columns: {options: [A, B, C, D]}}
rounds: 1
"""
SIMULATED = """\
name: sim
agents: [{id: a, model: m}, {id: b, model: {engine: simulated}}]
models: {m: {engine: simulated, price: {prompt: 1, generated: 2}}}
topology: pairwise
task: {generator: arithmetic, n: 6}
rounds: 1
"""


def _write(text: str, folder: Path) -> str:
    (folder / "q.csv").write_text(QUESTIONS)
    path = folder / "run.yaml"
    path.write_text(text)
    return str(path)


def _show(folder: Path, *options: str, text: str = ENDPOINTS, **environment: str) -> str:
    done = invoke("validate", _write(text, folder), *options, **environment)
    assert done.returncode == 0, done.stderr
    return " ".join(done.stdout.split())


def test_a_model_is_told_with_its_endpoint_name_and_whether_its_key_is_set(tmp_path: Path) -> None:
    shown = _show(tmp_path, BIG_KEY="my-secret-value")
    assert "small: openai, qwen-7b at http://127.0.0.1:9/v1, without a key" in shown
    assert "big: openai, gpt-big at http://127.0.0.1:9/v1, key from $BIG_KEY, which is set" in shown
    assert "my-secret-value" not in shown
    assert "$BIG_KEY, which IS NOT SET" in _show(tmp_path, BIG_KEY="")


def test_a_url_that_no_run_can_use_is_warned_of_without_its_password(tmp_path: Path) -> None:
    unusable = ENDPOINTS.replace("127.0.0.1:9/v1", "me:pw@host/v1")
    shown = _show(tmp_path, text=unusable)
    assert "(hidden)@host/v1; WARNING: the url must not hold a password" in shown
    assert "me:pw" not in shown


def test_a_question_is_shown_as_it_is_read_with_its_target(tmp_path: Path) -> None:
    shown = _show(tmp_path, COLUMNS="300")
    assert "id q1, choice: Which planet is largest?" in shown
    assert "target: B = 'Jupiter', read from 'B' as the option's letter" in shown
    assert "q.csv, row 1)" in shown


def test_each_agents_opening_and_revision_are_rendered(tmp_path: Path) -> None:
    shown = _show(tmp_path, "--all")
    for kind in ("opening", "revision"):
        for agent in ("alice", "bob"):
            assert f"{kind} of {agent} (arm main)" in shown
    assert "[system] You are a sceptic." in shown
    assert "(the reply of bob stands here)" in shown


def test_prompts_are_those_of_the_first_arm_that_has_revisions(tmp_path: Path) -> None:
    shown = _show(tmp_path, "--all", text=ENDPOINTS + "sweep: {arm: [single, self]}\n")
    assert "opening of alice (arm self)" in shown
    assert "revision of alice (arm self)" in shown
    assert "(arm single)" not in shown


def test_the_essentials_fit_a_screen_and_the_rest_is_shown_where_asked_for(tmp_path: Path) -> None:
    text = ENDPOINTS + "sweep: {arm: [self, peer]}\n"
    shown, whole = _show(tmp_path, text=text), _show(tmp_path, "--all", text=text)
    assert "opening of alice, bob" not in shown
    assert "opening of alice (arm self)" in shown
    assert "arm self: exchange, simultaneous" in shown
    assert "--all also shows agents, models" in shown
    assert "GPUs wanted" not in shown
    assert "GPUs wanted: 0" in whole
    assert "revision of alice (arm self)" not in shown
    chat = _write(ENDPOINTS + "decision: confidence_weighted\n", tmp_path)
    lines = invoke("validate", chat, COLUMNS="80").stdout.splitlines()
    assert len(lines) <= 48


def test_validate_speaks_of_arms_alone(tmp_path: Path) -> None:
    for shown in (_show(tmp_path), _show(tmp_path, "--prompts")):
        assert " cell" not in shown.lower()
        assert " edges:" not in shown


def test_long_prompts_are_cut_in_the_middle_unless_all_are_asked_for(tmp_path: Path) -> None:
    cut, whole = _show(tmp_path), _show(tmp_path, "--prompts")
    assert "more lines; --prompts shows all)" in cut
    assert "more lines" not in whole
    assert cut.count("Which planet is") < whole.count("Which planet is")
    assert MAX_LINES == 30


def test_tokens_and_price_are_told_with_their_unit_and_how_to_set_one(tmp_path: Path) -> None:
    shown = _show(tmp_path)
    assert "tokens: about" in shown
    assert "(US dollars), for big" in shown
    assert "price: not known of small; set it in the model, as in `price: {prompt: 0.15" in shown


def test_an_even_number_of_voters_is_warned_of_ties(tmp_path: Path) -> None:
    assert "2 voters and `majority` (arm main): a tie has no verdict" in _show(tmp_path)
    three = ENDPOINTS.replace("models:", "  - {id: carl, model: big}\nmodels:", 1)
    plan = make_plan(load_run(_write(three.replace("pairwise", "ring"), tmp_path)))
    assert find_ties(plan) == []


@pytest.mark.parametrize(
    ("model", "told"),
    [
        ('{engine: scripted, replies: "Answer: 4"}', "no confidence will be recorded (arm main)"),
        ("{engine: openai, url: 'http://x.test/v1', model: m, logprobs: false}", "no confidence"),
        ("{engine: openai, url: 'http://x.test/v1', model: m}", "only where endpoints give"),
        ("{engine: simulated}", ""),
    ],
)
def test_arms_without_a_confidence_are_warned_of_unless_one_is_asked_for(
    model: str, told: str, tmp_path: Path
) -> None:
    text = SIMULATED.replace(
        "models: {m: {engine: simulated, price: {prompt: 1, generated: 2}}}",
        f"models: {{m: {model}}}",
    ).replace("{id: b, model: {engine: simulated}}", "{id: b, model: m}")
    (warned,) = find_unsure_arms(make_plan(load_run(_write(text, tmp_path)))) or ("",)
    assert told in warned
    assert bool(warned) == bool(told)
    for further in ("probes: [verbal]", "protocol: {show_confidence: true}"):
        asked = make_plan(load_run(_write(f"{text}{further}\n", tmp_path)))
        assert find_unsure_arms(asked) == []


def test_the_smallest_change_that_can_be_seen_falls_with_the_questions(tmp_path: Path) -> None:
    assert "80 % of runs: 2 questions, if the outcome" in _show(tmp_path)
    found = [find_detectable_change(n, discordance=0.2) or 1.0 for n in (100, 400, 10_000)]
    assert found == sorted(found, reverse=True)
    assert found[-1] == pytest.approx(2.8 * (0.2 / 10_000) ** 0.5, abs=0.001)


def test_a_pilot_can_go_without_the_trial_calls(tmp_path: Path) -> None:
    path, out = _write(ENDPOINTS, tmp_path), str(tmp_path / "out")
    words = ("validate", path, "--pilot", "1", "--out", out)
    assert invoke(*words, BIG_KEY="k").returncode == 2
    assert not (tmp_path / "out").exists()
    done = invoke(*words, "--no-preflight", BIG_KEY="k")
    assert done.returncode == 1
    assert "calls failed" in done.stderr


def test_the_cost_is_of_all_sessions_and_shares_the_forecasts_currency(tmp_path: Path) -> None:
    path, out = _write(SIMULATED, tmp_path), str(tmp_path / "out")
    first = invoke("validate", path, "--pilot", "2", "--out", out)
    assert "US dollars" in first.stdout
    before = compute_cost(Run(tmp_path / "out"))
    assert invoke("validate", path, "--pilot", "4", "--out", out).returncode == 0
    after, turns = compute_cost(Run(tmp_path / "out")), Run(tmp_path / "out").turns()
    assert before is not None
    assert after is not None
    assert before < after
    made = [t for t in turns.iter_rows(named=True) if t["model"] == "m" and not t["shared_with"]]
    tokens = sum((t["prompt_tokens"] or 0) + 2 * (t["generated_tokens"] or 0) for t in made)
    assert after == Decimal(tokens) / 1_000_000


def test_a_refused_edit_says_how_to_add_a_cell_for_it(tmp_path: Path) -> None:
    path, out = _write(SIMULATED, tmp_path), str(tmp_path / "out")
    assert invoke("validate", path, "--pilot", "1", "--out", out).returncode == 0
    third = SIMULATED.replace("{id: b,", "{id: c, model: m}, {id: b,")
    done = invoke("run", _write(third, tmp_path), "--out", out, "--no-report")
    assert done.returncode == 2
    assert "    main: {agents: [a, b], topology: " in done.stderr
    assert "    main-2: {agents: [a, c, b], topology: " in done.stderr
    longer = invoke("run", path, "--out", out, "-o", "task.n=7")
    assert "cells:" not in longer.stderr


PASTED = (
    SIMULATED
    + """
cells:
  talk: {topology: complete}
  pool: {topology: isolated, protocol: repeat}
"""
)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("protocol: repeat}", "protocol: repeat, rounds: 3}"),
        ("{id: b,", "{id: c, model: m}, {id: b,"),
        ("{id: b,", "{id: b, sampling: {temperature: 0.3},"),
        ("topology: isolated,", "topology: ring,"),
        (
            "m}, {id: b, model: {engine: simulated}}]\nmodels: {m: ",
            "n}, {id: b, model: {engine: simulated}}]\nmodels: {n: ",
        ),
    ],
)
def test_a_recipe_for_a_changed_cell_is_pasted_and_goes_on(
    tmp_path: Path, old: str, new: str
) -> None:
    assert old in PASTED
    out = str(tmp_path / "out")
    assert invoke("run", _write(PASTED, tmp_path), "--out", out, "--no-report").returncode == 0
    edited = PASTED.replace(old, new)
    refused = invoke("run", _write(edited, tmp_path), "--out", out, "--no-report")
    assert refused.returncode == 2
    recipe = yaml.safe_load(refused.stderr.partition("that are new:\n")[2].partition("\nor ")[0])
    pasted = yaml.safe_load(edited if "{id: c" in new else PASTED)
    pasted["agents"] += recipe.get("agents", [])
    pasted["models"] |= recipe.get("models", {})
    pasted["cells"] |= recipe["cells"]
    done = invoke("run", _write(yaml.safe_dump(pasted), tmp_path), "--out", out, "--no-report")
    assert done.returncode == 0, done.stderr
    assert "from the log" in done.stderr
    expected = {"pool-2"} if "{id" not in old else {"talk-2", "pool-2"}
    assert set(recipe["cells"]) - {"talk", "pool"} == expected
    assert recipe["cells"]["pool-2"]["protocol"] == "repeat"


@pytest.mark.parametrize("url", ["localhost:8931/v1", "ftp://host/v1", "http://", "host"])
def test_a_url_without_scheme_or_host_is_refused_with_its_line(tmp_path: Path, url: str) -> None:
    path = _write(ENDPOINTS.replace("http://127.0.0.1:9/v1", url, 1), tmp_path)
    done = invoke("validate", path)
    assert done.returncode == 2
    assert "run.yaml:6" in done.stderr
    assert "begins with http:// or https://" in done.stderr
