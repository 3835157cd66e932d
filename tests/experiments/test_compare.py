"""Runs of different times: paired where they asked the same, said so where they did not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from typer.testing import CliRunner

import debate
from debate.cli import app
from debate.comparison.compare_runs import RunComparison, RunDifference, compare_runs
from debate.comparison.pairing import pair_runs, read_runs
from debate.errors import InputError
from tests.experiments.frames import Row, arm, turn
from tests.support import run, scripted, simulated

CELL = "main"


def _table(folder: Path, name: str, rows: list[Row]) -> Path:
    path = folder / f"{name}.parquet"
    frame = pl.DataFrame(rows).rename({"question": "question_id", "cell": "arm"})
    frame.drop("heard").write_parquet(path)
    return path


def _difference(found: RunComparison, measure: str) -> RunDifference:
    return next(each for each in found.differences if each.measure == measure)


def test_the_same_questions_are_paired(tmp_path: Path) -> None:
    first = _table(tmp_path, "first", list(arm(CELL, 40, lambda q, r: q % 2 == 0)))
    second = _table(tmp_path, "second", list(arm(CELL, 40, lambda q, r: q % 2 == 0 or q == 1)))
    found = compare_runs([first, second])
    assert found.pairings == ("second and first: paired on 40 questions",)
    gap = _difference(found, "accuracy")
    assert gap.value == pytest.approx(1 / 40)
    assert gap.high is not None
    assert gap.low is not None
    # Tango, one gain of 40 pairs; apart, the two accuracies would differ by .025 ± .22.
    assert (gap.low, gap.high) == pytest.approx((-0.0648, 0.1288), abs=1e-4)


def test_a_run_against_its_copy_differs_in_nothing(tmp_path: Path) -> None:
    rows = list(arm(CELL, 30, lambda q, r: q % 3 == 0))
    paths = [_table(tmp_path, name, rows) for name in ("one", "two")]
    known = [each for each in compare_runs(paths).differences if each.value is not None]
    assert len(known) >= 5
    assert {each.value for each in known} == {0.0}


def test_only_what_coincides_is_paired_and_the_rest_is_told(tmp_path: Path) -> None:
    first = _table(tmp_path, "first", list(arm(CELL, 40, lambda q, r: q < 20)))
    second = _table(tmp_path, "second", list(arm(CELL, 20, lambda q, r: False)))
    found = compare_runs([first, second])
    assert "paired on 20 questions (of 40 and 20)" in found.pairings[0]
    assert _difference(found, "accuracy").value == -1.0


def test_questions_that_do_not_coincide_are_compared_unpaired(tmp_path: Path) -> None:
    rows = list(arm(CELL, 40, lambda q, r: q % 2 == 0))
    shifted = [{**row, "question": f"other-{row['question']}"} for row in rows]
    found = compare_runs([_table(tmp_path, "a", rows), _table(tmp_path, "b", shifted)])
    assert "unpaired" in found.pairings[0]
    gap = _difference(found, "accuracy")
    assert gap.value == 0.0
    assert gap.high is not None
    assert gap.high > 0.15


def test_other_seeds_of_the_same_questions_are_paired_by_question(tmp_path: Path) -> None:
    rows = list(arm(CELL, 20, lambda q, r: q % 2 == 0))
    later = [{**row, "seed": 7} for row in rows]
    found = compare_runs([_table(tmp_path, "a", rows), _table(tmp_path, "b", later)])
    assert found.pairings == ("b and a: paired on 20 questions; their seeds differ",)
    gap = _difference(found, "accuracy")
    # Tango without one change: ± z²/(n + z²).
    assert (gap.low, gap.high) == pytest.approx((-3.8415 / 23.8415, 3.8415 / 23.8415), abs=1e-4)


def test_equal_questions_under_other_names_are_the_same_and_equal_names_are_not(
    tmp_path: Path,
) -> None:
    folders = []
    for name, ids, asked in (("a", ("x", "y"), ("1+1", "2+2")), ("b", ("y", "z"), ("1+1", "3+3"))):
        folder = tmp_path / name
        folder.mkdir()
        lines = [{"id": i, "question": q, "answer": "2"} for i, q in zip(ids, asked, strict=True)]
        (folder / "q.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        task = {"path": str(folder / "q.jsonl"), "kind": "number"}
        run(folder, [simulated("s")], topology="isolated", rounds=0, task=task)
        folders.append(folder / "run")
    paired = pair_runs(*read_runs(folders))
    assert (paired.questions, paired.of_first, paired.of_second) == (1, 2, 2)


def test_teams_are_compared_without_confederates_as_each_is_analysed(tmp_path: Path) -> None:
    names = ("early", "late", "latest")
    agents = [simulated("a"), simulated("b"), scripted("c", "Answer: 4", confederate=True)]
    for name, knows in zip(names, (0.3, 0.5, 0.7), strict=True):
        agents[0]["model"]["competence"] = knows
        run(tmp_path, agents, protocol="critique", rounds=1, num_questions=6, name=name)
    teams = compare_runs([tmp_path / name for name in names]).tables["teams"]
    told = ("mean_member", "oracle", "error_correlation", "vote_T", "tokens_per_debate")
    for name in names:
        done = debate.open_run(tmp_path / name)
        alone = done.analyze().tables["teams"]
        for measure in told:
            mine = teams.filter(cell=f"{name}/main", measure=measure)["value"].item()
            assert mine == alone.filter(measure=measure)["value"].item(), measure
        spoken = done.turns().filter(pl.col("kind") != "probe")
        assert mine * 6 == spoken["generated_tokens"].sum()
        assert spoken.filter(kind="critique")["generated_tokens"].sum()


def _two_runs(folder: Path) -> list[Path]:
    for name, trust in (("early", 1.0), ("late", 4.0)):
        agents: list[dict[str, Any]] = [simulated("a", self_trust=trust), simulated("b")]
        cells = {
            "self": {"agents": ["a"], "topology": "self_loop"},
            "repeat": {"agents": ["a"], "topology": "isolated", "protocol": "repeat"},
        }
        run(folder, agents, cells=cells, rounds=1, num_questions=12, name=name)
    return [folder / "early", folder / "late"]


def test_runs_tell_what_their_configurations_differ_in(tmp_path: Path) -> None:
    found = compare_runs(_two_runs(tmp_path))
    assert found.configs == {"late": ("models.a.self_trust: 1.0 → 4.0",)}
    assert {each.cell for each in found.differences} == {"self", "repeat"}
    assert {e.measure for e in found.differences if e.cell == "self"} >= {"eai", "brier"}
    (unprobed,) = (d for d in found.differences if (d.cell, d.measure) == ("self", "entrenchment"))
    assert "the probe `belief`" in unprobed.missing
    assert any("simulated" in sentence for sentence in found.caveats)
    result = CliRunner().invoke(app, ["compare", *map(str, _two_runs(tmp_path)), "--json"])
    assert result.exit_code == 0
    assert json.loads(result.stdout)["runs"] == ["early", "late"]
    shown = CliRunner().invoke(app, ["compare", *map(str, _two_runs(tmp_path))])
    assert "models.a.self_trust: 1.0 → 4.0" in shown.stdout


def test_all_differences_are_one_family(tmp_path: Path) -> None:
    first = _table(tmp_path, "first", list(arm(CELL, 40, lambda q, r: q % 2 == 0)))
    second = _table(tmp_path, "second", list(arm(CELL, 40, lambda q, r: q % 3 == 0)))
    tested = [d for d in compare_runs([first, second]).differences if d.p_value is not None]
    lowest = min(tested, key=lambda d: d.p_value or 0.0)
    assert lowest.p_holm == pytest.approx(min(1.0, (lowest.p_value or 0.0) * len(tested)))


def test_runs_without_a_common_arm_say_so(tmp_path: Path) -> None:
    rows = [row for cell in "xy" for row in arm(cell, 4, lambda q, r: True)]
    other = [row for cell in "zw" for row in arm(cell, 4, lambda q, r: True)]
    with pytest.raises(InputError, match="no arm in common"):
        compare_runs([_table(tmp_path, "a", rows), _table(tmp_path, "b", other)])


def test_arms_of_any_name_are_compared_where_each_run_has_one(tmp_path: Path) -> None:
    paths = [_table(tmp_path, c, list(arm(c, 8, lambda q, r: True))) for c in "xy"]
    assert _difference(compare_runs(paths), "accuracy").value == 0.0


@pytest.mark.parametrize("num", [0, 1])
def test_one_run_is_no_comparison(tmp_path: Path, num: int) -> None:
    with pytest.raises(InputError, match="two runs or more"):
        compare_runs([_table(tmp_path, "a", [turn(CELL, 0, "a", 0, right=True)])][:num])


def test_the_same_run_twice_is_refused(tmp_path: Path) -> None:
    path = _table(tmp_path, "a", [turn(CELL, 0, "a", 0, right=True)])
    with pytest.raises(InputError, match="twice"):
        compare_runs([path, path])


def test_a_run_that_is_not_there_is_refused(tmp_path: Path) -> None:
    path = _table(tmp_path, "a", [turn(CELL, 0, "a", 0, right=True)])
    with pytest.raises(InputError, match="no such"):
        compare_runs([path, tmp_path / "nowhere"])


def test_runs_in_folders_of_one_name_are_told_apart(tmp_path: Path) -> None:
    rows = list(arm(CELL, 4, lambda q, r: True))
    paths = []
    for name in "ab":
        (tmp_path / name).mkdir()
        paths.append(_table(tmp_path / name, "run", rows))
    assert compare_runs(paths).labels == ("a_run", "b_run")


def _run_of_a_team(folder: Path, name: str, shared: float) -> Path:
    seats = [simulated(seat, shared=shared, concentration=0.2) for seat in "ab"]
    run(folder, seats, topology="pairwise", rounds=1, num_questions=40, name=name)
    return folder / name


def test_teams_of_different_runs_make_one_line_of_dose_and_response(tmp_path: Path) -> None:
    shares = {"apart": 0.0, "partly": 0.5, "alike": 1.0}
    found = compare_runs([_run_of_a_team(tmp_path, *each) for each in shares.items()])
    assert set(found.tables["dose"]["cell"]) == {f"{name}/main" for name in shares}
    slope = next(e for e in found.estimates if e.name == "dose_response.vote_gain.slope")
    assert (slope.n, slope.num_questions) == (3, 40)
    assert slope.value is not None
    assert len(found.pairings) == 2
