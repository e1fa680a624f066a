"""Trains the network, on the cores of a CPU (a process a core) or on one CUDA GPU; time-boxed, and resumed from its checkpoint.

    python3 -m pipeline.train --text .work/full/text --out .work/run --minutes 100

The learning rate is warmed up, constant, and falls to a fiftieth over the last part of --minutes (WSD, arXiv:2404.06395), which counts
the time of all runs together; time in which the process was stopped does not count. `--extend MINUTES` goes on from a checkpoint at the
full rate and lets it fall at the end of the added time, so that several sessions train one model and each ends with one to ship.
"""

import argparse
import dataclasses
import json
import os
import statistics
import time

import numpy as np
import torch
import torch.multiprocessing as multiprocessing

from . import network, samples

MUON_MOMENTUM, MUON_DECAY = 0.95, 0.05
ADAM_BETAS, ADAM_EPSILON = (0.9, 0.95), 1e-10
# Adam's rate for embedding and norms, of Muon's for the matrices.
ADAM_RATE = 0.15
WARM_UP_STEPS = 100
LEAST_RATE = 0.02
HERE = os.path.dirname(os.path.abspath(__file__))


def arguments():
    """The command line."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--text", required=True, help="the folder with LANGUAGE.train.jsonl and LANGUAGE.heldout.jsonl")
    p.add_argument("--tokenizer", default=os.path.join(HERE, "..", "tokenizer.json"))
    p.add_argument("--out", required=True, help="where checkpoint.pt and log.jsonl go")
    p.add_argument("--minutes", type=float, default=100.0, help="of training in all, over all runs")
    p.add_argument("--extend", type=float, default=0.0, help="minutes to add to what a finished checkpoint was trained for")
    p.add_argument("--stop-after", type=float, default=1e9, help="minutes of this run alone; the schedule still spans --minutes")
    p.add_argument("--steps", type=int, default=0, help="end after this many steps; the schedule spans them instead of --minutes")
    p.add_argument("--d-model", type=int, default=384)
    p.add_argument("--layers", type=int, default=6)
    p.add_argument("--heads", type=int, default=6)
    p.add_argument("--kv-heads", type=int, default=2)
    p.add_argument("--d-ffn", type=int, default=1024)
    p.add_argument("--rows", type=int, default=4, help="rows of 512 tokens a micro-batch and process")
    p.add_argument("--micro-batches", type=int, default=2, help="micro-batches a step and process")
    p.add_argument("--processes", type=int, default=0, help="processes of one thread each; 0: one a core, or one with a GPU")
    p.add_argument("--loaders", type=int, default=0, help="processes that make samples, beside each training process")
    p.add_argument("--long-from", type=float, default=0.7, help="the share of the time after which rows have 1,024 tokens instead of 512")
    p.add_argument("--decay", type=float, default=0.45, help="the share of the time over which the rate falls")
    p.add_argument("--rate", type=float, default=0.02, help="Muon's learning rate")
    p.add_argument("--neighbours", type=float, default=0.2, help="the share of samples with a chunk of a neighbour file")
    p.add_argument("--hashed", type=int, default=0, help="vectors for hashed n-grams at the input, a trial (FIGURES.md)")
    p.add_argument("--start-from", help="a GGUF of fewer layers and the same widths, whose weights this network begins with")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--held-out-batches", type=int, default=16, help="batches of 4 rows of 1,024 tokens that the held-out loss is of")
    p.add_argument("--check-every", type=int, default=500, help="steps between checkpoints and held-out losses")
    return p.parse_args()


class Layout:
    """Where each parameter lies in one flat vector, and which process updates it how."""

    def __init__(self, model: network.Network, ranks: int):
        self.places, self.size = [], 0
        load = [0.0] * ranks
        for name, p in model.named_parameters():
            if p.ndim == 2 and not name.startswith("token_embd"):
                rank = load.index(min(load))
                load[rank] += p.numel() * min(p.shape)
                self.places.append((name, p.shape, self.size, rank, True))
            else:
                self.places.append((name, p.shape, self.size, None, False))  # every process updates its share of the rows
            self.size += p.numel()

    def views(self, flat):
        """The parameters as views of `flat`, in order."""
        return [flat[at : at + shape.numel()].view(shape) for _, shape, at, _, _ in self.places]


def gguf_tensors(path: str) -> dict:
    """The tensors of a GGUF by their names, in F32: what is quantized is taken for what it says."""
    import gguf

    return {t.name: gguf.quants.dequantize(t.data, t.tensor_type) for t in gguf.GGUFReader(path).tensors}


@torch.no_grad()
def grow_from(model: network.Network, path: str) -> None:
    """Takes the weights of a GGUF into a network of as many layers or more: its layers are spread evenly, and a layer between them adds
    nothing to the stream at first (its output matrices are zero), so that the network begins as good as the smaller one ended."""
    tensors = {name: torch.from_numpy(values.copy()) for name, values in gguf_tensors(path).items()}
    n_old, n_new = 1 + max(int(n.split(".")[1]) for n in tensors if n.startswith("blk.")), model.shape.n_layers
    if n_old > n_new:
        raise SystemExit(f"{path} has {n_old} layers, more than --layers {n_new}")
    place = {i * n_new // n_old: i for i in range(n_old)}
    for name, p in model.named_parameters():
        parts = name.split(".")
        if name.startswith("token_embd_hashed"):
            continue
        if parts[0] == "blk" and int(parts[1]) not in place:
            if name.endswith(("attn_output.weight", "ffn_down.weight")):
                p.zero_()
            continue
        old = ".".join(["blk", str(place[int(parts[1])]), *parts[2:]]) if parts[0] == "blk" else name
        if tensors[old].shape != p.shape:
            raise SystemExit(f"{path}: {old} has the shape {tuple(tensors[old].shape)}, this network needs {tuple(p.shape)}")
        p.copy_(tensors[old])


def orthogonalised(g, number):
    """Newton-Schulz iterations towards the nearest orthogonal matrix (Muon, Keller Jordan 2024)."""
    a, b, c = 3.4445, -4.7750, 2.0315
    x = g.to(number)
    if turned := x.shape[0] > x.shape[1]:
        x = x.T
    x = x / (x.norm() + 1e-7)
    for _ in range(5):
        m = x @ x.T
        x = a * x + (b * m + c * m @ m) @ x
    return (x.T if turned else x).to(g.dtype)


@torch.no_grad()
def update(layout, rank, ranks, weights, gradients, first, second, rate, muon_rate, step, number):
    """This process's share of one step: Muon for the matrices, Adam for embedding and norms."""
    for (_, shape, at, owner, is_matrix), p in zip(layout.places, layout.views(weights)):
        n = shape.numel()
        if is_matrix and owner == rank:
            g = gradients[:, at : at + n].sum(0).view(shape)
            m = first[at : at + n].view(shape)
            m.mul_(MUON_MOMENTUM).add_(g)
            u = orthogonalised(g.add(m, alpha=MUON_MOMENTUM), number)
            p.mul_(1 - muon_rate * rate * MUON_DECAY).add_(u, alpha=-muon_rate * rate * max(1, shape[0] / shape[1]) ** 0.5)
        elif not is_matrix:
            a, b = at + n * rank // ranks, at + n * (rank + 1) // ranks
            g, m, v = gradients[:, a:b].sum(0), first[a:b], second[a:b]
            m.lerp_(g, 1 - ADAM_BETAS[0])
            v.lerp_(g * g, 1 - ADAM_BETAS[1])
            m_hat, v_hat = m / (1 - ADAM_BETAS[0] ** step), v / (1 - ADAM_BETAS[1] ** step)
            weights[a:b].sub_(ADAM_RATE * muon_rate * rate * m_hat / (v_hat.sqrt() + ADAM_EPSILON))


