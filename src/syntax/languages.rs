//! The languages that can be read, as a table: a new one is a row here, a grammar crate and a
//! query.

use std::sync::OnceLock;

use tree_sitter::Query;

use super::outline::ItemKind;

/// A language with its grammar.
pub struct Language {
    /// What it is called in a prompt and behind a fence.
    pub name: &'static str,
    /// As editors name it in `languageId`.
    pub ids: &'static [&'static str],
    /// Endings of its files, without the dot.
    pub endings: &'static [&'static str],
    /// What else people and models write behind a fence.
    pub tags: &'static [&'static str],
    grammar: fn() -> tree_sitter::Language,
    /// Put together to one query, so that relatives share what they have in common.
    queries: &'static [&'static str],
    compiled: OnceLock<Option<Compiled>>,
}

const ECMA: &str = include_str!("../../grammars/ecma.scm");
const TYPESCRIPT: &str = include_str!("../../grammars/typescript.scm");
const C: &str = include_str!("../../grammars/c.scm");

/// All of them. Editors' ids are the protocol's, and Neovim's file types where those differ.
pub static LANGUAGES: [Language; 10] = [
    Language {
        name: "rust",
        ids: &["rust"],
        endings: &["rs"],
        tags: &[],
        grammar: || tree_sitter_rust::LANGUAGE.into(),
        queries: &[include_str!("../../grammars/rust.scm")],
        compiled: OnceLock::new(),
    },
    Language {
        name: "python",
        ids: &["python"],
        endings: &["py", "pyi", "pyw"],
        tags: &["python3"],
        grammar: || tree_sitter_python::LANGUAGE.into(),
        queries: &[include_str!("../../grammars/python.scm")],
        compiled: OnceLock::new(),
    },
    Language {
        name: "typescript",
        ids: &["typescript"],
        endings: &["ts", "mts", "cts"],
        tags: &[],
        grammar: || tree_sitter_typescript::LANGUAGE_TYPESCRIPT.into(),
        queries: &[ECMA, TYPESCRIPT],
        compiled: OnceLock::new(),
    },
    Language {
        name: "tsx",
        ids: &["typescriptreact", "typescript.tsx"],
        endings: &["tsx"],
        tags: &["typescript", "ts"],
        grammar: || tree_sitter_typescript::LANGUAGE_TSX.into(),
        queries: &[ECMA, TYPESCRIPT],
        compiled: OnceLock::new(),
    },
    Language {
        name: "javascript",
        ids: &["javascript", "javascriptreact", "javascript.jsx"],
        endings: &["js", "mjs", "cjs", "jsx"],
        tags: &["node", "es6"],
        grammar: || tree_sitter_javascript::LANGUAGE.into(),
        queries: &[ECMA, include_str!("../../grammars/javascript.scm")],
        compiled: OnceLock::new(),
    },
    Language {
        name: "go",
        ids: &["go"],
        endings: &["go"],
        tags: &["golang"],
        grammar: || tree_sitter_go::LANGUAGE.into(),
        queries: &[include_str!("../../grammars/go.scm")],
        compiled: OnceLock::new(),
    },
    Language {
        name: "c",
        ids: &["c"],
        endings: &["c", "h"],
        tags: &[],
        grammar: || tree_sitter_c::LANGUAGE.into(),
        queries: &[C],
        compiled: OnceLock::new(),
    },
    Language {
        name: "cpp",
        ids: &["cpp", "c++"],
        endings: &["cc", "cpp", "cxx", "hh", "hpp", "hxx"],
        tags: &["h", "cplusplus"],
        grammar: || tree_sitter_cpp::LANGUAGE.into(),
        queries: &[C, include_str!("../../grammars/cpp.scm")],
        compiled: OnceLock::new(),
    },
    Language {
        name: "java",
        ids: &["java"],
        endings: &["java"],
        tags: &[],
        grammar: || tree_sitter_java::LANGUAGE.into(),
        queries: &[include_str!("../../grammars/java.scm")],
        compiled: OnceLock::new(),
    },
    Language {
        name: "lua",
        ids: &["lua"],
        endings: &["lua"],
        tags: &["luau"],
        grammar: || tree_sitter_lua::LANGUAGE.into(),
        queries: &[include_str!("../../grammars/lua.scm")],
        compiled: OnceLock::new(),
    },
];

