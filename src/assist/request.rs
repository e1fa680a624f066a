//! From a place in a text to what the engine is asked.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::assist::complete::CompletionAsk;
use crate::assist::session::{Assembling, with_assembling};
use crate::config::Config;
use crate::lm::task::{CompletionRequest, ModelInfo, NextTokenMixer, ShortPrompt, Token};
use crate::privacy::elsewhere::without_secret_lines;
use crate::prompt::assemble::{PromptSize, max_generated_tokens};
use crate::prompt::excerpt::Excerpt;
use crate::prompt::follows::Following;
use crate::prompt::healing;
use crate::prompt::stop::{Extent, extent, stop_at};
use crate::retrieval::datastore::RelatedTexts;
use crate::retrieval::mixture::{MixtureNetworks, RetrievalMixture};
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
    pub assembling: Arc<Mutex<Option<Assembling>>>,
    /// `None`: the model alone.
    pub networks: Option<Arc<MixtureNetworks>>,
    pub config: Arc<Config>,
    pub model: Arc<ModelInfo>,
    pub files: IndexView,
    /// How fast prompts are evaluated, roughly.
    pub tokens_per_second: u64,
}

impl RequestMaker {
    /// `excerpt` is that of the place.
    pub fn make(&self, ask: &CompletionAsk, excerpt: &Excerpt) -> CompletionRequest {
        let settings = &self.config.completion;
        let model = &self.model;
        let extent = extent(excerpt, settings.max_lines);
        let following = Following::of(excerpt);
        let (kept, forced) = healing::split(&excerpt.line_before);
        let (prompt, mixer) = with_assembling(&self.assembling, model, |assembling| {
            let assembler = &mut assembling.assembler;
            let prompt = assembler.assemble(&ask.uri, &ask.path, excerpt, kept, self.size(ask));
            let mixer = self.networks.clone().map(|networks| {
                let tokenizer = model.tokenizer.as_ref();
                let open_documents =
                    assembling.open_documents.tokens(&ask.others, model.end, tokenizer, harmless);
                let related = RelatedTexts { open_documents, workspace_files: self.files.clone() };
                let file = (&ask.uri, &*ask.language_id, &*ask.path);
                let retriever = assembling.retriever(file, (&ask.rope, ask.caret), kept, related);
                let one_line = extent == Extent::Line;
                Box::new(RetrievalMixture::new(retriever, networks, one_line))
                    as Box<dyn NextTokenMixer>
            });
            (prompt, mixer)
        });
        CompletionRequest {
            arrival: ask.arrival,
            prompt,
            // The rest of the whole prompt is evaluated when the engine is idle.
            short_prompt: (settings.prefetch && !ask.patient && !ask.explicit)
                .then(|| self.short_prompt(ask)),
            forced: forced.as_bytes().to_vec(),
            stop: Box::new(move |text| {
                let ends = [stop_at(extent, text), following.ends_word(text)];
                ends.into_iter().flatten().min()
            }),
            max_tokens: settings.max_tokens.min(max_generated_tokens(model.n_context_tokens)),
            n_alternatives: if ask.explicit { MAX_ALTERNATIVES } else { 0 },
            max_speculative_tokens: settings.speculative_tokens,
            min_confidence: settings.min_confidence as f32,
            to_the_end: ask.explicit,
            min_lookup_confidence: (settings.min_lookup_confidence < 1.0)
                .then(|| settings.min_lookup_confidence.max(settings.min_confidence) as f32),
            max_generate: Duration::from_millis(settings.generate_ms),
            cold: ask.cold,
            mixer,
            ahead: None,
        }
    }

    /// The prompt at a place.
    pub fn prompt(&self, ask: &CompletionAsk, size: PromptSize) -> Vec<Token> {
        let excerpt = ask.excerpt();
        let (kept, _) = healing::split(&excerpt.line_before);
        with_assembling(&self.assembling, &self.model, |it| {
            it.assembler.assemble(&ask.uri, &ask.path, &excerpt, kept, size)
        })
    }

    /// How much of the text a prompt holds that is not a short one.
    pub fn size(&self, ask: &CompletionAsk) -> PromptSize {
        match ask.patient {
            true => PromptSize::Full,
            false => PromptSize::Whole { tokens_per_second: self.tokens_per_second },
        }
    }

    /// Made only when it is needed, which is rare.
    fn short_prompt(&self, ask: &CompletionAsk) -> ShortPrompt {
        let (maker, ask) = (self.clone(), ask.clone());
        Box::new(move |tokens_per_second| {
            maker.prompt(&ask, PromptSize::Short { tokens_per_second })
        })
    }
}
