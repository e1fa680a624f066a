//! Small models of the shapes that people have, made here with random weights and the built-in model's
//! tokens: each is described as what it is, is loaded, and writes at a caret; damaged, it is refused.

use keyside::lm::backend::embedded::MODELS;
use keyside::stdx::random::Random;
use serde_json::Value;

use crate::models::Machine;

const N_EMBEDDING: u64 = 64;
const N_HEADS: u64 = 4;
const N_KV_HEADS: u64 = 2;
const N_HEAD: u64 = N_EMBEDDING / N_HEADS;
const N_FEED_FORWARD: u64 = 128;
const N_LAYERS: usize = 2;

/// What a shape has beside attention and a feed-forward network in each layer.
struct Shape {
    architecture: &'static str,
    /// Of layers, and those outside of them: a name and its dimension.
    more_of_layer: &'static [(&'static str, u64)],
    more: &'static [(&'static str, u64)],
    /// A gate in the feed-forward network.
    has_gate: bool,
    /// The output has weights of its own.
    has_output: bool,
    values: &'static [(&'static str, f32)],
}

const BIASES: &[(&str, u64)] =
    &[("attn_q.bias", N_EMBEDDING), ("attn_k.bias", 32), ("attn_v.bias", 32)];

const LLAMA: Shape = Shape {
    architecture: "llama",
    more_of_layer: &[],
    more: &[],
    has_gate: true,
    has_output: true,
    values: &[("attention.layer_norm_rms_epsilon", 1e-5)],
};

/// The last has the shape of DeepSeek-Coder, whose positions are scaled.
const ZOO: &[Shape] = &[
    LLAMA,
    Shape {
        architecture: "qwen2",
        more_of_layer: BIASES,
        values: &[("attention.layer_norm_rms_epsilon", 1e-6), ("rope.freq_base", 1e6)],
        ..LLAMA
    },
    Shape {
        architecture: "qwen3",
        more_of_layer: &[("attn_q_norm.weight", N_HEAD), ("attn_k_norm.weight", N_HEAD)],
        values: &[("attention.layer_norm_rms_epsilon", 1e-6)],
        has_output: false,
        ..LLAMA
    },
    Shape {
        architecture: "starcoder2",
        more_of_layer: &[
            ("attn_q.bias", N_EMBEDDING),
            ("attn_k.bias", 32),
            ("attn_v.bias", 32),
            ("attn_norm.bias", N_EMBEDDING),
            ("attn_output.bias", N_EMBEDDING),
            ("ffn_norm.bias", N_EMBEDDING),
            ("ffn_up.bias", N_FEED_FORWARD),
            ("ffn_down.bias", N_EMBEDDING),
        ],
        more: &[("output_norm.bias", N_EMBEDDING)],
        has_gate: false,
        has_output: true,
        values: &[("attention.layer_norm_epsilon", 1e-5)],
    },
    Shape {
        architecture: "gemma",
        values: &[("attention.layer_norm_rms_epsilon", 1e-6)],
        has_output: false,
        ..LLAMA
    },
    Shape {
        architecture: "granite",
        values: &[
            ("attention.layer_norm_rms_epsilon", 1e-5),
            ("attention.scale", 0.25),
            ("embedding_scale", 12.0),
            ("residual_scale", 0.22),
            ("logit_scale", 8.0),
        ],
        ..LLAMA
    },
    Shape {
        values: &[
            ("attention.layer_norm_rms_epsilon", 1e-6),
            ("rope.freq_base", 1e5),
            ("rope.scaling.factor", 4.0),
        ],
        ..LLAMA
    },
];

/// A name, its dimensions.
type Tensor = (String, Vec<u64>);

fn text(text: &str) -> Vec<u8> {
    [&(text.len() as u64).to_le_bytes(), text.as_bytes()].concat()
}

/// The values of the built-in model that begin with `tokenizer.`, as they stand in its file, and how
/// many tokens there are.
fn tokenizer() -> (Vec<Vec<u8>>, u64) {
    let bytes = MODELS[0].bytes;
    let u64_at = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
    let u32_at = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    let length = |at: usize, kind: u32| match kind {
        0 | 1 | 7 => 1,
        2 | 3 => 2,
        4..=6 => 4,
        8 => 8 + u64_at(at) as usize,
        _ => 8,
    };
    let (mut values, mut n_tokens, mut at) = (Vec::new(), 0, 24);
    for _ in 0..u64_at(16) {
        let start = at;
        let name = at + 8..at + 8 + u64_at(at) as usize;
        let kind = u32_at(name.end);
        at = name.end + 4;
        match kind {
            9 => {
                let (of, n) = (u32_at(at), u64_at(at + 4));
                at += 12;
                (0..n).for_each(|_| at += length(at, of));
                if &bytes[name.clone()] == b"tokenizer.ggml.tokens" {
                    n_tokens = n;
                }
            }
            kind => at += length(at, kind),
        }
        if bytes[name].starts_with(b"tokenizer.") {
            values.push(bytes[start..at].to_vec());
        }
    }
    (values, n_tokens)
}

