"""Writes a checkpoint, or a GGUF that this wrote before, as GGUF, in the llama architecture as
llama.cpp and keyside read it.

    python3 -m pipeline.export --checkpoint .work/run/checkpoint.pt --out .work/keyside-nano.gguf
    python3 -m pipeline.export --gguf keyside-nano-v1.gguf --body Q4_0 --out .work/q4.gguf

Matrices are quantized as --body says, the embedding (which is the output's matrix as well) as
--embedding says; norms stay F32. The tokenizer goes into the file with its pre-tokenizer's name and
the ids of the fill-in-the-middle tokens.
"""

import argparse
import dataclasses
import json
import os

import gguf
import numpy as np
import torch

from . import checkpoint, network
from .sharding import Layout

HERE = os.path.dirname(os.path.abspath(__file__))
BODY_TYPES, EMBEDDING_TYPES = ("Q8_0", "Q5_0", "Q4_0", "F16"), ("Q8_0", "F16")
# GGUF's names of the tokens with a meaning.
FILL_IN_TOKENS = {
    "fim_pre": "<|fim_prefix|>",
    "fim_suf": "<|fim_suffix|>",
    "fim_mid": "<|fim_middle|>",
    "fim_pad": "<|fim_pad|>",
    "fim_rep": "<|repo_name|>",
    "fim_sep": "<|file_sep|>",
}


def read_checkpoint(path: str):
    """The shape of the network in a checkpoint, and its parameters by their GGUF names as F32
    arrays."""
    kept = torch.load(path, weights_only=True, map_location="cpu")
    shape = network.Shape(**kept["shape"])
    if shape.n_hashed:
        raise SystemExit(
            f"{path} has vectors for hashed n-grams, which no GGUF reader knows; train without --hashed"
        )
    layout = Layout(network.Network(shape), 1)
    if layout.size != kept["weights"].numel():
        raise SystemExit(
            f"{path} holds {kept['weights'].numel()} weights, a network of its shape has {layout.size}"
        )
    names = [slot.name for slot in layout.slots]
    return shape, {
        name: view.float().numpy()
        for name, view in zip(names, layout.views(kept["weights"]), strict=False)
    }


def read_gguf(path: str):
    """The same of a GGUF."""
    fields = gguf.GGUFReader(path).fields
    of = lambda key: int(fields[f"llama.{key}"].contents())  # noqa: E731
    shape = network.Shape(
        n_vocab=of("vocab_size"), d_model=of("embedding_length"), n_layers=of("block_count"), n_heads=of("attention.head_count"),
        n_kv_heads=of("attention.head_count_kv"), d_ffn=of("feed_forward_length"), n_context=of("context_length"),
    )  # fmt: skip
    return shape, checkpoint.gguf_tensors(path)


def write_metadata(writer: gguf.GGUFWriter, shape: network.Shape, name: str, body: str) -> None:
    """What a reader must know of the network."""
    writer.add_name(name)
    writer.add_license("apache-2.0")
    writer.add_context_length(shape.n_context)
    writer.add_embedding_length(shape.d_model)
    writer.add_block_count(shape.n_layers)
    writer.add_feed_forward_length(shape.d_ffn)
    writer.add_head_count(shape.n_heads)
    writer.add_head_count_kv(shape.n_kv_heads)
    writer.add_layer_norm_rms_eps(network.NORM_EPSILON)
    writer.add_rope_dimension_count(shape.d_head)
    writer.add_rope_freq_base(network.ROPE_BASE)
    writer.add_vocab_size(shape.n_vocab)
    writer.add_file_type(gguf.LlamaFileType[f"MOSTLY_{body}"])


def write_tokenizer(writer: gguf.GGUFWriter, path: str, n_vocab: int, n_unused: int) -> None:
    """The tokens in the order of their ids, the merges, and the ids of the special tokens; at the
    end those that no text has."""
    with open(path) as file:
        tokenizer = json.load(file)
    vocabulary = tokenizer["model"]["vocab"] | {
        t["content"]: t["id"] for t in tokenizer["added_tokens"]
    }
    special = {t["content"]: t["id"] for t in tokenizer["added_tokens"] if t["special"]}
    tokens = sorted(vocabulary, key=vocabulary.get)
    if [vocabulary[t] for t in tokens] != list(range(n_vocab)):
        raise SystemExit(f"{path} has {len(tokens)} tokens, the network has {n_vocab}")
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    kinds = [gguf.TokenType.CONTROL if t in special else gguf.TokenType.NORMAL for t in tokens]
    writer.add_token_list(tokens + [f"[unused {n}]" for n in range(n_unused)])
    writer.add_token_types(kinds + [gguf.TokenType.UNUSED] * n_unused)
    writer.add_token_merges(
        [" ".join(m) if isinstance(m, list) else m for m in tokenizer["model"]["merges"]]
    )
    end = special["<|endoftext|>"]
    for add in (
        writer.add_eos_token_id,
        writer.add_bos_token_id,
        writer.add_pad_token_id,
        writer.add_eot_token_id,
    ):
        add(end)
    writer.add_add_bos_token(False)
    for key, token in FILL_IN_TOKENS.items():
        writer.add_uint32(f"tokenizer.ggml.{key}_token_id", special[token])


def write_tensor(writer: gguf.GGUFWriter, name: str, values: np.ndarray, kind: str) -> None:
    """One tensor in the type `kind`; the norms, which are vectors, as they are."""
    if values.ndim == 1:
        writer.add_tensor(name, values.astype(np.float32))
    else:
        kind = gguf.GGMLQuantizationType[kind]
        writer.add_tensor(name, gguf.quants.quantize(values, kind), raw_dtype=kind)


def main() -> None:
    """Runs the step."""
    p = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    of = p.add_mutually_exclusive_group(required=True)
    of.add_argument("--checkpoint")
    of.add_argument("--gguf", help="another GGUF of this pipeline's, to be quantized anew")
    p.add_argument("--out", required=True, help="the GGUF to write")
    p.add_argument("--tokenizer", default=os.path.join(HERE, "..", "tokenizer.json"))
    p.add_argument(
        "--body", choices=BODY_TYPES, default="Q8_0", help="the type of the blocks' matrices"
    )
    p.add_argument("--embedding", choices=EMBEDDING_TYPES, default="Q8_0")
    p.add_argument("--name", default="keyside-nano")
    p.add_argument(
        "--unused-tokens",
        type=int,
        default=0,
        help="add so many tokens that no text has, to see what a larger vocabulary costs",
    )
    a = p.parse_args()
    shape, tensors = read_checkpoint(a.checkpoint) if a.checkpoint else read_gguf(a.gguf)
    writer = gguf.GGUFWriter(a.out + ".part", "llama")
    embedding = tensors["token_embd.weight"]
    tensors["token_embd.weight"] = np.concatenate([embedding, embedding[: a.unused_tokens]])
    write_metadata(
        writer, dataclasses.replace(shape, n_vocab=shape.n_vocab + a.unused_tokens), a.name, a.body
    )
    write_tokenizer(writer, a.tokenizer, shape.n_vocab, a.unused_tokens)
    for name, values in tensors.items():
        write_tensor(writer, name, values, a.embedding if name.startswith("token_embd") else a.body)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    os.replace(a.out + ".part", a.out)
    print(
        f"{a.out}: {os.path.getsize(a.out) / 1e6:.2f} MB, {sum(v.size for v in tensors.values()) / 1e6:.2f}M parameters"
    )


if __name__ == "__main__":
    main()
