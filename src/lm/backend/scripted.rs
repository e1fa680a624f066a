//! A scripted model: bytes for tokens, a fixed answer, any speed. It stands in where a test needs a
//! model that is slow, endless or failing at will; the real model covers the same ground elsewhere.

use std::sync::Arc;
use std::time::Duration;

use crate::lm::backend::{Backend, EvaluateError};
use crate::lm::chat::ChatTemplate;
use crate::lm::fim::{FileHeader, FimOrder, FimTemplate};
use crate::lm::model_info::{Capabilities, GpuUse, ModelInfo, TextSplits, Tokenizer};
use crate::lm::registry::LoadRequest;
use crate::lm::vocabulary::{Token, TokenKind, Vocabulary};
use crate::stdx::cancel::CancelFlag;

const PREFIX: Token = 256;
const SUFFIX: Token = 257;
const MIDDLE: Token = 258;
const END: Token = 259;

/// What it does.
#[derive(Debug, Clone)]
pub struct Script {
    /// Generated after every prompt, then the end token; where it is empty, `x` for ever.
    pub answer: String,
    pub time_per_token: Duration,
    /// Panics when the prompt holds this byte: a defect to order.
    pub panic_on: Option<u8>,
    /// Can't drop a part of its state, as recurrent and hybrid models can't.
    pub all_or_nothing: bool,
    pub n_sequences: usize,
    /// Has markers for fill in the middle.
    pub has_fim: bool,
    /// From which its speed is guessed until it is known.
    pub n_parameters: u64,
}

impl Script {
    /// Generates `answer` at once.
    pub fn saying(answer: &str) -> Self {
        Self {
            answer: answer.to_owned(),
            time_per_token: Duration::ZERO,
            panic_on: None,
            all_or_nothing: false,
            n_sequences: 4,
            has_fim: true,
            n_parameters: 1,
        }
    }
}

/// A model whose answer is the rest of its name.
///
/// # Errors
/// None.
pub fn load(request: &LoadRequest) -> Result<Box<dyn Backend>, String> {
    Ok(Box::new(ScriptedBackend::new(Script::saying(request.place))))
}

/// See the module.
pub struct ScriptedBackend {
    script: Script,
    info: Arc<ModelInfo>,
    vocabulary: Vocabulary,
    logits: Vec<f32>,
    /// After each token of the last call that wanted them.
    each: Vec<Vec<f32>>,
    sequences: Vec<ScriptedSequence>,
    /// Which one was evaluated last.
    active: usize,
}

/// A sequence, and how much of it is no answer.
#[derive(Clone, Default)]
struct ScriptedSequence {
    tokens: Vec<Token>,
    n_prompt: usize,
}

struct ByteTokenizer;

impl Tokenizer for ByteTokenizer {
    fn tokenize(&self, text: &str, into: &mut Vec<Token>) {
        into.extend(text.bytes().map(Token::from));
    }
    fn splits(&self) -> TextSplits {
        TextSplits::BeforeLines
    }
}

impl ScriptedBackend {
    pub fn new(script: Script) -> Self {
        let bytes = (0..=255_u8).map(|byte| (vec![byte], TokenKind::Text));
        let markers = [TokenKind::Never, TokenKind::Never, TokenKind::Never, TokenKind::End];
        let vocabulary =
            Vocabulary::new(bytes.chain(markers.into_iter().map(|kind| (Vec::new(), kind))));
        let info = Arc::new(ModelInfo {
            adapter: None,
            gpu: GpuUse::default(),
            n_sequences: script.n_sequences,
            memory_bytes: None,
            instead_of: None,
            name: "scripted".to_owned(),
            n_params: script.n_parameters,
            n_vocab: 260,
            vocabulary_hash: vocabulary.hash(),
            n_context_tokens: 4_096,
            n_threads: 1,
            capabilities: Capabilities {
                fim: script.has_fim.then(|| FimTemplate {
                    family: "scripted",
                    order: FimOrder::PrefixSuffixMiddle,
                    header: FileHeader::None,
                    begin_of_text: None,
                    prefix: PREFIX,
                    suffix: SUFFIX,
                    middle: Some(MIDDLE),
                    file_separator: None,
                    ends: vec![END],
                }),
                chat: Some(ChatTemplate {
                    before_instruction: vec![PREFIX],
                    before_question: vec![SUFFIX],
                    before_answer: vec![MIDDLE],
                }),
                score: true,
                embed: true,
            },
            tokenizer: Arc::new(ByteTokenizer),
            end: END,
            begin_of_text: None,
            load_time: Duration::ZERO,
        });
        let sequences = vec![ScriptedSequence::default(); script.n_sequences];
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
        let ScriptedSequence { tokens, n_prompt } = &self.sequences[self.active];
        let sequence_state = tokens.len() - n_prompt;
        match self.script.answer.as_bytes() {
            [] => Token::from(b'x'),
            answer => answer.get(sequence_state).copied().map_or(END, Token::from),
        }
    }
}

impl Backend for ScriptedBackend {
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
        let sequence_state = &self.sequences[sequence];
        assert_eq!(position, sequence_state.tokens.len(), "the shadow list and the context differ");
        // One token that is the next of the answer goes on with it; anything else is a prompt, or
        // forced, and the answer begins after it.
        let goes_on = tokens == [self.next_token()];
        let sequence_state = &mut self.sequences[sequence];
        for token in tokens {
            if flag.stop_reason().is_some() {
                return Err(EvaluateError::Stopped { n_resident: sequence_state.tokens.len() });
            }
            assert!(
                self.script.panic_on.map(Token::from) != Some(*token),
                "panicking as the script says"
            );
            sequence_state.tokens.push(*token);
        }
        std::thread::sleep(self.script.time_per_token);
        if !goes_on {
            sequence_state.n_prompt = sequence_state.tokens.len();
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
    fn truncate(&mut self, sequence: usize, n_tokens: usize) -> bool {
        if self.script.all_or_nothing {
            return false;
        }
        let sequence_state = &mut self.sequences[sequence];
        sequence_state.tokens.truncate(n_tokens);
        sequence_state.n_prompt = sequence_state.tokens.len();
        true
    }
    fn fork(&mut self, from: usize, to: usize) -> bool {
        self.sequences[to] = self.sequences[from].clone();
        true
    }
    fn drop_sequence(&mut self, sequence: usize) {
        self.sequences[sequence] = ScriptedSequence::default();
    }
    fn clear(&mut self) {
        self.sequences.fill(ScriptedSequence::default());
    }

    /// How often each letter occurs.
    fn embed(&mut self, tokens: &[Token], flag: &CancelFlag) -> Result<Vec<f32>, EvaluateError> {
        if flag.stop_reason().is_some() {
            return Err(EvaluateError::Stopped { n_resident: 0 });
        }
        std::thread::sleep(self.script.time_per_token);
        let mut vector = vec![0.0; 26];
        for token in tokens {
            let letter = u8::try_from(*token).ok().filter(u8::is_ascii_lowercase);
            letter.into_iter().for_each(|it| vector[usize::from(it - b'a')] += 1.0);
        }
        Ok(vector)
    }
}
