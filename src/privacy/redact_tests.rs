//! Tests of finding: what a finding says, what is let pass, which rule gives its name.

use super::*;

/// Built from parts, so that no scanner takes this file for a leak.
fn github_token() -> String {
    format!("gh{}_{}", 'p', "7Fk2Qx9LmZp4Rt8Vw1Yb6Nc3Hd5Js0GaEuTo")
}

/// The rules of the findings, and the text with `[]` for each secret.
fn found(text: &str, path: Option<&str>) -> (Vec<String>, String) {
    let mut rest = text.to_owned();
    let findings = Redactor::shared().find(text, path);
    for finding in findings.iter().rev() {
        rest.replace_range(finding.range.clone(), "[]");
    }
    (findings.into_iter().map(|it| it.rule).collect(), rest)
}

#[test]
fn the_rule_that_says_most_gives_the_name() {
    let (rules, rest) = found(&format!("github_token = \"{}\"", github_token()), None);
    assert_eq!((rules, &rest[..]), (vec!["github-pat".to_owned()], "github_token = \"[]\""));
}

#[test]
fn a_token_ends_where_it_can_not_go_on() {
    for end in [",", ")", "&x=1", "<", "]", "|", ".", "é", ""] {
        let token = format!("npm_{}", &github_token()[4..]);
        let (_, rest) = found(&format!("({token}{end}"), None);
        assert_eq!(rest, format!("([]{end}"));
    }
}

#[test]
fn words_and_templates_are_no_secrets() {
    for text in [
        "password = \"password\"",
        "let token = tokens.next_token2();",
        "\"password\": \"${DB_PASSWORD}\"",
        "password: {{ vault_password }}",
        "DB_PASSWORD=$OTHER_PASSWORD1",
        "const TOKEN_KIND: TokenKind2 = TokenKind2::Word;",
        "postgres://user:password@localhost/db",
        "https://${user}:${password}@host/",
        "Authorization: Bearer <token>",
        "primary_key = \"id_0123456789abcd\"",
        "secret_name: my-secret-name-1",
        ">>> tokenizer = AutoTokenizer.from_pretrained(\"somebody/Bert2-0.5B-Instruct\")",
        "(\"audio_v2_tokenizer\", \"AudioV2TokenizerConfig\"),",
        "-----BEGIN PRIVATE KEY-----",
        "a key made with aVeryLongNameOfSomethingElse and more ends with\n-----END PRIVATE KEY-----",
    ] {
        assert_eq!(found(text, None), (Vec::new(), text.to_owned()));
    }
}

#[test]
fn a_comment_in_the_text_opens_no_gate() {
    let text = format!("x = \"{}\" # scanner:allow", github_token());
    assert_eq!(found(&text, None).0, ["github-pat"]);
}

#[test]
fn no_name_of_a_file_switches_a_rule_off() {
    let text = format!("\"api_key\": \"4fK9xQ2mZr7Lp3Wd8Tb6\", \"{}\"", github_token());
    for path in ["src/a.json", "web/package-lock.json", "web\\node_modules\\a.js", "bootstrap.js"] {
        assert_eq!(found(&text, Some(path)).0, ["named-value", "github-pat"], "{path}");
    }
}

#[test]
fn a_rule_for_some_files_is_tried_on_a_text_without_a_name() {
    let text = "db:5432:app:svc:Qm3vT8xz\n";
    assert_eq!(found(text, Some("home/.pgpass")).0, ["pgpass-password"]);
    assert_eq!(found(text, None).0, ["pgpass-password"]);
    assert_eq!(found(text, Some("src/a.rs")).0, [""; 0]);
}

#[test]
fn what_is_let_pass_hides_no_secret_behind_it() {
    let text = "password = os.environ.get(\"DB_PASSWORD\", \"x7#Kq2!vT9\")";
    assert_eq!(found(text, None).1, "password = os.environ.get(\"DB_PASSWORD\", \"[]\")");
    let text = "tokenizer_api_key = \"4fK9xQ2mZr7Lp3Wd8Tb6\"";
    assert_eq!(found(text, None).1, "tokenizer_api_key = \"[]\"");
}

#[test]
fn findings_are_in_order_and_say_where() {
    let token = github_token();
    let text = format!("é {token}\né {token} {token}\n");
    let places: Vec<(usize, usize)> =
        Redactor::shared().find(&text, None).iter().map(|it| (it.line, it.column)).collect();
    assert_eq!(places, [(1, 3), (2, 3), (2, 44)]);
}

#[test]
fn a_text_compiles_the_rules_of_its_keywords_alone() {
    let redactor = Redactor::new();
    assert_eq!(redactor.n_compiled().0, 0);
    redactor.find("fn main() {}", None);
    assert_eq!(redactor.n_compiled().0, 0);
    redactor.find("postgres://a:b@c", None);
    assert!((1..9).contains(&redactor.n_compiled().0), "{:?}", redactor.n_compiled());
}

#[test]
fn the_lines_of_secrets_are_told() {
    let token = github_token();
    let key =
        format!("-----BEGIN {0} KEY-----\n{1}\n-----END {0} KEY-----", "PRIVATE", token.repeat(2));
    let key = key.replace('_', "/");
    let text = format!("a\nb {token} {token}\nc\n{key}\nd\n");
    assert_eq!(lines_with_secrets(Some("a.rs"), &text), [1..2, 3..6]);
    assert!(lines_with_secrets(None, "a\nb\n").is_empty());
}

#[test]
fn what_stands_for_a_secret_is_none() {
    let text = "curl -u a:KEYSIDE_SECRET_1 https://b, password = \"KEYSIDE_2_SECRET_3\"";
    assert_eq!(found(text, None), (Vec::new(), text.to_owned()));
}
