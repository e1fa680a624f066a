//! What is known of each language: how editors, people and files name it, what it is related to,
//! how it is read. A new one is a row of the table, and a query where it has an outline.

mod table;

use std::collections::HashMap;
use std::sync::LazyLock;

use tree_sitter_language::LanguageFn;

use crate::text::lexis::Lexis;

pub use table::LANGUAGES;

/// A language. What a row does not say is not known.
pub struct Language {
    /// As most editors name it in `languageId`: VS Code's name, which is the protocol's.
    pub name: &'static str,
    /// As other editors name it: Neovim's file types, Helix's names.
    pub other_ids: &'static [&'static str],
    /// What else people and models call it, in settings and behind the fence of a block of code. It
    /// may be another language's name, which then comes first.
    pub aliases: &'static [&'static str],
    /// Endings of its files, without the dot, in small letters.
    pub extensions: &'static [&'static str],
    /// Names of files that are known without an ending.
    pub file_names: &'static [&'static str],
    /// The first ending of the languages whose texts have names and idioms in common, and that make
    /// one index of the workspace. `None`: files of each ending are on their own.
    pub family: Option<&'static str>,
    /// Whether editors are asked to watch its files. An index is made of others as well, and made
    /// anew after a while.
    pub is_watched: bool,
    /// How it writes strings and comments.
    pub lexis: Option<&'static Lexis>,
    /// What `...` stands for where code would be.
    pub bare_dots: BareDots,
    /// With which languages it shares the n-gram table. `None`: the table has nothing of it.
    pub ngram_group: Option<NgramGroup>,
    /// How its items are found.
    pub outline: Option<Outline>,
}

/// What `...` means where code would be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BareDots {
    /// "And so on", alone and at the end of a block's braces.
    Elision,
    /// The same alone; within braces it is code.
    ElisionAlone,
    /// It is code.
    Code,
}

/// Languages that share their n-grams, by the number that the table's hashes begin with
/// (`NgramGroup` in model/pipeline/languages.py).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NgramGroup {
    Rust = 1,
    Python = 2,
    Script = 3,
}

/// How a language's items are found by tree-sitter.
pub struct Outline {
    pub grammar: LanguageFn,
    /// Put together to one query, so that relatives share what they have in common.
    pub queries: &'static [&'static str],
}

/// All names, in small letters. Ids come before endings, and these before what people say.
static BY_NAME: LazyLock<HashMap<&str, &Language>> = LazyLock::new(|| {
    let mut by_name = HashMap::new();
    let mut add = |names_of: fn(&Language) -> Vec<&'static str>| {
        for language in LANGUAGES {
            for name in names_of(language) {
                by_name.entry(name).or_insert(language);
            }
        }
    };
    add(|it| it.ids().collect());
    add(|it| it.extensions.to_vec());
    add(|it| it.aliases.to_vec());
    by_name
});

