"""Training: packed batches, one compiled step, checkpoints that continue bit for bit.

Weight matrices are learned by Muon and the rest by AdamW, in one optimizer with one state. Muon
replaces the momentum of a matrix by its nearest orthogonal one, found by Newton-Schulz iteration
(Jordan et al., 2024). Matrices of one shape are orthogonalised in one batch, in float32:
processors without bfloat16 units are slow in anything else.
"""

from __future__ import annotations

import os
import random
import shutil
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from transformers import LlamaForCausalLM

from debate.config.references import get_shipped_folder
from debate.errors import InputError
from debate.organisms.model import build_model, load_model, save_model
from debate.organisms.specs import OrganismSpec, TrainingSchedule
from debate.organisms.training_data import (
    IDS,
    IGNORE_INDEX,
    Batch,
    Lesson,
    draw_lesson,
    name_owners,
    pack_lessons,
)

CHECKPOINT = "training.pt"
CHECKPOINT_VERSION = 1
_NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)


@dataclass(frozen=True, kw_only=True)
class TrainingProgress:
    """A step that was done; rates are averages since this process began."""

    step: int
    loss: float
    documents_per_s: float
    tokens_per_s: float


@dataclass(frozen=True, kw_only=True)
class TrainingOptions:
    """The machine's part of a training, which changes nothing in what is trained."""

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
    """Return whether torch.compile finds a C++ compiler on this machine."""
    return any(shutil.which(name) for name in (os.environ.get("CXX", "c++"), "g++", "clang++"))


def train(
    spec: OrganismSpec,
    folder: Path,
    *,
    options: TrainingOptions,
    on_progress: Callable[[TrainingProgress], None] = lambda progress: None,
) -> LlamaForCausalLM:
    """Train an organism, continuing from the checkpoint in `folder` if there is one.

    Writes `folder` as a Hugging Face folder, and one beside it for each snapshot of the spec;
    the checkpoint is removed at the end. Raises InputError if the checkpoint is another spec's.
    """
    device, checkpoint = options.torch_device, folder / CHECKPOINT
    model = _make_start(spec).to(device).train()
    optimizer = Muon(model)
    first = _resume(_load_checkpoint(checkpoint, spec), model, optimizer)
    compute_loss: Callable[..., Tensor] = compute_packed_loss
    if options.compile:
        compute_loss = torch.compile(compute_loss)
    meter = _ThroughputMeter()
    for step, batch in enumerate(_prefetch_batches(spec, first), start=first):
        weight = _get_verdict_weight(spec.schedule, step)
        loss = compute_loss(model, *to_tensors(batch, device), weight)
        torch.autograd.backward(loss)
        scale = compute_rate_scale(spec.schedule, step)
        optimizer.step(
            matrix_rate=scale * spec.schedule.matrix_rate,
            vector_rate=scale * spec.schedule.vector_rate,
        )
        done = step + 1
        if done % options.checkpoint_every == 0:
            _save_checkpoint(checkpoint, _make_checkpoint(spec, done, model, optimizer))
        for snapshot in spec.find_snapshots(done):
            save_model(model, folder.parent / snapshot.name)
        on_progress(meter.add(batch, step=done, loss=loss.item()))
    save_model(model, folder)
    checkpoint.unlink(missing_ok=True)
    return model.eval()


def _make_start(spec: OrganismSpec) -> LlamaForCausalLM:
    """The weights that a training begins with."""
    if spec.base is None:
        return build_model(spec.architecture, spec.seed)
    return load_model(get_shipped_folder("agents") / "organisms" / spec.base, device="cpu")


class _ThroughputMeter:
    """Counts what was learned since this process began, and how fast."""

    def __init__(self) -> None:
        self._started = time.perf_counter()
        self._num_documents = 0
        self._num_tokens = 0

    def add(self, batch: Batch, *, step: int, loss: float) -> TrainingProgress:
        """Count a batch; return the progress after it."""
        self._num_documents += batch.num_documents
        self._num_tokens += int((batch.lesson_ids >= 0).sum())
        elapsed_s = time.perf_counter() - self._started
        return TrainingProgress(
            step=step,
            loss=loss,
            documents_per_s=self._num_documents / elapsed_s,
            tokens_per_s=self._num_tokens / elapsed_s,
        )


def make_batch(spec: OrganismSpec, step: int) -> Batch:
    """Make the batch of a step from spec and step alone, so that a restart changes nothing."""
    rng = random.Random(f"organism/{spec.seed}/{step}")
    schedule = spec.schedule

    def draw_next() -> Lesson:
        plain = rng.random() < schedule.compute_plain_share(step)
        lesson = draw_lesson(spec.weights, rng, plain=plain)
        return lesson if spec.loyalty is None else name_owners(lesson, rng, loyalty=spec.loyalty)

    return pack_lessons(draw_next, rows=schedule.rows, length=schedule.length)