def learning_rate(done: float, begun: float, step: int, decay: float) -> float:
    """The rate's factor when the share `done` of this schedule is over; `begun` is where its constant part was taken up again."""
    fall_from = max(begun, 1 - decay * (1 - begun)) if begun else 1 - decay
    return min(1.0, (step + 1) / WARM_UP_STEPS) * (1.0 if done < fall_from else max(LEAST_RATE, (1 - done) / (1 - fall_from)))


class Rows(torch.utils.data.IterableDataset):
    """Batches for torch's loader; each of its workers draws from its own share of the files."""

    def __init__(self, a, n_tokens, n_rows, seed, part, parts):
        self.fixed = (a.text, "train", a.tokenizer)
        self.how = (n_tokens, n_rows)
        self.seed, self.part, self.parts, self.neighbours = seed, part, parts, a.neighbours

    def __iter__(self):
        info = torch.utils.data.get_worker_info()
        k, n = (info.id, info.num_workers) if info else (0, 1)
        part, parts = self.part * n + k, self.parts * n
        yield from samples.batches(*self.fixed, self.seed + 7919 * part, *self.how, part, parts, self.neighbours)


def main() -> None:
    """Starts the processes that train, and hands each the memory they share."""
    a = arguments()
    os.makedirs(a.out, exist_ok=True)
    cuda = torch.cuda.is_available()
    ranks = 1 if cuda else a.processes or os.cpu_count()
    # Page faults of torch's large blocks cost a CPU half its time; the settings are glibc's and read at a process's start.
    os.environ.update(MALLOC_MMAP_MAX_="0", MALLOC_TRIM_THRESHOLD_="34359738368", MALLOC_TOP_PAD_="268435456", OMP_NUM_THREADS="1" if not cuda else "8")
    shape = network.Shape(8192, a.d_model, a.layers, a.heads, a.kv_heads, a.d_ffn, n_hashed=a.hashed)
    path = f"{a.out}/checkpoint.pt"
    old = torch.load(path, weights_only=True, map_location="cpu") if os.path.exists(path) else None
    if old:
        shape = network.Shape(**old["shape"])
    model = network.Network(shape)
    layout = Layout(model, ranks)
    device = "cuda" if cuda else "cpu"
    make = lambda *size: torch.zeros(*size, device=device) if cuda else torch.zeros(*size).share_memory_()  # noqa: E731
    number = network.number_type(torch.device(device))
    shared = dict(weights=make(layout.size), first=make(layout.size), second=make(layout.size), gradients=make(ranks, layout.size))
    progress = dict(step=0, seconds=0.0, tokens=0, begun_seconds=0.0, total_seconds=a.minutes * 60)
    if old:
        for name in ("weights", "first", "second"):
            shared[name].copy_(old[name])
        progress.update(old["progress"])
        if a.extend:
            progress.update(begun_seconds=progress["seconds"], total_seconds=progress["seconds"] + a.extend * 60)
        elif not progress["begun_seconds"]:
            progress.update(total_seconds=a.minutes * 60)
        print(f"resumed at step {progress['step']}, {progress['tokens'] / 1e6:.1f}M tokens, {progress['seconds'] / 60:.1f} minutes", flush=True)
        del old
    else:
        model.initialise(a.seed)
        if a.start_from:
            grow_from(model, a.start_from)
        for v, p in zip(layout.views(shared["weights"]), model.parameters()):
            v.copy_(p.detach())
    print(f"{layout.size / 1e6:.2f}M parameters, {dataclasses.asdict(shape)}, {ranks} {device} process(es), {number}", flush=True)
    if ranks == 1:
        train(0, 1, a, shape, number, shared, progress, None)
    else:
        context = multiprocessing.get_context("spawn")
        barrier = context.Barrier(ranks)
        stop = torch.zeros(1).share_memory_()
        children = [context.Process(target=train, args=(r, ranks, a, shape, number, shared | {"stop": stop}, progress, barrier)) for r in range(ranks)]
        for c in children:
            c.start()
        while any(c.is_alive() for c in children):
            if any(c.exitcode for c in children):
                for c in children:
                    c.terminate()
            time.sleep(0.5)
        if any(c.exitcode for c in children):
            raise SystemExit("a training process ended early; run the command again, it goes on from its checkpoint")


