"""Seats and topologies written out: cards and files in place of what names them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from debate.config.agents import AgentFile
from debate.config.document import Document, KeyPath
from debate.config.parse import read_document
from debate.config.problems import validate
from debate.config.references import anchor, anchor_model, find


def with_seat(document: Document, index: int) -> Document:
    """Seat `index` written out, its model moved to `models`."""
    at: KeyPath = ("agents", index)
    seat = document.at(at)
    if isinstance(seat.value, str):
        seat = seat.instead({"card": seat.value})
    if not isinstance(seat.value, dict):
        return document
    card = seat.value.get("card")
    shares_card = isinstance(card, str) and "model" not in seat.value
    if isinstance(card, str):
        seat = _from_card(seat, card)
    if isinstance(seat.value.get("model"), dict):
        own = str(seat.value.get("id", f"agent-{index}"))
        name = Path(card).stem if shares_card and isinstance(card, str) else own
        model = seat.at(("model",))
        document = document.graft(("models", name), _merged_model(document, name, model))
        seat = seat.graft(("model",), model.instead(name))
    return document.graft(at, seat)


def _merged_model(document: Document, name: str, model: Document) -> Document:
    """What the run says about this model over what the seat or card says."""
    models = document.value.get("models")
    if isinstance(models, dict) and name in models:
        return model.under(document.at(("models", name)))
    return model


def _from_card(seat: Document, reference: str) -> Document:
    """The card that a seat names, with what the seat itself says on top."""
    path = find("agents", reference, seat.folder, seat.place(("card",)))
    card = anchor_model(anchor(read_document(path), ("prompts",)), ("model",))
    validate(AgentFile, card)
    own = replace(seat, value={k: v for k, v in seat.value.items() if k != "card"})
    named = seat.at(("card",)).instead({"id": path.stem})
    return named.under(card).under(own)


def with_topology(document: Document, at: KeyPath) -> Document:
    """The topology at `at` written out: a name, a file, a list by round, or as it stands."""
    if not document.has(at):
        return document
    return document.graft(at, _topology(document.at(at)))


def _topology(branch: Document) -> Document:
    if isinstance(branch.value, str):
        path = find("topologies", branch.value, branch.folder, branch.place(()))
        found = _topology(read_document(path))
        return replace(found, places={**found.places, (): branch.place(())})
    if isinstance(branch.value, list):
        places = {(): branch.place(()), **{("rounds", *p): at for p, at in branch.places.items()}}
        branch = Document({"rounds": branch.value}, places, branch.folder)
    if isinstance(branch.value, dict) and isinstance(branch.value.get("rounds"), list):
        for index in range(len(branch.value["rounds"])):
            step = branch.at(("rounds", index))
            branch = branch.graft(("rounds", index), _topology(step))
    return branch
