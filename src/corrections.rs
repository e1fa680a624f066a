//! What a person has corrected: tasks and targets of requests, labels of texts. A file of JSON
//! lines in the data folder that they can read and edit; keyside writes into it only what they gave
//! it.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::classify::LabelledText;
use crate::classify::labels::{LabelSet, TextLabel};
use crate::files;
use crate::route::requests::KnownRequest;
use crate::route::{RequestRouter, RequestTask, RouteTarget};

/// Of a text, in characters.
const MAX_TEXT_CHARS: usize = 10_000;

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Correction {
    Request(KnownRequest),
    Label {
        text: String,
        label: String,
        /// All labels of which it is one, in the order of their names: the same name may mean
        /// something else beside others.
        labels: Vec<String>,
    },
}

/// A line of the file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CorrectionLine {
    text: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    task: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    target: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    label: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    labels: Option<Vec<String>>,
}

/// What is to be forgotten.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Forgotten {
    All,
    Requests,
    /// Of these labels, in the order of their names.
    Labels(Vec<String>),
    /// All that was said of this text.
    Text(String),
}

impl Correction {
    /// The label of a text, one of these.
    ///
    /// # Errors
    /// The end of a sentence: the text is empty or too long, or the label is none of them.
    pub fn label(text: &str, label: &str, labels: &[String]) -> Result<Self, String> {
        let mut labels = labels.to_vec();
        labels.sort_unstable();
        labels.dedup();
        let described =
            |name: &String| TextLabel { name: name.clone(), description: String::new() };
        LabelSet::new(labels.iter().map(described).collect())
            .map_err(|what| format!("has labels that are no choice: {what}"))?;
        if !labels.iter().any(|it| it == label) {
            return Err("has a label that is none of its labels".to_owned());
        }
        Ok(Self::Label { text: usable(text)?, label: label.to_owned(), labels })
    }

    /// The task of a request, and where it goes.
    ///
    /// # Errors
    /// The end of a sentence: the text is empty or too long.
    pub fn request(text: &str, task: RequestTask, target: RouteTarget) -> Result<Self, String> {
        Ok(Self::Request(KnownRequest { text: usable(text)?, task, target }))
    }

    /// From a line of JSON, as the file has it. Labels may be given from elsewhere.
    ///
    /// # Errors
    /// The end of a sentence that begins with the line's number.
    pub fn of_line(line: &[u8], labels: Option<&[String]>) -> Result<Self, String> {
        let line: CorrectionLine = serde_json::from_slice(line).map_err(|error| {
            format!(
                "is not {{\"text\": …, \"task\": …, \"target\": …}} or {{\"text\": …, \"label\": …, \"labels\": […]}} as JSON (column {})",
                error.column()
            )
        })?;
        let CorrectionLine { text, task, target, label, labels: own } = line;
        match (task, target, label) {
            (Some(task), Some(target), None) => {
                let task = RequestTask::of_name(&task).ok_or("names a task that is none")?;
                let target = RouteTarget::of_name(&target)
                    .ok_or("has a target that is neither local nor cloud")?;
                Self::request(&text, task, target)
            }
            (None, None, Some(label)) => match own.as_deref().or(labels) {
                Some(labels) => Self::label(&text, &label, labels),
                None => Err("does not say which labels there are".to_owned()),
            },
            _ => Err("has neither a task with a target nor a label".to_owned()),
        }
    }

    pub fn text(&self) -> &str {
        match self {
            Self::Request(request) => &request.text,
            Self::Label { text, .. } => text,
        }
    }

    fn line(&self) -> String {
        let line = match self {
            Self::Request(KnownRequest { text, task, target }) => CorrectionLine {
                text: text.clone(),
                task: Some(task.name().to_owned()),
                target: Some(target.name().to_owned()),
                label: None,
                labels: None,
            },
            Self::Label { text, label, labels } => CorrectionLine {
                text: text.clone(),
                task: None,
                target: None,
                label: Some(label.clone()),
                labels: Some(labels.clone()),
            },
        };
        serde_json::to_string(&line).unwrap_or_default()
    }

    /// Whether it takes the place of an earlier one: of the same text and of the same kind.
    pub fn replaces(&self, earlier: &Self) -> bool {
        self.text() == earlier.text()
            && match (self, earlier) {
                (Self::Request(_), Self::Request(_)) => true,
                (Self::Label { labels, .. }, Self::Label { labels: others, .. }) => {
                    labels == others
                }
                _ => false,
            }
    }
}

impl Forgotten {
    fn has(&self, correction: &Correction) -> bool {
        match (self, correction) {
            (Self::All, _) | (Self::Requests, Correction::Request(_)) => true,
            (Self::Labels(these), Correction::Label { labels, .. }) => these == labels,
            (Self::Text(text), _) => correction.text() == text.trim(),
            _ => false,
        }
    }
}

fn usable(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() {
        return Err("has an empty text".to_owned());
    }
    if text.chars().nth(MAX_TEXT_CHARS).is_some() {
        return Err(format!(
            "has a text of more than {MAX_TEXT_CHARS} characters; give its part that matters"
        ));
    }
    Ok(text.to_owned())
}

