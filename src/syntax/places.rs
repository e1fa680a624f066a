//! What kind of place a piece of text stands in: within which literal, and what that literal is
//! for. Two places of the same kind do the same with what stands there, as far as code says so by
//! itself.

use std::ops::Range;

use tree_sitter::Node;

use super::parse::Parsed;

/// Nodes that are gone through, from a literal outwards.
const MAX_STEPS: usize = 100;

/// A kind of place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The whole literal, comment or word, and what it is joined with by operators. Runs of blanks
    /// are one blank.
    pub literal: String,
    /// What it is for, from the inside out: `comment`, `value` of a name or a key, `argument of
    /// NAME`, or the kind of node.
    pub uses: Vec<String>,
}

impl Parsed<'_> {
    /// The kind of place of a part of the text.
    pub fn place_of(&self, range: Range<usize>) -> Place {
        let root = self.tree.root_node();
        let mut node = root.descendant_for_byte_range(range.start, range.end).unwrap_or(root);
        for _ in 0..MAX_STEPS {
            let is_outer = |it: &Node<'_>| is_literal(it.kind()) || is_join(it.kind());
            let Some(outer) = node.parent().filter(is_outer) else { break };
            node = outer;
        }
        let text = self.text.get(node.byte_range()).unwrap_or_default();
        let literal = text.split_whitespace().collect::<Vec<_>>().join(" ");
        if node.kind().contains("comment") {
            return Place { literal, uses: vec!["comment".to_owned()] };
        }
        let mut uses: Vec<String> = Vec::new();
        let mut at = node;
        for _ in 0..MAX_STEPS {
            let Some(outer) = at.parent() else { break };
            let kind = outer.kind();
            if kind.contains("argument") && !kind.contains("keyword") || kind == "token_tree" {
                uses.push(format!("argument of {}", self.callee(outer)));
            } else if is_value(kind) {
                if uses.last().is_none_or(|it| it != "value") {
                    uses.push("value".to_owned());
                }
            } else if kind.starts_with("return") {
                uses.push("return".to_owned());
            }
            if is_border(kind) {
                break;
            }
            at = outer;
        }
        // What becomes of a call's result is another matter.
        if let Some(last) = uses.iter().rposition(|it| it.starts_with("argument")) {
            uses.truncate(last + 1);
        }
        Place { literal, uses }
    }

    /// The last name of what is called with these arguments.
    fn callee(&self, arguments: Node<'_>) -> &str {
        let Some(call) = arguments.parent() else { return "" };
        let fields = ["function", "name", "macro", "constructor", "type"];
        let callee = fields.iter().find_map(|it| call.child_by_field_name(it));
        let text = callee.and_then(|it| self.text.get(it.byte_range())).unwrap_or_default();
        let is_of_name = |it: char| it.is_alphanumeric() || it == '_';
        text.trim_end().rsplit(|it| !is_of_name(it)).next().unwrap_or_default()
    }
}

fn is_literal(kind: &str) -> bool {
    kind.contains("string") || kind.contains("comment") || kind.ends_with("text_block")
}

fn is_join(kind: &str) -> bool {
    kind.contains("binary") || kind.contains("concat")
}

fn is_value(kind: &str) -> bool {
    const NAMES: [&str; 12] = [
        "declarator",
        "declaration",
        "assignment",
        "definition_value",
        "const_item",
        "static_item",
        "pair",
        "field_initializer",
        "keyed_element",
        "_spec",
        "parameter",
        "property",
    ];
    kind == "field" || NAMES.iter().any(|it| kind.contains(it))
}

/// What stands outside of it says nothing about a place any more.
fn is_border(kind: &str) -> bool {
    ["statement", "block", "body", "program", "source_file", "module", "_item", "chunk"]
        .iter()
        .any(|it| kind.contains(it))
}

#[cfg(test)]
mod tests {
    use crate::syntax::parse;

    /// The place of each `XX`, a line each.
    #[track_caller]
    fn check(language_id: &str, text: &str, expected: &[&str]) {
        let parsed = parse(language_id, text).expect("it is parsed");
        let places: Vec<String> = text
            .match_indices("XX")
            .map(|(at, it)| {
                let place = parsed.place_of(at..at + it.len());
                format!("{} | {}", place.literal, place.uses.join(", "))
            })
            .collect();
        assert_eq!(places, expected, "{language_id}: {text}");
    }

    #[test]
    fn values_arguments_and_comments() {
        check(
            "rust",
            "fn f() {\n    let t = \"XX\".to_owned();\n    const K: &str = \"XX\";\n    send(t, \"a XX\");\n    println!(\"XX\"); // XX\n    let a = A { k: \"XX\" };\n    a.b(\"x\".c(\"XX\")).d()\n}\n",
            &[
                "\"XX\" | value",
                "\"XX\" | value",
                "\"a XX\" | argument of send",
                "\"XX\" | argument of println",
                "// XX | comment",
                "\"XX\" | value",
                "\"XX\" | argument of c, argument of b",
            ],
        );
        check(
            "python",
            "k = \"XX\"\nd = {\"k\": \"XX\"}\nf(k=\"XX\")\n# XX\ndef g(a=\"XX\"):\n    return \"XX\"\nu = \"https://a/\" + \"XX\"\nprint(\"XX\")\n",
            &[
                "\"XX\" | value",
                "\"XX\" | value",
                "\"XX\" | argument of f",
                "# XX | comment",
                "\"XX\" | value",
                "\"XX\" | return",
                "\"https://a/\" + \"XX\" | value",
                "\"XX\" | argument of print",
            ],
        );
        for language_id in ["typescript", "javascript"] {
            check(
                language_id,
                "const k = 'XX';\nlet o = { k: 'XX' };\nx.k = `a ${b} XX`;\nfetch('https://a?k=XX', { h: 'XX' });\nnew C('XX');\n",
                &[
                    "'XX' | value",
                    "'XX' | value",
                    "`a ${b} XX` | value",
                    "'https://a?k=XX' | argument of fetch",
                    "'XX' | value, argument of fetch",
                    "'XX' | argument of C",
                ],
            );
        }
        check(
            "go",
            "package a\n\nconst k = \"XX\"\n\nfunc f() string {\n\tt := \"XX\"\n\tg(T{K: \"XX\"})\n\treturn \"XX\"\n}\n",
            &[
                "\"XX\" | value",
                "\"XX\" | value",
                "\"XX\" | value, argument of g",
                "\"XX\" | return",
            ],
        );
        check(
            "java",
            "class A {\n  static final String K = \"XX\";\n  void f() { g(\"XX\"); new B(\"XX\"); }\n}\n",
            &["\"XX\" | value", "\"XX\" | argument of g", "\"XX\" | argument of B"],
        );
        check(
            "c",
            "const char *k = \"XX\";\nint main(void) { puts(\"XX\"); return 0; }\n",
            &["\"XX\" | value", "\"XX\" | argument of puts"],
        );
        check(
            "lua",
            "local k = \"XX\"\nlocal t = { k = \"XX\" }\nprint(\"XX\")\n",
            &["\"XX\" | value", "\"XX\" | value", "\"XX\" | argument of print"],
        );
    }
}