impl Language {
    /// By an editor's language id. Endings and other names will do, in capitals or not.
    pub fn of_id(language_id: &str) -> Option<&'static Self> {
        match language_id.contains(|it: char| it.is_uppercase()) {
            true => BY_NAME.get(language_id.to_lowercase().as_str()).copied(),
            false => BY_NAME.get(language_id).copied(),
        }
    }

    /// By an editor's language id, or where that is of no language by the path.
    pub fn of(language_id: &str, path: &str) -> Option<&'static Self> {
        Self::candidates(language_id, path).next()
    }

    /// What a document may be of, by what is asked of it: the language of its id, of the ending of
    /// its path, of its file's name.
    pub fn candidates(language_id: &str, path: &str) -> impl Iterator<Item = &'static Self> {
        let of_id = Self::of_id(language_id);
        let of_path = || path.rsplit_once('.').and_then(|(_, it)| Self::of_id(it));
        let of_file_name = || {
            let file_name = path.rsplit(['/', '\\']).next().unwrap_or_default();
            LANGUAGES.iter().find(|it| it.file_names.contains(&file_name))
        };
        let of_path = std::iter::once_with(of_path).flatten();
        of_id.into_iter().chain(of_path).chain(std::iter::once_with(of_file_name).flatten())
    }

    /// What a file's family is known by: its first ending.
    pub fn family_of(extension: &str) -> &str {
        let language = Self::of_id(extension).filter(|it| it.extensions.contains(&extension));
        language.and_then(|it| it.family).unwrap_or(extension)
    }

    /// Those whose items are found.
    pub fn with_outline() -> impl Iterator<Item = &'static Self> {
        LANGUAGES.iter().filter(|it| it.outline.is_some())
    }

    /// All that editors name it, the most common name first.
    pub fn ids(&self) -> impl Iterator<Item = &'static str> {
        std::iter::once(self.name).chain(self.other_ids.iter().copied())
    }

    /// Whether a fence marked so holds this language. Capitals make no difference.
    pub fn is_tagged(&self, tag: &str) -> bool {
        let tag = tag.to_ascii_lowercase();
        let names = self.ids().chain([self.extensions, self.aliases].concat());
        names.into_iter().any(|it| it == tag)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::text::lexis;

    fn of_id(language_id: &str) -> Option<&'static str> {
        Language::of_id(language_id).map(|it| it.name)
    }

    fn of_path(path: &str) -> Option<&'static str> {
        Language::of("", path).map(|it| it.name)
    }

    #[test]
    fn a_language_is_found_by_what_editors_call_it_and_by_its_files() {
        assert_eq!(of_id("typescriptreact"), Some("typescriptreact"));
        assert_eq!(of_id("Rust"), Some("rust"));
        assert_eq!(of_id("c++"), Some("cpp"));
        assert_eq!(of_id("klingon"), None);
        assert_eq!(of_path("src/a.test.mts"), Some("typescript"));
        assert_eq!(of_path("C:\\src\\Makefile"), Some("makefile"));
        assert_eq!(of_path("a.b/README"), None);
        assert_eq!(Language::of("go", "a.rs").map(|it| it.name), Some("go"));
        assert_eq!(Language::of("a-plugins-own", "a.rs").map(|it| it.name), Some("rust"));
    }

    #[test]
    fn no_two_rows_share_an_id_or_an_ending() {
        let (mut ids, mut extensions) = (HashSet::new(), HashSet::new());
        for language in LANGUAGES {
            for id in language.ids() {
                assert!(ids.insert(id), "{id}");
                assert_eq!(Language::of_id(id).map(|it| it.name), Some(language.name), "{id}");
            }
            for extension in language.extensions {
                assert!(extensions.insert(extension), "{extension}");
            }
        }
    }

    #[test]
    fn tags_of_fences_are_forgiving() {
        let tsx = Language::of_id("typescriptreact").unwrap();
        assert!(tsx.is_tagged("TSX") && tsx.is_tagged("ts"));
        assert!(Language::of_id("cpp").unwrap().is_tagged("C++"));
        assert!(!Language::of_id("c").unwrap().is_tagged("cpp"));
    }

    #[test]
    fn families() {
        for (extension, family) in
            [("tsx", "ts"), ("mjs", "ts"), ("rs", "rs"), ("pyi", "py"), ("TS", "TS"), ("qq", "qq")]
        {
            assert_eq!(Language::family_of(extension), family);
        }
    }

    /// What was known when this was several tables: a row may know more, and nothing else.
    #[test]
    fn nothing_that_was_known_has_changed() {
        let presets = [
            ("C_LIKE", &lexis::C_LIKE),
            ("WITH_TRIPLE", &lexis::WITH_TRIPLE),
            ("SCRIPT", &lexis::SCRIPT),
            ("GO", &lexis::GO),
            ("RUST", &lexis::RUST),
            ("PYTHON", &lexis::PYTHON),
            ("SHELL", &lexis::SHELL),
            ("PHP", &lexis::PHP),
            ("LUA", &lexis::LUA),
            ("SQL", &lexis::SQL),
            ("HASKELL", &lexis::HASKELL),
            ("ML", &lexis::ML),
            ("LISP", &lexis::LISP),
            ("PERCENT", &lexis::PERCENT),
            ("VISUAL_BASIC", &lexis::VISUAL_BASIC),
            ("VIM", &lexis::VIM),
            ("NIX", &lexis::NIX),
            ("MARKUP", &lexis::MARKUP),
            ("PROSE", &lexis::PROSE),
            ("-", &lexis::UNKNOWN),
        ];
        let preset = |it: &Lexis| presets.iter().find(|(_, one)| *one == it).unwrap().0.to_owned();
        let ngrams = |it: Option<&Language>| match it.and_then(|it| it.ngram_group) {
            Some(group) => format!("{group:?}"),
            None => "-".to_owned(),
        };
        let outline = |it: Option<&Language>| {
            it.filter(|it| it.outline.is_some()).map_or("-", |it| it.name).to_owned()
        };
        let yes = |it: bool| if it { "yes" } else { "-" }.to_owned();
        let tag_of = |name: &str| {
            let with_outline = Language::with_outline();
            let tagged = with_outline.filter(|it| it.is_tagged(name)).map(|it| it.name);
            let mut tagged: Vec<&str> = tagged.collect();
            tagged.sort_unstable();
            if tagged.is_empty() { "-".to_owned() } else { tagged.join(",") }
        };
        let frozen = include_str!("../../tests/fixtures/languages.tsv");
        for row in frozen.lines().skip(1) {
            let before: Vec<&str> = row.split('\t').collect();
            let name = before[0];
            let path = format!("a.{name}");
            let (by_id, by_path) = (Language::of_id(name), Language::of("", &path));
            let mut watched = LANGUAGES.iter().filter(|it| it.is_watched);
            let is_watched = watched.any(|it| it.extensions.contains(&name));
            let after = [
                name.to_owned(),
                preset(Lexis::of(name, "")),
                preset(Lexis::of("", &path)),
                ngrams(by_id),
                ngrams(by_path),
                Language::family_of(name).to_owned(),
                outline(by_id),
                outline(by_path),
                tag_of(name),
                yes(is_watched),
                yes(by_id.is_some_and(|it| it.ids().any(|id| id == name))),
            ];
            for (before, after) in before.iter().zip(&after) {
                assert!(*before == "-" || before == after, "{name}: {before}, now {after}");
            }
        }
    }
}
