"""Training learns, and what was cut off continues bit for bit."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from debate.errors import InputError
from debate.organisms.batches import IGNORED
from debate.organisms.generate import context, reply
from debate.organisms.loss import packed_loss
from debate.organisms.model import build_model, load_folder
from debate.organisms.optimizer import orthogonalise
from debate.organisms.specs import Architecture, OrganismSpec, Schedule, Snapshot
from debate.organisms.tokens import IDS
from debate.organisms.training import (
    CHECKPOINT,
    Progress,
    Runtime,
    batch_at,
    rate_at,
    train,
)

TINY = OrganismSpec(
    name="tiny",
    description="A test.",
    weights={"add": 1.0, "chain23": 1.0},
    seed=7,
    schedule=Schedule(steps=24, rows=4, warmup=4),
    architecture=Architecture(hidden=64, layers=1, heads=2, intermediate=96),
    snapshots=(Snapshot(name="tiny-early", description="Before.", share=0.25),),
)
RUNTIME = Runtime(device="cpu", checkpoint_every=5)


class Cut(Exception):
    """The power fails."""


def cut_at(step: int, losses: list[float]):
    def watch(progress: Progress) -> None:
        losses.append(progress.loss)
        if progress.step == step:
            raise Cut

    return watch


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[float]]:
    """The folder and the losses of an uncut training."""
    folder, losses = tmp_path_factory.mktemp("whole") / "tiny", []
    train(TINY, folder, runtime=RUNTIME, on_progress=cut_at(-1, losses))
    return folder, losses


def test_training_lowers_the_loss(whole: tuple[Path, list[float]]) -> None:
    _, losses = whole
    assert len(losses) == TINY.schedule.steps
    assert sum(losses[-3:]) / 3 < losses[0] - 0.8


def test_a_cut_training_continues_bit_for_bit(
    whole: tuple[Path, list[float]], tmp_path: Path
) -> None:
    folder, losses = whole
    resumed: list[float] = []
    with pytest.raises(Cut):
        train(TINY, tmp_path / "tiny", runtime=RUNTIME, on_progress=cut_at(13, []))
    assert (tmp_path / "tiny" / CHECKPOINT).is_file()
    train(TINY, tmp_path / "tiny", runtime=RUNTIME, on_progress=cut_at(-1, resumed))
    assert resumed == losses[10:]
    uncut, continued = (load_folder(f).state_dict() for f in (folder, tmp_path / "tiny"))
    assert all(torch.equal(uncut[name], continued[name]) for name in uncut)
    assert not (tmp_path / "tiny" / CHECKPOINT).exists()


def test_a_checkpoint_of_another_specification_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Cut):
        train(TINY, tmp_path, runtime=RUNTIME, on_progress=cut_at(6, []))
    with pytest.raises(InputError, match="another specification"):
        train(TINY.with_steps(30), tmp_path, runtime=RUNTIME)


def test_a_snapshot_is_an_earlier_state(whole: tuple[Path, list[float]]) -> None:
    folder, _ = whole
    early, late = load_folder(folder.parent / "tiny-early"), load_folder(folder)
    assert not torch.equal(early.model.norm.weight, late.model.norm.weight)
    assert len(reply(early, [context("347+589")])) == 1


def test_packed_documents_are_learned_as_if_each_stood_alone() -> None:
    model = build_model(TINY.architecture, seed=1)
    batch = batch_at(TINY, 0)
    arrays = (batch.tokens, batch.positions, batch.lessons, batch.documents, batch.labels)
    packed = packed_loss(model, *map(torch.from_numpy, arrays), torch.tensor(3.0)).item()
    total, count = 0.0, 0.0
    for row in range(len(batch.tokens)):
        for lesson in range(batch.lessons[row].max() + 1):
            mine = batch.lessons[row] == lesson
            for document in range(1, batch.documents[row][mine].max() + 1 if mine.any() else 0):
                own = mine & (batch.documents[row] == document)
                seen = own | (mine & (batch.documents[row] == 0))
                logits = model(input_ids=torch.from_numpy(batch.tokens[row][seen])[None]).logits[0]
                labels = torch.from_numpy(batch.labels[row][seen])
                losses = torch.nn.functional.cross_entropy(
                    logits, labels, ignore_index=IGNORED, reduction="none"
                )
                verdict = torch.from_numpy(batch.tokens[row][seen]) == IDS["V"]
                weights = torch.where(verdict, 3.0, 1.0) * (labels != IGNORED)
                total += (losses * weights).sum().item()
                count += weights.sum().item()
    assert packed == pytest.approx(total / count, rel=1e-4)


def test_orthogonalised_matrices_have_singular_values_near_one() -> None:
    generator = torch.Generator().manual_seed(0)
    matrices = torch.randn(3, 16, 40, generator=generator)
    values = torch.linalg.svdvals(orthogonalise(matrices, iterations=5))
    assert 0.6 < values.min() < values.max() < 1.3


def test_the_rate_rises_stays_and_falls_to_almost_nothing() -> None:
    schedule = Schedule(steps=100, warmup=10, decay=0.5)
    rates = [rate_at(schedule, step) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert rates[30] == 1.0
    assert rates[-1] == pytest.approx(0.02)
