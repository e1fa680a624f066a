//! From a place in a text to the task for the model.

use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use crate::completion::ask::{CompletionAsk, CompletionMode};
use crate::completion::model_context::{ModelContext, SharedModelContext};
use crate::completion::when_to_speak::ShowRule;
use crate::config::Config;
use crate::lm::{GenerateTask, ModelInfo, NextTokenMixer, ShortPrompt, Token};
use crate::privacy::elsewhere::without_secret_lines;
use crate::prompt::assemble::{PromptSize, max_generated_tokens};
use crate::prompt::excerpt::Excerpt;
use crate::prompt::follows::Following;
use crate::prompt::healing;
use crate::prompt::stop::{Extent, SuggestionEnd, extent};
use crate::retrieval::datastore::RelatedTexts;
use crate::retrieval::mixture::RetrievalMixture;
use crate::retrieval::suffix_array::IndexView;
use crate::text::Document;

/// On explicit request, beside what is shown.
const MAX_ALTERNATIVES: usize = 2;

/// What of another document may be said in this one.
fn harmless(document: &Document, text: &str) -> String {
    without_secret_lines(text, Some(&document.uri)).into_owned()
}

/// What requests are made with, beside the place.
#[derive(Clone)]
pub struct RequestMaker {
    pub context: SharedModelContext,
    pub config: Arc<Config>,
    pub model: Arc<ModelInfo>,
    pub files: IndexView,
    /// How fast prompts are evaluated, roughly.
    pub tokens_per_second: u64,
}

impl RequestMaker {
    /// `excerpt` is that of the place.
    pub fn make(&self, ask: &CompletionAsk, excerpt: &Excerpt) -> GenerateTask {
        let settings = &self.config.completion;
        let model = &self.model;
        let extent = extent(excerpt, settings.max_lines);
        let (kept, forced) = healing::split(&excerpt.line_before);
        let mut context = self.context();
        let size = self.size(ask);
        let prompt = context.assembler.assemble(&ask.uri, &ask.path, excerpt, kept, size);
        // Without them, the model alone.
        let networks = context.networks.clone().filter(|_| settings.retrieval);
        let mixer = networks.map(|networks| {
            let tokenizer = model.tokenizer.as_ref();
            let open_documents =
                context.open_documents.tokens(&ask.others, model.end, tokenizer, harmless);
            let related = RelatedTexts { open_documents, workspace_files: self.files.clone() };
            let file = (&ask.uri, &*ask.language_id, &*ask.path);
            let retriever = context.retriever(file, (&ask.rope, ask.caret), kept, related);
            let one_line = extent == Extent::Line;
            Box::new(RetrievalMixture::new(Arc::new(retriever), networks, one_line))
                as Box<dyn NextTokenMixer>
        });
        drop(context);
        GenerateTask {
            prompt,
            // The rest of the whole prompt is evaluated when the engine is idle.
            short_prompt: match settings.prefetch && ask.mode == CompletionMode::Typing {
                true => ShortPrompt::OnDemand,
                false => ShortPrompt::Never,
            },
            required_prefix: forced.as_bytes().to_vec(),
            stop: Arc::new(SuggestionEnd { extent, following: Following::of(excerpt) }),
            max_tokens: settings.max_tokens.min(max_generated_tokens(model.n_context_tokens)),
            n_alternatives: if ask.mode.is_explicit() { MAX_ALTERNATIVES } else { 0 },
            max_speculative_tokens: settings.speculative_tokens,
            min_confidence: ShowRule::at(excerpt, settings).min_line_confidence,
            to_the_end: ask.mode.is_explicit(),
            min_lookup_confidence: (settings.min_lookup_confidence < 1.0)
                .then(|| settings.min_lookup_confidence.max(settings.shown_confidence()) as f32),
            max_generate: Duration::from_millis(settings.generate_ms),
            cold: ask.mode == CompletionMode::Cold,
            mixer,
            grammar: None,
        }
    }

    /// The prompt at a place.
    pub fn prompt(&self, ask: &CompletionAsk, size: PromptSize) -> Vec<Token> {
        let excerpt = ask.excerpt();
        let (kept, _) = healing::split(&excerpt.line_before);
        self.context().assembler.assemble(&ask.uri, &ask.path, &excerpt, kept, size)
    }

    fn context(&self) -> MutexGuard<'_, ModelContext> {
        self.context.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How much of the text a prompt holds that is not a short one.
    pub fn size(&self, ask: &CompletionAsk) -> PromptSize {
        match ask.mode.is_at_keyboard() {
            true => PromptSize::Whole { tokens_per_second: self.tokens_per_second },
            false => PromptSize::Full,
        }
    }
}
