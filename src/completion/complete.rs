//! A completion, from a caret in a snapshot to a suggestion that could be shown.

use std::sync::Arc;
use std::time::Instant;

use crate::completion::ask::CompletionAsk;
use crate::completion::cache::Question;
use crate::completion::completer::Completer;
use crate::completion::offer::{Answer, add, asked_for, is_more_than_a_name, unasked};
use crate::completion::prefetch::PrefetchPlace;
use crate::completion::result::{Completion, CompletionSource};
use crate::completion::second_tier::KeptFor;
use crate::completion::stats::{LastCompletion, Stats};
use crate::completion::when_to_speak::ShowRule;
use crate::completion::{second_tier, secrets};
use crate::lm::{Engine, Finish, GeneratedText, Generation, Lane, ShortPrompt, TaskError};
use crate::prompt::assemble::PromptSize;
use crate::prompt::block::line_break_into_block;
use crate::prompt::excerpt::Excerpt;
use crate::prompt::finish::{Dropped, Suggestion, finish};
use crate::prompt::follows::mode_at_caret;
use crate::prompt::lexis::Mode;
use crate::prompt::names::only_name;

/// Completes at a caret. Dropping the returned future stops the work within a token.
///
/// # Errors
/// Superseded by a newer request, or failed with a sentence.
pub async fn complete(
    completer: &Completer,
    mut ask: CompletionAsk,
) -> Result<Completion, TaskError> {
    let started = Instant::now();
    Stats::count(&completer.stats.requested);
    if let Some(why) = why_quiet(completer, &ask) {
        return Ok(recorded(completer, Completion::nothing(ask.caret, Some(why)), started));
    }
    secrets::leave_out(&completer.workspace, &mut ask).await;
    let mut completion = answer(completer, &ask, started).await?;
    if completion.text.is_empty()
        && completion.ends_line
        && let Some((below, line_break)) = in_block(&ask)
    {
        let first_line = answer(completer, &below, started).await?;
        completion.show_below(first_line, &line_break);
    }
    if ask.leaves_names && !completion.text.is_empty() {
        let caret = ask.caret.min(ask.rope.len_chars());
        let typed = ask.rope.slice(completion.word_start.min(caret)..caret);
        if !is_more_than_a_name(&format!("{typed}{}", completion.text)) {
            completion.hold_back(Dropped::NameAlone);
        }
    }
    Ok(recorded(completer, completion, started))
}

/// Why nothing is to be suggested, whatever the model would say.
fn why_quiet(completer: &Completer, ask: &CompletionAsk) -> Option<Dropped> {
    let settings = &completer.config().completion;
    if !settings.suggests_in(&ask.language_id) {
        return Some(Dropped::SwitchedOff);
    }
    if ask.mode.is_explicit() {
        return None;
    }
    if completer.snooze.left().is_some() {
        return Some(Dropped::Snoozed);
    }
    if ask.is_deleting {
        return Some(Dropped::Deleting);
    }
    let is_off = |mode: Mode| match mode {
        Mode::Code => false,
        mode if mode.is_string() => !settings.in_strings,
        _ => !settings.in_comments,
    };
    let is_anything_off = !(settings.in_strings && settings.in_comments);
    (is_anything_off && is_off(mode_at_caret(&ask.excerpt()))).then_some(Dropped::SwitchedOff)
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
    completer: &Completer,
    ask: &CompletionAsk,
    started: Instant,
) -> Result<Completion, TaskError> {
    let epoch = completer.cache().epoch();
    let config = completer.config();
    let settings = &config.completion;
    let engine = completer.engine();
    let question = ask.question();
    if let Some(completion) = known(completer, ask, &question) {
        completer.answered(&engine, &ask.uri, ask.arrival);
        return Ok(completion);
    }
    let model = completer.model(&engine, ask.arrival).await?;
    let model_ready = Instant::now();

    completer.prefetcher.forget(ask.arrival);
    let excerpt = ask.excerpt();
    let maker = completer.request_maker(&config, &engine, &model, &ask.files)?;
    let place = PrefetchPlace { ask: ask.clone(), maker, epoch };
    let task = place.maker.make(ask, &excerpt);
    let pending = completer
        .second_tier()
        .and_then(|tier| tier.begin(ask, &excerpt, &task, completer.counts_call_to(&tier.name)));
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
    let on_screen =
        if ask.mode.is_explicit() { shown_unasked(completer, &question, &excerpt) } else { None };
    let pending = pending.map(|it| (it, question.clone()));
    if ask.mode.uses_cache() {
        completer.cache().keep(epoch, question, &generation);
    }
    prefetch(completer, &engine, place, &generation);

    let mut completion = Completion::nothing(ask.caret, None);
    let best = &generation.best;
    let rule = ShowRule::at(&excerpt, settings);
    completion.confidence = best.confidence;
    let items = match ask.mode.is_explicit() {
        true => asked_for(&excerpt, rule, &Answer::from(&generation), on_screen),
        false => {
            let part = rule.part_of(best, 0);
            completion.confidence = part.as_ref().map_or(best.confidence, |it| it.confidence);
            unasked(&excerpt, rule, part).map(|it| vec![it])
        }
    };
    let items = with_name(items, ask, &excerpt, settings.shown_confidence());
    let (items, of_server) = match pending {
        None => (items, None),
        Some((pending, question)) => {
            let keep = KeptFor { cache: completer.shared_cache(), epoch, question };
            second_tier::joined(pending, (&excerpt, rule), items, keep, &generation).await
        }
    };
    completion.show(ask, &excerpt, items);
    let best = of_server.as_ref().unwrap_or(best);
    if of_server.is_some() {
        completion.confidence = rule.part_of(best, 0).map_or(best.confidence, |it| it.confidence);
    }
    completion.ends_line = ends_line(best);
    completion.raw.clone_from(&best.text);
    completion.token_ends.clone_from(&best.token_ends);
    completion.usage = generation.usage;
    completion.times = generation.times;
    completion.assemble = assemble;
    completion.source = match of_server {
        Some(_) => CompletionSource::Server,
        None => CompletionSource::Generated(generation.source),
    };
    completion.total = started.elapsed();
    completer.record_local(&model.name, &completion);
    Ok(completion)
}

