"""One training process: its batches, its gradients, its share of each optimizer step."""

import dataclasses
import json
import os
import statistics
import time

import numpy as np
import torch

from . import checkpoint, network, samples
from .checkpoint import Progress
from .optimizer import OptimizerState, ShardedOptimizer
from .schedule import learning_rate
from .sharding import Layout

# Tokens of a row, at first and after `TrainOptions.long_from`.
SHORT_ROW, LONG_ROW = 512, 1024
HELD_OUT_ROWS = 4
# Logits are computed for so many tokens at a time: on a CPU what its cache holds.
LOSS_CHUNK_CPU, LOSS_CHUNK_GPU = 512, 8192
REPORT_SECONDS = 30
# A process that waits longer for the others gives up.
BARRIER_SECONDS = 1200


@dataclasses.dataclass(frozen=True)
class TrainOptions:
    """What a training is like; the command line of `pipeline.train` says what each option means."""

    text: str
    tokenizer: str
    out: str
    stop_after: float
    steps: int
    rows: int
    micro_batches: int
    loaders: int
    long_from: float
    decay: float
    rate: float
    neighbours: float
    seed: int
    held_out_batches: int
    check_every: int

    @classmethod
    def of(cls, arguments) -> "TrainOptions":
        """From the parsed command line."""
        names = [field.name for field in dataclasses.fields(cls)]
        return cls(**{name: getattr(arguments, name) for name in names})


@dataclasses.dataclass(frozen=True)
class Team:
    """A process among those that train one network. With more than one they share memory and meet
    at the barrier."""

    rank: int = 0
    n_processes: int = 1
    barrier: object = None
    # Set by process 0: 1 ends the training.
    stop: torch.Tensor = dataclasses.field(default_factory=lambda: torch.zeros(1))

    @property
    def leads(self) -> bool:
        """Whether this process reports and saves."""
        return self.rank == 0


