//! The list of providers in the settings file, entry by entry: a bad one loses itself alone, and is named.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::config::cloud::Provider;

/// A word of the settings that is repeated in a message; what is longer, or has digits, might be a key in the wrong place.
const MAX_REPEATED_CHARS: usize = 24;

/// The entries of `cloud.providers` that can be used, with a sentence for each of the others. What is no list stays as it is.
pub(super) fn usable(list: Value, source: &str, notes: &mut Vec<String>) -> Value {
    let Value::Array(entries) = list else { return list };
    let mut names = BTreeSet::new();
    let usable = entries.into_iter().enumerate().filter(|(index, entry)| {
        let fault = match serde_json::from_value::<Provider>(entry.clone()) {
            Err(error) => Some(without_values(&error.to_string())),
            Ok(provider) => provider.fault().map(str::to_owned),
        };
        let name = entry["name"].as_str().unwrap_or_default();
        let fault = fault.or_else(|| {
            let is_new = names.insert(name.to_owned());
            (!is_new).then(|| "another one before it has the same `name`".to_owned())
        });
        if let Some(why) = &fault {
            let entry = described(name, index + 1);
            notes.push(format!("cloud.providers in {source}: {entry} is not used: {why}"));
        }
        fault.is_none()
    });
    Value::Array(usable.map(|(_, entry)| entry).collect())
}

/// `the provider "here"`, or `the provider number 2` of one without a name that can be said.
fn described(name: &str, number: usize) -> String {
    let is_short = name.chars().count() <= 2 * MAX_REPEATED_CHARS;
    if name.trim().is_empty() || !is_short || name.chars().any(char::is_control) {
        format!("the provider number {number}")
    } else {
        format!("the provider \"{name}\"")
    }
}

/// A parser's message that repeats no value which could be a key.
fn without_values(why: &str) -> String {
    const TYPE: &str = "something in it is not of the type that belongs there";
    let Some(rest) = why.strip_prefix("unknown variant `") else {
        return if why.starts_with("invalid") { TYPE.to_owned() } else { why.to_owned() };
    };
    let variant = rest.split('`').next().unwrap_or_default();
    let may_be_key =
        variant.chars().count() > MAX_REPEATED_CHARS || variant.chars().any(|it| it.is_numeric());
    if may_be_key { TYPE.to_owned() } else { why.to_owned() }
}
