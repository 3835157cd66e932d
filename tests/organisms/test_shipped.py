"""The organisms that ship: complete cards, small weights, and the accuracy that they claim."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from debate.organisms.cards import OrganismCard, read_cards
from debate.organisms.evaluate import collect_openings, find_partners, measure_arms, measure_critics
from debate.organisms.measure import answer_alone
from debate.organisms.model import load_model
from debate.organisms.specs import READERS, SPECS
from debate.tasks.arithmetic import FAMILIES, draw_questions

AGENTS = Path(__file__).parents[2] / "agents"
DECLARED = {**SPECS, **READERS}
NAMES = {*DECLARED, *(snapshot.name for spec in SPECS.values() for snapshot in spec.snapshots)}
CARDS = {card.name: card for card in read_cards(AGENTS)}


def test_the_whole_set_ships() -> None:
    assert set(CARDS) == NAMES


def test_all_weights_together_stay_under_16_megabytes() -> None:
    sizes = [path.stat().st_size for path in (AGENTS / "organisms").rglob("*") if path.is_file()]
    assert 0 < sum(sizes) < 16_000_000


@pytest.mark.parametrize("name", sorted(NAMES))
def test_a_card_states_where_an_organism_comes_from_and_what_it_can_do(name: str) -> None:
    facts = CARDS[name].facts
    wanted = {"data", "seed", "steps", "parameters", "accuracy", "calibration", "verdict"}
    assert wanted | {"commit", "measured_on"} <= set(facts)
    assert set(facts["accuracy"]) == {"overall", *FAMILIES}
    assert all(e["low"] <= e["value"] <= e["high"] for e in facts["accuracy"].values())


@pytest.mark.parametrize("name", sorted(NAMES))
def test_a_card_seats_its_folder_with_the_prompts_that_it_learned(name: str) -> None:
    content = yaml.safe_load((AGENTS / f"{name}.yaml").read_text())
    spec = DECLARED.get(name)
    assert content["prompts"] == ("compact" if spec is None else spec.prompts)
    assert content["model"] == {
        "engine": "transformers",
        "path": f"organisms/{name}",
        "dtype": "float32",
    }


@pytest.mark.parametrize("name", sorted(DECLARED))
def test_a_card_agrees_with_the_declaration(name: str) -> None:
    spec, facts = DECLARED[name], CARDS[name].facts
    assert CARDS[name].families == dict(spec.weights)
    assert (facts["seed"], facts["steps"]) == (spec.seed, spec.schedule.steps)


@pytest.mark.parametrize("name", sorted(NAMES))
def test_an_organism_is_as_good_as_its_card_says(name: str) -> None:
    card = CARDS[name]
    model = load_model(card.folder)
    assert sum(p.numel() for p in model.parameters()) == card.facts["parameters"]
    for family in FAMILIES:
        asked = draw_questions([family], 150, seed=17)
        hits = [
            r.answer == q.answer for r, q in zip(answer_alone(model, asked), asked, strict=True)
        ]
        claimed = card.facts["accuracy"][family]["value"]
        assert abs(sum(hits) / len(hits) - claimed) < 0.15, family


def family_accuracy(card: OrganismCard, family: str) -> float:
    return card.facts["accuracy"][family]["value"]


@pytest.mark.parametrize(
    ("name", "family"),
    [("adder", "add"), ("twin", "add"), ("multiplier", "mul"), ("modder", "mod")],
)
def test_a_specialist_is_clearly_better_at_home(name: str, family: str) -> None:
    card = CARDS[name]
    others = [family_accuracy(card, other) for other in FAMILIES if other != family]
    assert family_accuracy(card, family) > max(others) + 0.15


def test_the_evaluation_knows_twins_pasts_and_strangers() -> None:
    cards = [CARDS[name] for name in ("adder", "twin", "generalist", "generalist-early")]
    models = {card.name: load_model(card.folder) for card in cards}
    openings = collect_openings(cards, models, draw_questions(list(FAMILIES), 16, seed=2))
    assert find_partners(openings, "adder", "twin") == ["twin"]
    assert find_partners(openings, "generalist", "past") == ["generalist-early"]
    assert find_partners(openings, "adder", "different") == ["generalist", "generalist-early"]
    arms = [row.arm for row in measure_arms(openings) if row.organism == "adder"]
    assert arms[:4] == ["opening", "self, round 1", "self, round 2", "self, round 3"]
    assert arms[4:] == ["with twin", "with different"]
    assert [critic.organism for critic in measure_critics(openings)] == [
        card.name for card in cards
    ]
