"""What a researcher comes to ask, each as the fields of a configuration: `debate new --list`.

Where a shipped configuration asks the same, its cells and hypotheses are taken from there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from debate.config.references import list_shipped
from debate.errors import InputError, suggest
from debate.runner.seats import Seat, widen

Fields = dict[str, Any]
NUM_SAMPLES = 3
"""Seats of a team that is made of fewer models."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StartingPoint:
    """One question, and how a configuration asks it.

    design: makes the fields for models of one's own; absent where only the shipped one asks it.
    shipped: the name of the configuration that asks it of data and models that it names itself.
    """

    asks: str
    design: Callable[[Sequence[Seat]], Fields] | None = None
    shipped: str | None = None
    least_models: int = 1


def read_shipped(name: str) -> Mapping[str, Any]:
    """Read a shipped configuration as it is written."""
    found: Mapping[str, Any] = yaml.safe_load(list_shipped("configs")[name].read_text("utf-8"))
    return found


def borrow_hypotheses(shipped: str, cells: Mapping[str, str], *names: str) -> Fields:
    """Return hypotheses of a shipped configuration, about cells that are called otherwise here."""
    written = read_shipped(shipped)["hypotheses"]
    return {
        name: {k: cells.get(v, v) if k in ("cell", "control") else v for k, v in claim.items()}
        for name, claim in written.items()
        if name in names
    }


def _make_team(seats: Sequence[Seat]) -> list[Fields]:
    """Return a seat for each model; of a single one, as many as a vote needs."""
    return widen(seats, NUM_SAMPLES if len(seats) == 1 else len(seats))


def _choose_decision(agents: Sequence[Fields]) -> Fields:
    """Return the vote, and for an even number of voters one by confidence, which has fewer ties."""
    if sum(agent.get("count", 1) for agent in agents) % 2:
        return {"decision": "majority"}
    return {"decision": "confidence_weighted", "probes": ["verbal"]}


def ask_debate_helps(seats: Sequence[Seat]) -> Fields:
    """The team debates; its pool answers as often and hears nothing."""
    claims = borrow_hypotheses(
        "diversity", {"mixed": "debate"}, "mixed_debate_gains", "mixed_beats_its_pool"
    )
    gains, beats = claims.values()
    team = _make_team(seats)
    return {
        "agents": team,
        "topology": "complete",
        "protocol": "exchange",
        "rounds": 2,
        **_choose_decision(team),
        "cells": {
            "debate": {"topology": "complete"},
            "debate_pool": {"topology": "isolated", "protocol": "repeat"},
        },
        "hypotheses": {
            "debate_gains": gains | {"statement": "Debating raises the vote of the team."},
            "debate_beats_its_pool": beats,
        },
    }


def ask_quickstart(seats: Sequence[Seat]) -> Fields:
    """A ring beside each alone with itself."""
    written = read_shipped("quickstart")
    kept = ("topology", "protocol", "decision", "cells")
    return {"agents": _make_team(seats), **{key: written[key] for key in kept}, "rounds": 2}


def ask_self_revision(seats: Sequence[Seat]) -> Fields:
    """The first model rereads itself; every control starts from the same openings."""
    arms = ["single", "self", "repeat", "restate"]
    claims = ["rereading_amplifies_errors", "rereading_does_not_correct"]
    if len(seats) > 1:
        arms += ["noise", "sibling", "peer"]
        claims += ["a_peer_corrects", "a_peer_reverses_amplification"]
    hypotheses = borrow_hypotheses("self_revision", {}, *claims)
    for claim in hypotheses.values():
        if "subject" in claim:
            claim["subject"] = seats[0].id
    return {
        "agents": widen(seats[:2], len(seats[:2])),
        "topology": "complete",
        "protocol": "exchange",
        "rounds": 2,
        "probes": ["verbal"],
        "sweep": {"arm": arms},
        "hypotheses": hypotheses,
    }


def ask_diversity(seats: Sequence[Seat]) -> Fields:
    """Teams of three from alike to mixed, each beside its pool."""
    alike = {f"all_{seat.id}": [seat.id] for seat in seats}
    firsts = [f"{seat.id}-1" for seat in seats]
    mixed = firsts if len(seats) > 2 else [firsts[0], f"{seats[0].id}-2", firsts[1]]
    teams = {**alike, "mixed": mixed}
    pool = {"topology": "isolated", "protocol": "repeat"}
    cells = {name: {"agents": members} for name, members in teams.items()}
    pools = {f"{name}_pool": {"agents": members, **pool} for name, members in teams.items()}
    return {
        "agents": widen(seats, NUM_SAMPLES * len(seats)),
        "topology": "complete",
        "protocol": "exchange",
        "rounds": 2,
        "decision": "majority",
        "cells": cells | pools,
        "hypotheses": borrow_hypotheses(
            "diversity",
            {"homogeneous": f"all_{seats[0].id}"},
            *("exchange_adds_nothing_alike", "mixed_debate_gains", "mixed_gains_more"),
            *("mixed_beats_its_pool", "mixed_beats_the_best"),
        ),
    }


