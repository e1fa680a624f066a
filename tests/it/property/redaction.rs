//! Of redaction: what is planted goes out, what stands for it is no secret, and all of it comes
//! back.

use keyside::privacy::elsewhere::without_secret_lines;
use keyside::privacy::placeholders::{
    NamedText, Placeholders, RedactedText, names_like_placeholders,
};
use keyside::privacy::redact::Redactor;
use proptest::prelude::*;

use super::{any_text, cases};

/// Secrets that are told by their form, wherever they stand.
fn any_secret() -> impl Strategy<Value = String> {
    prop_oneof![
        "ghp_[A-Za-z0-9]{36}",
        "glpat-[A-Za-z0-9]{20}",
        "AKIA[A-Z2-7]{16}",
        "sk_live_[A-Za-z0-9]{24}",
        "npm_[A-Za-z0-9]{36}",
        "AIza[A-Za-z0-9]{35}",
        "dop_v1_[0-9a-f]{64}",
    ]
}

/// Where one stands in a line, at the `@`.
fn any_place() -> impl Strategy<Value = &'static str> {
    prop_oneof![
        Just("@"),
        Just("let a = \"@\";"),
        Just("TOKEN=@"),
        Just("  - token: '@'"),
        Just("{\"a\": \"@\", \"b\": 1}"),
        Just("// see @ for more"),
        Just("curl -H \"Authorization: Bearer @\" https://a.example"),
    ]
}

/// Text with much of what rules look at, complete or not.
fn any_text_near_secrets() -> impl Strategy<Value = String> {
    let keyword = prop_oneof![
        Just("password = "),
        Just("\"api_key\": \""),
        Just("token: "),
        Just("postgres://svc:"),
        Just("@db.internal/x"),
        Just("Authorization: Bearer "),
        Just("curl -u a:"),
        Just("KEYSIDE_SECRET_1"),
        Just("\"\n"),
        Just("'"),
        Just(" "),
        Just("="),
    ];
    let piece = prop_oneof![
        3 => keyword.prop_map(str::to_owned),
        2 => "[A-Za-z0-9+/_!#-]{1,24}",
        1 => any_secret(),
        1 => any_text(),
    ];
    prop::collection::vec(piece, 0..16).prop_map(|it| it.concat())
}

fn any_path() -> impl Strategy<Value = Option<&'static str>> {
    prop_oneof![
        Just(None),
        Just(Some("src/a.rs")),
        Just(Some("a.yaml")),
        Just(Some(".env")),
        Just(Some("run.sh")),
        Just(Some("a.csv")),
        Just(Some("README.md")),
    ]
}

fn redact_all(texts: &[NamedText<'_>]) -> (Placeholders, Vec<RedactedText>) {
    let mut placeholders = Placeholders::new();
    let redacted = placeholders.redact_all(Redactor::shared(), texts);
    (placeholders, redacted)
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn a_planted_secret_does_not_survive(
        before in any_text_near_secrets(),
        place in any_place(),
        secret in any_secret(),
        after in any_text_near_secrets(),
        path in any_path(),
    ) {
        let line = place.replace('@', &secret);
        let text = format!("{before}\n{line}\n{after}");
        // The other text gives it no name; it goes out because the first one has it.
        let other = format!("x{secret}x");
        let (placeholders, redacted) = redact_all(&[(&text, path), (&other, None)]);
        for it in &redacted {
            prop_assert!(!it.text.contains(&secret), "{}", it.text);
        }
        prop_assert_eq!(placeholders.restore(&redacted[0].text), &*text);
        prop_assert_eq!(placeholders.restore(&redacted[1].text), other);
        let without = without_secret_lines(&text, path);
        prop_assert!(!without.contains(&secret), "{}", without);
    }

    #[test]
    fn what_went_out_comes_back_to_the_byte(
        first in any_text_near_secrets(),
        second in any_text_near_secrets(),
        path in any_path(),
    ) {
        let (placeholders, redacted) = redact_all(&[(&first, path), (&second, None)]);
        prop_assert_eq!(placeholders.restore(&redacted[0].text), first);
        prop_assert_eq!(placeholders.restore(&redacted[1].text), second);
    }

    /// A second time may take out more, as a placeholder reads like a name of a secret; but never
    /// what stands for one.
    #[test]
    fn a_placeholder_is_no_secret(text in any_text_near_secrets(), path in any_path()) {
        let (first, once) = redact_all(&[(&text, path)]);
        let (second, twice) = redact_all(&[(&once[0].text, path)]);
        for finding in &twice[0].findings {
            let found = &once[0].text[finding.range.clone()];
            prop_assert!(names_like_placeholders(found) != [found], "{}", once[0].text);
        }
        prop_assert_eq!(first.restore(&second.restore(&twice[0].text)), text);
    }
}
