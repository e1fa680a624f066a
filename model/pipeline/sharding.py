"""Where each parameter lies in one flat vector, and which process updates it."""

import dataclasses

from . import network


@dataclasses.dataclass(frozen=True)
class Slot:
    """One parameter's part of the flat vector."""

    name: str
    shape: tuple[int, ...]
    start: int
    size: int
    # The process that updates it; None: every process updates its share of the elements.
    owner: int | None

    @property
    def is_matrix(self) -> bool:
        """Whether Muon updates it, as a whole."""
        return self.owner is not None


class Layout:
    """The slots of a network's parameters for some processes, in the order of its parameters.

    Matrices go to the process with the least work so far, which for Muon is a matrix's size times
    its shorter side. Embedding and norms are split evenly.
    """

    def __init__(self, model: network.Network, n_processes: int):
        self.slots: list[Slot] = []
        self.size = 0
        load = [0.0] * n_processes
        for name, p in model.named_parameters():
            owner = None
            if p.ndim == 2 and not name.startswith("token_embd"):
                owner = load.index(min(load))
                load[owner] += p.numel() * min(p.shape)
            self.slots.append(Slot(name, tuple(p.shape), self.size, p.numel(), owner))
            self.size += p.numel()

    def views(self, flat):
        """The parameters as views of `flat`, a vector of `size` elements, in order."""
        return [flat[s.start : s.start + s.size].view(s.shape) for s in self.slots]
