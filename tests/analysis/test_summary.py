"""The whole analysis: from a table to estimates, tables, JSON and the terminal."""

import io
import json
from functools import cache

import numpy as np
import polars as pl
import pytest
from rich.console import Console

from debate.analysis import Analysis, Estimate, analyze
from debate.analysis.present import TABLES, present
from debate.analysis.tables.results import tabulate_accuracy as by_round
from debate.errors import InputError

from . import simulate


def small(**columns: pl.Expr) -> pl.DataFrame:
    rng = np.random.default_rng(0)
    debate = simulate.opinions(rng, questions=40, rounds=2)
    single = debate.filter((pl.col("round") == 0) & (pl.col("agent") == "a"))
    silent = pl.lit(None, pl.List(pl.String))
    repeat = simulate.opinions(rng, questions=40, rounds=2).with_columns(heard=silent)
    # Who rereads the own answer keeps it, a little surer or less sure than in the debate.
    restate = debate.with_columns(
        heard=silent,
        answer=pl.col("answer").first().over("question", "agent"),
        confidence=0.05 + 0.9 * pl.col("confidence"),
        belief_own=0.05 + 0.9 * pl.col("belief_own"),
    )
    arms = {"debate": debate, "single": single, "repeat": repeat, "restate": restate}
    table = pl.concat([frame.with_columns(cell=pl.lit(cell)) for cell, frame in arms.items()])
    return table.with_columns(**columns)


def quick(table: pl.DataFrame) -> Analysis:
    return analyze(table, resamples=200)


@cache
def whole() -> Analysis:
    """The analysis of the table as it is; no test changes it."""
    return quick(small())


def terminal(analysis: Analysis) -> str:
    stream = io.StringIO()
    present(analysis, Console(file=stream, width=300))
    return stream.getvalue()


WITHOUT_INTERVAL = "ece_if_calibrated"
"""It is an expectation, given the confidences: it does not vary."""


def has_interval(e: Estimate) -> bool:
    """Whether an interval, or one around bounds, is there; a value alone where none can be."""
    if e.name == WITHOUT_INTERVAL:
        return e.value is not None
    return None not in (e.low, e.high) or None not in (e.bound_low, e.bound_high)


def test_every_quantity_is_there_with_an_interval() -> None:
    found = whole()
    for name in (
        "accuracy",
        "accuracy_completed",
        "accuracy_answered",
        "confidence",
        "over_confidence",
        "brier",
        "reliability",
        "resolution",
        "uncertainty",
        "nll",
        "ece",
        "ace",
        "debiased_ece",
        "smooth_ece",
        "ks",
        "auroc",
        "aurc",
        "entrenchment",
        "eai",
        "eai_over_control",
        "confidence_when_wrong",
        "harmful_revision",
        "beneficial_revision",
        "ece_change",
        "brier_change",
        "aurc_change",
        "vote_accuracy",
        "vote_brier",
        "oracle",
        "drift",
        "conformity",
        "obstinacy",
        "phi",
        "error_correction_rate",
        "error_introduction_rate",
        "fixed_point",
        "next_round_gain",
        "effective_votes",
        "kappa_p",
        "entrenchment_over_control",
        "kept_in_both",
        "entrenchment_stated",
        "survivor_change",
        "vote_gain",
        "gain_over_best_rule",
        "ece_if_calibrated",
    ):
        estimates = found.select(name, cell="debate")
        assert estimates, name
        assert any(has_interval(e) for e in estimates), name


def test_an_estimate_is_made_once_for_each_place() -> None:
    places = [(e.name, e.cell, e.round, e.subject) for e in whole().estimates]
    assert len(places) == len(set(places))


def test_every_estimate_that_is_named_is_printed() -> None:
    text = terminal(whole())
    for words in (
        "Entrenchment over controls",
        "restate",
        "error amplification",
        "Brier",
        "resolution",
        "NLL",
        "ECE",
        "ACE",
        "debiased ECE",
        "smECE",
        "KS",
        "AUROC",
        "AURC",
        "over-confidence",
        "drift of belief",
        "martingale test",
        "errors corrected (ECR)",
        "errors introduced (EIR)",
        "another round?",
        "conformity",
        "obstinacy",
        "identity bias",
        "harmful revision",
        "beneficial revision",
        "Hazard of a flip",
        "What flips go back to",
        "vote after round 2 −",
        "p (Holm)",
        "p (McNemar)",
        "detectable",
        "tied",
        "Confidence: ",
        "Turns and tokens",
        "change of ECE",
        "By edge",
        "By question",
    ):
        assert words in text, words


