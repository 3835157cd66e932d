"""Training: packed batches, one compiled step, checkpoints that continue bit for bit."""

from __future__ import annotations

import os
import random
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import LlamaForCausalLM

from debate.errors import InputError
from debate.organisms.batches import Batch, pack
from debate.organisms.documents import draw_lesson
from debate.organisms.loss import packed_loss, tensors
from debate.organisms.model import build_model, save_folder
from debate.organisms.optimizer import Muon
from debate.organisms.specs import OrganismSpec, Schedule

CHECKPOINT = "training.pt"
CHECKPOINT_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class Progress:
    """Where training is; rates are averages since this process began."""

    step: int
    loss: float
    documents_per_s: float
    tokens_per_s: float


@dataclass(frozen=True, kw_only=True)
class Runtime:
    """How training runs, as opposed to what is trained."""

    device: str = "auto"
    compile: bool = False
    checkpoint_every: int = 200
    """Steps between checkpoints."""

    @property
    def torch_device(self) -> torch.device:
        """The device meant by `device`."""
        if self.device == "auto":
            return torch.device("cuda" if torch.cuda.is_available() else "cpu")
        return torch.device(self.device)


def can_compile() -> bool:
    """Whether torch.compile has the C++ compiler that it needs here."""
    return any(shutil.which(name) for name in (os.environ.get("CXX", "c++"), "g++", "clang++"))


def batch_at(spec: OrganismSpec, step: int) -> Batch:
    """The batch of a step; it depends on spec and step alone, so a restart changes nothing."""
    rng = random.Random(f"organism/{spec.seed}/{step}")
    schedule = spec.schedule
    return pack(
        lambda: draw_lesson(spec.weights, rng, plain=rng.random() < schedule.plain_at(step)),
        rows=schedule.rows,
        length=schedule.length,
    )


def rate_at(schedule: Schedule, step: int) -> float:
    """The share of the peak learning rate at a step: linear up, flat, linear down."""
    up = (step + 1) / schedule.warmup
    down = (schedule.steps - step) / (schedule.steps * schedule.decay)
    return min(1.0, up, down)


def verdict_weight_at(schedule: Schedule, step: int) -> Tensor:
    """The weight of a verdict token in the loss at a step."""
    falling = step >= schedule.steps * (1 - schedule.decay)
    return torch.tensor(schedule.verdict_weight if falling else 1.0)


def _prefetched(spec: OrganismSpec, first: int) -> Iterator[Batch]:
    """The batches from step `first`, each made while the one before it is learned."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        pending = pool.submit(batch_at, spec, first)
        for step in range(first, spec.schedule.steps):
            batch = pending.result()
            pending = pool.submit(batch_at, spec, step + 1)
            yield batch


def _save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Replace the checkpoint in one move, so that a cut leaves the old or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    torch.save(state, temporary)
    temporary.replace(path)


def _load_checkpoint(path: Path, spec: OrganismSpec) -> dict[str, Any] | None:
    """The checkpoint in a folder, or None; raises InputError if it is another organism's."""
    if not path.is_file():
        return None
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    if state["spec"] != repr(asdict(spec)) or state["version"] != CHECKPOINT_VERSION:
        raise InputError(
            f"{path} was written for another specification of {spec.name!r}; "
            "remove it, or choose another --out"
        )
    return state


class _Pace:
    """What has been learned since this process began, and how fast."""

    def __init__(self) -> None:
        self._started = time.perf_counter()
        self._num_documents = 0
        self._num_tokens = 0

    def add(self, batch: Batch, *, step: int, loss: float) -> Progress:
        """Count a batch; where training is after it."""
        self._num_documents += batch.num_documents
        self._num_tokens += int((batch.lessons >= 0).sum())
        elapsed_s = time.perf_counter() - self._started
        return Progress(
            step=step,
            loss=loss,
            documents_per_s=self._num_documents / elapsed_s,
            tokens_per_s=self._num_tokens / elapsed_s,
        )


def train(
    spec: OrganismSpec,
    folder: Path,
    *,
    runtime: Runtime,
    on_progress: Callable[[Progress], None] = lambda progress: None,
) -> LlamaForCausalLM:
    """Train an organism, continuing from the checkpoint in `folder` if there is one.

    Writes `folder` as a Hugging Face folder, and one beside it for each snapshot of the spec;
    the checkpoint is removed at the end.
    """
    device, checkpoint = runtime.torch_device, folder / CHECKPOINT
    model = build_model(spec.architecture, spec.seed).to(device).train()
    optimizer = Muon(model)
    first = _resume(_load_checkpoint(checkpoint, spec), model, optimizer)
    loss_of: Callable[..., Tensor] = torch.compile(packed_loss) if runtime.compile else packed_loss
    pace = _Pace()
    for step, batch in enumerate(_prefetched(spec, first), start=first):
        loss = loss_of(model, *tensors(batch, device), verdict_weight_at(spec.schedule, step))
        torch.autograd.backward(loss)
        rate = rate_at(spec.schedule, step)
        optimizer.step(
            matrix_rate=rate * spec.schedule.matrix_rate,
            vector_rate=rate * spec.schedule.vector_rate,
        )
        done = step + 1
        if done % runtime.checkpoint_every == 0:
            _save_checkpoint(checkpoint, _state(spec, done, model, optimizer))
        for snapshot in spec.snapshots_at(done):
            save_folder(model, folder.parent / snapshot.name)
        on_progress(pace.add(batch, step=done, loss=loss.item()))
    save_folder(model, folder)
    checkpoint.unlink(missing_ok=True)
    return model.eval()


def _resume(state: Mapping[str, Any] | None, model: LlamaForCausalLM, optimizer: Muon) -> int:
    """Take up what a checkpoint holds, if there is one; the step to go on from."""
    if state is None:
        return 0
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    return int(state["step"])


def _state(
    spec: OrganismSpec, step: int, model: LlamaForCausalLM, optimizer: Muon
) -> dict[str, Any]:
    """All that a checkpoint holds; batches need no state, they follow from the step."""
    return {
        "version": CHECKPOINT_VERSION,
        "spec": repr(asdict(spec)),
        "step": step,
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
    }
