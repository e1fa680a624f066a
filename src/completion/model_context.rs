//! What prompts for one model are made with: the tokens of texts, and the n-gram table.

use std::sync::{Arc, Mutex, PoisonError};

use ropey::Rope;

use crate::lm::ModelInfo;
use crate::lm::fim::PromptTemplate;
use crate::prompt::assemble::{Assembler, PromptBudget};
use crate::retrieval::datastore::{OpenDocuments, RecentDocuments, RelatedTexts};
use crate::retrieval::mixture::{MixtureNetworks, Retriever};
use crate::retrieval::ngram_table::NgramTable;
use crate::text::Language;

/// Models whose contexts are kept: the present one, and one that another is compared with.
const MAX_MODELS: usize = 2;

/// The contexts of the models that were used last. One is locked while a prompt is assembled, which
/// is microseconds to a few milliseconds; a std mutex, because nothing awaits meanwhile.
#[derive(Default)]
pub struct ModelContexts(Mutex<Vec<(Arc<ModelInfo>, SharedModelContext)>>);

/// A context that requests in several tasks are made with.
pub type SharedModelContext = Arc<Mutex<ModelContext>>;

impl ModelContexts {
    /// The context of a model, made with its first use.
    ///
    /// # Errors
    /// Why the model can't complete code.
    pub fn of(&self, model: &Arc<ModelInfo>) -> Result<SharedModelContext, String> {
        let mut contexts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = contexts.iter().find(|(it, _)| Arc::ptr_eq(it, model));
        if let Some((_, context)) = found {
            return Ok(Arc::clone(context));
        }
        let context = Arc::new(Mutex::new(ModelContext::new(model)?));
        contexts.insert(0, (Arc::clone(model), Arc::clone(&context)));
        contexts.truncate(MAX_MODELS);
        Ok(context)
    }
}

/// How a model is asked at a caret.
///
/// # Errors
/// Why it can't be, with what to do.
pub fn prompt_template(model: &ModelInfo) -> Result<PromptTemplate, String> {
    model.prompt_template().ok_or_else(|| {
        format!(
            "{} makes vectors of texts and no text, so it can't complete code; set model.path to a model \
             that does (Qwen2.5-Coder, StarCoder2 and others), or leave it empty for the built-in model",
            model.name
        )
    })
}

/// What prompts for one model are made with.
pub struct ModelContext {
    model: Arc<ModelInfo>,
    pub assembler: Assembler,
    /// The tokens of documents that were completed in lately.
    pub documents: RecentDocuments,
    /// The tokens of other open documents.
    pub open_documents: OpenDocuments,
    /// `None` where the model has other tokens than the table.
    pub ngrams: Option<NgramTable>,
    /// What mixes its predictions with what is retrieved.
    pub networks: Option<Arc<MixtureNetworks>>,
}

impl ModelContext {
    /// For a model that completes.
    ///
    /// # Errors
    /// Why it can't complete code, where it doesn't.
    pub fn new(model: &Arc<ModelInfo>) -> Result<Self, String> {
        let template = prompt_template(model)?;
        let budget = PromptBudget::of_context(model.n_context_tokens);
        let tokenizer = Arc::clone(&model.tokenizer);
        Ok(Self {
            model: Arc::clone(model),
            assembler: Assembler::new(tokenizer, template, budget),
            documents: RecentDocuments::default(),
            open_documents: OpenDocuments::default(),
            ngrams: NgramTable::embedded_for(model),
            networks: MixtureNetworks::embedded_for(&model.name).map(Arc::new),
        })
    }

    /// What retrieves at the caret. `caret_line` is the caret's line as far as the prompt holds it.
    pub fn retriever(
        &mut self,
        (uri, language_id, path): (&Arc<str>, &str, &str),
        (rope, caret): (&Rope, usize),
        caret_line: &str,
        related: RelatedTexts,
    ) -> Retriever {
        let tokenizer = self.model.tokenizer.as_ref();
        let end = self.model.end;
        let document = self.documents.around(uri, rope, caret, end, tokenizer);
        let language = Language::of(language_id, path);
        let ngrams = self.ngrams.zip(language.and_then(|it| it.ngram_group));
        let line = self.model.tokens_of(caret_line);
        Retriever::new(document, related, ngrams, &line, end)
    }
}