impl Shape {
    fn tensors(&self, n_tokens: u64) -> Vec<Tensor> {
        let kv = N_KV_HEADS * N_HEAD;
        let mut all: Vec<Tensor> = vec![
            ("token_embd.weight".to_owned(), vec![N_EMBEDDING, n_tokens]),
            ("output_norm.weight".to_owned(), vec![N_EMBEDDING]),
        ];
        if self.has_output {
            all.push(("output.weight".to_owned(), vec![N_EMBEDDING, n_tokens]));
        }
        all.extend(self.more.iter().map(|(name, n)| ((*name).to_owned(), vec![*n])));
        for layer in 0..N_LAYERS {
            let mut add = |name: &str, dimensions: &[u64]| {
                all.push((format!("blk.{layer}.{name}"), dimensions.to_vec()));
            };
            add("attn_norm.weight", &[N_EMBEDDING]);
            add("attn_q.weight", &[N_EMBEDDING, N_EMBEDDING]);
            add("attn_k.weight", &[N_EMBEDDING, kv]);
            add("attn_v.weight", &[N_EMBEDDING, kv]);
            add("attn_output.weight", &[N_EMBEDDING, N_EMBEDDING]);
            add("ffn_norm.weight", &[N_EMBEDDING]);
            if self.has_gate {
                add("ffn_gate.weight", &[N_EMBEDDING, N_FEED_FORWARD]);
            }
            add("ffn_up.weight", &[N_EMBEDDING, N_FEED_FORWARD]);
            add("ffn_down.weight", &[N_FEED_FORWARD, N_EMBEDDING]);
            self.more_of_layer.iter().for_each(|(name, n)| add(name, &[*n]));
        }
        all
    }

    /// The file, with `n_embedding` in its metadata, and how many weights it has.
    fn file(&self, n_embedding: u64) -> (Vec<u8>, u64) {
        let (tokenizer, n_tokens) = tokenizer();
        let value = |key: &str, kind: u32, bytes: &[u8]| {
            [text(key).as_slice(), &kind.to_le_bytes(), bytes].concat()
        };
        let of_it = |key: &str| format!("{}.{key}", self.architecture);
        let number = |key: &str, n: u64| value(&of_it(key), 4, &(n as u32).to_le_bytes());
        let mut values = vec![
            value("general.architecture", 8, &text(self.architecture)),
            value("general.license", 8, &text("apache-2.0")),
            number("block_count", N_LAYERS as u64),
            number("context_length", 2_048),
            number("embedding_length", n_embedding),
            number("feed_forward_length", N_FEED_FORWARD),
            number("attention.head_count", N_HEADS),
            number("attention.head_count_kv", N_KV_HEADS),
            number("attention.key_length", N_HEAD),
            number("attention.value_length", N_HEAD),
            number("rope.dimension_count", N_HEAD),
        ];
        values.extend(self.values.iter().map(|(key, it)| value(&of_it(key), 6, &it.to_le_bytes())));
        values.extend(tokenizer);
        let tensors = self.tensors(n_tokens);
        let mut bytes = b"GGUF".to_vec();
        bytes.extend(3_u32.to_le_bytes());
        bytes.extend((tensors.len() as u64).to_le_bytes());
        bytes.extend((values.len() as u64).to_le_bytes());
        bytes.extend(values.concat());
        let mut n_weights = 0_u64;
        for (name, dimensions) in &tensors {
            bytes.extend(text(name));
            bytes.extend((dimensions.len() as u32).to_le_bytes());
            dimensions.iter().for_each(|it| bytes.extend(it.to_le_bytes()));
            // 32 bits a weight; each tensor begins where the one before it ends.
            bytes.extend(0_u32.to_le_bytes());
            bytes.extend((4_u64 * n_weights).to_le_bytes());
            n_weights += dimensions.iter().product::<u64>();
        }
        bytes.resize(bytes.len().next_multiple_of(32), 0);
        let mut random = Random::new(7);
        for _ in 0..n_weights {
            let weight = random.below(2_001) as f32 / 10_000.0 - 0.1;
            bytes.extend(weight.to_le_bytes());
        }
        (bytes, n_weights)
    }
}

#[test]
fn models_of_each_shape_are_described_loaded_and_write() {
    let machine = Machine::new();
    for (number, shape) in ZOO.iter().enumerate() {
        let name = shape.architecture;
        let (bytes, n_weights) = shape.file(N_EMBEDDING);
        let path = machine.write(&format!("{number}/{name}.gguf"), &bytes);
        let path = path.to_str().unwrap();
        let info = machine.json(&["model", "info", path, "--json"]);
        assert_eq!(info["architecture"], name);
        assert_eq!(info["parameters"], n_weights, "{name}");
        let said = [&info["quantization"], &info["fim"], &info["completes"]];
        assert_eq!(said, ["F32", "qwen-coder", "in the middle"], "{name}");
        assert_eq!(info["context_tokens"], 2_048, "{name}");
        let verified = machine.json(&["model", "verify", path, "--json"]);
        let measured = &verified["measured"];
        assert_eq!(measured["is_round_trip"], Value::Bool(true), "{name}");
        assert!(measured["text"].is_string(), "{name}: {verified}");
        assert!(measured["decode_tokens_per_second"].as_f64() > Some(1.0), "{name}");

        machine.write(&format!("{number}/{name}.gguf"), &bytes[..bytes.len() - 1]);
        let refused = machine.refused(&["model", "verify", path]);
        assert!(refused.contains(&format!("{name} can't be used: it is cut short")), "{refused}");
        let (bytes, _) = shape.file(N_EMBEDDING / 2);
        machine.write(&format!("{number}/{name}.gguf"), &bytes);
        let refused = machine.refused(&["model", "verify", path]);
        assert!(refused.contains(&format!("{name}.gguf can't be loaded (")), "{refused}");
    }
}
