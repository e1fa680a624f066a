//! `keyside config`: the settings in force, each with where it came from, and their schema.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::cli::{setup, terminal};
use crate::config::{Config, layers};

/// `keyside config show`.
///
/// # Errors
/// One sentence.
pub fn show(as_json: bool) -> Result<(), String> {
    let folders = setup::folders()?;
    let resolved = setup::settings(&folders);
    terminal::notes(&resolved.notes);
    let source = |key: &str| resolved.origins.get(key).map_or("default", String::as_str).to_owned();
    let settings = layers::flat(&resolved.config);
    let text = if as_json {
        let map: BTreeMap<String, Value> = settings
            .into_iter()
            .map(|(key, value)| (key.clone(), json!({"value": value, "source": source(&key)})))
            .collect();
        let json = serde_json::to_string_pretty(&map).unwrap_or_default();
        return terminal::print_json(&format!("{json}\n"));
    } else {
        let file = folders.config_file();
        let mut text = format!("# settings file: {}\n", file.display());
        for (key, value) in settings {
            text.push_str(&format!("{key} = {value}  # {}\n", source(&key)));
        }
        text
    };
    terminal::print(&text)
}

/// `keyside config schema`.
///
/// # Errors
/// One sentence.
pub fn schema() -> Result<(), String> {
    let mut schema = serde_json::Value::from(schemars::schema_for!(Config));
    schema.sort_all_objects();
    terminal::print_json(&format!(
        "{}\n",
        serde_json::to_string_pretty(&schema).unwrap_or_default()
    ))
}
