//! What a person asks of a cloud model, and what goes into the question: the code, and what a good colleague would want to see
//! beside it.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ropey::Rope;

pub use crate::actions::Action;
use crate::actions::{Material, PartOf, Quoted, Template, assemble};
use crate::assist::Session;
use crate::assist::cloud::Cloud;
use crate::assist::put_back::{PutBack, put_back};
use crate::edits::{self, Edit};
use crate::privacy::fence::Fence;
use crate::remote::outbound::{Draft, DraftFile, Prepared};
use crate::remote::pricing::token_estimate;
use crate::stdx::clean;
use crate::syntax;
use crate::text::position::position_of;
use crate::text::uri::scheme;
use crate::text::{Document, LineRange, PositionEncoding, file_paths};
use crate::workspace::rules;

/// A type of more lines is quoted by its head.
const MAX_LINES_OF_A_DEFINITION: usize = 30;
/// Of texts that may be sent: files, what is not saved yet, and cells of notebooks.
const SCHEMES: &[&str] = &["file", "untitled", "vscode-notebook-cell"];
/// Definitions that are looked for.
const MAX_DEFINITIONS: usize = 40;

/// Of `fix`, where nothing says what is wrong.
const NOTHING_TO_FIX: &str = "nothing is reported for these lines; say what is wrong with them, as in `:Keyside fix it never \
    ends`, or choose an action there that needs no report";

/// One question, about one place of one document as it was at one version.
#[derive(Debug, Clone)]
pub struct Escalation {
    pub action: Action,
    /// Who is asked, for titles.
    pub model: String,
    pub uri: String,
    pub version: i32,
    pub language_id: String,
    /// The document's path as a model should see it.
    pub name: String,
    /// `None`: it is no file.
    pub file: Option<PathBuf>,
    pub rope: Rope,
    /// In characters; empty for a caret.
    pub selection: Range<usize>,
    pub encoding: PositionEncoding,
    /// Lines from 1 and messages of other language servers.
    pub diagnostics: Vec<(usize, String)>,
    pub question: String,
    /// Other open documents in the language, the nearest first.
    pub others: Vec<Arc<Document>>,
}

/// All that is asked, before anything is taken out, and what it is about.
#[derive(Debug)]
pub struct Gathered {
    pub draft: Draft,
    pub fence: Fence,
    /// The folders that standing consent is for, without links: where the file was opened, and where it lies if that is elsewhere.
    /// None for a text that is no file, which is asked about each time.
    pub workspaces: Vec<PathBuf>,
    /// What is asked about, in bytes of the document; an answer that is code takes its place.
    pub target: Range<usize>,
}

impl Gathered {
    /// The folder that the question is of, in the ledger.
    pub(crate) fn workspace(&self) -> Option<&Path> {
        self.workspaces.first().map(PathBuf::as_path)
    }
}

/// What an answer makes of a document.
#[derive(Debug)]
pub struct Changed {
    pub text: String,
    pub edits: Vec<Edit>,
    /// Where the answer's code stands in the text.
    pub new_lines: Range<usize>,
    /// Why it is not to be put in, although it is code: as a part of a sentence. Then placeholders stand in the text.
    pub withheld: Option<String>,
}

impl Escalation {
    /// For progress, windows and undo.
    pub fn title(&self) -> String {
        let what = match self.action {
            Action::Explain => "Explain",
            Action::Refactor => "Refactor",
            Action::Fix => "Fix",
            Action::Tests => "Tests",
            Action::Document => "Document",
            Action::Ask => "Answer",
        };
        format!("{what} ({})", self.model)
    }

    /// The document.
    pub fn text(&self) -> String {
        self.rope.to_string()
    }

    /// Edits of a document as the editor counts.
    pub fn line_edits(&self, rope: &Rope, edits: &[Edit]) -> Vec<(LineRange, String)> {
        let place = |byte: usize| position_of(rope, rope.byte_to_char(byte), self.encoding);
        let range =
            |edit: &Edit| LineRange { start: place(edit.range.start), end: place(edit.range.end) };
        edits.iter().map(|edit| (range(edit), edit.text.clone())).collect()
    }

    fn line_of(&self, byte: usize) -> usize {
        self.rope.byte_to_line(byte) + 1
    }

    fn quoted(&self, text: &str, range: &Range<usize>) -> Quoted {
        let last = range.end.saturating_sub(1).max(range.start);
        Quoted {
            file: self.file.clone(),
            name: self.name.clone(),
            lines: self.line_of(range.start)..self.line_of(last) + 1,
            text: text[range.clone()].to_owned(),
        }
    }
}

