"""Code of one's own can be named in YAML, is checked before anything runs, and can be forbidden."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

import debate
from debate.agents.prompt_sets import load_prompt_set
from debate.config.loader import load_run
from debate.config.registry import KINDS, Kind, find, list_built_in, list_registered
from debate.errors import ConfigError, InputError
from debate.log.manifest import read_manifest
from debate.runner.plan import make_plan
from debate.runner.verify_run import verify_run
from tests.config.custom import (
    LINES,
    MODULE,
    NAMES,
    write_config,
    write_distribution,
    write_prompt_set,
)
from tests.processes import command, invoke, run_python

ALL = sorted(NAMES)


@pytest.fixture(autouse=True)
def path_as_it_was() -> Iterator[None]:
    """What a test adds to the folders that modules are imported from is taken off again."""
    before = list(sys.path)
    yield
    sys.path[:] = before


def write_module(folder: Path, text: str = MODULE) -> str:
    """Write a module under a name that no other test has."""
    name = f"custom_{abs(hash(str(folder)))}"
    (folder / f"{name}.py").write_text(text)
    return name


def test_every_kind_is_tried_here() -> None:
    assert set(NAMES) == set(LINES) == set(KINDS) == set(get_args(Kind))


@pytest.mark.parametrize("kind", ALL)
def test_code_beside_the_file_is_run_recorded_and_verified(kind: str, tmp_path: Path) -> None:
    name = f"{write_module(tmp_path)}.{NAMES[kind]}"
    run = debate.run(write_config(tmp_path, kind, name), out=tmp_path / "out", quiet=True)
    assert run.manifest.status == "complete"
    (label,) = run.manifest.starts[-1].code
    assert label == f"{kind} {name}"
    assert run.turns().filter(failed=True).height == 0
    asked = verify_run(tmp_path / "out", custom_code=True)
    assert (asked.problems, asked.unchecked) == ((), ())
    unasked = verify_run(tmp_path / "out")
    assert unasked.problems == ()
    needs_code = kind not in ("datasets", "arms")  # what came of these is on record
    assert any(name in told for told in unasked.unchecked) == needs_code


@pytest.mark.parametrize("kind", ALL)
def test_code_that_is_forbidden_is_not_even_imported(kind: str, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    module = write_module(tmp_path, f"open({str(ran)!r}, 'w')\n")
    path = write_config(tmp_path, kind, f"{module}.{NAMES[kind]}")
    with pytest.raises(ConfigError, match="--no-custom-code forbids it") as caught:
        make_plan(load_run(path, custom_code=False))
    assert f".yaml:{LINES[kind]}: " in str(caught.value)
    assert str(tmp_path.resolve()) not in sys.path
    assert not ran.exists()


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize(
    ("what", "told"),
    [
        ("nowhere_at_all.thing", "No module named 'nowhere_at_all'"),
        ("{module}.nothing", 'has no "nothing"'),
        ("{module}.NUMBER", "must be"),
        ("{broken}.thing", "ZeroDivisionError"),
    ],
)
def test_code_that_cannot_be_used_is_told_with_its_line(
    kind: str, what: str, told: str, tmp_path: Path
) -> None:
    module = write_module(tmp_path)
    (tmp_path / f"{module}_broken.py").write_text("1 / 0\n")
    name = what.format(module=module, broken=f"{module}_broken")
    with pytest.raises(ConfigError) as caught:
        make_plan(load_run(write_config(tmp_path, kind, name)))
    assert f".yaml:{LINES[kind]}: {KINDS[kind].noun} " in str(caught.value)  # type: ignore[index]
    assert name in str(caught.value)
    assert told in str(caught.value)


def test_a_function_of_other_arguments_or_not_awaited_is_of_another_kind(tmp_path: Path) -> None:
    module = write_module(tmp_path, "def one(a): ...\nasync def two(a, b): ...\n")
    for kind, name in (("decisions", "one"), ("decisions", "two"), ("probes", "one")):
        with pytest.raises(ConfigError, match=r"must be (a function|`async def`) of"):
            load_run(write_config(tmp_path, kind, f"{module}.{name}"))


def test_options_and_arguments_that_are_not_taken_are_told(tmp_path: Path) -> None:
    module = write_module(tmp_path)
    path = write_config(tmp_path, "engines", f"{module}.Echo", ", options: {txt: hi}")
    with pytest.raises(ConfigError, match=r"run\.yaml:3: .*'txt'.*its options are \(\*, text="):
        load_run(path)
    path = write_config(tmp_path, "generators", f"{module}.wheel", ", spokes: 2")
    with pytest.raises(ConfigError, match=r"run\.yaml:5: .*'spokes'; it is .*wheel\(n"):
        load_run(path)


@pytest.mark.parametrize(
    ("kind", "body", "told"),
    [
        ("decisions", "def bad(spec, ballots): return 1", "it must return a VoteCount"),
        ("decisions", "def bad(spec, ballots): 1 / 0", "raised ZeroDivisionError"),
        ("probes", "async def bad(subject, spec, ask): 1 / 0", "raised ZeroDivisionError"),
        ("datasets", "def bad(row): return row", "it must return an Item"),
        ("datasets", "def bad(row): return row.cells['z']", "there is no column 'z'"),
        ("generators", "def bad(n): return 1", "it makes no graph"),
        ("arms", "def bad(base): return 1", "it must return an Arm"),
        ("filters", "def bad(value): 1 / 0", "raised ZeroDivisionError"),
    ],
)
def test_what_fails_on_a_trial_fails_in_validate(
    kind: str, body: str, told: str, tmp_path: Path
) -> None:
    path = write_config(tmp_path, kind, f"{write_module(tmp_path, body)}.bad")
    with pytest.raises(InputError, match=told):
        _ = make_plan(load_run(path)).max_total_calls


def test_what_a_decision_and_a_probe_require_is_checked(tmp_path: Path) -> None:
    requires = "rule.requires = {'belief'}\nask_nothing.requires = {'scores'}\n"
    module = write_module(tmp_path, MODULE + requires)
    with pytest.raises(ConfigError, match=r"run\.yaml:8: .*reads beliefs"):
        make_plan(load_run(write_config(tmp_path, "decisions", f"{module}.rule")))
    path = write_config(tmp_path, "probes", f"{module}.ask_nothing")
    path.write_text(path.read_text().replace("simulated}", "scripted, replies: hi}"))
    with pytest.raises(ConfigError, match=r"run\.yaml:8: .*cannot score candidate texts"):
        make_plan(load_run(path))


def test_a_filter_cannot_take_the_name_of_another(tmp_path: Path) -> None:
    module = write_module(tmp_path, "def upper(value): ...\n")
    write_prompt_set(tmp_path / "set", f"{module}.upper")
    with pytest.raises(ConfigError, match=r'prompts\.yaml:3: a filter is called "upper" already'):
        load_prompt_set(str(tmp_path / "set"), import_folder=tmp_path)


VERIFY_AND_RUN = """
import sys, debate
from debate.runner.verify_run import verify_run
config, out, again = sys.argv[1:]
found = verify_run(out, custom_code=True)
print(*found.problems, *found.unchecked, sep="\\n")
debate.run(config, out=again, quiet=True)
"""


def test_changed_code_of_an_engine_and_a_probe_is_asked_anew(tmp_path: Path) -> None:
    name = write_module(tmp_path)
    path = write_config(tmp_path, "engines", f"{name}.Echo")
    path.write_text(path.read_text() + f"probes: [{name}.ask_nothing]\n")
    first = debate.run(path, out=tmp_path / "out", quiet=True).turns()
    module = tmp_path / f"{name}.py"
    module.write_text(MODULE.replace("Answer: 4", "Answer: 5"))
    os.utime(module, (0, 0))  # bytecode of the same size and second would be taken for its own
    folders = [path, tmp_path / "out", tmp_path / "again"]
    told = run_python(VERIFY_AND_RUN, *map(str, folders), PYTHONPATH=_path(tmp_path))
    assert f"the code of engines {name}.Echo is not what the run was made by" in told
    second = debate.open_run(tmp_path / "again").turns()
    assert set(first.filter(agent="a", round=0)["answer"]) != set(
        second.filter(agent="a", round=0)["answer"]
    )
    codes = [read_manifest(tmp_path / out).starts[0].code for out in ("out", "again")]
    assert codes[0].keys() == codes[1].keys()
    assert codes[0] != codes[1]


# Installed packages.


def _path(folder: Path) -> str:
    return f"{Path(debate.__file__).parents[1]}:{folder}"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an installed distribution that offers one of each kind."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "offered_code.py").write_text(MODULE)
    points = {kind: f"our_{kind} = offered_code:{name}" for kind, name in NAMES.items()}
    write_distribution(folder, "offering", points)
    return folder


@pytest.mark.parametrize("kind", ALL)
def test_a_name_of_an_installed_package_is_as_good_as_one_of_ours(
    kind: str, site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_config(tmp_path, kind, f"our_{kind}")
    done = invoke("validate", str(path))
    assert done.returncode == 2
    assert f".yaml:{LINES[kind]}: " in done.stderr
    with monkeypatch.context() as installed:
        installed.syspath_prepend(site)
        debate.run(path, out=tmp_path / "out", quiet=True)
        assert f"{kind} our_{kind}" in read_manifest(tmp_path / "out").starts[-1].code
        done = invoke("validate", str(path), "--no-custom-code")
        assert (done.returncode, "--no-custom-code forbids it" in done.stderr) == (2, True)
    debate.open_run(tmp_path / "out").trajectories()  # it can be read without the package


def test_the_list_tells_where_each_name_is_from(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(site)
    done = invoke("list", "--json")
    assert done.returncode == 0, done.stderr
    rows = {(row["kind"], row["name"]): row for row in json.loads(done.stdout)}
    assert {kind for kind, _ in rows} == set(KINDS)
    row = rows["decisions", "our_decisions"]
    assert (row["source"], row["what"]) == ("offering 1.5", "Count votes.")
    assert rows["engines", "vllm"]["what"] == "A vLLM engine in each replica."
    assert rows["generators", "cycle_graph"]["source"].startswith("networkx ")
    done = invoke("list", "probes", "--no-custom-code")
    assert "not imported" in " ".join(done.stdout.split())
    assert invoke("list", "probs").returncode == 2


def test_two_packages_cannot_offer_one_name(site: Path, tmp_path: Path) -> None:
    write_distribution(tmp_path / "other", "rival", {"decisions": "our_decisions = json:dumps"})
    path = write_config(tmp_path, "decisions", "our_decisions")
    done = command("validate", str(path), PYTHONPATH=f"{_path(site)}:{tmp_path / 'other'}")
    assert done.returncode == 2
    assert "offered by offering 1.5 and rival 1.5" in done.stderr


@pytest.mark.parametrize("kind", ALL)
def test_all_that_comes_with_the_package_says_what_it_is(kind: Kind) -> None:
    listed = list_registered(kind)
    assert {row.name for row in listed} >= set(list_built_in(kind))
    assert all(row.what for row in listed)


def test_an_unknown_name_suggests_the_nearest() -> None:
    with pytest.raises(InputError, match='decision "majorty" is unknown; did you mean "majority"'):
        find("decisions", "majorty")


# Other processes.


@pytest.mark.system
def test_actors_and_orchestrators_import_what_lies_beside_the_file(tmp_path: Path) -> None:
    name = write_module(tmp_path)
    path = write_config(tmp_path, "engines", f"{name}.Echo", ", host: actor")
    path.write_text(
        path.read_text()
        + f"protocol: {name}.speak\ndecision: {name}.rule\nprobes: [{name}.ask_nothing]\n"
        + "cluster: {orchestrators: 2}\n"
    )
    words = ("--out", str(tmp_path / "out"), "--quiet", "--no-report")
    done = command("run", str(path), *words)
    assert done.returncode == 0, done.stderr
    run = debate.open_run(tmp_path / "out")
    assert run.turns().filter(failed=True).height == 0
    assert set(run.verdicts()["method"]) == {f"{name}.rule"}
