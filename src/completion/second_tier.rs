//! A larger model behind a server on this machine, beside the one in this process (two tiers).
//!
//! The model in this process answers at once. The server is asked with the same key; where nothing
//! else is to be shown its text is waited for a little, and where something is shown it is kept for
//! the next key, if it begins the same. So no key waits for a server that is slow, and none shows a
//! text that another replaces. A server that failed or was slow is asked on, but not waited for
//! until it has answered in time.
//!
//! One request is under way at a time: a newer one takes the place of the older, whose connection
//! is closed.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use crate::completion::ask::CompletionAsk;
use crate::completion::cache::{CompletionCache, Question};
use crate::completion::offer::{add, unasked};
use crate::completion::when_to_speak::ShowRule;
use crate::config::CompletionConfig;
use crate::config::completion_server::CompletionServer;
use crate::ledger::LocalStatus;
use crate::lm::fim::families::Family;
use crate::lm::fim::spelled;
use crate::lm::{Finish, GenerateTask, GeneratedText, Generation, Source, StopRule, TokenEnd};
use crate::prompt::excerpt::Excerpt;
use crate::prompt::finish::{Dropped, Suggestion, finish};
use crate::remote::broker::ipc::{Broker, Call, Event};
use crate::remote::protocol::StopReason;
use crate::remote::protocol::address::Address;
use crate::remote::protocol::fim_server::FimAsk;

/// From the key on, where nothing else is to be shown.
const PATIENCE: Duration = Duration::from_millis(300);

/// Counts a call to the server in the ledger: how it ended, its tokens, its time.
pub(super) type CountCall = Box<dyn FnOnce(LocalStatus, usize, Duration) + Send>;

/// See the module.
pub struct SecondTier {
    broker: Broker,
    server: CompletionServer,
    /// For a server that knows no markers.
    family: Option<&'static Family>,
    /// Of the model, with that of the server's kind: for the ledger.
    pub(super) name: String,
    /// It answered in time when it was last asked. Read and written without order.
    is_well: Arc<AtomicBool>,
    /// Why its last answer was of no use. Locked to read or replace it.
    fault: Arc<Mutex<Option<String>>>,
    /// The request that is under way. Locked to replace it.
    newest: Mutex<Option<AbortHandle>>,
}

/// What the settings must be for a second tier; its host, for people. `None` where they name none.
///
/// # Errors
/// One sentence.
pub fn host_of(config: &CompletionConfig) -> Result<Option<String>, String> {
    if config.server == CompletionServer::None {
        return Ok(None);
    }
    let address = Address::of_completion_server(config)?;
    let model = config.server_model.trim();
    let name = config.server.as_str();
    match config.server {
        CompletionServer::Ollama | CompletionServer::Openai if model.is_empty() => Err(format!(
            "`completion.server` is {name}, and `completion.server_model` names no model; name one that the server has"
        )),
        CompletionServer::Openai if spelled::family_of_name(model).is_none() => Err(format!(
            "keyside does not know the fill-in-the-middle markers of {model}; set `completion.server` to llama-server or \
             ollama, which know them, or name a Qwen2.5-Coder, StarCoder, DeepSeek-Coder, Code Llama, CodeGemma, \
             Codestral, Granite, Mellum or Seed-Coder model"
        )),
        _ => Ok(Some(address.host)),
    }
}

impl SecondTier {
    /// By a broker that reads the same settings.
    pub fn new(broker: Broker, config: &CompletionConfig) -> Self {
        let model = config.server_model.trim();
        let server = config.server;
        let name = [server.as_str(), model].join(" ").trim_end().to_owned();
        let (family, is_well) = (spelled::family_of_name(model), Arc::new(AtomicBool::new(true)));
        let (fault, newest) = (Arc::default(), Mutex::default());
        Self { broker, server, family, name, is_well, fault, newest }
    }

    /// Why the server was of no use when it answered last, in a sentence.
    pub fn fault(&self) -> Option<String> {
        self.fault.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Asks the server about a place, in the place of the request before. `None` where it can't be
    /// asked about this text.
    pub(super) fn begin(
        &self,
        ask: &CompletionAsk,
        excerpt: &Excerpt,
        task: &GenerateTask,
        count: CountCall,
    ) -> Option<PendingText> {
        if !ask.mode.uses_cache() {
            return None;
        }
        let before = excerpt.lines_before.concat();
        let (line, rest) = (excerpt.line_before.clone(), excerpt.lines_after.concat());
        // The caret's line has a break where another follows it.
        let line_break = if rest.is_empty() { "" } else { "\n" };
        let after = format!("{}{line_break}{rest}", excerpt.line_after);
        let spelled = match (self.server, self.family) {
            (CompletionServer::Openai, Some(family)) => {
                Some(spelled::prompt(family, &format!("{before}{line}"), &after)?)
            }
            _ => None,
        };
        let max_ms = u64::try_from(task.max_generate.as_millis()).unwrap_or(u64::MAX);
        let max_tokens = task.max_tokens;
        let call =
            self.broker.complete(FimAsk { before, line, after, spelled, max_tokens, max_ms });
        let (sender, text) = oneshot::channel();
        let (stop, is_well) = (Arc::clone(&task.stop), Arc::clone(&self.is_well));
        let fault = Arc::clone(&self.fault);
        let began = Instant::now();
        let reader = tokio::spawn(async move {
            let read = read(call, &*stop).await;
            let took = began.elapsed();
            is_well.store(read.is_ok() && took <= PATIENCE, Ordering::Relaxed);
            let status = if read.is_ok() { LocalStatus::Ok } else { LocalStatus::Failed };
            count(status, read.as_ref().map_or(0, |it| it.n_pieces), took);
            if let Err(sentence) = &read {
                tracing::debug!("{sentence}");
            }
            *fault.lock().unwrap_or_else(PoisonError::into_inner) = read.as_ref().err().cloned();
            // The receiver may be gone.
            let _ = sender.send(read.ok().map(|it| it.text));
        });
        let reader = reader.abort_handle();
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(older) = newest.replace(reader.clone()) {
            older.abort();
        }
        drop(newest);
        let is_well = Arc::clone(&self.is_well);
        Some(PendingText { text: Some(text), reader, began, is_well })
    }
}

/// A text that the server is writing. Dropped, it is given up.
pub(super) struct PendingText {
    /// `None` where it is kept when it comes, or has come.
    text: Option<oneshot::Receiver<Option<GeneratedText>>>,
    reader: AbortHandle,
    began: Instant,
    is_well: Arc<AtomicBool>,
}

impl Drop for PendingText {
    fn drop(&mut self) {
        if self.text.is_some() {
            self.reader.abort();
        }
    }
}

impl PendingText {
    /// The text, if it comes in time.
    async fn in_time(&mut self) -> Option<GeneratedText> {
        if !self.is_well.load(Ordering::Relaxed) {
            return None;
        }
        let text = self.text.as_mut()?;
        match tokio::time::timeout_at(self.began + PATIENCE, text).await {
            Ok(text) => {
                self.text = None;
                text.ok().flatten()
            }
            Err(_) => {
                self.is_well.store(false, Ordering::Relaxed);
                None
            }
        }
    }

