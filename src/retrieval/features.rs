//! The features that the networks of this module read: their names, order and scale.
//!
//! This is the only place that defines them. `model/features.json` is the same for the Python side,
//! which fits the networks (model/pipeline); a test keeps the file equal to what is here.

use serde::Serialize;

/// Attention heads. Two, because rare exact matches and frequent ones are both of use.
pub const N_HEADS: usize = 2;
/// N-gram matches: the longest one and its back-off.
pub const N_NGRAMS: usize = 2;
/// The components of the mixture beside the model: the heads, then the n-gram matches.
pub const N_COMPONENTS: usize = N_HEADS + N_NGRAMS;
/// What a gate reads: features of the model, then of each component.
pub const N_GATE_FEATURES: usize =
    ModelFeatures::N + AttentionFeatures::N * N_HEADS + NgramFeatures::N * N_NGRAMS;

/// One input of a network: a quantity in its natural unit, transformed, then divided.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Feature {
    pub name: &'static str,
    pub transform: Transform,
    pub divisor: f32,
}

/// What is done to a quantity before it is divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Transform {
    /// Nothing.
    Linear,
    /// The natural logarithm of one more.
    Log1p,
    /// Limited to -20 and 20.
    Clamp20,
}

impl Feature {
    fn scaled(self, value: f32) -> f32 {
        let transformed = match self.transform {
            Transform::Linear => value,
            Transform::Log1p => value.ln_1p(),
            Transform::Clamp20 => value.clamp(-20.0, 20.0),
        };
        transformed / self.divisor
    }
}

/// Declares a struct of quantities together with their schema, so that neither can change alone.
macro_rules! features {
    (
        $(#[$doc:meta])*
        $name:ident { $($(#[$field_doc:meta])* $field:ident: $transform:ident / $divisor:literal,)* }
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Default)]
        pub struct $name {
            $($(#[$field_doc])* pub $field: f32,)*
        }

        impl $name {
            /// The features in the order in which networks read them.
            pub const SCHEMA: &'static [Feature] = &[$(Feature {
                name: stringify!($field),
                transform: Transform::$transform,
                divisor: $divisor,
            },)*];
            /// How many features there are.
            pub const N: usize = Self::SCHEMA.len();

            /// From the values in the order of the schema.
            pub fn from_values(values: [f32; Self::N]) -> Self {
                let [$($field,)*] = values;
                Self { $($field,)* }
            }

            /// What a network reads.
            pub fn scaled(&self) -> [f32; Self::N] {
                let values = [$(self.$field,)*];
                std::array::from_fn(|at| Self::SCHEMA[at].scaled(values[at]))
            }
        }
    };
}

features! {
    /// What a retrieved context has in common with the caret's. Flags are 0 or 1.
    MatchFeatures {
        /// Tokens up to here that are those before the caret, 24 at most.
        match_length: Linear / 24.0,
        /// The same; its logarithm tells short matches apart.
        match_length_log: Log1p / 3.3,
        /// In the document, before the caret's line.
        is_before_caret: Linear / 1.0,
        /// In the document, after the caret's line.
        is_after_caret: Linear / 1.0,
        /// In another text.
        is_in_other_text: Linear / 1.0,
        /// Tokens between here and the caret's line; 0 in other texts.
        distance: Log1p / 10.0,
        /// Tokens that match before the one that ends the match, 8 at most.
        match_before_mismatch: Linear / 8.0,
        /// As many tokens from the line's start.
        is_same_column: Linear / 1.0,
        /// The difference of those numbers of tokens.
        column_difference: Linear / 16.0,
        /// The two lines start with the same token.
        is_same_line_start: Linear / 1.0,
        /// With how many of them.
        line_start_match: Linear / 12.0,
        /// With how many same tokens the two lines before start.
        previous_line_match: Linear / 8.0,
        /// Of the names in the 64 tokens before the match, the weight of those that the caret's 64
        /// have as well, as a share.
        shared_names: Linear / 1.0,
        /// That weight, which is higher for rarer names.
        shared_names_weight: Linear / 60.0,
        /// The same of the nearest 20 tokens.
        shared_near_names: Linear / 1.0,
        /// The same of the nearest 20 tokens.
        shared_near_names_weight: Linear / 30.0,
        /// The next token here is among the caret's last 64.
        is_next_recent: Linear / 1.0,
        /// A prefix constraint is in force.
        is_constrained: Linear / 1.0,
        /// The match covers the caret's line as far as it is written.
        is_whole_line_matched: Linear / 1.0,
        /// The next token here is a line's end.
        is_next_line_end: Linear / 1.0,
    }
}

features! {
    /// How good one attention head's distribution of the next token is.
    AttentionFeatures {
        /// 1 where there is a distribution at all.
        is_present: Linear / 1.0,
        /// The probability of its likeliest token.
        top_probability: Linear / 1.0,
        /// Its entropy, in nats.
        entropy: Linear / 3.0,
        /// The logarithm of the sum of the contexts' exponentiated scores.
        log_sum_exp_score: Clamp20 / 5.0,
        /// The highest score of a context.
        highest_score: Clamp20 / 5.0,
    }
}

features! {
    /// How good an n-gram's distribution of the next token is.
    NgramFeatures {
        /// 1 where there is a distribution at all.
        is_present: Linear / 1.0,
        /// Tokens of the context.
        order: Linear / 8.0,
        /// How often the context occurs in the corpus.
        n_occurrences: Log1p / 5.0,
        /// How many different tokens follow it in the table.
        n_next: Log1p / 3.0,
        /// The probability of the likeliest of them.
        top_probability: Linear / 1.0,
    }
}

features! {
    /// What the mixture's gate reads of the model; zeros before the model was asked.
    ModelFeatures {
        /// The entropy of its distribution, in nats.
        entropy: Linear / 1.0,
        /// The probability of its likeliest token.
        top_probability: Linear / 1.0,
        /// A prefix constraint is in force.
        is_constrained: Linear / 1.0,
    }
}

/// All of the above as the Python side reads it.
#[derive(Debug, Serialize)]
pub struct FeatureSchema {
    n_heads: usize,
    n_ngrams: usize,
    /// Quantization levels of match features above zero.
    levels: u32,
    model_features: &'static [Feature],
    match_features: &'static [Feature],
    attention_features: &'static [Feature],
    ngram_features: &'static [Feature],
}

impl FeatureSchema {
    /// The schema of this program.
    pub const CURRENT: Self = Self {
        n_heads: N_HEADS,
        n_ngrams: N_NGRAMS,
        levels: MatchFeatures::LEVELS as u32,
        model_features: ModelFeatures::SCHEMA,
        match_features: MatchFeatures::SCHEMA,
        attention_features: AttentionFeatures::SCHEMA,
        ngram_features: NgramFeatures::SCHEMA,
    };
}

/// Match features as they are kept, each from 0 (0.0 and less) to 255 (1.0 and more), so that what
/// the network was fitted on is what it reads.
pub type QuantizedMatchFeatures = [u8; MatchFeatures::N];

impl MatchFeatures {
    /// Quantization levels above zero.
    pub const LEVELS: f32 = 255.0;

    pub fn quantized(&self) -> QuantizedMatchFeatures {
        self.scaled().map(|it| (it.clamp(0.0, 1.0) * Self::LEVELS) as u8)
    }

    /// Back to what the network reads.
    pub fn dequantized(features: &QuantizedMatchFeatures) -> [f32; Self::N] {
        features.map(|it| f32::from(it) / Self::LEVELS)
    }
}