impl Gathered {
    /// What an answer makes of a document, in which what was asked about stands at `target`.
    ///
    /// # Errors
    /// One sentence, where the answer is no code that could stand there.
    pub fn change(
        &self,
        asked: &Escalation,
        request: &Prepared,
        text: &str,
        target: Range<usize>,
        answer: &str,
    ) -> Result<Changed, String> {
        let language = &asked.language_id;
        let code = edits::code_of(answer, language)?;
        // The document as the model saw it: what it left as it is has to be the same.
        let hidden = request.target();
        let (before, after) = (&text[..target.start], &text[target.end..]);
        let hidden_text = [before, hidden, after].concat();
        let hidden_target = target.start..target.start + hidden.len();
        let replaced =
            edits::replaced(&hidden_text, hidden_target.clone(), hidden, &code, language)?;
        let PutBack { text: changed, withheld } = put_back(
            request.secrets(),
            language,
            (&hidden_text, &hidden_target),
            (&replaced.text, &replaced.new),
        );
        let n_errors = |text: &str| syntax::parse(language, text).map(|it| it.error_count());
        if let Some(before) = n_errors(text).filter(|_| withheld.is_none()) {
            let after = n_errors(&changed)
                .ok_or("The answer could not be checked for errors; it was not applied.")?;
            edits::has_no_new_errors(before, after)?;
        }
        let n_after = hidden_text.len() - replaced.old.end;
        let new_lines = replaced.old.start..changed.len() - n_after;
        let edits = edits::minimal_edits(text, &changed);
        Ok(Changed { text: changed, edits, new_lines, withheld })
    }
}

/// Puts together what is asked.
///
/// # Errors
/// One sentence: nothing is here to ask about, it is too much, or a template of the person's can't be read.
pub fn gather(session: &Session, cloud: &Cloud, asked: &Escalation) -> Result<Gathered, String> {
    let scheme = scheme(&asked.uri);
    if !SCHEMES.contains(&&*scheme) {
        return Err(format!("text is sent of files alone, and this is one of `{scheme}:`"));
    }
    let text = asked.text();
    let parsed = syntax::parse(&asked.language_id, &text);
    let target = target(asked, &text, parsed.as_ref())?;
    let config = cloud.config();
    let folders = session.workspace.folders();
    let root = asked.file.as_deref().map(|file| rules::root_of(&folders, file));
    // What is not saved yet is of a workspace only if its path lies in one that the editor has opened.
    let root = root.filter(|it| scheme == "file" || folders.contains(it));
    // A link is what it leads to as well.
    let workspaces_of = |file: &PathBuf| rules::workspaces_of(&folders, file);
    let workspaces = asked.file.as_ref().filter(|_| root.is_some()).map(workspaces_of);
    let (root, workspaces) = (root.unwrap_or_default(), workspaces.unwrap_or_default());
    // Other documents are of the same workspace, whose consent this is.
    let others: Vec<(PathBuf, Arc<Document>)> = asked
        .others
        .iter()
        .filter(|it| it.is_file())
        .filter_map(|it| Some((it.file.as_deref()?.to_path_buf(), Arc::clone(it))))
        .filter(|(file, _)| !workspaces.is_empty() && workspaces == workspaces_of(file))
        .collect();
    // However its URI is read.
    let named = file_paths(&asked.uri);
    let files: Vec<PathBuf> = asked
        .file
        .iter()
        .chain(others.iter().map(|(file, _)| file))
        .chain(&named)
        .cloned()
        .collect();
    let fence = rules::fence_of(&workspaces, &files, &config.never_send)?;
    if let Some(who) = named.iter().chain(&asked.file).find_map(|it| fence.stops_file(it)) {
        return Err(format!(
            "nothing of {} is sent: {who} leaves it out",
            clean::name(&asked.name)
        ));
    }
    let template = Template::read(&cloud.template(asked.action)?)
        .map_err(|why| format!("the template for {} can't be used: {why}", asked.action.name()))?;
    let code = asked.quoted(&text, &target);
    let mut material = Material {
        language: asked.language_id.clone(),
        question: asked.question.trim().to_owned(),
        ..Material::default()
    };
    // What the template has no place for is neither looked for nor counted.
    if template.uses("diagnostics") {
        let of_code = asked.diagnostics.iter().filter(|(line, _)| code.lines.contains(line));
        material.diagnostics = of_code.cloned().collect();
    }
    if template.uses("around") {
        text[..target.start].clone_into(&mut material.before);
        text[target.end..].clone_into(&mut material.after);
    }
    if let Some(parsed) = parsed.as_ref().filter(|_| template.uses("definitions")) {
        material.definitions = definitions(asked, &text, parsed, &target, &others, &fence);
    }
    if template.uses("conventions") && !workspaces.is_empty() {
        material.conventions = rules::conventions(&root, &fence)
            .into_iter()
            .map(|(file, text)| Quoted {
                name: name_in(&root, &file),
                lines: 1..text.lines().count() + 1,
                file: Some(file),
                text,
            })
            .collect();
    }
    if asked.action == Action::Fix
        && template.uses("diagnostics")
        && material.diagnostics.is_empty()
        && material.question.is_empty()
    {
        return Err(NOTHING_TO_FIX.to_owned());
    }
    let quoted = code.text.clone();
    material.code = code;
    let assembled =
        assemble(&template, &material, config.max_input_tokens, token_estimate::text_tokens)?;
    let mut draft_files: Vec<DraftFile> = Vec::new();
    for part in assembled.parts {
        let same =
            draft_files.iter_mut().find(|it| it.name == part.name && part.of == PartOf::Around);
        match same {
            Some(file) => {
                file.lines =
                    file.lines.start.min(part.lines.start)..file.lines.end.max(part.lines.end)
            }
            None => {
                draft_files.push(DraftFile { path: part.file, name: part.name, lines: part.lines })
            }
        }
    }
    let draft = Draft {
        system: assembled.system,
        user: assembled.user,
        target: quoted,
        files: draft_files,
        max_output_tokens: config.max_output_tokens,
    };
    Ok(Gathered { draft, fence, workspaces, target })
}

