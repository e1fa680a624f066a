//! A completion, from a caret in a snapshot to a suggestion that could be shown.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ropey::Rope;

use crate::assist::offer::{Answer, add, asked_for, unasked};
use crate::assist::prefetch::PrefetchPlace;
use crate::assist::reuse::{Known, Question};
use crate::assist::secrets;
use crate::assist::session::Session;
use crate::assist::stats::{LastCompletion, Stats};
use crate::lm::{
    Engine, Finish, GeneratedText, Generation, Lane, ShortPrompt, Source, TaskError, Times, Usage,
};
use crate::prompt::assemble::PromptSize;
use crate::prompt::block::line_break_into_block;
use crate::prompt::excerpt::Excerpt;
use crate::prompt::finish::Suggestion;
use crate::prompt::lexis::Lexis;
use crate::prompt::names::only_name;
use crate::retrieval::suffix_array::IndexView;
use crate::text::Document;
use crate::text::words::is_word;

/// At the end of a line that opens a block, the block's first line is shown unasked only with this
/// confidence. A line of which nothing is typed is told worse than the rest of one: of what is shown
/// at 0.45, the default elsewhere, 55% were right in 600 blocks of 15 languages, and 71% at 0.6
/// (`benches/NOTES.md`).
const MIN_CONFIDENCE_OF_NEXT_LINE: f32 = 0.6;

/// Sources of what is known without the model.
const SAME_QUESTION: &str = "same question";
const TYPED_ALONG: &str = "typed along";

/// A source as statistics name it.
fn name_of(source: Source) -> &'static str {
    match source {
        Source::WholePrompt => "model",
        Source::ShortPrompt => "model, short prompt",
        Source::Lookup => "lookup",
    }
}

/// What to complete.
#[derive(Debug, Clone)]
pub struct CompletionAsk {
    /// Identifies the document among others; its window of text is remembered under it.
    pub uri: Arc<str>,
    pub language_id: Arc<str>,
    /// The path as the model is shown it, best relative to the workspace.
    pub path: String,
    pub rope: Rope,
    /// Index of the character that the caret stands before.
    pub caret: usize,
    /// A person asked for it, rather than a pause in typing.
    pub explicit: bool,
    /// Of two requests the one with the higher number is the newer and wins.
    pub arrival: u64,
    /// Other documents whose text may tell how this one goes on; the nearest first.
    pub others: Vec<Arc<Document>>,
    pub files: OtherFiles,
    /// Forget the resident prompt first: the baseline of measurements.
    pub cold: bool,
    /// No person types: the model sees all it can, however long that takes.
    pub patient: bool,
}

impl CompletionAsk {
    pub(crate) fn excerpt(&self) -> Excerpt {
        let mut excerpt = Excerpt::around(&self.rope, self.caret);
        excerpt.lexis = Lexis::of(&self.language_id, &self.path);
        excerpt
    }

    pub(crate) fn question(&self) -> Question {
        let mut others = DefaultHasher::new();
        self.others.iter().for_each(|it| (&it.key, it.revision).hash(&mut others));
        Question {
            uri: Arc::clone(&self.uri),
            rope: self.rope.clone(),
            caret: self.caret.min(self.rope.len_chars()),
            explicit: self.explicit,
            others: others.finish(),
        }
    }
}

/// Files on the disk whose text may tell how a document goes on.
#[derive(Debug, Clone, Default)]
pub enum OtherFiles {
    #[default]
    None,
    /// Those of the workspace in the language of `file`, without those that are open.
    Workspace { file: Arc<Path>, open: Vec<Arc<Path>> },
    /// These.
    Given(IndexView),
}

