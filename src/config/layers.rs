//! From what was written in several places to the settings in force, each with where it came from.
//!
//! Layers are merged key by key, the later over the earlier. A key that is unknown, of the wrong type
//! or out of bounds costs only itself: it is reported by name and everything else holds.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::config::{Config, providers};

/// Where a value was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    /// For people: `default`, the file's path, `editor`.
    pub source: String,
    pub values: Value,
    /// Whether it is the user's own settings file, the only place where `cloud` is followed.
    pub is_users_file: bool,
}

impl Layer {
    /// What an editor sends, which may come from a workspace.
    pub fn of_editor(source: &str, values: Value) -> Self {
        Self { source: source.to_owned(), values, is_users_file: false }
    }
}

/// The outcome of merging.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Resolved {
    pub config: Config,
    /// Dotted key to the source of the value in force; keys with their default are left out.
    pub origins: BTreeMap<String, String>,
    /// One sentence for each value that was not followed.
    pub notes: Vec<String>,
}

/// Merges layers over the defaults.
pub fn resolve(layers: &[Layer]) -> Resolved {
    let mut resolved = Resolved::default();
    let known = tree_of(&resolved.config);
    for layer in layers {
        let mut leaves = Vec::new();
        collect(
            &layer.values,
            &known,
            String::new(),
            &layer.source,
            &mut leaves,
            &mut resolved.notes,
        );
        for (key, value) in leaves {
            if key.starts_with("cloud.") && !layer.is_users_file {
                resolved.notes.push(format!(
                    "{key} in {} is not used: where text may go is followed only in your own settings file",
                    layer.source
                ));
                continue;
            }
            let value = match key.as_str() {
                "cloud.providers" => providers::usable(value, &layer.source, &mut resolved.notes),
                _ => value,
            };
            let mut tree = tree_of(&resolved.config);
            set(&mut tree, &key, value);
            match serde_json::from_value::<Config>(tree) {
                Err(error) => {
                    let mut why = error.to_string();
                    // The value in the message might be a key that somebody put in the wrong place.
                    if key.starts_with("cloud.") && why.starts_with("invalid") {
                        "it is not of the type that belongs here".clone_into(&mut why);
                    }
                    resolved.notes.push(format!("{key} in {} is not used: {why}", layer.source));
                }
                Ok(config) => match config.faults() {
                    Some((at, must_be)) => resolved.notes.push(format!(
                        "{at} in {} is not used: it must be {must_be}",
                        layer.source
                    )),
                    None => {
                        resolved.config = config;
                        resolved.origins.insert(key, layer.source.clone());
                    }
                },
            }
        }
    }
    resolved
}

/// The settings of an editor's message: either the tree itself, or the tree under `keyside`.
pub fn editor_values(settings: &Value) -> Value {
    match settings.get("keyside") {
        Some(inner) => inner.clone(),
        None => settings.clone(),
    }
}

/// Reads the settings file. A missing file is an empty layer.
///
/// # Errors
/// One sentence for the user.
pub fn read_file(path: &std::path::Path) -> Result<Layer, String> {
    let source = path.display().to_string();
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => {
            return Err(format!("{source} can't be read ({error}); its settings are not used"));
        }
    };
    let values = toml::from_str::<Value>(&text).map_err(|error| {
        let line =
            error.span().map_or(0, |span| text[..span.start.min(text.len())].lines().count());
        format!(
            "{source} is not valid TOML (line {}): {}; correct it, its settings are not used",
            line.max(1),
            error.message()
        )
    })?;
    Ok(Layer { source, values, is_users_file: true })
}

/// Every setting in force as `(dotted key, value)`, in the order of the types.
pub fn flat(config: &Config) -> Vec<(String, Value)> {
    let mut out = Vec::new();
    flatten(&tree_of(config), String::new(), &mut out);
    out
}

fn tree_of(config: &Config) -> Value {
    serde_json::to_value(config).unwrap_or_default()
}

fn flatten(tree: &Value, prefix: String, out: &mut Vec<(String, Value)>) {
    match tree {
        Value::Object(map) => {
            for (key, value) in map {
                flatten(value, join(&prefix, key), out);
            }
        }
        value => out.push((prefix, value.clone())),
    }
}

fn collect(
    values: &Value,
    known: &Value,
    prefix: String,
    source: &str,
    leaves: &mut Vec<(String, Value)>,
    notes: &mut Vec<String>,
) {
    match (values, known) {
        (Value::Null, _) => {}
        (Value::Object(map), Value::Object(known)) => {
            for (key, value) in map {
                let dotted = join(&prefix, key);
                match known.get(key) {
                    Some(known) => collect(value, known, dotted, source, leaves, notes),
                    None => notes.push(format!(
                        "{dotted} in {source} is not a setting of keyside; see `keyside config show`"
                    )),
                }
            }
        }
        (_, Value::Object(_)) => {
            let name = if prefix.is_empty() { "the settings".to_owned() } else { prefix };
            notes.push(format!("{name} in {source} must be a table of settings"));
        }
        (value, _) => leaves.push((prefix, value.clone())),
    }
}

fn set(tree: &mut Value, key: &str, value: Value) {
    let mut at = tree;
    for part in key.split('.') {
        // Indexing an object by a new key adds it; `key` comes from a tree of objects.
        at = &mut at[part];
    }
    *at = value;
}

