//! Tests of the rules: both files are read, every expression compiles and is used as gitleaks uses it.

use regex_automata::{Anchored, Input};

use super::*;

/// Rules whose matches begin before a keyword or have no end.
const ELSEWHERE: &[&str] = &[
    "1password-service-account-token",
    "airtable-personnal-access-token",
    "azure-ad-client-secret",
    "curl-auth-header",
    "curl-auth-user",
    "facebook-access-token",
    "facebook-page-access-token",
    "flyio-access-token",
    "freemius-secret-key",
    "hashicorp-tf-api-token",
    "jwt",
    "jwt-base64",
    "kubernetes-secret-yaml",
    "lob-api-key",
    "lob-pub-api-key",
    "maxmind-license-key",
    "microsoft-teams-webhook",
    "new-relic-browser-api-token",
    "new-relic-insert-key",
    "new-relic-user-api-key",
    "nuget-config-password",
    "openai-api-key",
    "sidekiq-sensitive-url",
    "slack-app-token",
    "slack-bot-token",
    "slack-config-access-token",
    "slack-legacy-token",
    "slack-webhook-url",
    "sourcegraph-access-token",
    "typeform-api-token",
    "azure-client-secret",
    "telegram-bot-token",
];

#[test]
fn both_files_are_read_whole() {
    let gitleaks: RulesFile = toml::from_str(GITLEAKS).unwrap();
    let ours: RulesFile = toml::from_str(OURS).unwrap();
    assert!(gitleaks.allowlist.is_some());
    // All that it has: one looks at paths alone.
    assert_eq!(gitleaks.rules.len(), 222);
    let names: Vec<&String> = gitleaks.rules.iter().map(|it| &it.id).collect();
    for dropped in &ours.dropped {
        assert!(names.contains(&dropped), "{dropped} is no rule of gitleaks");
    }
    let n_used = 222 - 1 - ours.dropped.len() + ours.rules.len();
    assert_eq!(Rules::read().rules.len(), n_used);
}

#[test]
fn every_rule_compiles_and_has_keywords() {
    for rule in Rules::read().rules {
        let _ = rule.compiled();
        assert!(!rule.keywords.is_empty(), "{} would be tried on every text", rule.id);
        assert!(!rule.pattern.contains(HEAD), "{} has a head within", rule.id);
        assert!(!rule.pattern.contains(END_OF_TOKEN), "{} ends too soon", rule.id);
        if let Some(path) = &rule.path {
            assert!(compile_whole(path).is_some(), "{}", rule.id);
        }
    }
}

#[test]
fn all_but_a_few_rules_are_tried_at_keywords_alone() {
    let rules = Rules::read().rules;
    let elsewhere: Vec<&str> = rules
        .iter()
        .filter(|it| !matches!(it.compiled().reach, Reach::AtKeyword { .. }))
        .map(|it| &it.id[..])
        .collect();
    assert_eq!(elsewhere, ELSEWHERE, "each of these costs a pass over texts with its keyword");
}

#[test]
fn a_head_taken_off_changes_no_secret() {
    let gitleaks: RulesFile = toml::from_str(GITLEAKS).unwrap();
    let values =
        ["0123456789", "0a1b2c3d4e5f", "9f8e7d6c5b4a39281706f5e4d3c2b1a0", "Zx9-Qw8_Er7Ty6"];
    let mut n_compared = 0;
    for low in gitleaks.rules {
        let rule = Rule::from_low(low, Specificity::Vendor);
        let Some(rule) = rule.filter(|it| it.head_characters > 0) else { continue };
        let written = written_expression(&rule.id);
        let whole = compile_whole(&written).unwrap();
        let compiled = rule.compiled();
        let Reach::AtKeyword { max_bytes } = compiled.reach else { continue };
        for keyword in &rule.keywords {
            for length in 8..80 {
                let value = values.concat().repeat(2);
                let text = format!("let my-{keyword}_id = '{}';", &value[..length]);
                let mut expected = whole.create_captures();
                whole.captures(&text, &mut expected);
                let place = text.find(keyword).unwrap();
                let end = text.len().min(place + max_bytes);
                let input = Input::new(&text).range(place..end).anchored(Anchored::Yes);
                let mut found = compiled.regex.create_captures();
                compiled.regex.captures(input, &mut found);
                assert_eq!(found.get_group(1), expected.get_group(1), "{}: {text}", rule.id);
                n_compared += usize::from(expected.is_match());
            }
        }
    }
    assert!(n_compared > 50, "{n_compared}");
}

/// The expression of a rule of gitleaks as its file has it.
fn written_expression(id: &str) -> String {
    let file: RulesFile = toml::from_str(GITLEAKS).unwrap();
    file.rules.into_iter().find(|it| it.id == id).and_then(|it| it.regex).unwrap()
}
