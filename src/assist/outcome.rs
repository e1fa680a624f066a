//! The end of an escalation: its money in the ledger, its answer before the person.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::assist::cloud::Cloud;
use crate::assist::escalation::{Escalation, Gathered};
use crate::assist::front::{Front, Tone};
use crate::assist::stream::{Ended, Received};
use crate::edits;
use crate::privacy::outbound::Outbound;
use crate::store::{CallId, CostSource, Settlement, Status, Tokens, UsageSource, unix_ms};
use crate::text::Newest;
use crate::wire;
use crate::wire::price::PriceSource;
use crate::wire::usage::Usage;

/// Writes into the ledger what the request cost: by the provider's word, else by its tokens, else, where it may have cost something
/// that nobody told, the most that it can have.
///
/// # Errors
/// One sentence. Then what was reserved stays counted.
pub(crate) async fn settle(
    cloud: &Cloud,
    id: CallId,
    outbound: &Outbound,
    received: &Received,
    worst_case_pico_usd: i64,
    began: Instant,
) -> Result<(), String> {
    let status = match &received.ended {
        Ended::Whole => Status::Ok,
        Ended::Short(_) => Status::Truncated,
        Ended::Failed(_) => Status::Failed,
        Ended::Cancelled => Status::Cancelled,
    };
    let may_cost = received.may_cost();
    let is_whole = matches!(received.ended, Ended::Whole | Ended::Short(_));
    let told = received.usage.filter(|_| may_cost || is_whole);
    let (usage, usage_source) = match told {
        Some(usage) if is_whole => (usage, UsageSource::Provider),
        // Cut off in the middle: what was read is told at the beginning, what was written only at the end.
        Some(usage) => {
            let output_tokens =
                usage.output_tokens.max(wire::estimate::text_tokens(&received.text));
            (Usage { output_tokens, ..usage }, UsageSource::Estimated)
        }
        None if may_cost => {
            let input_tokens = outbound.request().n_input_tokens();
            let output_tokens = wire::estimate::text_tokens(&received.text);
            (Usage { input_tokens, output_tokens, ..Usage::default() }, UsageSource::Estimated)
        }
        None => (Usage::default(), UsageSource::Estimated),
    };
    // How long a model thought is told at the end alone, and by some gateways not at all.
    let is_told = told.is_some() || !received.text.is_empty();
    let is_known = !may_cost || (is_whole && told.is_some()) || (is_told && !received.has_thought);
    let (cost_pico_usd, cost_source) = match cloud.tariff.cost(&usage) {
        (cost, PriceSource::Provider) => (cost, CostSource::Provider),
        (cost, _) if is_known => (cost, CostSource::Table),
        _ => (worst_case_pico_usd, CostSource::WorstCase),
    };
    let tokens = Tokens {
        input: usage.input_tokens,
        output: usage.output_tokens,
        cache_read: usage.cache_read,
        cache_write_5m: usage.cache_write_5m,
        cache_write_1h: usage.cache_write_1h,
        reasoning: usage.reasoning_tokens,
    };
    let request_id = received.request_id.clone();
    let duration_ms = began.elapsed().as_millis() as u64;
    let first_text_ms = received.first_text.map(|it| it.as_millis() as u64);
    cloud
        .with_ledger(move |ledger, _| {
            let what = Settlement {
                status,
                tokens,
                usage_source,
                cost_pico_usd,
                cost_source,
                request_id: (!request_id.is_empty()).then_some(request_id.as_str()),
                duration_ms,
                first_text_ms,
            };
            ledger.settle(id, &what).map_err(|error| error.to_string())
        })
        .await
}

/// Shows the answer, or puts it into the document, or says why not.
pub(crate) async fn show<F: Front>(
    cloud: &Cloud,
    newest: &Newest,
    asked: &Escalation,
    gathered: &Gathered,
    received: &Received,
    front: &F,
) {
    let lack = match &received.ended {
        Ended::Whole => None,
        Ended::Short(sentence) => Some(sentence.clone()),
        Ended::Failed(failure) => Some(failure.sentence.clone()),
        Ended::Cancelled => Some("cancelled; the connection is closed".to_owned()),
    };
    let is_cancelled = matches!(received.ended, Ended::Cancelled);
    let outcome = if asked.action.answers_in_text() {
        show_text(cloud, asked, received, (lack, is_cancelled), front).await
    } else if let Some(lack) = lack {
        Err(format!(
            "nothing was changed: {lack}{}",
            kept(cloud, asked, &received.text, front, is_cancelled).await
        ))
    } else {
        apply(cloud, newest, asked, gathered, &received.text, front).await
    };
    if let Err(sentence) = outcome {
        let tone = if is_cancelled { Tone::Info } else { Tone::Error };
        front.tell(tone, format!("keyside: {sentence}")).await;
    }
}

