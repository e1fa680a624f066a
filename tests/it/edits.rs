//! From a caret and a model's answer to the document that an editor would show, across `syntax` and `edits`.

use expect_test::{Expect, expect};
use keyside::assistant::apply::{
    applied, code_of, has_no_new_errors, minimal_edits, replaced, unified_diff,
};
use keyside::syntax::parse;

/// What happens to a document, `$0` in the item asked about, when a model answers so: the edits, or why there is none.
#[track_caller]
fn check(language_id: &str, marked: &str, answer: &str, expected: Expect) {
    let caret = marked.find("$0").expect("there is a caret");
    let document = marked.replacen("$0", "", 1);
    let seen = match edited(language_id, &document, caret, answer) {
        Ok(new) => {
            let edits = minimal_edits(&document, &new);
            assert_eq!(applied(&document, &edits), new);
            let edits = edits
                .iter()
                .map(|it| format!("{:?} -> {:?}\n", &document[it.range.clone()], it.text));
            edits.collect()
        }
        Err(sentence) => sentence + "\n",
    };
    expected.assert_eq(&seen);
}

/// As an escalation does it.
fn edited(language_id: &str, document: &str, caret: usize, answer: &str) -> Result<String, String> {
    let before = parse(language_id, document).expect("it is parsed");
    let item = before.enclosing_item(caret..caret).expect("the caret is in an item");
    let code = code_of(answer, language_id)?;
    let original = &document[item.range.clone()];
    let new = replaced(document, item.range, original, &code, language_id)?.text;
    let after = parse(language_id, &new).expect("it is parsed");
    has_no_new_errors(before.error_count(), after.error_count())?;
    Ok(new)
}

const RUST: &str = "\
struct A;
impl A {
    /// Adds one.
    fn add(&self, n: u32) -> u32 {
        $0n + 1
    }
}
";

#[test]
fn a_method_comes_back_without_its_indentation() {
    check(
        "rust",
        RUST,
        "Here you are:\n\n```rust\n/// Adds one.\nfn add(&self, n: u32) -> u32 {\n    n.saturating_add(1)\n}\n```\n",
        expect![[r#"
            "        n + 1\n" -> "        n.saturating_add(1)\n"
        "#]],
    );
}

#[test]
fn the_file_keeps_its_line_ends() {
    check(
        "rust",
        &RUST.replace('\n', "\r\n"),
        "```rust\n    /// Adds one, or stays.\n    fn add(&self, n: u32) -> u32 {\n        n + 1\n    }\n```\n",
        expect![[r#"
            "" -> ", or stays"
        "#]],
    );
}

#[test]
fn a_decorated_method_of_python() {
    check(
        "python",
        "class A:\n    @property\n    def b(self):\n        return$0 self.c\n\n\nd = 1\n",
        "```python\n@property\ndef b(self):\n    if self.c is None:\n        return 0\n    return self.c\n```",
        expect![[r#"
            "" -> "        if self.c is None:\n            return 0\n"
        "#]],
    );
}

#[test]
fn an_exported_function_of_typescript() {
    check(
        "typescriptreact",
        "import { b } from 'b';\n\n// Why.\nexport const a = (x: number) => {\n  return$0 b(x);\n};\n",
        "```tsx\n// Why.\nexport const a = (x: number): number => b(x);\n```",
        expect![[r#"
            " => {\n  return " -> ": number => "
            ";\n}" -> ""
        "#]],
    );
}

#[test]
fn what_is_no_replacement() {
    check(
        "rust",
        RUST,
        "I would leave it as it is.",
        expect![[r#"
        The answer holds no block of code; ask again, or read it as text.
    "#]],
    );
    check(
        "rust",
        RUST,
        "```rust\ndef add(self, n):\n    return n + 1\n```",
        expect![[r#"
        With the answer the file would hold code that can't be parsed; it was not applied. Ask again, or take it by hand.
    "#]],
    );
    check(
        "rust",
        RUST,
        "```rust\n/// Adds one.\nfn add(&self, n: u32) -> u32 {\n    // ...\n}\n```",
        expect![[r#"
            The answer leaves code out and says so in a comment; it was not applied. Ask again, or about less.
        "#]],
    );
    check(
        "rust",
        RUST,
        "```rust\n/// Adds one.\nfn add(&self, n: u32) -> u32 {\n    n +",
        expect![[r#"
            The answer ends within a block of code, so it is not whole; ask again with a larger `cloud.max_output_tokens`, or about less.
        "#]],
    );
    check(
        "rust",
        RUST,
        "```rust\n/// Adds one.\nfn add(&self, n: u32) -> u32 {\n    n + 1\n}\n```",
        expect![[r#"
            The answer is the code as it is; there is nothing to change.
        "#]],
    );
    check(
        "rust",
        RUST,
        "```rust\n/// Adds one.\nfn add(&self, n: u32) -> u32 {\n    n + 1\n```",
        expect![[r#"
            With the answer the file would hold code that can't be parsed; it was not applied. Ask again, or take it by hand.
        "#]],
    );
}

#[test]
fn a_difference_is_kept_for_a_document_that_has_changed() {
    let document = RUST.replace("$0", "");
    let new =
        edited("rust", &document, 69, "```rust\nfn add(&self) {}\n```").expect("it can be applied");
    expect![[r#"
        --- a/src/a.rs
        +++ b/src/a.rs
        @@ -1,7 +1,4 @@
         struct A;
         impl A {
        -    /// Adds one.
        -    fn add(&self, n: u32) -> u32 {
        -        n + 1
        -    }
        +    fn add(&self) {}
         }
    "#]]
    .assert_eq(&unified_diff("src/a.rs", &document, &new));
}
