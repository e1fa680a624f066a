//! The end of a request: its answer before the person, as text or as a change of the document.

use std::path::PathBuf;
use std::time::Duration;

use crate::assistant::CloudRequest;
use crate::assistant::apply::{self, NotApplied};
use crate::assistant::change::Changed;
use crate::assistant::cloud::Cloud;
use crate::assistant::editor_ui::{EditorUi, Tone};
use crate::assistant::gather::Gathered;
use crate::assistant::stream::Received;
use crate::ledger::unix_ms;
use crate::remote::outbound::Prepared;
use crate::remote::protocol::fault::shortened;
use crate::stdx::clean;
use crate::text::Newest;

/// How often an answer is put into a document in which somebody types.
const TRIES: usize = 5;
/// How long an editor may take to say that a document is what it was to become, and after which of
/// these looks it has gone on without the change.
const LOOK_EVERY: Duration = Duration::from_millis(50);
const LOOKS: usize = 60;
const LOOKS_WITHOUT_IT: usize = 12;
/// What is said in a message, and not in a document of its own.
const MAX_MESSAGE_CHARS: usize = 280;

/// All that an answer is about.
pub(crate) struct Asked<'a> {
    pub(crate) cloud: &'a Cloud,
    pub(crate) newest: &'a Newest,
    pub(crate) question: &'a CloudRequest,
    pub(crate) gathered: &'a Gathered,
    pub(crate) request: &'a Prepared,
}

/// Shows the answer, or puts it into the document, or says why not.
pub(crate) async fn show<F: EditorUi>(asked: &Asked<'_>, received: &Received, front: &F) {
    let is_cancelled = received.is_cancelled();
    let outcome = if asked.question.action.answers_in_text() {
        show_text(asked, received, front).await
    } else if let Some(lack) = received.lack() {
        let kept = kept(asked, &received.text, front, is_cancelled).await;
        Err(format!("nothing was changed: {lack}{kept}"))
    } else {
        let outcome = apply(asked, &received.text, front).await;
        say_beside(asked, &apply::prose_of(&received.text), outcome.is_ok(), front).await;
        outcome
    };
    if let Err(sentence) = outcome {
        let tone = if is_cancelled { Tone::Info } else { Tone::Error };
        front.tell(tone, format!("keyside: {sentence}")).await;
    }
}

async fn show_text<F: EditorUi>(
    asked: &Asked<'_>,
    received: &Received,
    front: &F,
) -> Result<(), String> {
    let lack = received.lack();
    let mut text = with_note(asked.request, &received.text);
    if let Some(lack) = &lack
        && !text.is_empty()
    {
        text.push_str(&format!("\n\n---\n*{}*\n", clean::line(lack)));
    }
    if !text.is_empty() && !front.answer(&asked.question.title(), &text, true).await {
        if received.is_cancelled() {
            // Half an answer over one's code is not what one wants to see then. Short, because a
            // line may be all there is.
            let text = with_note(asked.request, &received.text);
            let file = keep_answer(asked, "md", &text, front).await?;
            return Err(format!("cancelled; what the model said is in {}", file.display()));
        }
        show_document(asked, "the answer", &text, front).await?;
    }
    lack.map_or(Ok(()), Err)
}

/// A text with a line on the names in it that stand for secrets: prose is read and copied, and gets
/// none of them back.
pub(crate) fn with_note(request: &Prepared, text: &str) -> String {
    let names = request.secrets_named_in(text);
    let stand = match names.len() {
        0 => return text.to_owned(),
        1 => "stands for a secret that was taken out; it is not put back here",
        _ => "stand for secrets that were taken out; they are not put back here",
    };
    let names: Vec<String> = names.iter().map(|it| format!("`{it}`")).collect();
    format!("{}\n\n---\n*{} {stand}*\n", text.trim_end(), names.join(", "))
}

/// Opens a text of its own, or says where it is.
async fn show_document<F: EditorUi>(
    asked: &Asked<'_>,
    what: &str,
    text: &str,
    front: &F,
) -> Result<(), String> {
    let file = keep_answer(asked, "md", text, front).await?;
    if !front.show(&file, false).await {
        front.tell(Tone::Info, format!("keyside: {what} is in {}", file.display())).await;
    }
    Ok(())
}

/// What the model says beside its code: why it is changed so, or why it is not.
async fn say_beside<F: EditorUi>(asked: &Asked<'_>, prose: &str, was_applied: bool, front: &F) {
    // Where nothing came of it, all of the answer is shown already.
    if prose.is_empty() || !was_applied {
        return;
    }
    let text = with_note(asked.request, prose);
    if front.answer(&asked.question.title(), &text, true).await {
        return;
    }
    if text.chars().count() <= MAX_MESSAGE_CHARS {
        return front.tell(Tone::Info, format!("keyside: {}", shortened(&text))).await;
    }
    if let Err(sentence) = show_document(asked, "what the model says of it", &text, front).await {
        front.tell(Tone::Warning, format!("keyside: {sentence}")).await;
    }
}

/// Edits from an answer, checked, into the document as it is now, if what was asked about still
/// stands in it.
async fn apply<F: EditorUi>(asked: &Asked<'_>, answer: &str, front: &F) -> Result<(), String> {
    let Asked { newest, question, gathered, request, .. } = asked;
    let before = question.text();
    // It parses and compares, which may take a while; keys are answered meanwhile.
    let change = |text: &str, target| {
        tokio::task::block_in_place(|| gathered.change(question, request, text, target, answer))
    };
    let changed = match change(&before, gathered.target.clone()) {
        Ok(changed) => changed,
        Err(sentence) => {
            return Err(format!("{sentence}{}", kept(asked, answer, front, false).await));
        }
    };
    let why = match &changed.withheld {
        Some(why) => why.clone(),
        None => match put_in(newest, question, gathered, change, front).await {
            Ok(()) => return Ok(()),
            Err(why) => why,
        },
    };
    let diff = apply::unified_diff(&clean::line(&question.name), &before, &changed.text);
    let prose = apply::prose_of(answer);
    // Tools for such files skip what stands before the first file.
    let diff = if prose.is_empty() { diff } else { format!("{prose}\n\n{diff}") };
    let file = match keep_answer(asked, "diff", &diff, front).await {
        Ok(file) => file,
        Err(sentence) => return Err(format!("nothing was changed, because {why}; {sentence}")),
    };
    front.show(&file, false).await;
    Err(format!("nothing was changed, because {why}; the answer is kept as {}", file.display()))
}

