"""Writes a GGUF of the shape of Qwen2.5-Coder-0.5B with random weights in Q8_0: it costs what that model costs, and knows nothing.

    target/versus/venv/bin/python benches/random_model.py OUT.gguf

The vocabulary is that of Qwen2 with the fill-in-the-middle tokens of Qwen2.5-Coder at their places, so that texts have the tokens
that they have in the real model. It comes from the file qwen.tiktoken in the package dashscope. The same file comes out every time.
"""

import base64
import importlib.metadata
import os
import sys

import gguf
import numpy as np

N_LAYERS, D_MODEL, D_FFN, N_HEADS, N_KV_HEADS, N_VOCAB, N_CONTEXT = 24, 896, 4864, 14, 2, 151_936, 32_768
D_KV = D_MODEL // N_HEADS * N_KV_HEADS
END = 151_643
SPECIAL = {
    END: "<|endoftext|>",
    151_644: "<|im_start|>",
    151_645: "<|im_end|>",
    151_659: "<|fim_prefix|>",
    151_660: "<|fim_middle|>",
    151_661: "<|fim_suffix|>",
    151_662: "<|fim_pad|>",
    151_663: "<|repo_name|>",
    151_664: "<|file_sep|>",
}
FILL_IN_TOKENS = {"fim_pre": 151_659, "fim_mid": 151_660, "fim_suf": 151_661, "fim_pad": 151_662, "fim_rep": 151_663, "fim_sep": 151_664}
# Values in a block of Q8_0, which is a 16-bit scale and one byte each.
Q8_0_BLOCK = 32


def read_ranks() -> dict[bytes, int]:
    """The tokens as bytes, with their ids."""
    path = importlib.metadata.distribution("dashscope").locate_file("dashscope/resources/qwen.tiktoken")
    try:
        with open(path) as file:
            ranks = {base64.b64decode(token): int(rank) for token, rank in map(str.split, file)}
    except FileNotFoundError:
        raise SystemExit(f"{path} is missing; install the version of dashscope that benches/requirements.txt names") from None
    if len(ranks) != END:
        raise SystemExit(f"{path} has {len(ranks)} tokens instead of {END}; install the version that benches/requirements.txt names")
    return ranks


def parts_of(token: bytes, ranks: dict[bytes, int]) -> list[bytes]:
    """The two tokens that merge into `token`: it is encoded with the older tokens only."""
    parts = [token[i : i + 1] for i in range(len(token))]
    while len(parts) > 2:
        merged = [ranks.get(a + b, END) for a, b in zip(parts, parts[1:])]
        at = merged.index(min(merged))
        parts[at : at + 2] = [parts[at] + parts[at + 1]]
    return parts


def letters_of_bytes() -> dict[int, str]:
    """GPT-2's way of writing bytes as letters: what can't be printed stands at U+0100 and after."""
    printable = {*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)}
    others = [byte for byte in range(256) if byte not in printable]
    return {byte: chr(byte) for byte in printable} | {byte: chr(0x100 + n) for n, byte in enumerate(others)}


def write_tokenizer(writer: gguf.GGUFWriter) -> None:
    """Tokens, merges and the ids of the special tokens; ids that no token has are marked as unused."""
    ranks, letters = read_ranks(), letters_of_bytes()
    as_text = {token: "".join(letters[byte] for byte in token) for token in ranks}
    texts = {rank: as_text[token] for token, rank in ranks.items()} | SPECIAL
    kinds = {rank: gguf.TokenType.NORMAL for rank in ranks.values()} | dict.fromkeys(SPECIAL, gguf.TokenType.CONTROL)
    long_tokens = [token for token in sorted(ranks, key=ranks.__getitem__) if len(token) > 1]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list([texts.get(n, f"[PAD{n}]") for n in range(N_VOCAB)])
    writer.add_token_types([kinds.get(n, gguf.TokenType.UNUSED) for n in range(N_VOCAB)])
    writer.add_token_merges([" ".join(as_text[part] for part in parts_of(token, ranks)) for token in long_tokens])
    for add in (writer.add_eos_token_id, writer.add_bos_token_id, writer.add_pad_token_id):
        add(END)
    writer.add_add_bos_token(False)
    for key, token in FILL_IN_TOKENS.items():
        writer.add_uint32(f"tokenizer.ggml.{key}_token_id", token)


def write_shape(writer: gguf.GGUFWriter) -> None:
    """What a reader must know of the network."""
    writer.add_name("random-0.5b")
    writer.add_context_length(N_CONTEXT)
    writer.add_embedding_length(D_MODEL)
    writer.add_block_count(N_LAYERS)
    writer.add_feed_forward_length(D_FFN)
    writer.add_head_count(N_HEADS)
    writer.add_head_count_kv(N_KV_HEADS)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_rope_freq_base(1e6)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0)


def write_weights(writer: gguf.GGUFWriter) -> None:
    """Random matrices; norms are ones and biases noughts, but for the last norm."""
    pick = np.random.default_rng(7)
    # Bytes spread evenly have a deviation of 74, and weights of 0.02 keep activations of the usual size.
    scale = np.frombuffer(np.float16(0.02 / 74).tobytes(), np.uint8)

    def add_matrix(name: str, n_rows: int, n_columns: int) -> None:
        blocks = pick.integers(0, 256, (n_rows, n_columns // Q8_0_BLOCK, 2 + Q8_0_BLOCK), np.uint8)
        blocks[:, :, :2] = scale
        writer.add_tensor(f"{name}.weight", blocks.reshape(n_rows, -1), raw_dtype=gguf.GGMLQuantizationType.Q8_0)

    # The output's matrix is the embedding's.
    add_matrix("token_embd", N_VOCAB, D_MODEL)
    # Makes the best token's probability that of a trained model, some tenths: llama.cpp's sampler for infill ends where none has a fifth.
    writer.add_tensor("output_norm.weight", np.full(D_MODEL, 12, np.float32))
    for n in range(N_LAYERS):
        for name in ("attn_norm", "ffn_norm"):
            writer.add_tensor(f"blk.{n}.{name}.weight", np.ones(D_MODEL, np.float32))
        for name, size in (("attn_q", D_MODEL), ("attn_k", D_KV), ("attn_v", D_KV)):
            add_matrix(f"blk.{n}.{name}", size, D_MODEL)
            writer.add_tensor(f"blk.{n}.{name}.bias", np.zeros(size, np.float32))
        add_matrix(f"blk.{n}.attn_output", D_MODEL, D_MODEL)
        add_matrix(f"blk.{n}.ffn_gate", D_FFN, D_MODEL)
        add_matrix(f"blk.{n}.ffn_up", D_FFN, D_MODEL)
        add_matrix(f"blk.{n}.ffn_down", D_MODEL, D_FFN)


def main() -> None:
    """The command."""
    if len(sys.argv) != 2:
        raise SystemExit("give the file to write as the one argument")
    out = sys.argv[1]
    writer = gguf.GGUFWriter(f"{out}.part", "qwen2")
    write_shape(writer)
    write_tokenizer(writer)
    write_weights(writer)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    os.replace(f"{out}.part", out)
    print(f"{out}: {os.path.getsize(out) / 1e6:.0f} MB")


if __name__ == "__main__":
    main()