fn join(prefix: &str, key: &str) -> String {
    if prefix.is_empty() { key.to_owned() } else { format!("{prefix}.{key}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn layer(source: &str, values: Value) -> Layer {
        Layer { is_users_file: source == "file", ..Layer::of_editor(source, values) }
    }

    #[test]
    fn later_layers_win_key_by_key() {
        let resolved = resolve(&[
            layer("file", json!({"completion": {"max_lines": 3, "max_tokens": 9}})),
            layer("editor", json!({"completion": {"max_lines": 1}})),
        ]);
        assert_eq!(resolved.config.completion.max_lines, 1);
        assert_eq!(resolved.config.completion.max_tokens, 9);
        assert_eq!(resolved.origins["completion.max_lines"], "editor");
        assert_eq!(resolved.origins["completion.max_tokens"], "file");
        assert!(resolved.notes.is_empty());
    }

    #[test]
    fn a_bad_value_costs_only_itself() {
        let resolved = resolve(&[layer(
            "file",
            json!({"completion": {"max_lines": "x", "max_tokens": 0, "enabled": false}, "modle": 1}),
        )]);
        assert!(!resolved.config.completion.enabled);
        assert_eq!(resolved.config.completion.max_lines, 8);
        assert_eq!(resolved.notes.len(), 3, "{:?}", resolved.notes);
        assert!(resolved.notes.iter().any(|it| it.starts_with("modle in file is not a setting")));
    }

    #[test]
    fn only_the_users_file_says_where_text_goes() {
        let values = json!({"cloud": {
            "enabled": true,
            "daily_cap_usd": 1000.0,
            "never_send": [],
            "providers": [{"name": "x", "protocol": "openai-chat", "base_url": "https://example.org", "model": "m"}],
        }});
        let resolved = resolve(&[layer("editor", values.clone())]);
        assert_eq!(resolved.config, Config::default());
        assert_eq!(resolved.notes.len(), 4, "{:?}", resolved.notes);
        let resolved = resolve(&[layer("file", values)]);
        assert!(resolved.notes.is_empty(), "{:?}", resolved.notes);
        assert!(resolved.config.cloud.enabled);
        assert_eq!(resolved.config.cloud.providers[0].key, "keyring");
    }

    #[test]
    fn bad_providers_are_not_used() {
        let provider = |change: Value| {
            let mut it = json!({"name": "a", "protocol": "anthropic-messages", "model": "m"});
            for (key, value) in change.as_object().unwrap() {
                it[key] = value.clone();
            }
            json!({"cloud": {"providers": [it]}})
        };
        for (change, word) in [
            (json!({"key": "sk-ant-123"}), "cloud.providers"),
            (json!({"key": "env:"}), "cloud.providers"),
            (json!({"name": ""}), "cloud.providers"),
            (json!({"model": " "}), "cloud.providers"),
            (json!({"protocol": "smoke"}), "smoke"),
            (json!({"api_key": "sk-ant-123"}), "api_key"),
            (json!({"headers": "x-api-key: sk-ant-123"}), "type"),
            (json!({"auth": "sk-ant-123"}), "type"),
            (json!({"auth": "bearers"}), "bearers"),
            (json!({"prices": {"input": -1.0, "output": 1.0}}), "cloud.providers"),
        ] {
            let resolved = resolve(&[layer("file", provider(change))]);
            assert!(resolved.config.cloud.providers.is_empty());
            assert!(resolved.notes[0].contains(word), "{:?}", resolved.notes);
            assert!(!resolved.notes[0].contains("sk-ant"), "{:?}", resolved.notes);
        }
    }

    #[test]
    fn a_bad_provider_loses_itself_alone_and_is_named() {
        let good = |name: &str| json!({"name": name, "protocol": "openai-chat", "model": "m"});
        let mut key = good("with a key");
        key["key"] = json!("sk-ant-123");
        let nameless = json!({"protocol": "openai-chat", "model": "m"});
        let list = json!([good("a"), key, nameless, "x", good("b"), good("a")]);
        let resolved = resolve(&[layer("file", json!({"cloud": {"providers": list}}))]);
        let names = resolved.config.cloud.providers.iter().map(|it| it.name.as_str());
        assert_eq!(names.collect::<Vec<_>>(), ["a", "b"]);
        let begin = "cloud.providers in file: the provider";
        assert_eq!(
            resolved.notes,
            [
                format!(
                    "{begin} \"with a key\" is not used: `key` must say where the key is, `keyring` or `env:VARIABLE`; a key \
                     itself does not belong here"
                ),
                format!("{begin} number 3 is not used: missing field `name`"),
                format!(
                    "{begin} number 4 is not used: something in it is not of the type that belongs there"
                ),
                format!("{begin} \"a\" is not used: another one before it has the same `name`"),
            ]
        );
    }

    #[test]
    fn odd_shapes_are_reported() {
        for values in [json!([]), json!("x"), json!({"model": 3})] {
            let resolved = resolve(&[layer("editor", values)]);
            assert_eq!(resolved.config, Config::default());
            assert_eq!(resolved.notes.len(), 1);
        }
        assert!(resolve(&[layer("editor", Value::Null)]).notes.is_empty());
    }

    #[test]
    fn the_editor_may_wrap_its_settings() {
        assert_eq!(editor_values(&json!({"keyside": {"a": 1}})), json!({"a": 1}));
        assert_eq!(editor_values(&json!({"a": 1})), json!({"a": 1}));
    }
}