/// # Errors
/// Why not, as a part of a sentence.
async fn put_in<F: EditorUi>(
    newest: &Newest,
    question: &CloudRequest,
    gathered: &Gathered,
    change: impl Fn(&str, std::ops::Range<usize>) -> Result<Changed, NotApplied>,
    front: &F,
) -> Result<(), String> {
    let before = question.text();
    let mut why = String::new();
    for _ in 0..TRIES {
        let Some((version, rope)) = newest.of(&question.uri) else {
            return Err("the document was closed".to_owned());
        };
        let text = rope.to_string();
        let place = apply::moved(&before, gathered.target.clone(), &text);
        let place = place.ok_or("the document has changed where it was asked about")?;
        let changed = change(&text, place.clone())?;
        let line_edits = question.line_edits(&rope, &changed.edits);
        why = match front.apply(&question.title(), &question.uri, version, line_edits).await {
            Ok(()) => {
                match arrived(newest, &question.uri, &Sent { text, place, version, changed }).await
                {
                    Arrival::Here => return Ok(()),
                    Arrival::Unknown => {
                        return Err("the document is not what it was to become".to_owned());
                    }
                    Arrival::WentOnWithoutIt => {
                        "somebody types where the answer belongs".to_owned()
                    }
                }
            }
            // A key was pressed while the edit was on its way.
            Err(why) if newest.of(&question.uri).is_some_and(|it| it.0 != version) => why,
            Err(why) => return Err(why),
        };
    }
    Err(why)
}

enum Arrival {
    Here,
    /// There are newer versions, and the lines are as they were.
    WentOnWithoutIt,
    Unknown,
}

/// A change on its way to the editor.
struct Sent {
    /// The document that it is of.
    text: String,
    version: i32,
    /// What it replaces, in bytes of the text.
    place: std::ops::Range<usize>,
    changed: Changed,
}

/// Waits until the document is what it was to become, or its lines are: an editor may say that it
/// has applied what it has not, because a key was pressed a moment before (Neovim: "Buffer newer
/// than edits").
async fn arrived(newest: &Newest, uri: &str, sent: &Sent) -> Arrival {
    let Sent { text: before, version, place, changed } = sent;
    for look in 0..LOOKS {
        match newest.of(uri) {
            Some((_, rope)) if rope == changed.text.as_str() => return Arrival::Here,
            Some((now, rope)) if now != *version => {
                let text = rope.to_string();
                if apply::moved(&changed.text, changed.new_lines.clone(), &text).is_some() {
                    return Arrival::Here;
                }
                let is_as_before = apply::moved(before, place.clone(), &text).is_some();
                if is_as_before && look >= LOOKS_WITHOUT_IT {
                    return Arrival::WentOnWithoutIt;
                }
            }
            _ => {}
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Arrival::Unknown
}

/// Keeps an answer that was paid for and can't be put in, and says where, behind a sentence.
async fn kept<F: EditorUi>(
    asked: &Asked<'_>,
    answer: &str,
    front: &F,
    is_cancelled: bool,
) -> String {
    if answer.trim().is_empty() {
        return String::new();
    }
    let answer = with_note(asked.request, answer);
    let title = asked.question.title();
    if !is_cancelled && front.answer(&title, &answer, true).await {
        return String::new();
    }
    match keep_answer(asked, "md", &answer, front).await {
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

/// Characters of a message that holds a part of an answer; an editor's pop-up cuts longer ones.
const MAX_PART_CHARS: usize = 1_200;

/// Keeps an answer in a file: in the cache folder, where nothing can be written there in this
/// process's memory, and where that is refused as well it is said in messages. It was paid for, so
/// it is not lost with a full disk.
///
/// # Errors
/// One sentence, where it had to be said.
async fn keep_answer<F: EditorUi>(
    asked: &Asked<'_>,
    ending: &str,
    text: &str,
    front: &F,
) -> Result<PathBuf, String> {
    let sentence = match shown_file(asked, ending, text) {
        Ok(file) => return Ok(file),
        Err(sentence) => sentence,
    };
    if let Some(file) = asked.cloud.keep_in_memory(text) {
        front.tell(Tone::Warning, format!("keyside: {sentence}")).await;
        return Ok(file);
    }
    let characters: Vec<char> = text.chars().collect();
    let parts = characters.chunks(MAX_PART_CHARS);
    let n_parts = parts.len();
    for (number, part) in parts.enumerate() {
        // A message is one line.
        let part = part.iter().collect::<String>().replace('\n', " \u{23ce} ");
        let sentence = format!("keyside: the answer, part {} of {n_parts}: {part}", number + 1);
        front.tell(Tone::Info, sentence).await;
    }
    Err(format!("{sentence}; the answer is in the messages before this one"))
}

/// Writes what a person is to look at where it stays until the session ends.
fn shown_file(asked: &Asked<'_>, ending: &str, text: &str) -> Result<PathBuf, String> {
    let name = format!("{}-{}", asked.question.action.name(), unix_ms());
    asked.cloud.shown.write(&name, ending, text)
}