@pytest.mark.parametrize("width", [60, 80, 120, 300])
def test_no_number_is_cut_on_a_narrow_terminal(width: int) -> None:
    stream, found = io.StringIO(), whole()
    present(found, Console(file=stream, width=width))
    lines = stream.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    assert not [line for line in lines if "…" in line]
    shown = set(stream.getvalue().split())
    made = [table for make in TABLES if (table := make(found)).rows]
    numbers = {
        word
        for table in made
        for row in table.rows
        for entry in row[table.num_names :]
        for word in f"{entry.text} {entry.under}".split()
    }
    assert len(numbers) > 500
    assert numbers <= shown


def test_an_estimate_is_found_by_its_place() -> None:
    found = whole()
    accuracy = found.find("accuracy", cell="debate", round=2)
    assert isinstance(accuracy, Estimate)
    assert accuracy.n == 120
    with pytest.raises(InputError, match="round 9"):
        found.find("accuracy", cell="debate", round=9)


def test_json_holds_no_nan_and_can_be_read_again() -> None:
    content = json.loads(whole().to_json())
    assert content["format"] == 1
    assert content["cells"] == ["debate", "repeat", "restate", "single"]
    assert {e["name"] for e in content["estimates"]} >= {"eai", "drift"}


def test_large_tables_are_named_and_left_out_of_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("debate.analysis.summary.MOST_JSON_ROWS", 5)
    content = json.loads(whole().to_json())
    assert content["left_out"]["flip_sources"] > 5
    assert "flip_sources" not in content["tables"]


def test_the_headline_gives_both_accuracies_by_arm_and_round() -> None:
    table = by_round(whole())
    assert table.columns[:6] == (
        "arm",
        "round",
        "accuracy, all",
        "accuracy, completed",
        "accuracy, answered",
        "confidence",
    )
    assert len(table.rows) == 3 + 3 + 3 + 1


def test_a_failure_counts_against_all_but_not_against_completed() -> None:
    failed = (pl.col("agent") == "b") & (pl.col("cell") == "debate")
    outcome = (
        pl.when(failed)
        .then(pl.lit("failed"))
        .when(pl.col("answer") == "0")
        .then(pl.lit("correct"))
        .otherwise(pl.lit("wrong"))
    )
    found = quick(small(outcome=outcome))
    over_all = found.find("accuracy", cell="debate", round=0)
    completed = found.find("accuracy_completed", cell="debate", round=0)
    assert over_all is not None
    assert completed is not None
    assert completed.value is not None
    assert over_all.value == pytest.approx(completed.value * 2 / 3)


def test_who_never_spoke_in_a_debate_is_no_agent_of_it() -> None:
    table = small()
    gap = (pl.col("cell") == "debate") & (pl.col("agent") == "c") & (pl.col("question") == "q1")
    lacking = table.filter(~gap)
    found = quick(lacking)
    accuracy = found.find("accuracy", cell="debate", round=0)
    assert accuracy is not None
    assert accuracy.n == 119
    there = lacking.filter((pl.col("cell") == "debate") & (pl.col("round") == 0))
    right = (there["answer"] == "0").to_numpy()
    assert accuracy.value == pytest.approx(right.mean())


def test_missing_controls_are_told_and_no_column_is_over_a_control_that_is_not_there() -> None:
    found = quick(small().filter(pl.col("cell") == "debate"))
    over = found.find("eai_over_control", cell="debate", round=1)
    assert over is not None
    assert over.value is None
    assert over.missing is not None
    assert "error amplification over control" not in terminal(found)
    assert found.select("entrenchment_over_control") == ()
    text = terminal(found)
    assert 'There is no arm "repeat", nor another named as control, for debate' in text
    assert 'There is no arm "single"' in text
    assert "eai_over_control" not in text


def test_nobody_abstained_and_everybody_abstained_are_both_fine() -> None:
    nobody = whole().find("abstention_rate", cell="debate", round=0)
    everybody = quick(small(answer=pl.lit(None, pl.String)))
    assert nobody is not None
    assert nobody.value == 0.0
    rate = everybody.find("abstention_rate", cell="debate", round=0)
    accuracy = everybody.find("accuracy", cell="debate", round=0)
    assert rate is not None
    assert accuracy is not None
    assert (rate.value, accuracy.value) == (1.0, 0.0)