/// A suggestion with what it cost.
#[derive(Debug, Clone)]
pub struct Completion {
    /// Goes in at the caret; lines end in `\n`. Empty: nothing to show.
    pub text: String,
    /// The document's lines end in `\r\n`.
    pub crlf: bool,
    /// How many characters after the caret it replaces.
    pub replaced_after: usize,
    /// What else could be shown there.
    pub alternatives: Vec<Suggestion>,
    /// Where the identifier or word that it completes begins, as a character index; the caret where it
    /// completes none.
    pub word_start: usize,
    /// Names this suggestion when its acceptance is reported.
    pub id: u64,
    pub confidence: f32,
    pub usage: Usage,
    pub times: Times,
    pub assemble: Duration,
    pub total: Duration,
    /// Where it comes from: the model, retrieval, or an earlier answer.
    pub source: &'static str,
    /// Why nothing is shown, where nothing is.
    pub dropped: Option<&'static str>,
    /// What was generated, as it was before anything was dropped or cut.
    pub raw: String,
    /// The line ends at the caret, as far as is known.
    pub ends_line: bool,
}

impl Completion {
    fn nothing(caret: usize, why: Option<&'static str>) -> Self {
        Self {
            text: String::new(),
            crlf: false,
            replaced_after: 0,
            alternatives: Vec::new(),
            word_start: caret,
            id: next_id(),
            confidence: 0.0,
            usage: Usage::default(),
            times: Times::default(),
            assemble: Duration::ZERO,
            total: Duration::ZERO,
            source: "settings",
            dropped: why,
            raw: String::new(),
            ends_line: false,
        }
    }

    fn show(
        &mut self,
        ask: &CompletionAsk,
        excerpt: &Excerpt,
        items: Result<Vec<Suggestion>, &'static str>,
    ) {
        let mut items = match items.and_then(|it| secrets::without(ask, excerpt, it)) {
            Ok(items) => items.into_iter(),
            Err(why) => {
                self.dropped = Some(why);
                return;
            }
        };
        let Some(first) = items.next() else { return };
        self.text = first.text;
        self.replaced_after = first.replaced_after;
        self.alternatives = items.collect();
        self.crlf = excerpt.crlf;
        self.word_start = word_start(ask, excerpt);
    }

    /// Shows, where nothing is to come in the caret's line, what comes in the first line below it.
    fn show_below(&mut self, first_line: Self, line_break: &str) {
        let Self { text, replaced_after, alternatives, usage, times, .. } = first_line;
        if text.is_empty() || replaced_after > 0 {
            return;
        }
        self.text = format!("{line_break}{text}");
        self.alternatives = alternatives
            .into_iter()
            .filter(|it| it.replaced_after == 0)
            .map(|it| Suggestion { text: format!("{line_break}{}", it.text), ..it })
            .collect();
        self.dropped = None;
        self.crlf = first_line.crlf;
        self.raw = format!("{line_break}{}", first_line.raw);
        self.confidence = first_line.confidence;
        self.source = first_line.source;
        self.assemble += first_line.assemble;
        self.usage += usage;
        self.times += times;
    }

    /// The text with the document's own line breaks.
    pub fn text_as_in_document(&self) -> String {
        if self.crlf { self.text.replace('\n', "\r\n") } else { self.text.clone() }
    }
}

/// Completes at a caret. Dropping the returned future stops the work within a token.
///
/// # Errors
/// Superseded by a newer request, or failed with a sentence.
pub async fn complete(session: &Session, mut ask: CompletionAsk) -> Result<Completion, TaskError> {
    let started = Instant::now();
    Stats::count(&session.stats.requested);
    if !session.config().completion.suggests_in(&ask.language_id) {
        let completion = Completion::nothing(ask.caret, Some("switched off"));
        return Ok(recorded(session, completion, started));
    }
    secrets::leave_out(session, &mut ask).await;
    let mut completion = answer(session, &ask, started).await?;
    if completion.text.is_empty()
        && completion.ends_line
        && let Some((below, line_break)) = in_block(&ask)
    {
        let first_line = answer(session, &below, started).await?;
        if ask.explicit || first_line.confidence >= MIN_CONFIDENCE_OF_NEXT_LINE {
            completion.show_below(first_line, &line_break);
        }
    }
    Ok(recorded(session, completion, started))
}

