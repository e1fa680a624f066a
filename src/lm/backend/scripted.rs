//! A scripted model: bytes for tokens, a fixed answer, any speed. It stands in where a test needs a
//! model that is slow, endless or failing at will; the real model covers the same ground elsewhere.

use std::sync::Arc;
use std::time::Duration;

use crate::lm::backend::{EvaluateError, Model, TokenKind, Vocabulary};
use crate::lm::fim::{FileHeader, FimOrder, FimTemplate};
use crate::lm::task::{ModelInfo, Token, Tokenizer};
use crate::stdx::cancel::CancelFlag;

const PREFIX: Token = 256;
const SUFFIX: Token = 257;
const MIDDLE: Token = 258;
const END: Token = 259;

/// What the fake does.
#[derive(Debug, Clone)]
pub struct FakeScript {
    /// Said after every prompt, then the end token; where it is empty, `x` for ever.
    pub answer: String,
    pub time_per_token: Duration,
    /// Panics when the prompt holds this byte: a defect to order.
    pub panic_on: Option<u8>,
    /// Can't drop a part of its state, as recurrent and hybrid models can't.
    pub all_or_nothing: bool,
    pub n_sequences: usize,
    /// From which its speed is guessed until it is known.
    pub n_parameters: u64,
}

impl FakeScript {
    /// Says `answer` at once.
    pub fn saying(answer: &str) -> Self {
        Self {
            answer: answer.to_owned(),
            time_per_token: Duration::ZERO,
            panic_on: None,
            all_or_nothing: false,
            n_sequences: 4,
            n_parameters: 1,
        }
    }
}

/// See the module.
pub struct FakeModel {
    script: FakeScript,
    info: Arc<ModelInfo>,
    vocabulary: Vocabulary,
    logits: Vec<f32>,
    /// After each token of the last call that wanted them.
    each: Vec<Vec<f32>>,
    sequences: Vec<Said>,
    /// Which one was evaluated last.
    active: usize,
}

/// A sequence, and how much of it is no answer.
#[derive(Clone, Default)]
struct Said {
    tokens: Vec<Token>,
    n_prompt: usize,
}

struct ByteTokenizer;

impl Tokenizer for ByteTokenizer {
    fn tokenize(&self, text: &str, into: &mut Vec<Token>) {
        into.extend(text.bytes().map(Token::from));
    }
    fn splits_at_lines(&self) -> bool {
        true
    }
}

impl FakeModel {
    pub fn new(script: FakeScript) -> Self {
        let bytes = (0..=255_u8).map(|byte| (vec![byte], TokenKind::Text));
        let markers = [TokenKind::Never, TokenKind::Never, TokenKind::Never, TokenKind::End];
        let vocabulary =
            Vocabulary::new(bytes.chain(markers.into_iter().map(|kind| (Vec::new(), kind))));
        let info = Arc::new(ModelInfo {
            instead_of: None,
            name: "fake".to_owned(),
            n_params: script.n_parameters,
            n_vocab: 260,
            vocabulary_hash: vocabulary.hash(),
            n_context_tokens: 4_096,
            n_threads: 1,
            template: FimTemplate {
                family: "fake",
                order: FimOrder::PrefixSuffixMiddle,
                header: FileHeader::None,
                begin_of_text: None,
                prefix: PREFIX,
                suffix: SUFFIX,
                middle: Some(MIDDLE),
                file_separator: None,
                ends: vec![END],
            },
            tokenizer: Arc::new(ByteTokenizer),
            end: END,
            load_time: Duration::ZERO,
        });
        let sequences = vec![Said::default(); script.n_sequences];
        Self {
            script,
            info,
            vocabulary,
            logits: vec![0.0; 260],
            each: vec![],
            sequences,
            active: 0,
        }
    }

    fn next_token(&self) -> Token {
        let Said { tokens, n_prompt } = &self.sequences[self.active];
        let said = tokens.len() - n_prompt;
        match self.script.answer.as_bytes() {
            [] => Token::from(b'x'),
            answer => answer.get(said).copied().map_or(END, Token::from),
        }
    }
}

impl Model for FakeModel {
    fn info(&self) -> &Arc<ModelInfo> {
        &self.info
    }
    fn vocabulary(&self) -> &Vocabulary {
        &self.vocabulary
    }
    fn n_sequences(&self) -> usize {
        self.script.n_sequences
    }
    fn evaluate(
        &mut self,
        sequence: usize,
        tokens: &[Token],
        position: usize,
        flag: &CancelFlag,
    ) -> Result<(), EvaluateError> {
        self.active = sequence;
        let said = &self.sequences[sequence];
        assert_eq!(position, said.tokens.len(), "the shadow list and the context differ");
        // One token that is the next of the answer goes on with it; anything else is a prompt, or
        // forced, and the answer begins after it.
        let goes_on = tokens == [self.next_token()];
        let said = &mut self.sequences[sequence];
        for token in tokens {
            if flag.stop_reason().is_some() {
                return Err(EvaluateError::Stopped { n_resident: said.tokens.len() });
            }
            assert!(
                self.script.panic_on.map(Token::from) != Some(*token),
                "panicking as the script says"
            );
            said.tokens.push(*token);
        }
        std::thread::sleep(self.script.time_per_token);
        if !goes_on {
            said.n_prompt = said.tokens.len();
        }
        self.logits.fill(0.0);
        let next = self.next_token();
        self.logits[next as usize] = 10.0;
        Ok(())
    }
    fn evaluate_each(
        &mut self,
        sequence: usize,
        tokens: &[Token],
        position: usize,
        flag: &CancelFlag,
    ) -> Result<(), EvaluateError> {
        self.each.clear();
        for (index, token) in tokens.iter().enumerate() {
            self.evaluate(sequence, &[*token], position + index, flag)?;
            self.each.push(self.logits.clone());
        }
        Ok(())
    }
    fn logits(&self) -> &[f32] {
        &self.logits
    }
    fn logits_after(&self, index: usize) -> &[f32] {
        &self.each[index]
    }
    fn keep(&mut self, sequence: usize, n_tokens: usize) -> bool {
        if self.script.all_or_nothing {
            return false;
        }
        let said = &mut self.sequences[sequence];
        said.tokens.truncate(n_tokens);
        said.n_prompt = said.tokens.len();
        true
    }
    fn copy(&mut self, from: usize, to: usize) -> bool {
        self.sequences[to] = self.sequences[from].clone();
        true
    }
    fn forget(&mut self, sequence: usize) {
        self.sequences[sequence] = Said::default();
    }
    fn clear(&mut self) {
        self.sequences.fill(Said::default());
    }
}
