"""Trains on one CUDA GPU within a fixed time, and leaves weights that `pipeline.export` reads.

    python3 -m pipeline.train_gpu --text .work/gpu/text --out back --until 575

For a machine that is there for minutes (GPU.md): one process, float32 weights under bfloat16
autocast, Muon batched over all matrices of one shape, Adam for the rest. Nothing is resumed. The
rate is constant and falls over the last part of the time, which is the wall clock's, from the start
of the process to --until seconds. Weights go to --out as F16, in parts, every two minutes and at
the end (`python3 -m pipeline.pack join` puts them together). Without a GPU the same code runs on
the CPU; use it with a small shape to see that everything works.
"""

import argparse
import dataclasses
import itertools
import json
import math
import os
import time

import numpy as np
import torch
import torch.nn.functional as F

from . import network, pack, samples
from .schedule import learning_rate
from .sharding import Layout

HERE = os.path.dirname(os.path.abspath(__file__))
TOKENIZER = os.path.join(HERE, "..", "tokenizer.json")
MOMENTUM, WEIGHT_DECAY, ADAM_RATE = 0.95, 0.05, 0.15
# Positions whose logits are computed at once, in training and in the check.
LOSS_CHUNK, CHECK_CHUNK = 32_768, 2_048
CHECK_EVERY_SECONDS, SAVE_EVERY_SECONDS, REPORT_EVERY_SECONDS = 90, 120, 15
PART_BYTES = int(14.3 * pack.MEBIBYTE)


class Rows(torch.utils.data.IterableDataset):
    """Batches of samples; each loader draws from its own share of the files."""

    def __init__(self, text: str, n_rows: int, n_context: int):
        self.text, self.n_rows, self.n_context = text, n_rows, n_context

    def __iter__(self):
        info = torch.utils.data.get_worker_info()
        part, parts = (info.id, info.num_workers) if info else (0, 1)
        chosen = (self.text, "train", TOKENIZER, 1 + 7919 * part, self.n_context, self.n_rows)
        for tokens, weights in samples.batches(*chosen, part, parts):
            yield torch.from_numpy(tokens), torch.from_numpy(weights)


def weighted_loss(hidden, embedding, targets, weights):
    """[n, d_model], [n_vocab, d_model], [n], [n] -> the sum of weight times nats."""
    logits = (hidden @ embedding.T).float()
    return (F.cross_entropy(logits, targets, reduction="none") * weights).sum()


def orthogonalised(gradients):
    """Newton-Schulz iterations (Muon, Keller Jordan 2024) over matrices [k, rows, columns]."""
    x = gradients.bfloat16() if gradients.is_cuda else gradients
    is_wide = x.shape[1] <= x.shape[2]
    if not is_wide:
        x = x.mT
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(5):
        gram = x @ x.mT
        x = 3.4445 * x + (-4.7750 * gram + 2.0315 * gram @ gram) @ x
    return (x if is_wide else x.mT).float()


class BatchedMuon:
    """Muon for matrices; those of one shape are orthogonalised together."""

    def __init__(self, matrices):
        self.groups = {}
        for matrix in matrices:
            self.groups.setdefault(tuple(matrix.shape), []).append(matrix)
        self.momentum = {
            shape: torch.zeros(len(group), *shape, device=group[0].device)
            for shape, group in self.groups.items()
        }

    @torch.no_grad()
    def step(self, rate: float) -> None:
        """Changes the matrices by their gradients."""
        for shape, group in self.groups.items():
            gradients, momentum = torch.stack([m.grad for m in group]), self.momentum[shape]
            momentum.mul_(MOMENTUM).add_(gradients)
            update = orthogonalised(gradients.add(momentum, alpha=MOMENTUM))
            update *= max(1, shape[0] / shape[1]) ** 0.5
            torch._foreach_mul_(group, 1 - rate * WEIGHT_DECAY)
            torch._foreach_add_(group, list(update.unbind(0)), alpha=-rate)


