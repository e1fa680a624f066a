"""What is kept of a training between runs, and weights that a network starts from."""

import dataclasses
import os

import torch

from . import network
from .optimizer import OptimizerState

# The optimizer's state in a file, by the names there.
TENSORS = {"weights": "weights", "first": "first_moment", "second": "second_moment"}


@dataclasses.dataclass
class Progress:
    """How far a training is."""

    step: int = 0
    # Of training, over all runs; time in which the process was stopped does not count.
    seconds: float = 0.0
    tokens: int = 0
    # Where `--extend` took the constant rate up again; 0: it did not.
    begun_seconds: float = 0.0
    # What the schedule spans.
    total_seconds: float = 0.0


def save(path: str, state: OptimizerState, shape: network.Shape, progress: Progress) -> None:
    """Replaces the checkpoint at `path` as a whole."""
    tensors = {key: getattr(state, name).cpu() for key, name in TENSORS.items()}
    about = {"shape": dataclasses.asdict(shape), "progress": dataclasses.asdict(progress)}
    torch.save(tensors | about, f"{path}.part")
    os.replace(f"{path}.part", path)


def load(path: str) -> dict | None:
    """What `save` wrote, or `None` where there is nothing."""
    if not os.path.exists(path):
        return None
    return torch.load(path, weights_only=True, map_location="cpu")


def restore(kept: dict, state: OptimizerState) -> Progress:
    """Copies a checkpoint's tensors into `state`."""
    for key, name in TENSORS.items():
        getattr(state, name).copy_(kept[key])
    return Progress(**kept["progress"])


def gguf_tensors(path: str) -> dict:
    """The tensors of a GGUF by their names, dequantized to F32."""
    import gguf

    tensors = gguf.GGUFReader(path).tensors
    return {t.name: gguf.quants.dequantize(t.data, t.tensor_type) for t in tensors}


@torch.no_grad()
def grow_from(model: network.Network, path: str) -> None:
    """Takes the weights of a GGUF into a network of as many layers or more.

    Its layers are spread evenly, and a layer between them adds nothing to the stream at first (its
    output matrices are zero), so that the network begins as good as the smaller one ended.
    """
    tensors = {name: torch.from_numpy(it.copy()) for name, it in gguf_tensors(path).items()}
    n_old = 1 + max(int(name.split(".")[1]) for name in tensors if name.startswith("blk."))
    n_new = model.shape.n_layers
    if n_old > n_new:
        raise SystemExit(f"{path} has {n_old} layers, more than --layers {n_new}")
    old_layer = {i * n_new // n_old: i for i in range(n_old)}
    for name, p in model.named_parameters():
        parts = name.split(".")
        if name.startswith("token_embd_hashed"):
            continue
        if parts[0] == "blk":
            layer = int(parts[1])
            if layer not in old_layer:
                if name.endswith(("attn_output.weight", "ffn_down.weight")):
                    p.zero_()
                continue
            old = ".".join(["blk", str(old_layer[layer]), *parts[2:]])
        else:
            old = name
        if tensors[old].shape != p.shape:
            has, needs = tuple(tensors[old].shape), tuple(p.shape)
            raise SystemExit(f"{path}: {old} has the shape {has}, this network needs {needs}")
        p.copy_(tensors[old])