/// The first line of a block that the caret's line opens, where it has none: the place behind the
/// break and the indentation that Enter inserts, and these.
fn in_block(ask: &CompletionAsk) -> Option<(CompletionAsk, String)> {
    let excerpt = ask.excerpt();
    let line_break = line_break_into_block(&excerpt)?;
    let mut below = ask.clone();
    below.caret = below.caret.min(below.rope.len_chars());
    let typed = if excerpt.crlf { line_break.replace('\n', "\r\n") } else { line_break.clone() };
    below.rope.insert(below.caret, &typed);
    below.caret += typed.chars().count();
    Some((below, line_break))
}

/// What is known of a place, or else what the model says.
async fn answer(
    session: &Session,
    ask: &CompletionAsk,
    started: Instant,
) -> Result<Completion, TaskError> {
    let epoch = session.answers().epoch();
    let config = session.config();
    let settings = &config.completion;
    let engine = session.engine();
    let question = ask.question();
    if let Some(completion) = known(session, ask, &question) {
        session.answered(&engine, &ask.uri, ask.arrival);
        return Ok(completion);
    }
    let model = session.model(&engine, ask.arrival).await?;
    let model_ready = Instant::now();

    session.prefetcher.forget(ask.arrival);
    let excerpt = ask.excerpt();
    let maker = session.request_maker(&config, &engine, &model, &ask.files)?;
    let place = PrefetchPlace { ask: ask.clone(), maker, epoch };
    let task = place.maker.make(ask, &excerpt);
    let assemble = model_ready.elapsed();
    let generation = match engine.run(lane_of(ask), task).await {
        Err(TaskError::PromptTooLong { tokens_per_second }) => {
            let size = PromptSize::Short { tokens_per_second };
            let mut task = place.maker.make(ask, &excerpt);
            task.short_prompt = ShortPrompt::Ready(place.maker.prompt(ask, size));
            engine.run(lane_of(ask), task).await?
        }
        generation => generation?,
    };
    // What is shown unasked, from a short prompt perhaps.
    let on_screen = if ask.explicit { shown_unasked(session, &question, &excerpt) } else { None };
    if !ask.cold {
        session.answers().keep(epoch, question, &generation);
    }
    prefetch(session, &engine, place, &generation);

    let mut completion = Completion::nothing(ask.caret, None);
    let best = &generation.best;
    let items = match ask.explicit {
        true => asked_for(&excerpt, &Answer::from(&generation), on_screen),
        false => unasked(&excerpt, best, false).map(|it| vec![it]),
    };
    let items = with_name(items, ask, &excerpt, settings.min_confidence);
    completion.show(ask, &excerpt, items);
    completion.ends_line = ends_line(best);
    completion.confidence = best.confidence;
    completion.raw.clone_from(&best.text);
    completion.usage = generation.usage;
    completion.times = generation.times;
    completion.assemble = assemble;
    completion.source = name_of(generation.source);
    completion.total = started.elapsed();
    session.record_local(&model.name, &completion);
    Ok(completion)
}

fn lane_of(ask: &CompletionAsk) -> Lane {
    Lane::Interactive { document: Arc::clone(&ask.uri), arrival: ask.arrival }
}

/// Goes on from an answer while the engine is idle.
fn prefetch(session: &Session, engine: &Engine, place: PrefetchPlace, answer: &Generation) {
    // A person who asks does not type on.
    let may_follow = !place.ask.cold && !place.ask.explicit;
    let steps_ahead = may_follow && session.may_go_ahead(&place.maker.config);
    if may_follow && session.prefetcher.follow(place, answer, steps_ahead) {
        engine.idle_work_changed();
    }
}

