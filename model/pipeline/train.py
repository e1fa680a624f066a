"""Trains the network, on the cores of a CPU (a process a core) or on one CUDA GPU; time-boxed, and
resumed from its checkpoint.

    python3 -m pipeline.train --text .work/full/text --out .work/run --minutes 100

The learning rate is warmed up, constant, and falls to a fiftieth over the last part of --minutes
(WSD, arXiv:2404.06395), which counts the time of all runs together; time in which the process was
stopped does not count. `--extend MINUTES` goes on from a checkpoint at the full rate and lets it
fall at the end of the added time, so that several sessions train one model and each ends with one
to ship.
"""

import argparse
import dataclasses
import os
import time

import torch
import torch.multiprocessing as multiprocessing

from . import checkpoint, network
from .checkpoint import Progress
from .optimizer import OptimizerState
from .sharding import Layout
from .trainer import Team, Trainer, TrainOptions

HERE = os.path.dirname(os.path.abspath(__file__))
N_VOCABULARY = 8192


def arguments(words: list[str] | None = None):
    """The command line, or that of `words`."""
    p = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    p.add_argument(
        "--text",
        required=True,
        help="the folder with LANGUAGE.train.jsonl and LANGUAGE.heldout.jsonl",
    )
    p.add_argument("--tokenizer", default=os.path.join(HERE, "..", "tokenizer.json"))
    p.add_argument("--out", required=True, help="where checkpoint.pt and log.jsonl go")
    p.add_argument("--minutes", type=float, default=100.0, help="of training in all, over all runs")
    p.add_argument(
        "--extend",
        type=float,
        default=0.0,
        help="minutes to add to what a finished checkpoint was trained for",
    )
    p.add_argument(
        "--stop-after",
        type=float,
        default=1e9,
        help="minutes of this run alone; the schedule still spans --minutes",
    )
    p.add_argument(
        "--steps",
        type=int,
        default=0,
        help="end after this many steps; the schedule spans them instead of --minutes",
    )
    p.add_argument("--d-model", type=int, default=384)
    p.add_argument("--layers", type=int, default=6)
    p.add_argument("--heads", type=int, default=6)
    p.add_argument("--kv-heads", type=int, default=2)
    p.add_argument("--d-ffn", type=int, default=1024)
    p.add_argument(
        "--rows", type=int, default=4, help="rows of 512 tokens a micro-batch and process"
    )
    p.add_argument("--micro-batches", type=int, default=2, help="micro-batches a step and process")
    p.add_argument(
        "--processes",
        type=int,
        default=0,
        help="processes of one thread each; 0: one a core, or one with a GPU",
    )
    p.add_argument(
        "--loaders",
        type=int,
        default=0,
        help="processes that make samples, beside each training process",
    )
    p.add_argument(
        "--long-from",
        type=float,
        default=0.7,
        help="the share of the time after which rows have 1,024 tokens instead of 512",
    )
    p.add_argument(
        "--decay", type=float, default=0.45, help="the share of the time over which the rate falls"
    )
    p.add_argument("--rate", type=float, default=0.02, help="Muon's learning rate")
    p.add_argument(
        "--neighbours",
        type=float,
        default=0.2,
        help="the share of samples with a chunk of a neighbour file",
    )
    p.add_argument(
        "--hashed",
        type=int,
        default=0,
        help="vectors for hashed n-grams at the input, a trial (FIGURES.md)",
    )
    p.add_argument(
        "--start-from",
        help="a GGUF of fewer layers and the same widths, whose weights this network begins with",
    )
    p.add_argument("--seed", type=int, default=1)
    p.add_argument(
        "--held-out-batches",
        type=int,
        default=16,
        help="batches of 4 rows of 1,024 tokens that the held-out loss is of",
    )
    p.add_argument(
        "--check-every", type=int, default=500, help="steps between checkpoints and held-out losses"
    )
    return p.parse_args(words)