fn lane_of(ask: &CompletionAsk) -> Lane {
    Lane::Interactive { document: Arc::clone(&ask.uri), arrival: ask.arrival }
}

/// Goes on from an answer while the engine is idle.
fn prefetch(completer: &Completer, engine: &Engine, place: PrefetchPlace, answer: &Generation) {
    // A person who asks does not type on.
    let may_follow = place.ask.mode.uses_cache() && !place.ask.mode.is_explicit();
    let steps_ahead = may_follow && completer.may_go_ahead(&place.maker.config);
    if may_follow && completer.prefetcher.follow(place, answer, steps_ahead) {
        engine.idle_work_changed();
    }
}

/// Has the prompt at a place evaluated when the engine is idle, before anything is typed there.
/// Waits for the model, not for that.
pub async fn prefill(completer: &Completer, ask: CompletionAsk) {
    let config = completer.config();
    if !config.completion.suggests_in(&ask.language_id) || !completer.may_go_ahead(&config) {
        return;
    }
    let epoch = completer.cache().epoch();
    let engine = completer.engine();
    // Without a model there is nothing to prepare, and while it loads the latest place counts.
    let Ok(model) = completer.model(&engine, ask.arrival).await else { return };
    let Ok(maker) = completer.request_maker(&config, &engine, &model, &ask.files) else { return };
    if completer.prefetcher.rest_at(PrefetchPlace { ask, maker, epoch }) {
        engine.idle_work_changed();
    }
}

/// Whether nothing comes any more in the caret's line. A line break of which the model is not sure
/// is one too.
fn ends_line(best: &GeneratedText) -> bool {
    let breaks = best.finish.is_end() || best.finish == Finish::Unsure { next: Some('\n') };
    best.text.trim().is_empty() && breaks
}

/// What is known without the model: the answer to the same question, or the rest of one that was
/// typed along.
fn known(completer: &Completer, ask: &CompletionAsk, question: &Question) -> Option<Completion> {
    if !ask.mode.uses_cache() {
        return None;
    }
    let known = completer.cache().find(question)?;
    let excerpt = ask.excerpt();
    let rule = ShowRule::at(&excerpt, &completer.config().completion);
    let (answer, is_same) = (&known.answer, known.n_typed == 0);
    let part = known.shown_part(rule);
    let confidence = part.as_ref().map_or(answer.best.confidence, |it| it.confidence);
    let items = match ask.mode.is_explicit() {
        true => asked_for(&excerpt, rule, answer, shown_unasked(completer, question, &excerpt)),
        false => unasked(&excerpt, rule, part).map(|it| {
            let mut items = vec![it];
            let others = answer.alternatives.iter();
            let others = others.filter_map(|it| finish(&excerpt, &it.text, it.finish, false).ok());
            others.for_each(|it| add(&mut items, it));
            items
        }),
    };
    // What was typed along ends where it made sense as a whole, or is not sure enough; the model
    // knows more now.
    if !is_same && items.is_err() {
        return None;
    }
    let items = with_name(items, ask, &excerpt, completer.config().completion.shown_confidence());
    let mut completion = Completion::nothing(ask.caret, None);
    completion.show(ask, &excerpt, items);
    completion.ends_line = ends_line(&answer.best);
    completion.confidence =
        if ask.mode.is_explicit() { answer.best.confidence } else { confidence };
    completion.raw.clone_from(&answer.best.text);
    completion.token_ends.clone_from(&answer.best.token_ends);
    completion.source =
        if is_same { CompletionSource::SameQuestion } else { CompletionSource::TypedAlong };
    Some(completion)
}

/// The only name that goes on so, where nothing is shown unasked; for a person who asks, beside the
/// rest.
fn with_name(
    items: Result<Vec<Suggestion>, Dropped>,
    ask: &CompletionAsk,
    excerpt: &Excerpt,
    min_confidence: f64,
) -> Result<Vec<Suggestion>, Dropped> {
    if items.is_ok() && !ask.mode.is_explicit() {
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
fn shown_unasked(
    completer: &Completer,
    question: &Question,
    excerpt: &Excerpt,
) -> Option<Suggestion> {
    let known = completer.cache().on_screen(question)?;
    let rule = ShowRule::at(excerpt, &completer.config().completion);
    unasked(excerpt, rule, known.shown_part(rule)).ok()
}

fn recorded(completer: &Completer, mut completion: Completion, started: Instant) -> Completion {
    completion.total = started.elapsed();
    let stats = &completer.stats;
    if completion.source.is_reused() {
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
