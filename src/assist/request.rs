//! From a place in a text to what the engine is asked.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::adapt::gate::Gate;
use crate::adapt::index::IndexView;
use crate::adapt::mixture::{Mixture, OtherTexts};
use crate::assist::complete::CompletionAsk;
use crate::assist::session::{Assembling, with_assembling};
use crate::config::Config;
use crate::generation::{CompletionRequest, ModelInfo, NextTokenCounts};
use crate::prompt::assemble::max_generated_tokens;
use crate::prompt::excerpt::Excerpt;
use crate::prompt::healing;
use crate::prompt::stop::{Extent, extent, stop_at};

/// On explicit request, beside what is shown.
const MAX_ALTERNATIVES: usize = 2;

/// What requests are made with, beside the place.
#[derive(Clone)]
pub struct RequestMaker {
    pub assembling: Arc<Mutex<Option<Assembling>>>,
    /// `None`: the model alone.
    pub gate: Option<Arc<Gate>>,
    pub config: Arc<Config>,
    pub model: Arc<ModelInfo>,
    pub files: IndexView,
}

impl RequestMaker {
    /// `excerpt` is that of the place.
    pub fn make(&self, ask: &CompletionAsk, excerpt: &Excerpt) -> CompletionRequest {
        let settings = &self.config.completion;
        let model = &self.model;
        let extent = extent(excerpt, settings.max_lines);
        let (kept, forced) = healing::split(&excerpt.line_before);
        let (prompt, counts) = with_assembling(&self.assembling, model, |assembling| {
            let prompt = assembling.assembler.assemble(&ask.uri, &ask.path, excerpt, kept);
            let counts = self.gate.clone().map(|gate| {
                let tokenizer = model.tokenizer.as_ref();
                let open = assembling.others.tokens(&ask.others, model.end, tokenizer);
                let others = OtherTexts { open, files: self.files.clone() };
                let file = (&ask.uri, &*ask.language_id, &*ask.path);
                let history = assembling.history(file, (&ask.rope, ask.caret), kept, others);
                let one_line = extent == Extent::Line;
                Box::new(Mixture { history, gate, one_line }) as Box<dyn NextTokenCounts>
            });
            (prompt, counts)
        });
        CompletionRequest {
            arrival: ask.arrival,
            prompt,
            forced: forced.as_bytes().to_vec(),
            stop: Box::new(move |text| stop_at(extent, text)),
            max_tokens: settings.max_tokens.min(max_generated_tokens(model.n_context_tokens)),
            n_alternatives: if ask.explicit { MAX_ALTERNATIVES } else { 0 },
            max_draft_tokens: settings.draft_tokens,
            min_confidence: if ask.explicit { 0.0 } else { settings.min_confidence as f32 },
            max_generate: Duration::from_millis(settings.generate_ms),
            cold: ask.cold,
            counts,
            ahead: None,
        }
    }
}
