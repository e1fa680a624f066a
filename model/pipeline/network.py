"""The network: the llama architecture as llama.cpp runs it (RMSNorm, rotary positions, grouped KV
heads, SwiGLU, tied embeddings)."""

import dataclasses
import math
import time

import torch
import torch.nn.functional as F
from torch import nn

ROPE_BASE = 10_000.0
NORM_EPSILON = 1e-5


@dataclasses.dataclass(frozen=True)
class Shape:
    """The sizes of a network; all matrix widths are multiples of 32, because quantized blocks are."""

    n_vocab: int = 8192
    d_model: int = 384
    n_layers: int = 6
    n_heads: int = 6
    n_kv_heads: int = 2
    d_ffn: int = 1024
    n_context: int = 1024
    # Vectors for hashes of the last two and of the last three tokens (over-encoding,
    # arXiv:2501.16975); a trial, export knows none.
    n_hashed: int = 0

    @property
    def d_head(self) -> int:
        """The width of one attention head."""
        return self.d_model // self.n_heads


def rotary(n_tokens: int, d_head: int):
    """Cosines and sines [n_tokens, d_head / 2]."""
    angles = torch.outer(
        torch.arange(n_tokens).float(), ROPE_BASE ** (-torch.arange(0, d_head, 2).float() / d_head)
    )
    return angles.cos(), angles.sin()


def rotate(x, cos, sin):
    """Rotates interleaved pairs, the llama architecture's convention in GGUF; [.., n_tokens,
    d_head] -> the same."""
    a, b = x.float()[..., 0::2], x.float()[..., 1::2]
    return torch.stack((a * cos - b * sin, a * sin + b * cos), -1).flatten(-2).to(x.dtype)


class Block(nn.Module):
    """One layer: attention, then SwiGLU, each on the normed stream."""

    def __init__(self, shape: Shape):
        super().__init__()
        self.shape = shape
        d, h, kv = shape.d_model, shape.d_head, shape.n_kv_heads
        linear = lambda i, o: nn.Linear(i, o, bias=False)  # noqa: E731
        self.attn_norm, self.ffn_norm = (
            nn.RMSNorm(d, eps=NORM_EPSILON),
            nn.RMSNorm(d, eps=NORM_EPSILON),
        )
        self.attn_q, self.attn_k, self.attn_v, self.attn_output = (
            linear(d, d),
            linear(d, kv * h),
            linear(d, kv * h),
            linear(d, d),
        )
        self.ffn_gate, self.ffn_up, self.ffn_down = (
            linear(d, shape.d_ffn),
            linear(d, shape.d_ffn),
            linear(shape.d_ffn, d),
        )

    def forward(self, x, cos, sin):
        """[rows, n_tokens, d_model] -> the same."""
        s = self.shape
        rows, n, d = x.shape
        heads = lambda t, k: t.view(rows, n, k, s.d_head).transpose(1, 2)  # noqa: E731
        y = self.attn_norm(x)
        q, k, v = (
            heads(self.attn_q(y), s.n_heads),
            heads(self.attn_k(y), s.n_kv_heads),
            heads(self.attn_v(y), s.n_kv_heads),
        )
        y = F.scaled_dot_product_attention(
            rotate(q, cos, sin), rotate(k, cos, sin), v, is_causal=True, enable_gqa=True
        )
        x = x + self.attn_output(y.transpose(1, 2).reshape(rows, n, d))
        y = self.ffn_norm(x)
        return x + self.ffn_down(F.silu(self.ffn_gate(y)) * self.ffn_up(y))


