//! Which places are asked: held-out files, and carets in them, always the same for the same files.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::stdx::random::Random;

/// Lines with fewer characters, blanks aside, are brackets.
const MIN_LINE_CHARS: usize = 12;
/// Lines that have to stand before and after the caret's.
const MIN_BEFORE: usize = 8;
const MIN_AFTER: usize = 3;
/// How many lines a block may have.
const BLOCK_LINES: std::ops::RangeInclusive<usize> = 2..=8;
/// What a line of an import or of a comment begins with.
const NOT_CODE: &[&str] = &["//", "#", "*", "/*", "use ", "import ", "from ", "\""];

/// A file of a corpus, as the pipeline of `model/` writes them.
#[derive(Debug, Clone, Deserialize)]
pub struct SourceFile {
    #[serde(rename = "pkg")]
    pub package: String,
    pub path: String,
    pub text: String,
}

/// Half of the held-out packages are for fitting (the gate, thresholds), half for the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    Fit,
    Test,
}

impl Part {
    /// By the package's name: `sha256("part" + package)[0]` under 128 is for fitting.
    pub fn of(package: &str) -> Self {
        let hash = Sha256::digest(format!("part{package}"));
        if hash[0] < 128 { Self::Fit } else { Self::Test }
    }
}

/// The held-out files of one language, by package.
pub struct HeldOut {
    pub language: String,
    packages: BTreeMap<String, Vec<SourceFile>>,
}

impl HeldOut {
    /// Reads `LANGUAGE.heldout.jsonl` files of a folder.
    ///
    /// # Errors
    /// One sentence, where there is none or one can't be used.
    pub fn read_folder(folder: &Path) -> Result<Vec<Self>, String> {
        let unreadable = |error| format!("{} can't be read ({error})", folder.display());
        let mut found = Vec::new();
        for entry in std::fs::read_dir(folder).map_err(unreadable)?.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let Some(language) = name.strip_suffix(".heldout.jsonl") else { continue };
            let text = std::fs::read_to_string(entry.path())
                .map_err(|error| format!("{name} can't be read ({error})"))?;
            let mut packages: BTreeMap<String, Vec<SourceFile>> = BTreeMap::new();
            for (index, line) in text.lines().enumerate() {
                let file: SourceFile = serde_json::from_str(line).map_err(|error| {
                    format!("line {} of {name} is not usable: {error}", index + 1)
                })?;
                packages.entry(file.package.clone()).or_default().push(file);
            }
            if !packages.is_empty() {
                found.push(Self { language: language.to_owned(), packages });
            }
        }
        found.sort_by(|a, b| a.language.cmp(&b.language));
        if found.is_empty() {
            return Err(format!(
                "{} has no LANGUAGE.heldout.jsonl; make the corpus first (model/README.md)",
                folder.display()
            ));
        }
        Ok(found)
    }

    /// The packages of a part, or all of them where the part has none.
    pub fn packages(&self, part: Option<Part>) -> Vec<&[SourceFile]> {
        let of = |part: Option<Part>| -> Vec<&[SourceFile]> {
            let wanted =
                self.packages.iter().filter(|(name, _)| part.is_none_or(|it| Part::of(name) == it));
            wanted.map(|(_, files)| files.as_slice()).collect()
        };
        let found = of(part);
        if found.is_empty() { of(None) } else { found }
    }
}

/// Where in a file a line is asked for.
#[derive(Debug, Clone)]
pub struct LineSite<'a> {
    pub package: &'a [SourceFile],
    /// Which of the package's files.
    pub file: usize,
    /// Everything before the line, the line, everything after it.
    pub before: &'a str,
    pub line: &'a str,
    pub after: &'a str,
    /// Carets, as bytes of the line: after the indentation; at borders of words and punctuation,
    /// two different ones; inside an identifier, where the line has one that is long enough.
    pub line_start: usize,
    pub boundaries: [usize; 2],
    pub inside_name: Option<usize>,
}