class Training:
    """One training, from random weights."""

    def __init__(self, a: argparse.Namespace, began: float):
        self.a, self.began = a, began
        self.is_cuda = torch.cuda.is_available()  # does not yet start CUDA in this process
        self.device = torch.device("cuda" if self.is_cuda else "cpu")
        os.makedirs(a.out, exist_ok=True)
        torch.manual_seed(1)
        torch.set_float32_matmul_precision("high")
        self.shape = network.Shape(
            8192, a.d_model, a.layers, a.heads, a.kv_heads, a.d_ffn, n_context=a.context
        )
        self.model = network.Network(self.shape)
        self.model.initialise(1)
        self.rows = self.loader()  # its processes are forked before CUDA is started
        self.model.to(self.device)
        name = torch.cuda.get_device_name() if self.is_cuda else "CPU"
        n_parameters = Layout(self.model, 1).size
        self.report(f"{n_parameters / 1e6:.2f}M parameters on {name}, torch {torch.__version__}")
        self.loss_of = weighted_loss
        if not a.eager:
            for block in self.model.blk:
                block.compile(dynamic=False)
            self.loss_of = torch.compile(weighted_loss, dynamic=False)
        named = [
            (p.ndim == 2 and not n.startswith("token_embd"), p)
            for n, p in self.model.named_parameters()
        ]
        self.muon = BatchedMuon([p for is_matrix, p in named if is_matrix])
        others = [p for is_matrix, p in named if not is_matrix]
        self.adam = torch.optim.Adam(
            others, lr=ADAM_RATE * a.rate, betas=(0.9, 0.95), eps=1e-10, fused=self.is_cuda
        )
        held_out = samples.batches(a.text, "heldout", TOKENIZER, 7, a.context, 4)
        self.held_out = list(itertools.islice(held_out, 2 if a.steps else 16))
        self.step, self.n_tokens = 0, 0

    def seconds(self) -> float:
        """Since the process began."""
        return time.monotonic() - self.began

    def report(self, words: str) -> None:
        """A line with the time."""
        print(f"[{self.seconds():6.1f} s] {words}", flush=True)

    def loader(self):
        """Endless batches, made by processes beside this one where there is a GPU."""
        n = self.a.loaders
        if n is None:
            n = min(8, (os.cpu_count() or 4) - 3) if self.is_cuda else 0
        rows = Rows(self.a.text, self.a.rows // self.a.micro_batches, self.a.context)
        return iter(
            torch.utils.data.DataLoader(
                rows,
                batch_size=None,
                num_workers=n,
                prefetch_factor=3 if n else None,
                pin_memory=self.is_cuda,
            )
        )

    def autocast(self):
        """Products in bfloat16 on a GPU."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.is_cuda)

    @torch.no_grad()
    def check(self) -> None:
        """The held-out loss, over everything and over the middles."""
        everything, middles = [], []
        for tokens, weights in self.held_out:
            t = torch.from_numpy(tokens).long().to(self.device)
            with self.autocast():
                nats = network.nats(self.model, t, CHECK_CHUNK).float().cpu().numpy()
            everything.append(nats[weights > 0].mean())
            middles.append(nats[weights == samples.WEIGHT_MIDDLE].mean())
        row = {
            "step": self.step,
            "tokens": self.n_tokens,
            "minutes": round(self.seconds() / 60, 2),
            "nats": round(float(np.mean(everything)), 4),
            "nats_of_middles": round(float(np.mean(middles)), 4),
        }
        self.report(f"held out {json.dumps(row)}")
        with open(f"{self.a.out}/log.jsonl", "a") as log:
            log.write(json.dumps(row) + "\n")

    def save(self) -> None:
        """Writes the weights as F16, in parts; a run that is cut off leaves the last ones."""
        flat = torch.cat([p.detach().flatten() for p in self.model.parameters()]).cpu()
        progress = {
            "step": self.step,
            "seconds": self.seconds(),
            "tokens": self.n_tokens,
            "begun_seconds": 0.0,
            "total_seconds": self.a.until,
        }
        kept = {"weights": flat.half(), "shape": dataclasses.asdict(self.shape)}
        whole = f"{self.a.out}/weights.pt"
        torch.save(kept | {"progress": progress}, whole)
        pack.split(whole, whole, PART_BYTES)
        os.remove(whole)

    def train_step(self, factor: float):
        """One step over all rows; the loss, which is still on the device."""
        total = 0.0
        for _ in range(self.a.micro_batches):
            tokens, weights = next(self.rows)
            t = tokens.to(self.device, non_blocking=True).long()
            w = weights.to(self.device, non_blocking=True)
            w, targets = (w / (w.sum() * self.a.micro_batches)).flatten(), t[:, 1:].flatten()
            with self.autocast():
                hidden = self.model(t[:, :-1]).flatten(0, 1)
                loss = sum(
                    self.loss_of(h, self.model.token_embd.weight, some_targets, some_weights)
                    for h, some_targets, some_weights in zip(
                        hidden.split(LOSS_CHUNK),
                        targets.split(LOSS_CHUNK),
                        w.split(LOSS_CHUNK),
                        strict=True,
                    )
                )
            loss.backward()
            total = total + loss.detach()
        self.muon.step(self.a.rate * factor)
        for group in self.adam.param_groups:
            group["lr"] = ADAM_RATE * self.a.rate * factor
        self.adam.step()
        for p in self.model.parameters():
            p.grad = None
        self.step += 1
        self.n_tokens += self.a.rows * self.a.context
        return total

    def run(self) -> None:
        """Trains until the time is over."""
        a, losses = self.a, []
        # The schedule's clock begins after the first step, which compiles.
        started, n_tokens_before = None, 0
        reported = saved = checked = time.monotonic()
        end = a.until - (14 if self.is_cuda else 3)
        while True:
            done = 0.0
            if started is not None:
                done = (self.seconds() - started) / max(1e-9, end - started)
            if done >= 1 or (a.steps and self.step >= a.steps):
                break
            factor = learning_rate(done, 0, self.step, a.decay)
            total = self.train_step(factor)
            if self.step == 1 or self.step % 10 == 0 or not self.is_cuda:
                losses.append(float(total))  # waits for the GPU
                if not math.isfinite(losses[-1]):
                    raise SystemExit("the loss is not a number: halve --rate")
            if started is None:
                started, n_tokens_before = self.seconds(), self.n_tokens
                self.report(f"first step, loss {losses[-1]:.3f}")
            now = time.monotonic()
            if now - reported > REPORT_EVERY_SECONDS:
                speed = (self.n_tokens - n_tokens_before) / (self.seconds() - started)
                loss = float(np.mean(losses[-10:]))
                self.report(
                    f"step {self.step}, {self.n_tokens / 1e6:.1f}M tokens, loss {loss:.3f}, "
                    f"{speed:.0f} tokens/s, rate {factor:.3f}"
                )
                reported = now
            if now - checked > CHECK_EVERY_SECONDS and not a.steps:
                self.check()
                checked = time.monotonic()
            if now - saved > SAVE_EVERY_SECONDS and not a.steps:
                self.save()
                saved = time.monotonic()
        self.check()
        self.save()
        self.report(f"done: {self.step} steps, {self.n_tokens / 1e6:.1f}M tokens")


def main() -> None:
    """Runs the step."""
    began = time.monotonic()
    p = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    p.add_argument("--text", required=True, help="the folder with LANGUAGE.train.jsonl and so on")
    p.add_argument("--out", required=True, help="the folder for weights and log.jsonl")
    p.add_argument("--until", type=float, default=575, help="seconds until everything is written")
    p.add_argument("--steps", type=int, default=0, help="only so many steps, to see that it runs")
    p.add_argument("--d-model", type=int, default=384)
    p.add_argument("--layers", type=int, default=8)
    p.add_argument("--heads", type=int, default=6)
    p.add_argument("--kv-heads", type=int, default=1)
    p.add_argument("--d-ffn", type=int, default=1024)
    p.add_argument("--rows", type=int, default=128, help="rows a step")
    p.add_argument("--context", type=int, default=1024, help="tokens a row")
    p.add_argument("--micro-batches", type=int, default=1, help="parts that a step is computed in")
    p.add_argument("--rate", type=float, default=0.02, help="Muon's; Adam's is 0.15 of it")
    p.add_argument("--decay", type=float, default=0.45, help="share of the time the rate falls in")
    p.add_argument("--loaders", type=int, help="processes that make samples")
    p.add_argument("--eager", action="store_true", help="do not compile")
    Training(p.parse_args(), began).run()
    os._exit(0)  # does not wait for the loaders


if __name__ == "__main__":
    main()