def test_one_question_has_values_and_no_intervals() -> None:
    found = quick(small().filter(pl.col("question") == "q1"))
    assert all(e.low is None for e in found.estimates)
    accuracy = found.find("accuracy", cell="debate", round=0)
    assert accuracy is not None
    assert accuracy.caveats == ("no interval: fewer than two questions",)


def test_without_confidence_and_beliefs_the_rest_is_still_analysed() -> None:
    none = pl.lit(None, pl.Float64)
    found = quick(small(confidence=none, belief_target=none))
    brier = found.find("brier", cell="debate", round=0)
    assert brier is not None
    assert (brier.value, brier.missing) == (None, "an answer with a confidence")
    assert found.find("error_correction_rate", cell="debate") is not None
    assert "carry no confidence" in terminal(found)


def test_a_foreign_table_needs_no_run_directory() -> None:
    table = small().select(
        "seed",
        "round",
        "agent",
        "answer",
        "target",
        "confidence",
        question_id="question",
        arm="cell",
        model="agent",
        text=pl.lit("so it is 4"),
    )
    found = quick(table)
    assert any("No turn says what it heard" in c for c in found.caveats)
    assert found.find("eai", cell="debate", round=2) is not None


def test_judges_are_heard_and_are_no_members() -> None:
    table = small(
        kind=pl.when(pl.col("round") == 0).then(pl.lit("opening")).otherwise(pl.lit("revision"))
    )
    debate = table.filter(pl.col("cell") == "debate")
    judge = debate.filter((pl.col("agent") == "a") & (pl.col("round") > 0)).with_columns(
        agent=pl.lit("judge"), kind=pl.lit("judgment"), answer=pl.lit("3")
    )
    hears = pl.when(pl.col("round") == 2).then(pl.lit(["1:judgment:judge"])).otherwise(pl.lit([]))
    found = quick(pl.concat([debate.with_columns(heard=hears), judge]))
    accuracy = found.find("accuracy", cell="debate", round=2)
    assert accuracy is not None
    assert accuracy.n == 120
    assert set(found.tables["edges"]["critic"]) == {"judge"}
    assert set(found.tables["edges"]["author"]) == {"a", "b", "c"}


def test_simulated_agents_and_questions_without_target_are_told() -> None:
    outcome = (
        pl.when(pl.col("question") == "q1")
        .then(None)
        .when(pl.col("answer") == "0")
        .then(pl.lit("correct"))
        .otherwise(pl.lit("wrong"))
    )
    found = quick(small(outcome=outcome, simulated=pl.lit(True)))
    assert any("Simulated" in c for c in found.caveats)
    assert any("28 turns on questions without a target" in c for c in found.caveats)


def test_an_empty_table_of_verdicts_is_none() -> None:
    verdicts = pl.DataFrame(
        schema={
            "cell": pl.String,
            "question": pl.String,
            "seed": pl.Int64,
            "round": pl.Int64,
            "method": pl.String,
            "answer": pl.String,
            "outcome": pl.String,
        }
    )
    found = analyze(small(), verdicts, resamples=50)
    assert found.find("vote_accuracy", cell="debate", round=0, subject="majority") is not None


def test_one_round_only_is_a_table_of_accuracies() -> None:
    found = quick(small().filter(pl.col("round") == 0))
    assert found.select("eai") == ()
    assert found.find("accuracy", cell="debate", round=0) is not None


def test_agents_and_seeds_of_a_question_are_one_cluster() -> None:
    once = small()
    seeds = pl.concat([once.with_columns(seed=pl.lit(k)) for k in range(3)])
    narrow, wide = quick(seeds), quick(once)
    one = narrow.find("accuracy", cell="debate", round=0)
    other = wide.find("accuracy", cell="debate", round=0)
    assert one is not None
    assert other is not None
    # Pooled over arms, one row a question weighs a hair less than three: the fourth digit is safe.
    assert (one.low, one.high) == pytest.approx((other.low, other.high), abs=1e-4)
    assert any("McNemar" in c for c in narrow.caveats)


def test_the_same_table_gives_the_same_numbers() -> None:
    assert whole().to_json() == quick(small().sample(fraction=1, shuffle=True, seed=1)).to_json()


def test_text_from_outside_brings_no_markup_and_no_control_characters() -> None:
    evil = small(
        answer=pl.lit("[bold red]\x1b[31mboo"), target=pl.lit("4"), outcome=pl.lit("wrong")
    )
    text = terminal(quick(evil))
    assert "\x1b" not in text
    assert "[bold red]" in text