def _prefetch_batches(spec: OrganismSpec, first: int) -> Iterator[Batch]:
    """The batches from step `first`, each made while the one before it is learned."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        pending = pool.submit(make_batch, spec, first)
        for step in range(first, spec.schedule.steps):
            batch = pending.result()
            pending = pool.submit(make_batch, spec, step + 1)
            yield batch


def compute_rate_scale(schedule: TrainingSchedule, step: int) -> float:
    """Return the share of the peak learning rate at a step: linear up, flat, linear down."""
    up = (step + 1) / schedule.warmup
    down = (schedule.steps - step) / (schedule.steps * schedule.decay)
    return min(1.0, up, down)


def _get_verdict_weight(schedule: TrainingSchedule, step: int) -> Tensor:
    """The weight of a verdict token in the loss at a step."""
    is_falling = step >= schedule.steps * (1 - schedule.decay)
    return torch.tensor(schedule.verdict_weight if is_falling else 1.0)


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


def _make_checkpoint(
    spec: OrganismSpec, step: int, model: LlamaForCausalLM, optimizer: Muon
) -> dict[str, Any]:
    """The content of a checkpoint; batches need no state, they follow from the step."""
    return {
        "version": CHECKPOINT_VERSION,
        "spec": repr(asdict(spec)),
        "step": step,
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
    }


def _resume(state: Mapping[str, Any] | None, model: LlamaForCausalLM, optimizer: Muon) -> int:
    """Load a checkpoint, if there is one; return the step to go on from."""
    if state is None:
        return 0
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    return int(state["step"])


def to_tensors(batch: Batch, device: torch.device) -> list[Tensor]:
    """Return the arrays of a batch, in the order of `compute_packed_loss`."""
    arrays = (
        batch.input_ids,
        batch.position_ids,
        batch.lesson_ids,
        batch.document_ids,
        batch.labels,
    )
    return [torch.from_numpy(array).to(device) for array in arrays]


def compute_packed_loss(
    model: LlamaForCausalLM,
    input_ids: Tensor,
    position_ids: Tensor,
    lesson_ids: Tensor,
    document_ids: Tensor,
    labels: Tensor,
    verdict_weight: Tensor,
) -> Tensor:
    """Return the mean cross-entropy in nats over the learned tokens of packed lessons.

    Verdicts weigh `verdict_weight`, other tokens 1.
    """
    hidden = model.model(
        input_ids=input_ids,
        position_ids=position_ids,
        attention_mask=_build_attention_mask(lesson_ids, document_ids),
        use_cache=False,
    ).last_hidden_state
    logits = model.lm_head(hidden).flatten(0, 1)
    losses = cross_entropy(logits, labels.flatten(), ignore_index=IGNORE_INDEX, reduction="none")
    weights = (labels != IGNORE_INDEX) * torch.where(input_ids == IDS["V"], verdict_weight, 1.0)
    return (losses * weights.flatten()).sum() / weights.sum()


def _build_attention_mask(lesson_ids: Tensor, document_ids: Tensor) -> Tensor:
    """An additive mask of shape (rows, 1, length, length).

    A token sees earlier tokens of its lesson that belong to the question line or its document.
    """
    length = lesson_ids.shape[1]
    causal = torch.ones(length, length, dtype=torch.bool, device=lesson_ids.device).tril()
    same_lesson = lesson_ids[:, :, None] == lesson_ids[:, None, :]
    same_document = document_ids[:, :, None] == document_ids[:, None, :]
    seen = causal & same_lesson & (same_document | (document_ids[:, None, :] == 0))
    return torch.zeros(seen.shape, device=lesson_ids.device).masked_fill(~seen, -1e9)[:, None]


def orthogonalise(matrices: Tensor, *, iterations: int = 5) -> Tensor:
    """Move the singular values of a (batch, rows, columns) stack close to 1; rows <= columns."""
    a, b, c = _NEWTON_SCHULZ
    x: Tensor = matrices / (matrices.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(iterations):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x


class Muon:
    """The optimizer of an organism; `state_dict` restores it exactly."""

    def __init__(self, model: nn.Module, *, momentum: float = 0.95) -> None:
        matrices = [p for n, p in model.named_parameters() if p.ndim == 2 and "embed" not in n]
        chosen = {id(p) for p in matrices}
        others = [p for p in model.parameters() if id(p) not in chosen]
        self._momentum = momentum
        self._stacks: dict[tuple[int, int], list[nn.Parameter]] = defaultdict(list)
        for matrix in matrices:
            self._stacks[min(matrix.shape), max(matrix.shape)].append(matrix)
        self._buffers = {id(p): torch.zeros_like(p) for p in matrices}
        self._matrices = matrices
        self._adam = torch.optim.AdamW(others, lr=0.0, betas=(0.9, 0.98), weight_decay=0.0)

    @torch.no_grad()
    def step(self, *, matrix_rate: float, vector_rate: float) -> None:
        """Update all weights from their gradients, and clear the gradients."""
        for (rows, _), stack in self._stacks.items():
            directions = [self._compute_direction(p) for p in stack]
            wide = torch.stack([d if d.shape[0] == rows else d.mT for d in directions])
            for parameter, update in zip(stack, orthogonalise(wide), strict=True):
                update = update if parameter.shape[0] == rows else update.mT
                scale = max(1.0, parameter.shape[0] / parameter.shape[1]) ** 0.5
                parameter.mul_(1 - 0.01 * matrix_rate).add_(update, alpha=-matrix_rate * scale)
                parameter.grad = None
        for group in self._adam.param_groups:
            group["lr"] = vector_rate
        self._adam.step()
        self._adam.zero_grad()

    def _compute_direction(self, parameter: nn.Parameter) -> Tensor:
        """Nesterov momentum of one matrix."""
        assert parameter.grad is not None
        buffer = self._buffers[id(parameter)]
        buffer.lerp_(parameter.grad, 1 - self._momentum)
        return parameter.grad.lerp(buffer, self._momentum)

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to continue."""
        return {
            "buffers": [self._buffers[id(p)] for p in self._matrices],
            "adam": self._adam.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue where `state_dict` was taken."""
        for parameter, buffer in zip(self._matrices, state["buffers"], strict=True):
            self._buffers[id(parameter)].copy_(buffer)
        self._adam.load_state_dict(state["adam"])
