//! The queries that find items and names, and what their captures mean. Which language has which is
//! in `text::language`.

use std::collections::HashMap;
use std::sync::{LazyLock, OnceLock};

use tree_sitter::Query;

use super::outline::ItemKind;
use crate::text::language::{Language, Outline};

/// A query, and what its captures mean.
pub(super) struct Compiled {
    pub(super) query: Query,
    /// By the capture's index.
    pub(super) roles: Vec<Role>,
}

/// By a language's name; compiled when it is first asked for.
static COMPILED: LazyLock<HashMap<&str, OnceLock<Option<Compiled>>>> =
    LazyLock::new(|| Language::with_outline().map(|it| (it.name, OnceLock::new())).collect());

/// A language's query. `None`: it has none, or the query has a fault, which a test finds.
pub(super) fn query_of(language: &Language) -> Option<&'static Compiled> {
    let outline = language.outline.as_ref()?;
    COMPILED.get(language.name)?.get_or_init(|| compile(outline).ok()).as_ref()
}

/// # Errors
///
/// When the query is not one of the grammar: what is wrong with it, and where.
pub(super) fn compile(outline: &Outline) -> Result<Compiled, String> {
    let text = outline.queries.concat();
    let query = Query::new(&outline.grammar.into(), &text).map_err(|error| error.to_string())?;
    let roles = query.capture_names().iter().map(|name| {
        Role::of(name).ok_or_else(|| format!("`@{name}` is no capture that is known here"))
    });
    let roles = roles.collect::<Result<_, _>>()?;
    Ok(Compiled { query, roles })
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
        let mut n_queries = 0;
        for language in Language::with_outline() {
            let Some(outline) = &language.outline else { continue };
            n_queries += 1;
            if let Err(error) = compile(outline) {
                panic!("{}: {error}", language.name);
            }
        }
        assert!(n_queries >= 10, "{n_queries} queries");
    }
}