impl Language {
    /// By an editor's language id. `None`: there is no grammar for it.
    pub fn of_id(language_id: &str) -> Option<&'static Self> {
        LANGUAGES.iter().find(|it| it.ids.contains(&language_id))
    }

    /// By a path's ending, for files that no editor has opened.
    pub fn of_path(path: &str) -> Option<&'static Self> {
        let (_, ending) = path.rsplit_once('.')?;
        LANGUAGES.iter().find(|it| it.endings.contains(&ending))
    }

    /// Whether a fence marked so holds this language. Capitals make no difference.
    pub fn is_tagged(&self, tag: &str) -> bool {
        let tag = tag.to_ascii_lowercase();
        let names = [self.ids, self.endings, self.tags];
        self.name == tag || names.iter().any(|it| it.contains(&tag.as_str()))
    }

    pub(super) fn grammar(&self) -> tree_sitter::Language {
        (self.grammar)()
    }

    /// Its query, compiled once. `None` is a fault of the query, which a test would have told.
    pub(super) fn compiled(&'static self) -> Option<&'static Compiled> {
        self.compiled.get_or_init(|| self.compile().ok()).as_ref()
    }

    /// Errors: what is wrong with the query, and where.
    pub(super) fn compile(&self) -> Result<Compiled, String> {
        let text = self.queries.concat();
        let query = Query::new(&self.grammar(), &text).map_err(|error| error.to_string())?;
        let roles = query.capture_names().iter().map(|name| {
            Role::of(name).ok_or_else(|| format!("`@{name}` is no capture that is known here"))
        });
        let roles = roles.collect::<Result<_, _>>()?;
        Ok(Compiled { query, roles })
    }
}

/// A query, and what its captures mean.
pub(super) struct Compiled {
    pub(super) query: Query,
    /// By the capture's index.
    pub(super) roles: Vec<Role>,
}

/// What a capture of a query marks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// `@item.function` and the like: something with a name that a person would ask about.
    Item(ItemKind),
    /// `@name`: of the item of the same match.
    Name,
    /// `@body`: what an item's head does without.
    Body,
    /// `@doc`: documentation that stands at the beginning of a body.
    Doc,
    /// `@lead`: a comment or an attribute, which belongs to the item that follows it.
    Lead,
    /// `@around`: a node that belongs to the item which is `@inner` of it, such as `export`.
    Around,
    Inner,
    /// `@definition.name`: binds a name.
    Definition,
    /// `@reference.name`: uses a name, unless it is also a definition or a field.
    Reference,
    /// `@reference.called`: the same, field or not.
    Called,
    /// `@field.name`: what belongs to something else, which alone knows what it is.
    Field,
}

impl Role {
    fn of(capture: &str) -> Option<Self> {
        Some(match capture {
            "item.function" => Self::Item(ItemKind::Function),
            "item.type" => Self::Item(ItemKind::Type),
            "item.implementation" => Self::Item(ItemKind::Implementation),
            "item.constant" => Self::Item(ItemKind::Constant),
            "item.module" => Self::Item(ItemKind::Module),
            "item.macro" => Self::Item(ItemKind::Macro),
            "name" => Self::Name,
            "body" => Self::Body,
            "doc" => Self::Doc,
            "lead" => Self::Lead,
            "around" => Self::Around,
            "inner" => Self::Inner,
            "definition.name" => Self::Definition,
            "reference.name" => Self::Reference,
            "reference.called" => Self::Called,
            "field.name" => Self::Field,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_query_compiles() {
        for language in &LANGUAGES {
            if let Err(error) = language.compile() {
                panic!("{}: {error}", language.name);
            }
        }
    }

    #[test]
    fn a_language_is_found_by_what_editors_call_it_and_by_its_files() {
        let named = |it: Option<&'static Language>| it.map(|it| it.name);
        assert_eq!(named(Language::of_id("typescriptreact")), Some("tsx"));
        assert_eq!(named(Language::of_id("cobol")), None);
        assert_eq!(named(Language::of_path("src/a.test.mts")), Some("typescript"));
        assert_eq!(named(Language::of_path("Makefile")), None);
        for (at, language) in LANGUAGES.iter().enumerate() {
            for later in &LANGUAGES[at + 1..] {
                assert!(!language.ids.iter().any(|it| later.ids.contains(it)));
                assert!(!language.endings.iter().any(|it| later.endings.contains(it)));
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
}