    /// Keeps the text when it comes, for the next key, where it goes on from what is shown.
    fn keep_when_it_comes(mut self, keep: KeptFor, generation: Generation, shown: String) {
        let Some(text) = self.text.take() else { return };
        tokio::spawn(async move {
            let Ok(Some(best)) = text.await else { return };
            if best.text.starts_with(&shown) && best.text.len() > shown.len() {
                keep.put(generation, best);
            }
        });
    }
}

struct ReadText {
    text: GeneratedText,
    n_pieces: usize,
}

/// Reads pieces until the answer ends, or the text does.
async fn read(mut call: Call, stop: &dyn StopRule) -> Result<ReadText, String> {
    let mut text = GeneratedText {
        text: String::new(),
        finish: Finish::Budget,
        confidence: 1.0,
        token_ends: Vec::new(),
    };
    let mut n_pieces = 0;
    while let Some(event) = call.next().await {
        match event {
            Event::Generated { text: piece, probability } => {
                n_pieces += 1;
                text.text.push_str(&piece.replace("\r\n", "\n"));
                // A server that tells no probabilities is taken at its word.
                text.confidence *= probability.unwrap_or(1.0);
                let (end, confidence) = (text.text.len(), text.confidence);
                if probability.is_some() {
                    text.token_ends.push(TokenEnd { end, confidence });
                }
                if let Some(end) = stop.end_of(&text.text) {
                    text.text.truncate(end);
                    text.token_ends.retain(|it| it.end <= end);
                    text.confidence =
                        text.token_ends.last().map_or(text.confidence, |it| it.confidence);
                    text.finish = Finish::StopRule;
                    return Ok(ReadText { text, n_pieces });
                }
            }
            Event::Done { stop } => {
                if stop == StopReason::End {
                    text.finish = Finish::EndToken;
                }
                return Ok(ReadText { text, n_pieces });
            }
            Event::Failed(failure) => return Err(failure.sentence),
            _ => {}
        }
    }
    Err("the broker is gone; restart the server".to_owned())
}

/// Where a text is kept for the next key.
pub(super) struct KeptFor {
    pub(super) cache: Arc<Mutex<CompletionCache>>,
    pub(super) epoch: u64,
    pub(super) question: Question,
}

/// What is shown when the server's text is taken in, and that text where it comes first. `items`
/// are the model's, of `generation`.
pub(super) async fn joined(
    mut pending: PendingText,
    (excerpt, rule): (&Excerpt, ShowRule),
    items: Result<Vec<Suggestion>, Dropped>,
    keep: KeptFor,
    generation: &Generation,
) -> (Result<Vec<Suggestion>, Dropped>, Option<GeneratedText>) {
    let is_explicit = keep.question.explicit;
    let shown = items.as_ref().ok().and_then(|it| it.first()).map(|it| it.text.clone());
    let text = match (&shown, is_explicit) {
        (Some(_), false) => None,
        _ => pending.in_time().await,
    };
    let Some(text) = text else {
        pending.keep_when_it_comes(keep, generation.clone(), shown.unwrap_or_default());
        return (items, None);
    };
    let offered = match is_explicit {
        true => finish(excerpt, &text.text, text.finish, true),
        false => unasked(excerpt, rule, rule.part_of(&text, 0)),
    };
    let Ok(offered) = offered else { return (items, None) };
    let goes_on = shown.is_none_or(|it| offered.text.starts_with(&it));
    let mut others = items.unwrap_or_default();
    if !goes_on {
        // What is on the screen stays there, and a person who asks sees both.
        add(&mut others, offered);
        return (Ok(others), None);
    }
    keep.put(generation.clone(), text.clone());
    let mut items = vec![offered];
    others.into_iter().skip(1).for_each(|it| add(&mut items, it));
    (Ok(items), Some(text))
}

impl KeptFor {
    fn put(self, generation: Generation, best: GeneratedText) {
        let generation = Generation { best, sure: None, source: Source::WholePrompt, ..generation };
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        cache.keep(self.epoch, self.question, &generation);
    }
}