def train(rank, ranks, a, shape, number, shared, progress, barrier):
    """One process's part: its batches, its gradients, its share of each update."""
    device = shared["weights"].device
    torch.manual_seed(a.seed + rank)
    if device.type == "cpu":
        torch.set_num_threads(1)
    else:
        torch.backends.cuda.matmul.allow_tf32 = True
    parent = os.getppid()

    def wait():
        if barrier:
            if os.getppid() != parent:
                raise SystemExit("the process that started this one is gone")
            barrier.wait(timeout=1200)

    model = network.Network(shape).to(device, number)
    layout = Layout(model, ranks)
    pairs = list(zip(layout.views(shared["weights"]), model.parameters(), layout.views(shared["gradients"][rank])))

    def take_weights():
        with torch.no_grad():
            for master, p, _ in pairs:
                p.copy_(master)

    take_weights()
    for block in model.blk:
        block.compile(dynamic=False)
    fixed = samples.batches(a.text, "heldout", a.tokenizer, 7, 1024, 4)
    held_out = [next(fixed) for _ in range(a.held_out_batches)] if rank == 0 else []
    del fixed
    step, used, n_tokens_seen = progress["step"], progress["seconds"], progress["tokens"]
    total, began = progress["total_seconds"], progress["begun_seconds"]
    run_started, durations, losses, last_report = used, [], [], 0.0
    stop = shared.get("stop", torch.zeros(1))
    n_tokens, loader = 0, None

    def save():
        kept = {k: shared[k].cpu() for k in ("weights", "first", "second")}
        state = dict(progress, step=step, seconds=used, tokens=n_tokens_seen, total_seconds=total, begun_seconds=began)
        torch.save(dict(kept, shape=dataclasses.asdict(shape), progress=state), f"{a.out}/checkpoint.pt.part")
        os.replace(f"{a.out}/checkpoint.pt.part", f"{a.out}/checkpoint.pt")

    def check():
        everything, middles = [], []
        for tokens, weights in held_out:
            got = network.nats(model, torch.from_numpy(tokens).long().to(device)).float().cpu().numpy()
            everything.append(got[weights > 0].mean())
            middles.append(got[weights == samples.WEIGHT_MIDDLE].mean())
        row = dict(step=step, tokens=n_tokens_seen, minutes=round(used / 60, 2), nats=round(float(np.mean(everything)), 4), nats_of_middles=round(float(np.mean(middles)), 4))
        print("  held out:", json.dumps(row), flush=True)
        with open(f"{a.out}/log.jsonl", "a") as log:
            log.write(json.dumps(row) + "\n")

    if rank == 0 and step == 0:
        check()
    while True:
        done = step / a.steps if a.steps else used / total
        if rank == 0:
            stop[0] = float(done >= 1 or used - run_started > a.stop_after * 60)
        wait()
        if stop[0]:
            break
        length = 1024 if done >= a.long_from else 512
        if length != n_tokens:
            n_tokens = length
            rows = Rows(a, n_tokens, max(1, a.rows * 512 // n_tokens), a.seed + 104_729 * (step + 1), rank, ranks)
            loader = iter(torch.utils.data.DataLoader(rows, batch_size=None, num_workers=a.loaders, prefetch_factor=8 if a.loaders else None))
        start = time.monotonic()
        rate = learning_rate(done, 0.0 if a.steps else began / total, step, a.decay)
        for _, _, g in pairs:
            g.zero_()
        for _ in range(a.micro_batches):
            tokens, weights = (torch.as_tensor(x).to(device, non_blocking=True) for x in next(loader))
            tokens = tokens.long()
            w = (weights / (weights.sum() * a.micro_batches * ranks)).flatten()
            hidden = model(tokens[:, :-1]).flatten(0, 1)
            loss = network.WeightedCrossEntropy.apply(hidden, model.token_embd.weight, tokens[:, 1:].flatten(), w, 512 if device.type == "cpu" else 8192)
            loss.backward()
            for _, p, g in pairs:
                g += p.grad
                p.grad = None
            if rank == 0 and (device.type == "cpu" or step % 10 == 0):
                losses.append(loss.item() * a.micro_batches * ranks)
        wait()
        update(layout, rank, ranks, shared["weights"], shared["gradients"], shared["first"], shared["second"], rate, a.rate, step + 1, number)
        wait()
        take_weights()
        if device.type == "cuda":  # or the next line measures how fast work is handed out, not how fast it is done
            torch.cuda.synchronize()
        step += 1
        n_tokens_seen += a.micro_batches * ranks * tokens.shape[0] * n_tokens
        # A stopped process, a sleeping machine or a compilation, as in the first step, is no training time.
        if step > progress["step"] + 1:
            durations = (durations + [time.monotonic() - start])[-21:]
            used += min(durations[-1], 3 * statistics.median(durations))
        if rank == 0 and durations and used - last_report >= 30:
            a_step = statistics.median(durations)
            print(f"step {step} {n_tokens_seen / 1e6:.2f}M tokens, loss {np.mean(losses[-200:]):.3f}, {a.micro_batches * ranks * tokens.numel() / a_step:.0f} tokens/s, "
                  f"rate {rate:.3f}, {used / 60:.1f} of {total / 60:.0f} minutes", flush=True)  # fmt: skip
            last_report = used
        if rank == 0 and step % a.check_every == 0:
            check()
            save()
    if rank == 0:
        check()
        save()
        print("done" if done >= 1 else "paused", flush=True)


if __name__ == "__main__":
    main()
