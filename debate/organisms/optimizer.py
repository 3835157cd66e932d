"""Muon for weight matrices and AdamW for the rest, in one optimizer with one state.

Muon replaces the momentum of a matrix by its nearest orthogonal one, found by Newton-Schulz
iteration (Jordan et al., 2024). Matrices of one shape are orthogonalised in one batch, in
float32: processors without bfloat16 units are slow in anything else.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import torch
from torch import Tensor, nn

_COEFFICIENTS = (3.4445, -4.7750, 2.0315)


def orthogonalise(matrices: Tensor, *, iterations: int = 5) -> Tensor:
    """Move the singular values of a (batch, rows, columns) stack close to 1; rows <= columns."""
    a, b, c = _COEFFICIENTS
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
        self.momentum = momentum
        self.stacks: dict[tuple[int, int], list[nn.Parameter]] = defaultdict(list)
        for matrix in matrices:
            self.stacks[min(matrix.shape), max(matrix.shape)].append(matrix)
        self.buffers = {id(p): torch.zeros_like(p) for p in matrices}
        self.matrices = matrices
        self.adam = torch.optim.AdamW(others, lr=0.0, betas=(0.9, 0.98), weight_decay=0.0)

    @torch.no_grad()
    def step(self, *, matrix_rate: float, vector_rate: float) -> None:
        """Update all weights from their gradients, and clear the gradients."""
        for (rows, _), stack in self.stacks.items():
            directions = [self._direction(p) for p in stack]
            wide = torch.stack([d if d.shape[0] == rows else d.mT for d in directions])
            for parameter, update in zip(stack, orthogonalise(wide), strict=True):
                update = update if parameter.shape[0] == rows else update.mT
                scale = max(1.0, parameter.shape[0] / parameter.shape[1]) ** 0.5
                parameter.mul_(1 - 0.01 * matrix_rate).add_(update, alpha=-matrix_rate * scale)
                parameter.grad = None
        for group in self.adam.param_groups:
            group["lr"] = vector_rate
        self.adam.step()
        self.adam.zero_grad()

    def _direction(self, parameter: nn.Parameter) -> Tensor:
        """Nesterov momentum of one matrix."""
        assert parameter.grad is not None
        buffer = self.buffers[id(parameter)]
        buffer.lerp_(parameter.grad, 1 - self.momentum)
        return parameter.grad.lerp(buffer, self.momentum)

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to continue."""
        return {
            "buffers": [self.buffers[id(p)] for p in self.matrices],
            "adam": self.adam.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue where `state_dict` was taken."""
        for parameter, buffer in zip(self.matrices, state["buffers"], strict=True):
            self.buffers[id(parameter)].copy_(buffer)
        self.adam.load_state_dict(state["adam"])
