//! Tests of placeholders: what goes out comes back.

use super::*;

/// Tokens built from parts, so that no scanner takes this file for a leak.
fn token(n: u64) -> String {
    let alphabet = b"abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ";
    let mut state = n;
    let mut letter = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        alphabet[(state >> 33) as usize % alphabet.len()] as char
    };
    let letters: String = (0..36).map(|_| letter()).collect();
    format!("gh{}_{letters}", 'p')
}

fn redact(texts: &[&str]) -> (Placeholders, Vec<String>) {
    let mut placeholders = Placeholders::new();
    let texts: Vec<NamedText<'_>> = texts.iter().map(|it| (*it, None)).collect();
    let redacted = placeholders.redact_all(Redactor::shared(), &texts);
    (placeholders, redacted.into_iter().map(|it| it.text).collect())
}

#[test]
fn the_same_secret_has_one_placeholder_in_all_texts_also_where_no_rule_sees_it() {
    let (one, two) = (token(1), token(2));
    let bare = format!("x{one}x");
    let first = format!("{bare}, \"{two}\"");
    let second = format!("a = \"{one}\"");
    let (placeholders, texts) = redact(&[&first, &second]);
    assert_eq!(texts, ["xKEYSIDE_SECRET_1x, \"KEYSIDE_SECRET_2\"", "a = \"KEYSIDE_SECRET_1\""]);
    assert_eq!(placeholders.restore(&texts[0]), first);
    assert_eq!(placeholders.restore(&texts[1]), second);
}

#[test]
fn one_is_no_beginning_of_twelve() {
    let text: String = (1..=12).map(|n| format!("k = \"{}\"\n", token(n))).collect();
    let (placeholders, texts) = redact(&[&text]);
    assert!(texts[0].contains("KEYSIDE_SECRET_12"));
    assert_eq!(placeholders.restore(&texts[0]), text);
    let said = "KEYSIDE_SECRET_12, KEYSIDE_SECRET_1, KEYSIDE_SECRET_123, KEYSIDE_SECRET_01";
    let (one, twelve) = (token(1), token(12));
    let restored = format!("{twelve}, {one}, KEYSIDE_SECRET_123, KEYSIDE_SECRET_01");
    assert_eq!(placeholders.restore(said), restored);
}

#[test]
fn a_digit_after_a_secret_does_not_become_its_number() {
    // The first place gives the secret away, the second has it with a digit behind it.
    let text = format!("a = \"{0}\" b = x{0}7x", token(3));
    let (placeholders, texts) = redact(&[&text]);
    assert!(!texts[0].contains(&token(3)));
    assert_eq!(placeholders.restore(&texts[0]), text);
}

#[test]
fn a_text_that_has_the_placeholder_already_gets_another() {
    let text = format!("KEYSIDE_SECRET_1 = \"{}\"", token(4));
    let (placeholders, texts) = redact(&[&text, "KEYSIDE_1_SECRET_"]);
    assert_eq!(texts[0], "KEYSIDE_SECRET_1 = \"KEYSIDE_2_SECRET_1\"");
    assert_eq!(placeholders.restore(&texts[0]), text);
}

#[test]
fn places_say_which_was_given() {
    let (placeholders, _) = redact(&[&token(5)]);
    let text = "é KEYSIDE_SECRET_1, KEYSIDE_SECRET_2 KEYSIDE_SECRET_ KEYSIDE_SECRET_01";
    let numbers = placeholders.places(text).into_iter().map(|it| (&text[it.range], it.number));
    assert_eq!(
        numbers.collect::<Vec<_>>(),
        [
            ("KEYSIDE_SECRET_1", Some(1)),
            ("KEYSIDE_SECRET_2", None),
            ("KEYSIDE_SECRET_", None),
            ("KEYSIDE_SECRET_01", None)
        ]
    );
    assert!(Placeholders::new().places(text).is_empty());
}

#[test]
fn names_that_look_like_placeholders() {
    let text = "KEYSIDE_SECRET_12 KEYSIDE_ KEYSIDE_3_SECRET_4é KEYSIDE_SECRET_ KEYSIDE_3SECRET_1 KEYSIDE_SECRET_12";
    assert_eq!(names_like_placeholders(text), ["KEYSIDE_SECRET_12", "KEYSIDE_3_SECRET_4"]);
}

#[test]
fn secrets_over_one_another_go_out_as_one() {
    let (left, end) = (token(6), &token(7)[10..20]);
    let right = format!("{}4{end}", &left[20..]);
    let text = format!("k = \"{left}\", api_key = \"{right}\", x{left}4{end}x");
    let (placeholders, texts) = redact(&[&text]);
    let wanted = "k = \"KEYSIDE_SECRET_1\", api_key = \"KEYSIDE_SECRET_2\", xKEYSIDE_SECRET_3x";
    assert_eq!(texts, [wanted]);
    assert_eq!(placeholders.restore(&texts[0]), text);
}

#[test]
fn a_short_secret_goes_out_as_a_word_alone() {
    let text = "amqp://svc:quay@mq/ and quay in quayside";
    let (placeholders, texts) = redact(&[text]);
    assert_eq!(texts, ["amqp://svc:KEYSIDE_SECRET_1@mq/ and KEYSIDE_SECRET_1 in quayside"]);
    assert_eq!(placeholders.restore(&texts[0]), text);
}

#[test]
fn nothing_prints_a_secret() {
    let (placeholders, _) = redact(&[&token(8)]);
    let printed = format!("{placeholders:?}");
    assert!(!printed.contains(&token(8)), "{printed}");
    assert!(printed.contains("n_secrets: 1"), "{printed}");
}

#[test]
fn a_later_text_shares_the_numbers() {
    let mut placeholders = Placeholders::new();
    let redactor = Redactor::shared();
    let (first, _) = placeholders.redact(redactor, &token(1), None);
    let (second, _) = placeholders.redact(redactor, &format!("{} {}", token(2), token(1)), None);
    assert_eq!(first, "KEYSIDE_SECRET_1");
    assert_eq!(second, "KEYSIDE_SECRET_2 KEYSIDE_SECRET_1");
    assert_eq!(placeholders.len(), 2);
}