/// Draws `n` lines: a package, a file of it, a line of it, each as likely as the others.
pub fn line_sites<'a>(
    packages: &[&'a [SourceFile]],
    n: usize,
    random: &mut Random,
) -> Vec<LineSite<'a>> {
    let mut sites = Vec::new();
    // A corpus without one usable line must not keep this going for ever.
    for _ in 0..n * 20 {
        if sites.len() == n {
            break;
        }
        let Some(package) = random.pick(packages).copied() else { break };
        let index = random.below(package.len());
        sites.extend(line_site(package, index, random));
    }
    sites
}

fn line_site<'a>(
    package: &'a [SourceFile],
    index: usize,
    random: &mut Random,
) -> Option<LineSite<'a>> {
    let text = package[index].text.as_str();
    let starts = line_starts(text);
    let line_at = |n: usize| text[starts[n]..].lines().next().unwrap_or_default();
    let usable: Vec<usize> = (MIN_BEFORE..starts.len().saturating_sub(MIN_AFTER))
        .filter(|n| {
            let line = line_at(*n).trim();
            line.len() >= MIN_LINE_CHARS && !NOT_CODE.iter().any(|it| line.starts_with(it))
        })
        .collect();
    let n = *random.pick(&usable)?;
    let line = line_at(n).trim_end();
    let line_start = line.len() - line.trim_start().len();
    let mut borders = token_boundaries(line, line_start);
    if borders.len() < 2 {
        return None;
    }
    let first = borders.swap_remove(random.below(borders.len()));
    let boundaries = [first, *random.pick(&borders)?];
    let inside_name = random.pick(&inside_names(line)).copied();
    let end = starts[n] + line_at(n).len();
    Some(LineSite {
        package,
        file: index,
        before: &text[..starts[n]],
        line,
        after: &text[end..],
        line_start,
        boundaries,
        inside_name,
    })
}

/// A line that opens a block, and the block behind it.
#[derive(Debug, Clone)]
pub struct BlockSite<'a> {
    pub package: &'a [SourceFile],
    /// Which of the package's files.
    pub file: usize,
    pub path: &'a str,
    /// Up to the end of the opening line.
    pub before: &'a str,
    /// From the opening line's break to the end of the block's last line.
    pub block: &'a str,
    pub after: &'a str,
}

/// Draws `n` blocks, as [`line_sites`].
pub fn block_sites<'a>(
    packages: &[&'a [SourceFile]],
    n: usize,
    random: &mut Random,
) -> Vec<BlockSite<'a>> {
    let mut sites = Vec::new();
    for _ in 0..n * 20 {
        if sites.len() == n {
            break;
        }
        let Some(package) = random.pick(packages).copied() else { break };
        let index = random.below(package.len());
        let Some(file) = package.get(index) else { break };
        let blocks = blocks(&file.text);
        sites.extend(random.pick(&blocks).map(|(from, to)| BlockSite {
            package,
            file: index,
            path: &file.path,
            before: &file.text[..*from],
            block: &file.text[*from..*to],
            after: &file.text[*to..],
        }));
    }
    sites
}

/// Blocks as byte ranges: from the end of the opening line to the end of the last line.
fn blocks(text: &str) -> Vec<(usize, usize)> {
    let lines: Vec<&str> = text.split('\n').collect();
    let starts = line_starts(text);
    let indent = |line: &str| line.len() - line.trim_start().len();
    let mut found = Vec::new();
    for (n, opener) in lines.iter().enumerate().skip(MIN_BEFORE) {
        let own = indent(opener);
        if !opener.ends_with(['{', ':']) || opener.trim().len() < 6 {
            continue;
        }
        let inner = lines[n + 1..]
            .iter()
            .take_while(|it| !it.trim().is_empty() && indent(it) > own)
            .count();
        let closes = lines.get(n + 1 + inner).is_some_and(|it| {
            indent(it) == own
                && it.trim_start().starts_with(['}', ')', ']'])
                && !it.trim_end().ends_with('{')
        });
        let brace = opener.ends_with('{');
        let last = n + inner + usize::from(brace && closes);
        if BLOCK_LINES.contains(&(last - n)) && brace == closes && inner > 0 {
            found.push((starts[n] + opener.len(), starts[last] + lines[last].len()));
        }
    }
    found
}

