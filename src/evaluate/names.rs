//! Names after a receiver or a path (`receiver.name`, `module::name`) that are known from elsewhere
//! in the package: after how many typed letters the whole name is shown.

use std::collections::HashSet;

use ropey::Rope;
use serde::Serialize;

use crate::completion::{Completer, CompletionMode, OtherFiles};
use crate::evaluate::cases::SourceFile;
use crate::evaluate::keyboard::SimulatedTypist;
use crate::evaluate::report::{Workspaces, share};
use crate::stdx::random::Random;
use crate::text::words::is_word;

/// After so many letters of a name the last question is asked.
const MAX_LETTERS: usize = 3;
/// Shorter names are typed before they are read.
const MIN_NAME_CHARS: usize = 5;
/// Lines that have to stand before the name's.
const MIN_LINES_BEFORE: usize = 8;

/// How soon whole names were shown.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Names {
    pub n: usize,
    /// Share of the names that were shown whole with so many letters typed, or before: none, one,
    /// two, three.
    pub shown_after: [f64; MAX_LETTERS + 1],
    /// Share of the names before which, with up to three letters typed, another text was shown.
    pub something_else_shown: f64,
}

/// A name in a file, to be typed at the end of its line.
pub struct NameSite<'a> {
    package: &'a [SourceFile],
    file: usize,
    /// Characters of the file: where the name begins, and where its line ends.
    from: usize,
    line_end: usize,
    name: &'a str,
}

/// Draws `n` names: a package, a file of it, a name of it, each as likely as the others.
pub fn name_sites<'a>(
    packages: &[&'a [SourceFile]],
    n: usize,
    random: &mut Random,
) -> Vec<NameSite<'a>> {
    let mut sites = Vec::new();
    for _ in 0..n * 20 {
        if sites.len() == n {
            break;
        }
        let Some(package) = random.pick(packages).copied() else { break };
        let file = random.below(package.len());
        let found = names_after_separators(&package[file].text);
        let Some((start, name)) = random.pick(&found).copied() else { continue };
        let text = &package[file].text;
        let line_start = text[..start].rfind('\n').map_or(0, |it| it + 1);
        let line_end = text[start..].find('\n').map_or(text.len(), |it| start + it);
        let others = package.iter().enumerate().filter(|it| it.0 != file).map(|it| &*it.1.text);
        let mut texts = others.chain([&text[..line_start], &text[line_end..]]);
        if texts.any(|it| has_word(it, name)) {
            let chars = |at: usize| text[..at].chars().count();
            let (from, line_end) = (chars(start), chars(line_end));
            sites.push(NameSite { package, file, from, line_end, name });
        }
    }
    sites
}

/// Names behind a receiver's or a path's separator, with their places in bytes.
fn names_after_separators(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut line_start = 0;
    for (number, line) in text.split('\n').enumerate() {
        let code = line.trim_start();
        let is_comment = ["//", "#", "*", "/*"].iter().any(|it| code.starts_with(it));
        for separator in [".", "::", "->"] {
            for (at, _) in line.match_indices(separator) {
                let start = at + separator.len();
                let rest = &line[start..];
                let name = &rest[..rest.find(|c| !is_word(c)).unwrap_or(rest.len())];
                let is_name = name.chars().nth(MIN_NAME_CHARS - 1).is_some()
                    && !name.starts_with(|c: char| c.is_ascii_digit());
                let has_receiver = line[..at].ends_with(|c| is_word(c) || matches!(c, ')' | ']'));
                if number >= MIN_LINES_BEFORE && !is_comment && is_name && has_receiver {
                    found.push((line_start + start, name));
                }
            }
        }
        line_start += line.len() + 1;
    }
    let mut seen = HashSet::new();
    found.retain(|it| seen.insert(it.0));
    found
}

fn has_word(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(at, _)| {
        !text[..at].ends_with(is_word) && !text[at + word.len()..].starts_with(is_word)
    })
}

/// Types the beginnings of the names.
///
/// # Errors
/// Those of the model.
pub fn name_figures(
    sites: &[NameSite],
    workspaces: &mut Workspaces,
    completer: &Completer,
    runtime: &tokio::runtime::Runtime,
) -> Result<Names, String> {
    let mut n_shown = [0; MAX_LETTERS + 1];
    let mut n_wrong = 0;
    for site in sites {
        let file = &site.package[site.file];
        let rope = Rope::from_str(&file.text);
        let files = OtherFiles::Given(workspaces.without(site.package, site.file));
        let typist = SimulatedTypist::new(completer, &file.path, &rope, site.from, site.line_end);
        let typist = typist.beside(files);
        let mut is_wrong = false;
        for n_letters in 0..=MAX_LETTERS {
            let asked = runtime.block_on(typist.ask(n_letters, CompletionMode::Scripted));
            let shown = asked.map_err(|error| error.to_string())?.text;
            let rest: String = site.name.chars().skip(n_letters).collect();
            if shown.strip_prefix(&rest).is_some_and(|it| !it.starts_with(is_word)) {
                n_shown[n_letters..].iter_mut().for_each(|it| *it += 1);
                break;
            }
            is_wrong |= !shown.is_empty();
        }
        n_wrong += usize::from(is_wrong);
    }
    let of_all = |n: usize| share(n, sites.len());
    Ok(Names {
        n: sites.len(),
        shown_after: n_shown.map(of_all),
        something_else_shown: of_all(n_wrong),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_behind_receivers_and_paths() {
        let lines = "a\n".repeat(MIN_LINES_BEFORE);
        let code =
            "x = self.items[0].quantity + std::iter::repeat(1.25e10)\n// a.comment\n.leading";
        let text = format!("{lines}{code}");
        let names: Vec<&str> = names_after_separators(&text).into_iter().map(|it| it.1).collect();
        assert_eq!(names, ["items", "quantity", "repeat"]);
        assert!(has_word("a.items()", "items") && !has_word("a.items_of()", "items"));
    }
}