def ask_topologies(seats: Sequence[Seat]) -> Fields:
    """One team in every topology, and beside them without any edge."""
    return {
        "agents": widen(seats, {1: NUM_SAMPLES, 2: 4}.get(len(seats), len(seats))),
        "protocol": "exchange",
        "rounds": 2,
        "decision": "majority",
        "sweep": {"topology": ["isolated", "chain", "ring", "star", "complete"]},
    }


def ask_judge(seats: Sequence[Seat]) -> Fields:
    """Debaters before a judge, who reads all of them and is heard by nobody; beside it, a vote."""
    debaters = widen(seats, 2)
    judge = seats[-1].agent | {"id": "referee", "role": "judge"}
    return {
        "agents": [*debaters, judge],
        "topology": "complete",
        "protocol": "exchange",
        "rounds": 2,
        "decision": "majority",
        "cells": {
            "judged": {
                "topology": {
                    "edges": [
                        "debaters -> debaters",
                        {"edge": "judges -> debaters", "feedback": False},
                    ]
                },
                "decision": "judge_majority",
            },
            "voted": {"agents": [agent["id"] for agent in debaters]},
        },
    }


def ask_cross_critique(seats: Sequence[Seat]) -> Fields:
    """Every model judges every model's opening, its own included."""
    written = read_shipped("cross_critique")
    kept = ("topology", "protocol", "rounds", "cells")
    return {
        "agents": widen(seats, 4),  # two others besides critic and author
        **{key: written[key] for key in kept},
        "probes": ["verbal"],
        "hypotheses": borrow_hypotheses(
            "cross_critique",
            {},
            *("critique_works", "own_samples_help", "others_answers_help"),
        ),
    }


def ask_until_agreed(seats: Sequence[Seat]) -> Fields:
    """All hear all until they agree."""
    written = read_shipped("gsm8k")
    kept = ("topology", "protocol", "rounds")
    return {"agents": _make_team(seats), **{key: written[key] for key in kept}}


STARTING_POINTS: Mapping[str, StartingPoint] = {
    "debate_helps": StartingPoint(
        asks="Does debating help, beyond a vote over as many independent samples?",
        design=ask_debate_helps,
    ),
    "self_revision": StartingPoint(
        asks="Does rereading its own answer amplify a model's errors, and does a peer undo it?",
        design=ask_self_revision,
        shipped="self_revision",
    ),
    "diversity": StartingPoint(
        asks="What does diversity buy: teams from alike to mixed, beside their pools?",
        design=ask_diversity,
        shipped="diversity",
        least_models=2,
    ),
    "topologies": StartingPoint(
        asks="What does each topology do to one team?", design=ask_topologies
    ),
    "judge": StartingPoint(
        asks="Does a judge find the right answer where a vote does not?", design=ask_judge
    ),
    "cross_critique": StartingPoint(
        asks="Is it critique that fails, or critique of oneself? Everybody judges everybody.",
        design=ask_cross_critique,
        shipped="cross_critique",
        least_models=2,
    ),
    "quickstart": StartingPoint(
        asks="What does hearing others in a ring do, beside rereading oneself?",
        design=ask_quickstart,
        shipped="quickstart",
    ),
    "gsm8k": StartingPoint(
        asks="How far do models come that all hear all until they agree? GSM8K by endpoints.",
        design=ask_until_agreed,
        shipped="gsm8k",
    ),
    "sweep": StartingPoint(asks="Many cells from factors: arms, teams.", shipped="sweep"),
    "chat": StartingPoint(
        asks="Self-revision in prose, by a small chat model that `debate models fetch` gets.",
        shipped="chat",
    ),
    "vllm": StartingPoint(
        asks="The quickstart with real models by vLLM, on a cluster with GPUs.", shipped="vllm"
    ),
}
"""The starting points by name, in the order in which they are listed."""


def find_starting_point(name: str) -> StartingPoint:
    """Return the starting point of that name. Raises InputError with those that there are."""
    if name not in STARTING_POINTS:
        raise InputError(f'no starting point "{name}"; {suggest(name, STARTING_POINTS)}')
    return STARTING_POINTS[name]


def require_design(name: str) -> Callable[[Sequence[Seat]], Fields]:
    """Return what asks this of models of one's own. Raises InputError where nothing does."""
    design = find_starting_point(name).design
    if design is None:
        raise InputError(
            f'"{name}" is written as it ships; leave out --data and --model, or take another '
            "starting point: debate new --list"
        )
    return design


def design_fields(name: str, seats: Sequence[Seat]) -> Fields:
    """Return the fields that ask this of these models. Raises InputError for too few of them."""
    design, least = require_design(name), find_starting_point(name).least_models
    if len(seats) < least:
        raise InputError(f'"{name}" needs {least} models or more; {len(seats)} is given')
    return design(seats)
