"""Which estimator of confidence the numbers are of: named everywhere, never two in one column."""

from __future__ import annotations

import io
import json
from pathlib import Path

import polars as pl
import pytest
from rich.console import Console
from typer.testing import CliRunner

from debate.analysis import Analysis, analyze
from debate.analysis.present import present
from debate.cli import app
from debate.errors import InputError
from tests.experiments.frames import claim

from .small import turns

NAMES = "confidence_verbal confidence_p_true"


def told(*, verbal: bool, p_true: bool = True) -> pl.DataFrame:
    """Errors of which verbal confidence rises by .3 and p_true falls by .1.

    verbal, p_true: whether all turns carry it, or none of the first half of the questions.
    """
    rows = []
    for k in range(40):
        for t in range(2):
            stated = 0.5 + 0.3 * t + 0.01 * (k % 5) * t if verbal or k >= 20 else None
            scored = 0.6 - 0.1 * t - 0.01 * (k % 3) * t if p_true or k < 20 else None
            first = stated if stated is not None else scored
            rows.append((f"q{k}", "a", t, "5", first, "", stated, scored))
    return turns(*rows, columns=NAMES)


def analysed(table: pl.DataFrame, **options: object) -> Analysis:
    return analyze(table, resamples=20, **options)  # type: ignore[arg-type]


def value(found: Analysis, name: str) -> float | None:
    estimate = found.find(name, cell="ring", round=1)
    assert estimate is not None
    return estimate.value


def test_the_estimator_that_turns_record_first_is_analysed_and_named() -> None:
    found = analysed(told(verbal=True))
    assert found.confidence == "verbal"
    assert value(found, "eai") == pytest.approx(0.32)
    assert json.loads(found.to_json())["confidence"] == "verbal"
    stream = io.StringIO()
    present(found, Console(file=stream, width=120))
    assert stream.getvalue().startswith("Confidence: verbal")


def test_where_all_turns_carry_but_one_estimator_that_one_is_analysed() -> None:
    assert analysed(told(verbal=False)).confidence == "p_true"


def test_turns_that_carry_different_estimators_are_refused_with_the_choice(tmp_path: Path) -> None:
    mixed = told(verbal=False, p_true=False)
    message = r"verbal \(40 of 80\), p_true \(40 of 80\); choose one with --confidence"
    with pytest.raises(InputError, match=message):
        analysed(mixed)
    path = tmp_path / "mixed.parquet"
    mixed.rename({"question": "question_id", "cell": "arm"}).write_parquet(path)
    refused = CliRunner().invoke(app, ["analyze", str(path)])
    assert isinstance(refused.exception, InputError)
    chosen = CliRunner().invoke(app, ["analyze", str(path), "--confidence", "p_true", "--json"])
    assert json.loads(chosen.output)["confidence"] == "p_true"


@pytest.mark.parametrize("name", ["belief", "answer_token", "belief_answer"])
def test_an_estimator_that_nothing_is_recorded_of_is_refused_with_those_there_are(
    name: str,
) -> None:
    table = told(verbal=True).with_columns(
        confidence_answer_token=pl.lit(None, pl.Float64), belief_answer=pl.lit(None, pl.Float64)
    )
    with pytest.raises(InputError, match=r"is not recorded; .*p_true, verbal") as refused:
        analysed(table, confidence=name)
    assert "belief" not in str(refused.value).partition(";")[2]


def test_a_confidence_of_no_estimator_that_is_named_is_analysed_as_it_is() -> None:
    own = told(verbal=True).with_columns(confidence=pl.lit(0.25))
    found = analysed(own)
    assert value(found, "confidence") == 0.25
    assert found.confidence == "estimator not named"


def test_without_any_confidence_none_is_named() -> None:
    bare = told(verbal=True).drop(*NAMES.split()).with_columns(confidence=pl.lit(None, pl.Float64))
    found = analysed(bare)
    assert found.confidence is None
    assert json.loads(found.to_json())["confidence"] is None


def test_beside_a_hypothesis_stands_what_it_comes_to_under_every_other_estimator() -> None:
    claims = {
        "surer": claim("eai", cell="ring"),
        "right": claim("accuracy_change", cell="ring", direction="equal"),
    }
    surer, right = analysed(told(verbal=True), hypotheses=claims).findings
    assert (surer.verdict, surer.confidence) == ("supported", "verbal")
    (other,) = surer.others
    assert (other.confidence, other.value) == ("p_true", pytest.approx(-0.1 - 0.01 * 39 / 40))
    assert other.low is not None
    assert other.high is not None
    assert other.low < -0.1 < 0 > other.high
    assert not hasattr(other, "verdict")
    assert (right.confidence, right.others) == (None, ())


def test_the_other_estimators_are_printed_with_the_hypothesis() -> None:
    found = analysed(told(verbal=True), hypotheses={"surer": claim("eai", cell="ring")})
    stream = io.StringIO()
    present(found, Console(file=stream, width=200))
    shown = " ".join(stream.getvalue().split())
    assert "p_true" in shown
    assert "verbal" in shown
