//! Answers as models give them, and what is taken out of each.

use expect_test::{Expect, expect};

use super::*;

#[track_caller]
fn check(language_id: &str, answer: &str, expected: Expect) {
    let seen = match code_of(answer, language_id) {
        Ok(code) => code,
        Err(sentence) => format!("refused: {sentence}\n"),
    };
    expected.assert_eq(&seen);
}

#[test]
fn one_block() {
    check(
        "rust",
        "```rust\nfn a() {}\n```",
        expect![[r#"
        fn a() {}
    "#]],
    );
    check(
        "rust",
        "Here it is:\n\n```\nfn a() {}\n```\n\nI removed `b`.\n",
        expect![[r#"
        fn a() {}
    "#]],
    );
    check(
        "rust",
        "~~~rs\nfn a() {}\n~~~\n",
        expect![[r#"
        fn a() {}
    "#]],
    );
    check(
        "rust",
        "````rust,ignore\nfn a() {}\n````\n",
        expect![[r#"
        fn a() {}
    "#]],
    );
    check(
        "rust",
        "```rust title=\"a b\"\r\nfn a() {}\r\n```\r\n",
        expect![[r#"
        fn a() {}
    "#]],
    );
    check(
        "python",
        "``` {.python}\nx = 1\n\n\n```",
        expect![[r#"
        x = 1


    "#]],
    );
    check(
        "cpp",
        "```C++\nint a;\n```",
        expect![[r#"
        int a;
    "#]],
    );
    check(
        "typescriptreact",
        "```ts\nlet a: B;\n```",
        expect![[r#"
        let a: B;
    "#]],
    );
}

#[test]
fn a_block_in_a_list_is_indented_with_its_fence() {
    check(
        "python",
        "1. So:\n\n   ```python\n   def a():\n       pass\n   ```\n",
        expect![[r#"
        def a():
            pass
    "#]],
    );
}

#[test]
fn what_looks_like_a_fence_and_is_none() {
    check(
        "rust",
        "```rust\nlet a = \"```\";\n// ```\n/// ```text\n/// b\n/// ```\n```",
        expect![[r#"
            let a = "```";
            // ```
            /// ```text
            /// b
            /// ```
        "#]],
    );
    check(
        "rust",
        "Use ```a``` here.\n```rust\nfn a() {}\n```",
        expect![[r#"
        fn a() {}
    "#]],
    );
    check(
        "rust",
        "```rust\n~~~\n```",
        expect![[r#"
        ~~~
    "#]],
    );
    check(
        "python",
        "```python\ndef a():\n    \"\"\"Doc.\n\n    ```\n    b\n    ```\n    \"\"\"\n```",
        expect![[r#"
            def a():
                """Doc.

                ```
                b
                ```
                """
        "#]],
    );
}

#[test]
fn a_longer_fence_holds_shorter_ones() {
    check(
        "markdown",
        "````markdown\n# A\n```rust\nfn a() {}\n```\n````",
        expect![[r#"
        # A
        ```rust
        fn a() {}
        ```
    "#]],
    );
    check(
        "markdown",
        "~~~markdown\n```\na\n```\n~~~",
        expect![[r#"
        ```
        a
        ```
    "#]],
    );
}

#[test]
fn blocks_within_a_block_of_the_same_fence() {
    check(
        "markdown",
        "```markdown\n# A\n```rust\nfn a() {}\n```\nB\n```\n",
        expect![[r#"
        # A
        ```rust
        fn a() {}
        ```
        B
    "#]],
    );
    check(
        "python",
        "```python\na = \"\"\"\n```sh\nls\n```\n\"\"\"\n```\n",
        expect![[r#"
        a = """
        ```sh
        ls
        ```
        """
    "#]],
    );
    // Without a language the inner one can't be told from the end.
    check(
        "python",
        "```python\na = \"\"\"\n```\nls\n```\n\"\"\"\n```\n",
        expect![[r#"
        refused: The answer holds 2 blocks of code, and it is not clear which is meant; ask again, or take one by hand.
    "#]],
    );
}

#[test]
fn several_blocks() {
    check(
        "rust",
        "```sh\ncargo add x\n```\n```rust\nfn a() {}\n```\n",
        expect![[r#"
        fn a() {}
    "#]],
    );
    check(
        "rust",
        "Before:\n```rust\nfn a() {}\n```\nAfter:\n```rust\nfn b() {}\n```\n",
        expect![[r#"
            refused: The answer holds 2 blocks of code, and it is not clear which is meant; ask again, or take one by hand.
        "#]],
    );
    check(
        "rust",
        "```rust\nfn a() {}\n```\nAnd:\n```\nfn b() {}\n```\n",
        expect![[r#"
        refused: The answer holds 2 blocks of code, and it is not clear which is meant; ask again, or take one by hand.
    "#]],
    );
    check(
        "rust",
        "```rust\nfn a() {}\n```\nAgain:\n```rust\nfn a() {}\n```\n",
        expect![[r#"
        fn a() {}
    "#]],
    );
    check(
        "rust",
        "```python\na\n```\n```js\nb\n```\n",
        expect![[r#"
        refused: The answer holds code, but none in rust; ask again.
    "#]],
    );
}

#[test]
fn a_block_in_another_language() {
    check(
        "rust",
        "```diff\n-a\n+b\n```",
        expect![[r#"
        refused: The answer holds code, but none in rust; ask again.
    "#]],
    );
    check(
        "rust",
        "```python\nx = 1\n```",
        expect![[r#"
        refused: The answer holds code, but none in rust; ask again.
    "#]],
    );
    // Nothing is known of the language's other names.
    check(
        "elixir",
        "```ex\nx = 1\n```",
        expect![[r#"
        x = 1
    "#]],
    );
}

#[test]
fn cut_off() {
    check(
        "rust",
        "```rust\nfn a() {\n",
        expect![[r#"
        refused: The answer ends within a block of code, so it is not whole; ask again with a larger `cloud.max_output_tokens`, or about less.
    "#]],
    );
    check(
        "rust",
        "```rust\nfn a() {}\n```\n```rust\nfn b(",
        expect![[r#"
        refused: The answer ends within a block of code, so it is not whole; ask again with a larger `cloud.max_output_tokens`, or about less.
    "#]],
    );
    check(
        "rust",
        "````rust\nfn a() {}\n```\n",
        expect![[r#"
        refused: The answer ends within a block of code, so it is not whole; ask again with a larger `cloud.max_output_tokens`, or about less.
    "#]],
    );
    check(
        "rust",
        "<think>\nLet me see",
        expect![[r#"
        refused: The answer ends within a block of code, so it is not whole; ask again with a larger `cloud.max_output_tokens`, or about less.
    "#]],
    );
}

#[test]
fn thoughts_are_no_part_of_it() {
    check(
        "rust",
        "<think>\n```rust\nfn no() {}\n```\n</think>\n```rust\nfn a() {}\n```\n",
        expect![[r#"
            fn a() {}
        "#]],
    );
}

#[test]
fn plainly_code() {
    check(
        "rust",
        "fn a(x: u32) -> u32 {\n    x + 1\n}\n",
        expect![[r#"
        fn a(x: u32) -> u32 {
            x + 1
        }
    "#]],
    );
    check(
        "python",
        "\ndef a(x):\n    # The next number of the row.\n    return x + 1\n",
        expect![[r#"
            def a(x):
                # The next number of the row.
                return x + 1
        "#]],
    );
    check(
        "go",
        "// Show shows it.\nfunc Show() {}\n",
        expect![[r#"
        // Show shows it.
        func Show() {}
    "#]],
    );
    check(
        "lua",
        "local function a(x)\n  return x\nend",
        expect![[r#"
        local function a(x)
          return x
        end
    "#]],
    );
}

#[test]
fn plainly_prose() {
    check(
        "rust",
        "I'm sorry, but I can't help with that.",
        expect![[r#"
        refused: The answer holds no block of code; ask again, or read it as text.
    "#]],
    );
    check(
        "rust",
        "This function does nothing; it is fine as it is.",
        expect![[r#"
        refused: The answer holds no block of code; ask again, or read it as text.
    "#]],
    );
    check(
        "rust",
        "",
        expect![[r#"
        refused: The answer holds no block of code; ask again, or read it as text.
    "#]],
    );
    check(
        "python",
        "# Answer\n\nYou could use `map()`:\n\n- one;\n- two;\n",
        expect![[r#"
        refused: The answer holds no block of code; ask again, or read it as text.
    "#]],
    );
}

#[test]
fn neither_plainly() {
    check(
        "rust",
        "Here is the function:\n\nfn a() {}\n",
        expect![[r#"
        refused: The answer holds no block of code; ask again, or read it as text.
    "#]],
    );
    check(
        "rust",
        "fn a() {}\n\nI have removed the rest of it.\n",
        expect![[r#"
        refused: The answer holds no block of code; ask again, or read it as text.
    "#]],
    );
}

#[test]
fn a_block_is_known_by_what_people_call_its_language() {
    check(
        "shellscript",
        "Run it so:\n```console\n$ ./a\n```\nThe script:\n```sh\necho a\n```\n",
        expect![[r#"
        echo a
    "#]],
    );
}

#[test]
fn an_empty_block_is_left_to_whoever_applies_it() {
    assert_eq!(code_of("```rust\n```", "rust"), Ok(String::new()));
}

#[test]
fn what_is_said_beside_the_code() {
    let code = "```rust\nfn a() {}\n```";
    for (answer, expected) in [
        (
            format!("The loop never ended. Now it does:\n\n{code}\n"),
            "The loop never ended. Now it does:",
        ),
        (format!("One.\n{code}\n\nTwo (see `b`).\n\n"), "One.\n\nTwo (see `b`)."),
        (format!("Is it `a`?\r\n\r\n{code}"), "Is it `a`?"),
        (format!("Here it is:\n{code}"), ""),
        (code.to_owned(), ""),
        ("fn a() {\n    b();\n}\n".to_owned(), ""),
        (format!("<think>I wonder. </think>{code}"), ""),
        ("This can't be mended here.".to_owned(), "This can't be mended here."),
        (format!("Half.\n{code}\n```rust\n"), ""),
    ] {
        assert_eq!(super::prose_of(&answer), expected, "{answer}");
    }
}