def prepare_environment(is_cuda: bool) -> None:
    """Settings that are read when a process starts, for those that are started here.

    Page faults of torch's large blocks cost a CPU half its time; the first three are glibc's.
    """
    os.environ.update(
        MALLOC_MMAP_MAX_="0",
        MALLOC_TRIM_THRESHOLD_="34359738368",
        MALLOC_TOP_PAD_="268435456",
        OMP_NUM_THREADS="8" if is_cuda else "1",
    )


def resumed(a, kept: dict, state: OptimizerState) -> Progress:
    """Takes a checkpoint up again, for as long as the command line says."""
    progress = checkpoint.restore(kept, state)
    if a.extend:
        progress.begun_seconds = progress.seconds
        progress.total_seconds = progress.seconds + a.extend * 60
    elif not progress.begun_seconds:
        progress.total_seconds = a.minutes * 60
    print(
        f"resumed at step {progress.step}, {progress.tokens / 1e6:.1f}M tokens, "
        f"{progress.seconds / 60:.1f} minutes",
        flush=True,
    )
    return progress


def begun(a, model: network.Network, layout: Layout, state: OptimizerState) -> Progress:
    """Starts from random weights, or from a smaller network."""
    model.initialise(a.seed)
    if a.start_from:
        checkpoint.grow_from(model, a.start_from)
    for view, parameter in zip(layout.views(state.weights), model.parameters(), strict=True):
        view.copy_(parameter.detach())
    return Progress(total_seconds=a.minutes * 60)


def train_one(options, team, shape, dtype, state, progress) -> None:
    """One process."""
    Trainer(options, team, shape, dtype, state, progress).run()


def train_together(n_processes, options, shape, dtype, state, progress) -> None:
    """Starts the processes and waits for them; one that fails ends all."""
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(n_processes)
    stop = torch.zeros(1).share_memory_()
    teams = [Team(rank, n_processes, barrier, stop) for rank in range(n_processes)]
    fixed = (shape, dtype, state, progress)
    children = [context.Process(target=train_one, args=(options, it, *fixed)) for it in teams]
    for child in children:
        child.start()
    while any(child.is_alive() for child in children):
        if any(child.exitcode for child in children):
            for child in children:
                child.terminate()
        time.sleep(0.5)
    if any(child.exitcode for child in children):
        raise SystemExit(
            "a training process ended early; run the command again, it goes on from its checkpoint"
        )


def main() -> None:
    """Starts the processes that train, and hands each the memory they share."""
    a = arguments()
    os.makedirs(a.out, exist_ok=True)
    is_cuda = torch.cuda.is_available()
    n_processes = 1 if is_cuda else a.processes or os.cpu_count()
    prepare_environment(is_cuda)
    kept = checkpoint.load(f"{a.out}/checkpoint.pt")
    if kept:
        shape = network.Shape(**kept["shape"])
    else:
        sizes = (a.d_model, a.layers, a.heads, a.kv_heads, a.d_ffn)
        shape = network.Shape(N_VOCABULARY, *sizes, n_hashed=a.hashed)
    model = network.Network(shape)
    layout = Layout(model, n_processes)
    device = torch.device("cuda" if is_cuda else "cpu")
    dtype = network.number_type(device)

    def shared_zeros(*size):
        zeros = torch.zeros(*size, device=device)
        return zeros if is_cuda else zeros.share_memory_()

    state = OptimizerState.zeros(layout.size, n_processes, shared_zeros)
    progress = resumed(a, kept, state) if kept else begun(a, model, layout, state)
    del kept
    print(
        f"{layout.size / 1e6:.2f}M parameters, {dataclasses.asdict(shape)}, "
        f"{n_processes} {device} process(es), {dtype}",
        flush=True,
    )
    options = TrainOptions.of(a)
    if n_processes == 1:
        train_one(options, Team(), shape, dtype, state, progress)
    else:
        train_together(n_processes, options, shape, dtype, state, progress)


if __name__ == "__main__":
    main()