async fn show_text<F: Front>(
    cloud: &Cloud,
    asked: &Escalation,
    received: &Received,
    (lack, is_cancelled): (Option<String>, bool),
    front: &F,
) -> Result<(), String> {
    let mut text = received.text.clone();
    if let Some(lack) = &lack
        && !text.is_empty()
    {
        text.push_str(&format!("\n\n---\n*{lack}*\n"));
    }
    if !text.is_empty() && !front.answer(&asked.title(), &text, true).await {
        if is_cancelled {
            // Half an answer over one's code is not what one wants to see then. Short, because a line may be all there is.
            let file = shown_file(cloud, asked, "md", &received.text)?;
            return Err(format!("cancelled; what the model said is in {}", file.display()));
        }
        let file = shown_file(cloud, asked, "md", &text)?;
        if !front.show(&file, false).await {
            let sentence = format!("keyside: the answer is in {}", file.display());
            front.tell(Tone::Info, sentence).await;
        }
    }
    lack.map_or(Ok(()), Err)
}

/// Edits from an answer, checked, into the document, if that is still what was asked about.
async fn apply<F: Front>(
    cloud: &Cloud,
    newest: &Newest,
    asked: &Escalation,
    gathered: &Gathered,
    answer: &str,
    front: &F,
) -> Result<(), String> {
    let text = asked.text();
    // It parses and compares, which may take a while; keys are answered meanwhile.
    let changed = match tokio::task::block_in_place(|| gathered.change(asked, &text, answer)) {
        Ok(changed) => changed,
        Err(sentence) => {
            return Err(format!("{sentence}{}", kept(cloud, asked, answer, front, false).await));
        }
    };
    let applied = match newest.of(&asked.uri) {
        // The text as well: an editor that has opened the file again begins to count anew.
        Some((version, rope)) if version == asked.version && rope == asked.rope => {
            let edits = asked.line_edits(&changed.edits);
            match front.apply(&asked.title(), &asked.uri, version, edits).await {
                Ok(()) => arrived(newest, asked, &changed.text).await,
                failed => failed,
            }
        }
        Some(_) => Err("the document has changed since it was asked about".to_owned()),
        None => Err("the document was closed".to_owned()),
    };
    let Err(why) = applied else { return Ok(()) };
    let diff = edits::unified_diff(&asked.name, &text, &changed.text);
    let file = shown_file(cloud, asked, "diff", &diff)?;
    front.show(&file, false).await;
    Err(format!("nothing was changed, because {why}; the answer is kept as {}", file.display()))
}

/// Waits until the document is what it was to become: an editor may say that it has applied what it has not, because a key was
/// pressed a moment before (Neovim: "Buffer newer than edits").
async fn arrived(newest: &Newest, asked: &Escalation, text: &str) -> Result<(), String> {
    for _ in 0..60 {
        match newest.of(&asked.uri) {
            Some((_, rope)) if rope == text => return Ok(()),
            Some((version, _)) if version > asked.version + 1 => break,
            _ => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
    Err("the document is not what it was to become".to_owned())
}

/// Keeps an answer that was paid for and can't be put in, and says where, behind a sentence.
async fn kept<F: Front>(
    cloud: &Cloud,
    asked: &Escalation,
    answer: &str,
    front: &F,
    is_cancelled: bool,
) -> String {
    if answer.trim().is_empty() {
        return String::new();
    }
    match shown_file(cloud, asked, "md", answer) {
        Ok(file) => {
            // Who cancels does not want to read it.
            if !is_cancelled {
                front.show(&file, false).await;
            }
            format!(" (what the model said is in {})", file.display())
        }
        Err(sentence) => format!(" ({sentence})"),
    }
}

/// Writes what a person is to look at where it stays for a while.
fn shown_file(
    cloud: &Cloud,
    asked: &Escalation,
    ending: &str,
    text: &str,
) -> Result<PathBuf, String> {
    let file = cloud.shown_folder().join(format!("{}-{}.{ending}", asked.action.name(), unix_ms()));
    write_private(&file, text)?;
    Ok(file)
}

/// Writes a file that its owner alone can read, with its folder.
///
/// # Errors
/// One sentence.
pub(crate) fn write_private(path: &Path, text: &str) -> Result<(), String> {
    let failed = |error: std::io::Error| {
        format!(
            "{} can't be written ({error}); free disk space or make its folder writable",
            path.display()
        )
    };
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).and_then(|mut file| file.write_all(text.as_bytes())).map_err(failed)
}