/// What the file holds, and a sentence for each line of it that is not usable.
#[derive(Debug, Default)]
pub struct Corrections {
    pub all: Vec<Correction>,
    pub notes: Vec<String>,
}

impl Corrections {
    /// Reads the file; a missing one holds nothing.
    ///
    /// # Errors
    /// One sentence: it can't be read.
    pub fn read(path: &Path) -> Result<Self, String> {
        let mut read = Self::default();
        for (index, line) in text_of(path)?.lines().enumerate() {
            match parsed(line) {
                Some(Ok(correction)) => read.all.push(correction),
                Some(Err(what)) => read.notes.push(format!(
                    "line {} of {} {what}; correct or remove it",
                    index + 1,
                    path.display()
                )),
                None => {}
            }
        }
        Ok(read)
    }

    /// The requests among them, the newest last.
    pub fn requests(&self) -> Vec<KnownRequest> {
        let request = |it: &Correction| match it {
            Correction::Request(request) => Some(request.clone()),
            Correction::Label { .. } => None,
        };
        self.all.iter().filter_map(request).collect()
    }

    /// Examples for exactly these labels, the newest last.
    pub fn examples(&self, labels: &LabelSet) -> Vec<LabelledText> {
        let names = sorted_names(labels);
        let example = |it: &Correction| match it {
            Correction::Label { text, label, labels: others } if *others == names => {
                Some(LabelledText { text: text.clone(), label: labels.place(label)? })
            }
            _ => None,
        };
        self.all.iter().filter_map(example).collect()
    }
}

/// The names of labels, in order.
pub fn sorted_names(labels: &LabelSet) -> Vec<String> {
    let mut names: Vec<String> = labels.iter().map(|it| it.name.clone()).collect();
    names.sort_unstable();
    names
}

/// The router with what the file holds, fitted anew only where that has changed.
///
/// # Errors
/// One sentence: the file can't be read.
pub fn router(path: &Path) -> Result<(Arc<RequestRouter>, Vec<String>), String> {
    type Fitted = Option<(Vec<KnownRequest>, Arc<RequestRouter>)>;
    // Locked while a head is fitted: whoever comes meanwhile needs the same one.
    static LAST: Mutex<Fitted> = Mutex::new(None);
    let read = Corrections::read(path)?;
    let requests = read.requests();
    if requests.is_empty() {
        return Ok((RequestRouter::shared()?, read.notes));
    }
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    let router = match &*last {
        Some((same, router)) if *same == requests => Arc::clone(router),
        _ => {
            let router = Arc::new(RequestRouter::fit(&requests)?);
            *last = Some((requests, Arc::clone(&router)));
            router
        }
    };
    Ok((router, read.notes))
}

/// Takes corrections into the file; each takes the place of an earlier one of the same text. Lines
/// that are not usable stay as they are.
///
/// # Errors
/// One sentence; then the file is as it was.
pub fn add(path: &Path, corrections: &[Correction]) -> Result<(), String> {
    change(path, |lines| {
        lines.retain(|line| match parsed(line) {
            Some(Ok(earlier)) => !corrections.iter().any(|it| it.replaces(&earlier)),
            _ => true,
        });
        lines.extend(corrections.iter().map(Correction::line));
    })
}

/// Takes corrections out of the file, and says how many.
///
/// # Errors
/// One sentence; then the file is as it was.
pub fn forget(path: &Path, what: &Forgotten) -> Result<usize, String> {
    let mut n_forgotten = 0;
    // Nothing is written where there is nothing.
    if !Corrections::read(path)?.all.iter().any(|it| what.has(it)) {
        return Ok(0);
    }
    change(path, |lines| {
        let n_before = lines.len();
        lines.retain(|line| !matches!(parsed(line), Some(Ok(it)) if what.has(&it)));
        n_forgotten = n_before - lines.len();
    })?;
    Ok(n_forgotten)
}

/// `None`: an empty line.
fn parsed(line: &str) -> Option<Result<Correction, String>> {
    let line = line.trim();
    if line.is_empty() { None } else { Some(Correction::of_line(line.as_bytes(), None)) }
}

fn text_of(path: &Path) -> Result<String, String> {
    match files::read_text(path) {
        Ok(text) => Ok(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => {
            Err(format!("{} can't be read ({error}); correct or remove it", path.display()))
        }
    }
}

fn change(path: &Path, work: impl FnOnce(&mut Vec<String>)) -> Result<(), String> {
    let failed = |error: std::io::Error| {
        format!("{} can't be written ({error}); make its folder writable", path.display())
    };
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    // Another command may write at the same time.
    let lock = files::open_lock(&path.with_extension("lock")).map_err(failed)?;
    lock.lock().map_err(failed)?;
    let mut lines: Vec<String> = text_of(path)?.lines().map(ToOwned::to_owned).collect();
    work(&mut lines);
    let text: String = lines.iter().map(|it| format!("{it}\n")).collect();
    if text.len() as u64 > files::MAX_TEXT_BYTES {
        return Err(format!(
            "{} would be longer than 4 MiB; `keyside forget` takes something out of it",
            path.display()
        ));
    }
    files::replace(path, text.as_bytes()).map_err(failed)
}
