"""Training learns, and what was cut off continues bit for bit."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from debate.errors import InputError
from debate.organisms.model import build_model, build_prompt, generate, load_model
from debate.organisms.specs import Architecture, OrganismSpec, SnapshotSpec, TrainingSchedule
from debate.organisms.training import (
    CHECKPOINT,
    TrainingOptions,
    TrainingProgress,
    compute_packed_loss,
    compute_rate_scale,
    make_batch,
    orthogonalise,
    train,
)
from debate.organisms.training_data import IDS, IGNORE_INDEX

TINY = OrganismSpec(
    name="tiny",
    description="A test.",
    weights={"add": 1.0, "chain23": 1.0},
    seed=7,
    schedule=TrainingSchedule(steps=24, rows=4, warmup=4),
    architecture=Architecture(hidden=64, layers=1, heads=2, intermediate=96),
    snapshots=(SnapshotSpec(name="tiny-early", description="Before.", share=0.25),),
)
OPTIONS = TrainingOptions(device="cpu", checkpoint_every=5)


class Cut(Exception):
    """The power fails."""


def cut_at(step: int, losses: list[float]):
    def watch(progress: TrainingProgress) -> None:
        losses.append(progress.loss)
        if progress.step == step:
            raise Cut

    return watch


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[float]]:
    """The folder and the losses of an uncut training."""
    folder, losses = tmp_path_factory.mktemp("whole") / "tiny", []
    train(TINY, folder, options=OPTIONS, on_progress=cut_at(-1, losses))
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
        train(TINY, tmp_path / "tiny", options=OPTIONS, on_progress=cut_at(13, []))
    assert (tmp_path / "tiny" / CHECKPOINT).is_file()
    train(TINY, tmp_path / "tiny", options=OPTIONS, on_progress=cut_at(-1, resumed))
    assert resumed == losses[10:]
    uncut, continued = (load_model(f).state_dict() for f in (folder, tmp_path / "tiny"))
    assert all(torch.equal(uncut[name], continued[name]) for name in uncut)
    assert not (tmp_path / "tiny" / CHECKPOINT).exists()


def test_a_checkpoint_of_another_specification_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Cut):
        train(TINY, tmp_path, options=OPTIONS, on_progress=cut_at(6, []))
    with pytest.raises(InputError, match="another specification"):
        train(TINY.replace_steps(30), tmp_path, options=OPTIONS)


def test_a_snapshot_is_an_earlier_state(whole: tuple[Path, list[float]]) -> None:
    folder, _ = whole
    early, late = load_model(folder.parent / "tiny-early"), load_model(folder)
    assert not torch.equal(early.model.norm.weight, late.model.norm.weight)
    assert len(generate(early, [build_prompt("347+589")])) == 1


def test_packed_documents_are_learned_as_if_each_stood_alone() -> None:
    model = build_model(TINY.architecture, seed=1)
    batch = make_batch(TINY, 0)
    arrays = (
        batch.input_ids,
        batch.position_ids,
        batch.lesson_ids,
        batch.document_ids,
        batch.labels,
    )
    packed = compute_packed_loss(model, *map(torch.from_numpy, arrays), torch.tensor(3.0)).item()
    total, count = 0.0, 0.0
    for row in range(len(batch.input_ids)):
        for lesson in range(batch.lesson_ids[row].max() + 1):
            mine = batch.lesson_ids[row] == lesson
            for document in range(1, batch.document_ids[row][mine].max() + 1 if mine.any() else 0):
                own = mine & (batch.document_ids[row] == document)
                seen = own | (mine & (batch.document_ids[row] == 0))
                input_ids = torch.from_numpy(batch.input_ids[row][seen])
                logits = model(input_ids=input_ids[None]).logits[0]
                labels = torch.from_numpy(batch.labels[row][seen])
                losses = torch.nn.functional.cross_entropy(
                    logits, labels, ignore_index=IGNORE_INDEX, reduction="none"
                )
                verdict = input_ids == IDS["V"]
                weights = torch.where(verdict, 3.0, 1.0) * (labels != IGNORE_INDEX)
                total += (losses * weights).sum().item()
                count += weights.sum().item()
    assert packed == pytest.approx(total / count, rel=1e-4)


def test_orthogonalised_matrices_have_singular_values_near_one() -> None:
    generator = torch.Generator().manual_seed(0)
    matrices = torch.randn(3, 16, 40, generator=generator)
    values = torch.linalg.svdvals(orthogonalise(matrices, iterations=5))
    assert 0.6 < values.min() < values.max() < 1.3


def test_the_rate_rises_stays_and_falls_to_almost_nothing() -> None:
    schedule = TrainingSchedule(steps=100, warmup=10, decay=0.5)
    rates = [compute_rate_scale(schedule, step) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert rates[30] == 1.0
    assert rates[-1] == pytest.approx(0.02)
