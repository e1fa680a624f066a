//! Texts before and after.

use expect_test::{Expect, expect};

use super::{with_keyside, without_keyside};

const LANGUAGES: &[&str] = &["rust", "python"];

fn put_in(text: &str) -> String {
    with_keyside(text, "keyside", LANGUAGES).expect("a text that can be added to")
}

/// The text with keyside; and that twice is as once, and out again as before.
#[track_caller]
fn check(text: &str, expected: Expect) {
    let with = put_in(text);
    expected.assert_eq(&with);
    assert_eq!(put_in(&with), with, "a second time");
    assert_eq!(without_keyside(&with).expect("out again"), text);
    assert_eq!(without_keyside(text).expect("nothing to do"), text);
}

#[test]
fn an_empty_file_gets_a_block() {
    check(
        "",
        expect![[r#"
            # keyside: begin. What is between these lines is written anew by `keyside config helix`.
            # The servers beside it are Helix's own, those of its versions 25.01 and of July 2026.
            [language-server.keyside]
            command = "keyside"
            args = ["serve"]

            [[language]]
            name = "rust"
            language-servers = ["rust-analyzer", "keyside"]

            [[language]]
            name = "python"
            language-servers = ["ty", "ruff", "jedi", "pylsp", "zuban", "keyside"]
            # keyside: end
        "#]],
    );
}

#[test]
fn what_is_there_stays_with_its_comments_and_its_order() {
    check(
        r#"# Mine.
[language-server.rust-analyzer.config]
check.command = "clippy"   # slow

[[language]]
name = "python"
language-servers = [
  "pyright", # types
  "ruff",    # the rest
]

[language-server]
odd = { command = 'odd' }

[[language]]
name = "mine"
language-servers = []
# name = "rust"
"#,
        expect![[r#"
            # Mine.
            [language-server.rust-analyzer.config]
            check.command = "clippy"   # slow

            [[language]]
            name = "python"
            language-servers = [
              "pyright", # types
              "ruff",    # the rest
              "keyside",
            ]

            [language-server]
            odd = { command = 'odd' }

            [[language]]
            name = "mine"
            language-servers = []
            # name = "rust"

            # keyside: begin. What is between these lines is written anew by `keyside config helix`.
            # The servers beside it are Helix's own, those of its versions 25.01 and of July 2026.
            [language-server.keyside]
            command = "keyside"
            args = ["serve"]

            [[language]]
            name = "rust"
            language-servers = ["rust-analyzer", "keyside"]
            # keyside: end
        "#]],
    );
}

#[test]
fn a_table_without_servers_gets_those_of_helix() {
    check(
        "[[language]]\nname = \"rust\"\nauto-format = false # never\n\n[[language]]\nname = \"python\"\nlanguage-servers = [\"a\"]\n",
        expect![[r#"
            [[language]]
            name = "rust"
            auto-format = false # never
            language-servers = ["rust-analyzer", "keyside"] # by keyside

            [[language]]
            name = "python"
            language-servers = ["a", "keyside"]

            # keyside: begin. What is between these lines is written anew by `keyside config helix`.
            # The servers beside it are Helix's own, those of its versions 25.01 and of July 2026.
            [language-server.keyside]
            command = "keyside"
            args = ["serve"]
            # keyside: end
        "#]],
    );
}

/// With the lists of `rust` as they are after keyside was put in.
#[track_caller]
fn check_list(list: &str, expected: &str) {
    let text = |list: &str| {
        format!("[[language]]\nname = \"rust\"\nlanguage-servers = {list}\nscope = 1\n")
    };
    let with = put_in(&text(list));
    assert!(with.starts_with(&text(expected)), "{with}");
    assert_eq!(without_keyside(&with).expect("out again"), text(list));
}

#[test]
fn lists_are_gone_on_with_as_they_are_written() {
    check_list("[]", r#"["keyside"]"#);
    check_list(r#"["a"]"#, r#"["a", "keyside"]"#);
    check_list(r#"[ "a", "b" ]"#, r#"[ "a", "b", "keyside" ]"#);
    check_list(r#"["a",]"#, r#"["a", "keyside",]"#);
    check_list("[\n  \"a\",\n  \"b\"\n]", "[\n  \"a\",\n  \"b\",\n  \"keyside\"\n]");
    check_list("[\n  \"a\",\n  \"b\" # c\n]", "[\n  \"a\",\n  \"b\", # c\n  \"keyside\"\n]");
    check_list("[ # c\n\t{ name = \"a\" },\n]", "[ # c\n\t{ name = \"a\" },\n\t\"keyside\",\n]");
}

#[test]
fn what_was_written_by_hand_counts_and_goes_as_well() {
    let by_hand = r#"[language-server.keyside]
command = "/opt/keyside"

[[language]]
name = "rust"
language-servers = ["rust-analyzer", { name = "keyside", only-features = ["completion"] }]

[[language]]
name = "python"
language-servers = ["keyside", "pylsp"] # mine
"#;
    assert_eq!(put_in(by_hand), by_hand);
    expect![[r#"

        [[language]]
        name = "rust"
        language-servers = ["rust-analyzer"]

        [[language]]
        name = "python"
        language-servers = ["pylsp"] # mine
    "#]]
    .assert_eq(&without_keyside(by_hand).expect("out"));
}

#[test]
fn a_list_that_somebody_went_on_with_is_theirs() {
    let with = put_in("[[language]]\nname = \"rust\"\n");
    let changed = with.replace("\"keyside\"] # by", "\"keyside\", \"mine\"] # by");
    assert_ne!(changed, with);
    let expected =
        "[[language]]\nname = \"rust\"\nlanguage-servers = [\"rust-analyzer\", \"mine\"]\n";
    assert_eq!(without_keyside(&changed).as_deref(), Ok(expected));
}

#[test]
fn line_breaks_and_the_mark_at_the_beginning_stay() {
    let text =
        "\u{feff}[[language]]\r\nname = \"rust\"\r\nlanguage-servers = [\r\n  \"a\",\r\n]\r\n";
    let with = put_in(text);
    assert!(with.contains("\r\n  \"keyside\",\r\n") && with.starts_with('\u{feff}'), "{with:?}");
    assert_eq!(with.matches('\n').count(), with.matches("\r\n").count());
    assert_eq!(without_keyside(&with).as_deref(), Ok(text));
}

#[test]
fn another_path_or_other_languages_take_the_place_of_what_was_there() {
    let text = "# Mine.\n";
    let before = put_in(text);
    let after = with_keyside(&before, r"C:\bin\keyside.exe", &["go"]).expect("a text");
    assert!(after.contains(r"command = 'C:\bin\keyside.exe'"), "{after}");
    assert!(after.contains("\"gopls\"") && !after.contains("rust"), "{after}");
    assert_eq!(without_keyside(&after).as_deref(), Ok(text));
}

#[test]
fn a_language_that_is_not_known_needs_its_servers() {
    let text = "[[language]]\nname = \"mine\"\nlanguage-servers = [\"a\"]\n";
    let with = with_keyside(text, "keyside", &["mine"]).expect("a text");
    assert!(with.contains("[\"a\", \"keyside\"]"), "{with}");
    let error = with_keyside("", "keyside", &["mine"]).expect_err("no servers");
    assert_eq!(
        error,
        "has no `language-servers` of the language mine, and those of Helix are not known here; write them there, then run this again"
    );
}

#[test]
fn what_can_not_be_changed_is_said_and_left() {
    for (text, expected) in [
        ("a = [1", "is no TOML ("),
        ("\n\nlanguage = ", "line 3); correct it, nothing was changed"),
        ("language = [{ name = \"rust\" }]", "write each as [[language]]"),
        ("language = 1", "write each as [[language]]"),
        ("language-server = { a = { command = \"a\" } }", "write them as [language-server.NAME]"),
        ("[[language]]\nname = \"rust\"\nlanguage-servers = 1", "make it one"),
        ("# keyside: begin\n", "has only one of the lines"),
        ("# keyside: end\n", "has only one of the lines"),
    ] {
        let error = with_keyside(text, "keyside", LANGUAGES).expect_err(text);
        assert!(error.contains(expected), "{text:?}: {error}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
    // A table without a name, or with something else for one, is no language of ours.
    let odd = "[[language]]\nname = 1\n\n[[language]]\n";
    assert!(put_in(odd).starts_with(odd));
}
