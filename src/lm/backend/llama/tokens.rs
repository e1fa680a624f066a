//! The tokens of a llama.cpp model: vocabulary, tokenizer, markers.

use std::collections::HashMap;
use std::sync::Arc;

use llama_cpp_2::model::LlamaModel;
use llama_cpp_2::token::LlamaToken;
use llama_cpp_2::token_type::LlamaTokenAttr;
use llama_cpp_2::vocab::VocabType;

use crate::lm::fim::Markers;
use crate::lm::model_info::{TextSplits, Tokenizer};
use crate::lm::vocabulary::{Token, TokenKind, Vocabulary};

/// The token that a generation ends with: the end of text, as a model that fills in a middle learns
/// it.
pub(super) fn end_of(model: &LlamaModel, ends: &[Token]) -> Token {
    let eos = model.vocab().eos().0;
    if ends.binary_search(&eos).is_ok() { eos } else { ends.first().copied().unwrap_or(eos) }
}

pub(super) fn vocabulary_of(model: &LlamaModel, ends: &[Token]) -> Vocabulary {
    let vocab = model.vocab();
    Vocabulary::new(vocab.tokens().map(|token| {
        let attributes = vocab.attr(token);
        let kind = if ends.binary_search(&token.0).is_ok() {
            TokenKind::End
        } else if attributes.intersects(LlamaTokenAttr::Control | LlamaTokenAttr::Unused) {
            TokenKind::Never
        } else {
            TokenKind::Text
        };
        (vocab.token_to_piece(token, false, None), kind)
    }))
}

/// Tokenizes with the model's own vocabulary.
pub(super) struct LlamaTokenizer {
    model: Arc<LlamaModel>,
    splits: TextSplits,
    /// Spelled-out markers, for vocabularies that match them even in plain text.
    markers: HashMap<Token, String>,
    /// How many tokens [`GUARD`] takes, for vocabularies that put a space before any text.
    n_guard_tokens: usize,
}

/// A character whose tokens are dropped again: SentencePiece puts a space before the first
/// character of whatever it is given, and this way the space is the guard's (Code Llama's own code
/// does the same).
const GUARD: &str = "\u{263a}";

impl LlamaTokenizer {
    pub(super) fn new(model: &Arc<LlamaModel>, markers: &[Token]) -> Self {
        let vocab = model.vocab();
        let byte_level = vocab.vocab_type() == VocabType::BPE;
        let markers = markers
            .iter()
            .filter_map(|it| {
                Some((*it, vocab.text(LlamaToken(*it))?.to_string_lossy().into_owned()))
            })
            .collect();
        let n_guard_tokens =
            if byte_level { 0 } else { vocab.tokenize(GUARD.as_bytes(), false, false).len() };
        let model = Arc::clone(model);
        let mut this = Self { model, splits: TextSplits::Nowhere, markers, n_guard_tokens };
        if byte_level {
            this.splits = this.tried_splits();
        }
        this
    }

    /// Cuts a text to see whether its tokens stay: pre-tokenizers are many, and each has its rule
    /// of blanks.
    fn tried_splits(&self) -> TextSplits {
        let stays = |parts: &[&str]| {
            let apart: Vec<Token> = parts.iter().flat_map(|it| self.plain(it)).collect();
            apart == self.plain(&parts.concat())
        };
        const BEFORE: &[&str] = &["fn f() {\n", "    a(b);\n\n", "    c();\n", "\td\n", "}\n"];
        const AFTER: &[&str] = &["fn f() {", "\n    a(b);", "\n\n    c();", "\n\td", "\n}", "\n"];
        match (stays(BEFORE), stays(AFTER)) {
            (true, _) => TextSplits::BeforeLines,
            (false, true) => TextSplits::AfterLines,
            (false, false) => TextSplits::Nowhere,
        }
    }

    fn plain(&self, text: &str) -> Vec<Token> {
        let vocab = self.model.vocab();
        let tokens = if self.n_guard_tokens == 0 {
            vocab.tokenize(text.as_bytes(), false, false)
        } else {
            vocab.tokenize(format!("{GUARD}{text}").as_bytes(), false, false)
        };
        tokens.into_iter().skip(self.n_guard_tokens).map(|it| it.0).collect()
    }
}

impl Tokenizer for LlamaTokenizer {
    fn tokenize(&self, text: &str, into: &mut Vec<Token>) {
        if text.is_empty() {
            return;
        }
        let tokens = self.plain(text);
        // Control tokens are not matched in plain text, but user-defined ones are, and a few
        // published files have their markers so. Such a text is cut within each spelled-out marker.
        let spelled = tokens.iter().find_map(|token| self.markers.get(token));
        match spelled.and_then(|marker| Some((text.find(marker.as_str())?, marker))) {
            // Whatever else is a marker and is not spelled as one is left out.
            None => into.extend(tokens.iter().filter(|it| !self.markers.contains_key(it))),
            Some((at, marker)) => {
                let first = marker.chars().next().map_or(1, char::len_utf8);
                into.extend(self.plain(&text[..at + first]));
                self.tokenize(&text[at + first..], into);
            }
        }
    }

    fn splits(&self) -> TextSplits {
        self.splits
    }
}

/// The markers of a vocabulary, by their spelling.
pub(super) struct LlamaMarkers<'a> {
    model: &'a LlamaModel,
    by_spelling: HashMap<String, Token>,
}

impl<'a> LlamaMarkers<'a> {
    pub(super) fn new(model: &'a LlamaModel) -> Self {
        let vocab = model.vocab();
        let by_spelling = vocab
            .tokens()
            .filter_map(|token| {
                let text = vocab.text(token)?.to_str().ok()?;
                // All markers of all families look like this; the rest of the vocabulary is text.
                let marker = text.trim_start_matches('▁').starts_with(['<', '[']) && text.len() > 2;
                marker.then(|| (text.to_owned(), token.0))
            })
            .collect();
        Self { model, by_spelling }
    }
}

impl Markers for LlamaMarkers<'_> {
    fn marker(&self, spelling: &str) -> Option<Token> {
        self.by_spelling.get(spelling).copied()
    }

    fn metadata(&self) -> [Option<Token>; 4] {
        let vocab = self.model.vocab();
        [vocab.fim_pre(), vocab.fim_suf(), vocab.fim_mid(), vocab.fim_sep()]
            .map(|token| (token.0 >= 0).then_some(token.0))
    }

    fn pre_tokenizer(&self) -> Option<String> {
        self.model.meta_val_str("tokenizer.ggml.pre").ok()
    }

    fn begin_of_text(&self) -> Option<Token> {
        let vocab = self.model.vocab();
        (vocab.should_add_bos() && vocab.bos().0 >= 0).then(|| vocab.bos().0)
    }

    fn end_tokens(&self) -> Vec<Token> {
        let vocab = self.model.vocab();
        vocab.tokens().filter(|token| vocab.is_eog(*token)).map(|token| token.0).collect()
    }
}
