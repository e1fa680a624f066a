"""One optimizer step over a flat vector, split over processes: Muon for the matrices (Keller Jordan
2024), Adam for embedding and norms."""

import dataclasses

import torch

from .sharding import Layout, Slot

MUON_MOMENTUM, MUON_DECAY = 0.95, 0.05
ADAM_BETAS, ADAM_EPSILON = (0.9, 0.95), 1e-10
# Adam's rate, of Muon's.
ADAM_RATE = 0.15


def orthogonalized(gradient, dtype):
    """Newton-Schulz iterations towards the nearest orthogonal matrix, computed in `dtype`."""
    a, b, c = 3.4445, -4.7750, 2.0315
    x = gradient.to(dtype)
    is_tall = x.shape[0] > x.shape[1]
    if is_tall:
        x = x.T
    x = x / (x.norm() + 1e-7)
    for _ in range(5):
        m = x @ x.T
        x = a * x + (b * m + c * m @ m) @ x
    return (x.T if is_tall else x).to(gradient.dtype)


@dataclasses.dataclass
class OptimizerState:
    """What all processes share, each tensor of `Layout.size` elements."""

    weights: torch.Tensor
    # The momentum of Muon, the first and the second moment of Adam.
    first_moment: torch.Tensor
    second_moment: torch.Tensor
    # One row a process.
    gradients: torch.Tensor

    @classmethod
    def zeros(cls, size: int, n_processes: int, make) -> "OptimizerState":
        """`make` makes a tensor of zeros of a size."""
        return cls(make(size), make(size), make(size), make(n_processes, size))


class ShardedOptimizer:
    """One process's share of each step."""

    def __init__(
        self,
        layout: Layout,
        rank: int,
        n_processes: int,
        state: OptimizerState,
        rate: float,
        dtype: torch.dtype,
    ):
        """`rate` is Muon's, before the schedule's factor; `dtype` that of its matrix products."""
        self.layout, self.rank, self.n_processes = layout, rank, n_processes
        self.state, self.rate, self.dtype = state, rate, dtype

    @torch.no_grad()
    def step(self, factor: float, number: int) -> None:
        """Updates this process's share. `factor` is the schedule's, `number` that of the step, from
        1."""
        rate = self.rate * factor
        views = self.layout.views(self.state.weights)
        for slot, weight in zip(self.layout.slots, views, strict=True):
            if not slot.is_matrix:
                self.adam(slot, rate, number)
            elif slot.owner == self.rank:
                self.muon(slot, weight, rate)

    def muon(self, slot: Slot, weight, rate: float) -> None:
        """Updates one matrix."""
        part = slice(slot.start, slot.start + slot.size)
        gradient = self.state.gradients[:, part].sum(0).view(slot.shape)
        momentum = self.state.first_moment[part].view(slot.shape)
        momentum.mul_(MUON_MOMENTUM).add_(gradient)
        direction = orthogonalized(gradient.add(momentum, alpha=MUON_MOMENTUM), self.dtype)
        scale = max(1, slot.shape[0] / slot.shape[1]) ** 0.5
        weight.mul_(1 - rate * MUON_DECAY).add_(direction, alpha=-rate * scale)

    def adam(self, slot: Slot, rate: float, number: int) -> None:
        """Updates this process's share of one parameter's elements."""
        start = slot.start + slot.size * self.rank // self.n_processes
        end = slot.start + slot.size * (self.rank + 1) // self.n_processes
        state = self.state
        gradient = state.gradients[:, start:end].sum(0)
        first, second = state.first_moment[start:end], state.second_moment[start:end]
        first.lerp_(gradient, 1 - ADAM_BETAS[0])
        second.lerp_(gradient * gradient, 1 - ADAM_BETAS[1])
        unbiased_first = first / (1 - ADAM_BETAS[0] ** number)
        unbiased_second = second / (1 - ADAM_BETAS[1] ** number)
        direction = unbiased_first / (unbiased_second.sqrt() + ADAM_EPSILON)
        state.weights[start:end].sub_(ADAM_RATE * rate * direction)
