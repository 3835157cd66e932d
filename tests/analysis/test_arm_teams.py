"""In an arm about an author, members' numbers are the author's, and all others the whole team's."""

from __future__ import annotations

from dataclasses import replace

import polars as pl
import pytest

from debate.analysis import Analysis, analyze
from debate.analysis.main_questions import answer_main_questions
from debate.analysis.present import list_lacking
from debate.analysis.schema import Estimate
from debate.analysis.tables.results import tabulate_headline
from debate.analysis.tables.team_tables import tabulate_teams
from debate.analysis.tokens import add_dollars, build_ledger, fill_script_tokens
from tests.experiments.frames import Row, turn

NUM = 8
AUTHORS = {"peer": "a", "sibling": "a", "scripted": "a", "noise": "a", "repeat": "a"}


def pair(cell: str, other: str, model: str, opens: set[int], tokens: int = 6) -> list[Row]:
    """Author a and another hear each other once; a is right on 0–3, the other on `opens`."""
    return [
        turn(
            cell,
            question,
            agent,
            round,
            right=question in right,
            model=kind,
            heard=f"0:opening:{heard}" * (round if cell != "noise" else 0),
            tokens=used,
            wrong="7" if agent == "a" else "8",
        )
        for question in range(NUM)
        for agent, kind, right, heard, used in (
            ("a", "x", {0, 1, 2, 3}, other, 4),
            (other, model, opens, "a", tokens),
        )
        for round in (0, 1)
    ]


def alone() -> list[Row]:
    """The author's own prompt four times, four tokens each."""
    return [
        turn("repeat", question, "a", round, right=question < 4, model="x")
        for question in range(NUM)
        for round in range(4)
    ]


@pytest.fixture(scope="module")
def arms() -> Analysis:
    """Truth by hand: a 4/8; a or peer 6/8; a or sibling 5/8; the script is right on all."""
    rows = [
        *pair("peer", "p", "y", {2, 3, 4, 5}),
        *pair("sibling", "a.2", "x", {1, 2, 3, 4}, tokens=4),
        *pair("scripted", "s", "script", set(range(NUM)), tokens=0),
        *pair("noise", "p", "y", {2, 3, 4, 5}),
        *alone(),
    ]
    return analyze(pl.DataFrame(rows), authors=AUTHORS, silent={"s"}, resamples=20)


def value(arms: Analysis, name: str, cell: str, round: int | None = 0) -> float | None:
    found = arms.find(name, cell=cell, round=round)
    assert found is not None
    return found.value


@pytest.mark.parametrize(
    ("cell", "kind", "any_right", "mean", "best"),
    [
        ("peer", "mixed", 6 / 8, 0.5, 0.5),
        ("sibling", "homogeneous", 5 / 8, 0.5, 0.5),
        ("scripted", "homogeneous", 4 / 8, 0.5, 0.5),
        ("noise", "mixed", 6 / 8, 0.5, 0.5),
    ],
)
def test_any_member_right_is_of_all_who_vote_and_of_no_script(
    arms: Analysis, cell: str, kind: str, any_right: float, mean: float, best: float
) -> None:
    row = arms.tables["team"].row(by_predicate=pl.col("cell") == cell, named=True)
    told = [row[name] for name in ("team", "oracle", "mean_member", "best_member")]
    assert told == [kind, any_right, mean, best]
    assert value(arms, "accuracy", cell) == 0.5
    for round in (0, 1):
        votes = [e for e in arms.select("vote_accuracy", cell=cell) if e.round == round]
        assert all(vote.value is not None and vote.value <= any_right for vote in votes)


def test_tokens_of_a_debate_are_those_of_all_seats(arms: Analysis) -> None:
    costs = dict(arms.tables["costs"].select("cell", "generated_tokens_per_debate").iter_rows())
    assert (costs["peer"], costs["sibling"], costs["scripted"]) == (20, 16, 8)
    teams = arms.tables["teams"].filter(pl.col("measure") == "tokens_per_debate")
    assert dict(teams.select("cell", "value").iter_rows()) == {
        "peer": 20,
        "sibling": 16,
        "scripted": 8,
    }
    assert arms.tables["ledger"].filter(pl.col("cell") == "peer")["turns"].sum() == 4 * NUM


def test_only_the_same_agents_asked_anew_are_named_as_a_control() -> None:
    rows = [
        turn(cell, question, agent, round, right=True, model=agent, heard=heard)
        for cell, agents, hearing in (
            ("ring", "ab", True),
            ("pool", "ab", False),
            ("c", "c", False),
        )
        for question in range(3)
        for agent in agents
        for round in range(2)
        for heard in ["0:opening:a" if hearing and round else ""]
    ]

    def tell(rows: list[Row]) -> str:
        caveats = analyze(pl.DataFrame(rows), resamples=20).caveats
        return next(each for each in caveats if 'no arm "repeat"' in each)

    assert "for ring: " in tell(rows)
    assert tell(rows).endswith("`--control pool` takes it off: the same agents, asked anew.")
    assert "--control" not in tell([row for row in rows if row["cell"] != "pool"])