/// What is asked about: the lines of the selection, or the item that the caret is in.
fn target(
    asked: &Escalation,
    text: &str,
    parsed: Option<&syntax::Parsed<'_>>,
) -> Result<Range<usize>, String> {
    let byte = |at: usize| asked.rope.char_to_byte(at.min(asked.rope.len_chars()));
    let selection = byte(asked.selection.start)..byte(asked.selection.end);
    let range = if text[selection.clone()].trim().is_empty() {
        let item = parsed.and_then(|it| it.enclosing_item(selection));
        item.map(|it| it.range).ok_or(
            "there is no function or type at the caret that keyside knows; select what you mean",
        )?
    } else {
        selection
    };
    // Whole lines, because an answer is lines.
    let start = text[..range.start].rfind('\n').map_or(0, |at| at + 1);
    let last =
        range.end - usize::from(text[..range.end].ends_with('\n') && range.end > range.start);
    let end = text[last..].find('\n').map_or(text.len(), |at| last + at + 1);
    Ok(start..end)
}

/// Definitions of names that the code uses: of this document, then of the other open ones.
fn definitions(
    asked: &Escalation,
    text: &str,
    parsed: &syntax::Parsed<'_>,
    target: &Range<usize>,
    others: &[(PathBuf, Arc<Document>)],
    fence: &Fence,
) -> Vec<Quoted> {
    let mut wanted = parsed.names_used(target.clone());
    let mut found = Vec::new();
    for item in parsed.definitions() {
        let is_outside = item.range.end <= target.start || item.range.start >= target.end;
        if is_outside && let Some(at) = wanted.iter().position(|it| *it == item.name) {
            wanted.remove(at);
            let seen = parsed.seen_from_outside(&item, MAX_LINES_OF_A_DEFINITION);
            found.push(Quoted { text: seen.to_owned(), ..asked.quoted(text, &item.range) });
        }
    }
    for (file, other) in others {
        if wanted.is_empty() || fence.stops_file(file).is_some() {
            continue;
        }
        let text = other.rope.to_string();
        let Some(parsed) = syntax::parse(&other.language_id, &text) else { continue };
        for item in parsed.definitions() {
            if let Some(at) = wanted.iter().position(|it| *it == item.name) {
                wanted.remove(at);
                let first = other.rope.byte_to_line(item.range.start) + 1;
                found.push(Quoted {
                    file: Some(file.clone()),
                    name: name_beside(asked, file),
                    lines: first..first + text[item.range.clone()].lines().count(),
                    text: parsed.seen_from_outside(&item, MAX_LINES_OF_A_DEFINITION).to_owned(),
                });
            }
        }
    }
    found.truncate(MAX_DEFINITIONS);
    found
}

/// A file as people and models see it: by its way from a folder.
fn name_in(folder: &Path, file: &Path) -> String {
    file.strip_prefix(folder).unwrap_or(file).display().to_string()
}

/// Another file of the workspace, named as the document is.
fn name_beside(asked: &Escalation, file: &Path) -> String {
    let own = asked.file.as_ref().map(|it| it.display().to_string()).unwrap_or_default();
    name_in(Path::new(own.strip_suffix(&asked.name).unwrap_or_default()), file)
}