class Network(nn.Module):
    """Tokens to hidden vectors; the embedding's matrix is the output's as well."""

    def __init__(self, shape: Shape):
        super().__init__()
        self.shape = shape
        self.token_embd = nn.Embedding(shape.n_vocab, shape.d_model)
        self.token_embd_hashed = (
            nn.Embedding(shape.n_hashed, shape.d_model) if shape.n_hashed else None
        )
        self.blk = nn.ModuleList(Block(shape) for _ in range(shape.n_layers))
        self.output_norm = nn.RMSNorm(shape.d_model, eps=NORM_EPSILON)
        self.tables = {}

    def initialise(self, seed: int) -> None:
        """Random weights; what is added to the stream starts small."""
        g = torch.Generator().manual_seed(seed)
        for name, p in self.named_parameters():
            if p.ndim == 2:
                small = 0.3 if name.endswith(("attn_output.weight", "ffn_down.weight")) else 0.7
                std = (
                    0.0
                    if "hashed" in name
                    else 0.02
                    if name.startswith("token_embd")
                    else small * p.shape[1] ** -0.5
                )
                with torch.no_grad():
                    p.copy_(torch.randn(p.shape, generator=g) * std)

    def forward(self, tokens):
        """[rows, n_tokens] -> [rows, n_tokens, d_model]."""
        n = tokens.shape[1]
        if n not in self.tables:
            self.tables[n] = tuple(t.to(tokens.device) for t in rotary(n, self.shape.d_head))
        x = self.token_embd(tokens)
        if self.token_embd_hashed:
            hashes = tokens
            for _ in range(2):
                hashes = F.pad(hashes[:, :-1], (1, 0)) * 1_000_003 + tokens * 8_191 + 1
                x = x + self.token_embd_hashed(hashes % self.shape.n_hashed)
        for block in self.blk:
            x = block(x, *self.tables[n])
        return self.output_norm(x)


def _cross_entropy_and_gradient(logits, targets, weights):
    """For a chunk: each target's weighted cross-entropy, and the gradient for the logits but for
    the target's own -weight."""
    number, logits = logits.dtype, logits.float()
    most = logits.amax(-1, keepdim=True)
    e = (logits - most).exp()
    total = e.sum(-1, keepdim=True)
    at = logits.gather(1, targets[:, None])
    loss = ((most + total.log() - at)[:, 0] * weights).sum()
    return loss, (e * (weights[:, None] / total)).to(number)


_chunk = torch.compile(_cross_entropy_and_gradient, dynamic=False)


class WeightedCrossEntropy(torch.autograd.Function):
    """Output layer, softmax and loss in chunks that stay in the cache, with the gradient made on
    the way (as Liger Kernel does).

    On two cores the plain cross-entropy over 8,192 classes took as long as all matrix products of a
    small network together.
    """

    @staticmethod
    def forward(ctx, hidden, embedding, targets, weights, chunk):
        """[n, d_model], [n_vocab, d_model], [n], [n] -> the sum of weight times nats."""
        loss = torch.zeros((), device=hidden.device)
        d_hidden = torch.empty_like(hidden)
        d_embedding = torch.zeros(embedding.shape, device=hidden.device)
        for i in range(0, len(targets), chunk):
            h, t, w = hidden[i : i + chunk], targets[i : i + chunk], weights[i : i + chunk]
            part, gradient = _chunk(h @ embedding.T, t, w)
            gradient[torch.arange(len(t), device=t.device), t] -= w.to(gradient.dtype)
            loss += part
            d_hidden[i : i + chunk] = gradient @ embedding
            d_embedding += gradient.T @ h
        ctx.save_for_backward(d_hidden, d_embedding.to(embedding.dtype))
        return loss

    @staticmethod
    def backward(ctx, outer):
        """The gradients made in `forward`; the loss is the last thing, so `outer` is 1."""
        d_hidden, d_embedding = ctx.saved_tensors
        return d_hidden, d_embedding, None, None, None


def number_type(device) -> torch.dtype:
    """What a network is trained in: bfloat16 where its matrix products are at least as fast as
    those of float32. A CPU without instructions for it takes thirty times as long."""
    if device.type != "cpu":
        return torch.bfloat16
    seconds = {}
    # The best of several, in turn: on a busy machine a single product may be interrupted for longer
    # than it takes.
    for number in (torch.float32, torch.bfloat16) * 5:
        a = torch.ones(256, 256, dtype=number)
        started = time.perf_counter()
        a @ a
        seconds[number] = min(time.perf_counter() - started, seconds.get(number, math.inf))
    return min(seconds, key=seconds.get)


@torch.no_grad()
def nats(network: Network, tokens, chunk: int = 512):
    """The cross-entropy of each next token: [rows, n_tokens + 1] -> [rows, n_tokens]."""
    hidden, targets = network(tokens[:, :-1]).flatten(0, 1), tokens[:, 1:].flatten()
    parts = [
        F.cross_entropy(
            (hidden[i : i + chunk] @ network.token_embd.weight.T).float(),
            targets[i : i + chunk],
            reduction="none",
        )
        for i in range(0, len(targets), chunk)
    ]
    return torch.cat(parts).view(tokens.shape[0], -1)