class Rows(torch.utils.data.IterableDataset):
    """Batches for torch's loader; each of its workers draws from its own share of the files."""

    def __init__(self, options: TrainOptions, team: Team, n_tokens: int, seed: int):
        self.options, self.rank, self.n_processes = options, team.rank, team.n_processes
        self.n_tokens, self.seed = n_tokens, seed

    def __iter__(self):
        info = torch.utils.data.get_worker_info()
        worker, n_workers = (info.id, info.num_workers) if info else (0, 1)
        part, n_parts = self.rank * n_workers + worker, self.n_processes * n_workers
        o = self.options
        n_rows = max(1, o.rows * SHORT_ROW // self.n_tokens)
        yield from samples.batches(
            o.text,
            "train",
            o.tokenizer,
            self.seed + 7919 * part,
            self.n_tokens,
            n_rows,
            part,
            n_parts,
            o.neighbours,
        )


class Clock:
    """How long training took. A stopped process, a sleeping machine or a compilation, as in the
    first step, is no training time."""

    def __init__(self, seconds: float):
        self.seconds = self.started = seconds
        self.is_first = True
        self.durations: list[float] = []

    def add(self, seconds: float) -> None:
        """Counts one step."""
        if self.is_first:
            self.is_first = False
            return
        self.durations = [*self.durations, seconds][-21:]
        self.seconds += min(seconds, 3 * statistics.median(self.durations))

    def of_this_run(self) -> float:
        """Seconds since this process began to train."""
        return self.seconds - self.started


class Trainer:
    """Trains until the schedule is over or this run's time is."""

    def __init__(
        self,
        options: TrainOptions,
        team: Team,
        shape: network.Shape,
        dtype: torch.dtype,
        state: OptimizerState,
        progress: Progress,
    ):
        self.options, self.team, self.shape, self.state = options, team, shape, state
        self.progress = dataclasses.replace(progress)
        self.device = state.weights.device
        self.is_cpu = self.device.type == "cpu"
        self.parent = os.getppid()
        torch.manual_seed(options.seed + team.rank)
        if self.is_cpu:
            torch.set_num_threads(1)
        else:
            torch.backends.cuda.matmul.allow_tf32 = True
        self.model = network.Network(shape).to(self.device, dtype)
        layout = Layout(self.model, team.n_processes)
        self.optimizer = ShardedOptimizer(
            layout, team.rank, team.n_processes, state, options.rate, dtype
        )
        gradients = layout.views(state.gradients[team.rank])
        parameters = self.model.parameters()
        masters = layout.views(state.weights)
        self.tensors = list(zip(masters, parameters, gradients, strict=True))
        self.take_weights()
        for block in self.model.blk:
            block.compile(dynamic=False)
        self.held_out = self.held_out_batches() if team.leads else []
        self.clock = Clock(progress.seconds)
        self.losses: list[float] = []
        self.last_report = 0.0
        self.n_row_tokens, self.loader = 0, None

    def held_out_batches(self) -> list:
        """The same ones in every run."""
        o = self.options
        batches = samples.batches(o.text, "heldout", o.tokenizer, 7, LONG_ROW, HELD_OUT_ROWS)
        return [next(batches) for _ in range(o.held_out_batches)]

    @torch.no_grad()
    def take_weights(self) -> None:
        """Copies the shared master weights into this process's network."""
        for master, parameter, _ in self.tensors:
            parameter.copy_(master)

    def wait(self) -> None:
        """Until every process is here."""
        if self.team.barrier:
            if os.getppid() != self.parent:
                raise SystemExit("the process that started this one is gone")
            self.team.barrier.wait(timeout=BARRIER_SECONDS)

    def done(self) -> float:
        """The share of the schedule that is over."""
        if self.options.steps:
            return self.progress.step / self.options.steps
        return self.clock.seconds / self.progress.total_seconds

    def run(self) -> None:
        """The whole training of this run."""
        if self.team.leads and self.progress.step == 0:
            self.check()
        while not self.must_stop():
            started = time.monotonic()
            n_step_tokens = self.step()
            if not self.is_cpu:
                # Or the clock measures how fast work is handed out, not how fast it is done.
                torch.cuda.synchronize()
            self.progress.step += 1
            self.progress.tokens += n_step_tokens
            self.clock.add(time.monotonic() - started)
            if self.team.leads:
                self.report(n_step_tokens)
                if self.progress.step % self.options.check_every == 0:
                    self.check()
                    self.save()
        if self.team.leads:
            self.check()
            self.save()
            print("done" if self.done() >= 1 else "paused", flush=True)

    def must_stop(self) -> bool:
        """Process 0 decides, so that all stop after the same step."""
        if self.team.leads:
            is_over = self.clock.of_this_run() > self.options.stop_after * 60
            self.team.stop[0] = float(self.done() >= 1 or is_over)
        self.wait()
        return bool(self.team.stop[0])

    def next_batch(self):
        """Tokens [rows, n + 1] and the weights of their targets [rows, n], on the device."""
        n_tokens = LONG_ROW if self.done() >= self.options.long_from else SHORT_ROW
        if n_tokens != self.n_row_tokens:
            self.n_row_tokens = n_tokens
            seed = self.options.seed + 104_729 * (self.progress.step + 1)
            n_loaders = self.options.loaders
            self.loader = iter(
                torch.utils.data.DataLoader(
                    Rows(self.options, self.team, n_tokens, seed),
                    batch_size=None,
                    num_workers=n_loaders,
                    prefetch_factor=8 if n_loaders else None,
                )
            )
        tokens, weights = next(self.loader)
        to_device = (
            torch.as_tensor(it).to(self.device, non_blocking=True) for it in (tokens, weights)
        )
        tokens, weights = to_device
        return tokens.long(), weights

    def schedule(self) -> float:
        """The learning rate's factor of the next step."""
        resumed_at = self.progress.begun_seconds / self.progress.total_seconds
        resumed_at = 0.0 if self.options.steps else resumed_at
        return learning_rate(self.done(), resumed_at, self.progress.step, self.options.decay)

    def step(self) -> int:
        """One optimizer step of all processes; returns the tokens that they read."""
        factor = self.schedule()
        for _, _, gradient in self.tensors:
            gradient.zero_()
        n_batches = self.options.micro_batches * self.team.n_processes
        n_tokens = 0
        for _ in range(self.options.micro_batches):
            tokens, weights = self.next_batch()
            self.accumulate(tokens, weights, n_batches)
            n_tokens += tokens.shape[0] * self.n_row_tokens * self.team.n_processes
        self.wait()
        self.optimizer.step(factor, self.progress.step + 1)
        self.wait()
        self.take_weights()
        return n_tokens

    def accumulate(self, tokens, weights, n_batches: int) -> None:
        """Adds one micro-batch's gradients to this process's, as one of `n_batches` of the step."""
        weights = (weights / (weights.sum() * n_batches)).flatten()
        hidden = self.model(tokens[:, :-1]).flatten(0, 1)
        chunk = LOSS_CHUNK_CPU if self.is_cpu else LOSS_CHUNK_GPU
        embedding, targets = self.model.token_embd.weight, tokens[:, 1:].flatten()
        loss = network.WeightedCrossEntropy.apply(hidden, embedding, targets, weights, chunk)
        loss.backward()
        for _, parameter, gradient in self.tensors:
            gradient += parameter.grad
            parameter.grad = None
        # Reading it waits for a GPU.
        if self.team.leads and (self.is_cpu or self.progress.step % 10 == 0):
            self.losses.append(loss.item() * n_batches)

    def report(self, n_step_tokens: int) -> None:
        """Prints how it goes, now and then."""
        clock = self.clock
        if not clock.durations or clock.seconds - self.last_report < REPORT_SECONDS:
            return
        self.last_report = clock.seconds
        speed = n_step_tokens / statistics.median(clock.durations)
        print(
            f"step {self.progress.step} {self.progress.tokens / 1e6:.2f}M tokens, "
            f"loss {np.mean(self.losses[-200:]):.3f}, {speed:.0f} tokens/s, "
            f"rate {self.schedule():.3f}, {clock.seconds / 60:.1f} of "
            f"{self.progress.total_seconds / 60:.0f} minutes",
            flush=True,
        )

    def check(self) -> None:
        """Logs the loss on held-out text, of all tokens and of middles alone."""
        all_tokens, middles = [], []
        for tokens, weights in self.held_out:
            tokens = torch.from_numpy(tokens).long().to(self.device)
            nats = network.nats(self.model, tokens).float().cpu().numpy()
            all_tokens.append(nats[weights > 0].mean())
            middles.append(nats[weights == samples.WEIGHT_MIDDLE].mean())
        row = {
            "step": self.progress.step,
            "tokens": self.progress.tokens,
            "minutes": round(self.clock.seconds / 60, 2),
            "nats": round(float(np.mean(all_tokens)), 4),
            "nats_of_middles": round(float(np.mean(middles)), 4),
        }
        print("  held out:", json.dumps(row), flush=True)
        with open(f"{self.options.out}/log.jsonl", "a") as log:
            log.write(json.dumps(row) + "\n")

    def save(self) -> None:
        """Writes the checkpoint."""
        self.progress.seconds = self.clock.seconds
        path = f"{self.options.out}/checkpoint.pt"
        checkpoint.save(path, self.state, self.shape, self.progress)