/// Has the prompt at a place evaluated when the engine is idle, before anything is typed there. Waits for
/// the model, not for that.
pub async fn prefill(session: &Session, ask: CompletionAsk) {
    let config = session.config();
    if !config.completion.suggests_in(&ask.language_id) || !session.may_go_ahead(&config) {
        return;
    }
    let epoch = session.answers().epoch();
    let engine = session.engine();
    // Without a model there is nothing to prepare, and while it loads the latest place counts.
    let Ok(model) = session.model(&engine, ask.arrival).await else { return };
    let Ok(maker) = session.request_maker(&config, &engine, &model, &ask.files) else { return };
    if session.prefetcher.rest_at(PrefetchPlace { ask, maker, epoch }) {
        engine.idle_work_changed();
    }
}

/// Whether nothing comes any more in the caret's line, and not for want of confidence.
fn ends_line(best: &GeneratedText) -> bool {
    best.text.trim().is_empty() && matches!(best.finish, Finish::EndToken | Finish::StopRule)
}

/// What is known without the model: the answer to the same question, or the rest of one that was typed
/// along.
fn known(session: &Session, ask: &CompletionAsk, question: &Question) -> Option<Completion> {
    if ask.cold {
        return None;
    }
    let known = session.answers().find(question)?;
    let excerpt = ask.excerpt();
    let Known { answer, n_typed } = &known;
    let is_same = *n_typed == 0;
    let items = match ask.explicit {
        true => asked_for(&excerpt, answer, shown_unasked(session, question, &excerpt)),
        false => unasked(&excerpt, &answer.best, !is_same).map(|it| {
            let mut items = vec![it];
            let others = answer.alternatives.iter();
            let others = others.filter_map(|it| unasked(&excerpt, it, true).ok());
            others.for_each(|it| add(&mut items, it));
            items
        }),
    };
    // What was typed along ends where it made sense as a whole; the model knows how it goes on.
    if !is_same && items.is_err() {
        return None;
    }
    let items = with_name(items, ask, &excerpt, session.config().completion.min_confidence);
    let mut completion = Completion::nothing(ask.caret, None);
    completion.show(ask, &excerpt, items);
    completion.ends_line = ends_line(&answer.best);
    completion.confidence = answer.best.confidence;
    completion.source = if is_same { SAME_QUESTION } else { TYPED_ALONG };
    Some(completion)
}

/// The only name that goes on so, where nothing is shown unasked; for a person who asks, beside the rest.
fn with_name(
    items: Result<Vec<Suggestion>, &'static str>,
    ask: &CompletionAsk,
    excerpt: &Excerpt,
    min_confidence: f64,
) -> Result<Vec<Suggestion>, &'static str> {
    if items.is_ok() && !ask.explicit {
        return items;
    }
    let Some(name) = only_name(excerpt, min_confidence as f32) else { return items };
    let mut items = items.unwrap_or_default();
    if !items.iter().any(|it| it.text.starts_with(&name.text)) {
        items.insert(0, name);
    }
    Ok(items)
}

/// What is shown at this place without being asked for, as far as that is known.
fn shown_unasked(session: &Session, question: &Question, excerpt: &Excerpt) -> Option<Suggestion> {
    let known = session.answers().on_screen(question)?;
    unasked(excerpt, &known.answer.best, known.n_typed > 0).ok()
}

fn recorded(session: &Session, mut completion: Completion, started: Instant) -> Completion {
    completion.total = started.elapsed();
    let stats = &session.stats;
    if [SAME_QUESTION, TYPED_ALONG].contains(&completion.source) {
        Stats::count(&stats.reused);
    }
    Stats::count(if completion.text.is_empty() { &stats.empty } else { &stats.shown });
    stats.set_last(LastCompletion {
        usage: completion.usage,
        times: completion.times,
        assemble: completion.assemble,
        total: completion.total,
        confidence: completion.confidence,
        source: completion.source,
        dropped: completion.dropped,
    });
    completion
}

/// The start of the word before the caret: what the client replaces, so that it can go on showing the
/// suggestion while the word is typed.
fn word_start(ask: &CompletionAsk, excerpt: &Excerpt) -> usize {
    let word = excerpt.line_before.chars().rev().take_while(|c| is_word(*c));
    ask.caret.min(ask.rope.len_chars()) - word.count()
}

fn next_id() -> u64 {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