def test_samples_are_matched_to_the_whole_teams_tokens_and_seats(arms: Analysis) -> None:
    pools = arms.tables["teams"].filter(pl.col("measure") == "self_consistency")
    found = {row["cell"]: row for row in pools.iter_rows(named=True)}
    assert (found["sibling"]["matched_arm"], found["sibling"]["matched_samples"]) == ("repeat", 4)
    assert found["sibling"]["matched_tokens"] == pytest.approx(1.0)
    assert found["scripted"]["matched_samples"] == 2
    assert found["peer"]["matched_arm"] is None
    assert "same seats" in found["peer"]["missing"]


def test_samples_that_are_too_few_are_said_to_be_so() -> None:
    short = [row for row in alone() if row["round"] < 2]
    rows = [*pair("sibling", "a.2", "x", {1, 2, 4, 5}, tokens=4), *short]
    found = analyze(pl.DataFrame(rows), authors=AUTHORS, resamples=20)
    told = next(each.sentence for each in answer_main_questions(found) if "price" in each.question)
    assert "Not as many were to be had: in sibling 50% of the debate's." in told


def test_no_team_of_one_voter_and_no_mixed_team_is_the_reference(arms: Analysis) -> None:
    against = arms.tables["teams"]["against"].drop_nulls().unique().to_list()
    assert against == ["sibling"]
    models = [getattr(cell, "text", cell) for cell in tabulate_teams(arms).rows[0]]
    assert models[1:] == ["mixed", "homogeneous", "homogeneous"]


def test_the_headline_says_whose_accuracies_it_shows(arms: Analysis) -> None:
    note = tabulate_headline(arms).note
    assert "of the author alone" in note
    assert "of all members." not in note
    assert "of all members." in tabulate_headline(replace(arms, authors={})).note


def test_scripts_and_probes_are_no_calls_on_either_side_of_a_price(arms: Analysis) -> None:
    rows = [
        {"agent": agent, "model": agent, "kind": kind, "round": round, "tokens": tokens}
        for agent, tokens in (("a", 5), ("s", None))
        for kind, round in (("opening", 0), ("revision", 1), ("revision", 2))
    ]
    rows += [{"agent": "a", "model": "a", "kind": "probe", "round": r, "tokens": 9} for r in (0, 1)]
    turns = pl.DataFrame(rows, schema_overrides={"tokens": pl.Int64}).select(
        *("agent", "model", "kind", "round"),
        cell=pl.lit("scripted"),
        prompt_tokens="tokens",
        cached_tokens="tokens",
        generated_tokens="tokens",
    )
    ledger = fill_script_tokens(build_ledger(turns), {"s"})
    prices = {"a": {"price": {"prompt": 1.0, "generated": 1.0}}}
    ledger = add_dollars(ledger, prices)
    costs = arms.tables["costs"].with_columns(debates=pl.lit(1))
    priced = replace(
        arms,
        cells=("scripted",),
        tables={**arms.tables, "ledger": ledger, "costs": costs},
    )
    told = next(e.sentence for e in answer_main_questions(priced) if "price" in e.question)
    assert "scripted takes 3 calls and 30 tokens (prompt and generated) a debate" in told
    assert "its openings alone 1 and 10 (3.0 times the tokens)" in told
    assert "Probes are not counted." in told


def test_the_best_vote_of_the_openings_is_named_with_its_value(arms: Analysis) -> None:
    told = answer_main_questions(arms)[0].sentence
    assert "The best vote of the openings was 0.500 in peer (" in told
    assert "scripted +0.000" in told


def test_what_is_lacking_in_one_round_is_said_of_that_round_alone(arms: Analysis) -> None:
    def lack(name: str, round: int, subject: str | None, value: float | None) -> Estimate:
        missing = None if value is not None else "more errors"
        return Estimate(
            name=name, cell="peer", round=round, subject=subject, value=value, missing=missing
        )

    accuracy = Estimate(name="accuracy", cell="peer", round=1, value=0.5)
    found = replace(
        arms,
        estimates=(
            accuracy,
            lack("same_wrong", 0, "a & p", 0.5),
            lack("same_wrong", 1, "a & p", None),
            lack("vote_auroc", 0, "majority", None),
            lack("vote_auroc", 0, "weighted", 0.7),
            lack("phi", 0, "a & p", None),
        ),
    )
    (told,) = list_lacking(found)
    assert "same wrong answer (a & p, round 1)" in told
    assert "vote: AUROC (majority, round 0)" in told
    assert "φ would need more errors" in told
