//! Tests of the tables: each is read whole, every expression compiles and begins with its keywords.

use super::*;
use crate::privacy::{calls, names, providers};

#[test]
fn every_rule_compiles_and_its_keywords_are_found_at_its_beginning() {
    let rules = read();
    assert!(rules.len() > 15, "{}", rules.len());
    for rule in rules {
        let _ = rule.compiled();
        assert!(!rule.keywords.is_empty() && rule.within > 0, "{}", rule.id);
        assert!(rule.allowlists.iter().all(Allowlist::compiles), "{}", rule.id);
        if let Some(path) = &rule.path {
            assert!(compile_whole(path).is_some(), "{}", rule.id);
        }
    }
}

#[test]
fn every_provider_has_a_keyword_that_is_not_in_every_line() {
    let table = providers::table();
    assert!(table.len() > 250, "{}", table.len());
    for provider in table {
        let keywords = provider.keywords();
        assert!(!keywords.is_empty(), "{} is never found", provider.name);
        assert!(keywords.iter().all(|it| it.len() >= 2), "{}: {keywords:?}", provider.name);
    }
}

#[test]
fn names_calls_and_commands_are_read() {
    assert!(names::table().len() > 300);
    assert!(calls::calls().len() > 150);
    assert!(calls::commands().len() > 60);
}
