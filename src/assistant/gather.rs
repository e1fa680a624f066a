//! What goes into a question: the code, and what a good colleague would want to see beside it.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::assistant::CloudRequest;
use crate::assistant::actions::{Action, Material, PartOf, Quoted, Template, assemble};
use crate::assistant::cloud::Cloud;
use crate::privacy::fence::Fence;
use crate::remote::outbound::{Draft, DraftFile};
use crate::remote::pricing::token_estimate;
use crate::stdx::clean;
use crate::syntax;
use crate::text::uri::scheme;
use crate::text::{Document, file_paths};
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

/// All that is asked, before anything is taken out, and what it is about.
#[derive(Debug)]
pub struct Gathered {
    pub draft: Draft,
    pub fence: Fence,
    /// The folders that standing consent is for, without links: where the file was opened, and
    /// where it lies if that is elsewhere. None for a text that is no file, which is asked about
    /// each time.
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

/// Puts together what is asked.
///
/// # Errors
/// One sentence: nothing is here to ask about, it is too much, or a template of the person's can't
/// be read.
pub fn gather(cloud: &Cloud, asked: &CloudRequest) -> Result<Gathered, String> {
    let scheme = scheme(&asked.uri);
    if !SCHEMES.contains(&&*scheme) {
        return Err(format!("text is sent of files alone, and this is one of `{scheme}:`"));
    }
    let text = asked.text();
    let parsed = syntax::parse(&asked.language_id, &text);
    let target = target(asked, &text, parsed.as_ref())?;
    let config = cloud.config();
    let folders = &asked.folders;
    let root = asked.file.as_deref().map(|file| rules::root_of(folders, file));
    // What is not saved yet is of a workspace only if its path lies in one that the editor has
    // opened.
    let root = root.filter(|it| scheme == "file" || folders.contains(it));
    // A link is what it leads to as well.
    let workspaces_of = |file: &PathBuf| rules::workspaces_of(folders, file);
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
    asked: &CloudRequest,
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
    asked: &CloudRequest,
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
fn name_beside(asked: &CloudRequest, file: &Path) -> String {
    let own = asked.file.as_ref().map(|it| it.display().to_string()).unwrap_or_default();
    name_in(Path::new(own.strip_suffix(&asked.name).unwrap_or_default()), file)
}