fn line_starts(text: &str) -> Vec<usize> {
    std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect()
}

/// Places after the indentation where a word, a number or a run of punctuation begins, or ends at a
/// blank.
fn token_boundaries(line: &str, line_start: usize) -> Vec<usize> {
    let kind = |c: char| match c {
        c if c.is_alphanumeric() || c == '_' => 0,
        c if c.is_whitespace() => 1,
        _ => 2,
    };
    let chars: Vec<(usize, char)> = line.char_indices().collect();
    let pairs = chars.windows(2).filter(|it| kind(it[0].1) != kind(it[1].1));
    pairs.map(|it| it[1].0).filter(|at| *at > line_start).collect()
}

/// Places inside names of at least four characters, with one typed and one to come at least.
fn inside_names(line: &str) -> Vec<usize> {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    let mut places = Vec::new();
    let mut name: Vec<usize> = Vec::new();
    for (at, c) in line.char_indices().chain([(line.len(), ' ')]) {
        if is_name(c) {
            name.push(at);
        } else {
            if name.len() >= 4 {
                places.extend(&name[1..]);
            }
            name.clear();
        }
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn carets_in_a_line() {
        let marked = |line: &str, places: Vec<usize>| {
            let mut out = line.to_owned();
            for at in places.iter().rev() {
                out.insert(*at, '|');
            }
            out
        };
        let line = "    let abcd = f(x_1);";
        assert_eq!(marked(line, token_boundaries(line, 4)), "    let| |abcd| |=| |f|(|x_1|);");
        assert_eq!(marked(line, inside_names(line)), "    let a|b|c|d = f(x_1);");
    }

    #[test]
    fn blocks_end_where_a_person_would_end_them() {
        let before = "\n".repeat(MIN_BEFORE);
        let shown = |text: &str| {
            let text = format!("{before}{text}");
            blocks(&text)
                .into_iter()
                .map(|(from, to)| text[from..to].to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(shown("fn f() {\n    a;\n    b;\n}\nrest"), ["\n    a;\n    b;\n}"]);
        assert_eq!(shown("if long:\n    a\n    b\nelse:\n    c"), ["\n    a\n    b"]);
        // Half of an if, a block with a blank line, and one of a single line are none.
        assert!(shown("if xx {\n    a;\n} else {\n    b\n").is_empty());
        assert!(shown("def f():\n    a\n\n    b").len() <= 1);
        assert!(shown("fn f() {\n").is_empty());
    }

    #[test]
    fn sites_are_the_same_each_time_and_join_to_their_file() {
        let text =
            (0..40).map(|n| format!("    let value_{n} = compute({n});\n")).collect::<String>();
        let file = SourceFile { package: "p".into(), path: "p/a.rs".into(), text: text.clone() };
        let package = [file];
        let packages = [package.as_slice()];
        let draw = || line_sites(&packages, 20, &mut Random::new(1));
        assert_eq!(draw().len(), 20);
        for (a, b) in draw().iter().zip(draw()) {
            assert_eq!((a.line, a.boundaries), (b.line, b.boundaries));
            assert_eq!(format!("{}{}{}", a.before, a.line, a.after), text);
            assert!(a.boundaries.iter().all(|it| *it > a.line_start) && a.inside_name.is_some());
            assert_ne!(a.boundaries[0], a.boundaries[1]);
        }
        assert!(line_sites(&[], 5, &mut Random::new(1)).is_empty());
    }
}
