//! From what was written in several places to the settings in force, each with where it came from.
//!
//! Layers are merged key by key, the later over the earlier. A key that is unknown, of the wrong type
//! or out of bounds costs only itself: it is reported by name and everything else holds.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::config::expected::{expected, nearest_setting, renamed};
use crate::config::{Config, languages, providers};
use crate::files;

/// Where a value was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    /// For people: `default`, the file's path, `editor`.
    pub source: String,
    pub values: Value,
    /// Whether it is the user's own settings file, the only place where some settings are followed.
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
    let mut unknown: Vec<(&str, Vec<String>)> = Vec::new();
    for layer in layers {
        let mut found = Found::default();
        let mut values = layer.values.clone();
        values.sort_all_objects();
        found.collect(&values, &known, String::new());
        let (old, others) = found.unknown.into_iter().partition(|it| renamed(it).is_some());
        resolved.notes.extend(renamed_note(&layer.source, old));
        unknown.push((&layer.source, others));
        for table in found.no_tables {
            resolved.notes.push(format!("{table} in {} must be a table of settings", layer.source));
        }
        for (key, value) in found.leaves {
            if let Some(what) = users_alone(&key).filter(|_| !layer.is_users_file) {
                resolved.notes.push(format!(
                    "`{key}` in {} is not used: {what} is followed only in your own settings file",
                    layer.source
                ));
                continue;
            }
            let value = match key.as_str() {
                "cloud.providers" => providers::usable(value, &layer.source, &mut resolved.notes),
                _ => value,
            };
            let is_languages = key == "completion.disabled_languages";
            let mut tree = tree_of(&resolved.config);
            set(&mut tree, &key, value);
            match serde_json::from_value::<Config>(tree) {
                Err(_) => resolved.notes.push(format!(
                    "`{key}` in {} is not used: it must be {}",
                    layer.source,
                    expected(&key)
                )),
                Ok(config) => match config.faults() {
                    Some((at, must_be)) => resolved.notes.push(format!(
                        "`{at}` in {} is not used: it must be {must_be}",
                        layer.source
                    )),
                    None => {
                        resolved.config = config;
                        let languages = &resolved.config.completion.disabled_languages;
                        let note = languages_note(languages, &layer.source);
                        resolved.notes.extend(note.filter(|_| is_languages));
                        resolved.origins.insert(key, layer.source.clone());
                    }
                },
            }
        }
    }
    resolved.notes.extend(unknown_note(&unknown));
    resolved
}

/// What a setting decides, if it is the user's alone to decide: what an editor sends may come from a workspace.
fn users_alone(key: &str) -> Option<&'static str> {
    match key.split_once('.') {
        Some(("cloud", _))
        | Some(("completion", "server" | "server_url" | "server_model" | "server_key")) => {
            Some("where text may go")
        }
        Some(("sandbox", _)) => Some("what keyside is kept from"),
        // llama.cpp reads it, which is much code for a file that somebody else has chosen.
        Some(("model", "path" | "folders" | "instruct" | "lora")) => Some("which file is loaded"),
        _ => None,
    }
}

/// One sentence for all settings of a layer that stand there under their old names. Their values are not
/// used: an old value must not come into force silently.
fn renamed_note(source: &str, old: Vec<String>) -> Option<String> {
    let with_new = |it: String| renamed(&it).map(|new| format!("`{it}` is now `{new}`"));
    let names: Vec<String> = old.into_iter().filter_map(with_new).collect();
    let it_is = if names.len() == 1 { ["it", "it is"] } else { ["them", "they are"] };
    let [it, it_is] = it_is;
    (!names.is_empty()).then(|| {
        format!("in {source}, {}; rename {it} there, until then {it_is} not used", listed(&names))
    })
}

/// Names that a note holds, of however many.
const MAX_NAMES: usize = 6;

/// One sentence for everything that is no setting, in all layers.
fn unknown_note(unknown: &[(&str, Vec<String>)]) -> Option<String> {
    let n: usize = unknown.iter().map(|(_, keys)| keys.len()).sum();
    let mut room = MAX_NAMES;
    let mut places = Vec::new();
    for (source, keys) in unknown {
        let names: Vec<String> = keys
            .iter()
            .take(room)
            .map(|key| match nearest_setting(key) {
                Some(meant) => format!("`{key}` (did you mean `{meant}`?)"),
                None => format!("`{key}`"),
            })
            .collect();
        room -= names.len();
        if !names.is_empty() {
            places.push(format!("{} in {source}", listed(&names)));
        }
    }
    let is = if n == 1 { "is not a setting of keyside" } else { "are not settings of keyside" };
    let more = if n > MAX_NAMES { format!(", and {} more,", n - MAX_NAMES) } else { String::new() };
    let places = places.join(", ");
    (n > 0).then(|| format!("{places}{more} {is}; `keyside config show` lists all that there are"))
}

/// Of languages that no editor is known to have. They are followed all the same: an editor may have names of its own.
fn languages_note(languages: &[String], source: &str) -> Option<String> {
    let doubts: Vec<String> = languages.iter().filter_map(|it| languages::doubt(it)).collect();
    let names = listed(&doubts[..doubts.len().min(MAX_NAMES)]);
    (!doubts.is_empty()).then(|| {
        format!(
            "`completion.disabled_languages` in {source} names {names}, which keyside does not know as a language id of an editor"
        )
    })
}

fn listed(names: &[String]) -> String {
    match names.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
        None => String::new(),
    }
}

/// The settings in a client's `initializationOptions`: either the tree itself, or the tree under `keyside`.
pub fn editor_values(settings: &Value) -> Value {
    let mut values = own_values(settings).unwrap_or_else(|| settings.clone());
    if let Value::Object(values) = &mut values {
        // What clients of other servers say of themselves there.
        values.retain(|key, _| !["editorInfo", "editorPluginInfo"].contains(&key.as_str()));
    }
    values
}

/// The settings in `workspace/didChangeConfiguration`, where an editor may send those of all its programs: what is not under `keyside`
/// is keyside's only if it has a name of keyside's, or nearly so.
pub fn shared_values(settings: &Value) -> Value {
    if let Some(own) = own_values(settings) {
        return own;
    }
    let Value::Object(values) = settings else { return settings.clone() };
    let is_own = |key: &str| {
        tree_of(&Config::default()).as_object().is_some_and(|known| {
            known.keys().any(|it| strsim::normalized_damerau_levenshtein(it, key) >= 0.8)
        })
    };
    values.iter().filter(|(key, _)| is_own(key)).map(|(k, v)| (k.clone(), v.clone())).collect()
}

/// What is under `keyside`, as a tree or as `keyside.completion.enabled` and the like.
fn own_values(settings: &Value) -> Option<Value> {
    let settings = settings.as_object()?;
    let mut own = settings.get("keyside").cloned();
    for (key, value) in settings {
        let Some(key) = key.strip_prefix("keyside.") else { continue };
        let mut tree = value.clone();
        for part in key.rsplit('.') {
            tree = Value::Object([(part.to_owned(), tree)].into_iter().collect());
        }
        merge(own.get_or_insert_default(), tree);
    }
    own
}

fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from,
    }
}

/// How the sentences of [`read_file`] end.
pub const NOT_USED: &str = "its settings are not used";

/// Reads the settings file. A missing file is an empty layer.
///
/// # Errors
/// One sentence for the user.
pub fn read_file(path: &std::path::Path) -> Result<Layer, String> {
    let source = path.display().to_string();
    let text = match files::read_text(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => {
            return Err(format!("{source} can't be read ({error}); {NOT_USED}"));
        }
    };
    let values = toml::from_str::<Value>(&text).map_err(|error| {
        let line =
            error.span().map_or(0, |span| text[..span.start.min(text.len())].lines().count());
        format!(
            "{source} is not valid TOML (line {}): {}; correct it, {NOT_USED}",
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
    let mut tree = serde_json::to_value(config).unwrap_or_default();
    tree.sort_all_objects();
    tree
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

/// What stands in a layer.
#[derive(Default)]
struct Found {
    leaves: Vec<(String, Value)>,
    unknown: Vec<String>,
    /// Names of tables that are something else.
    no_tables: Vec<String>,
}

impl Found {
    fn collect(&mut self, values: &Value, known: &Value, prefix: String) {
        match (values, known) {
            (Value::Null, _) => {}
            (Value::Object(map), Value::Object(known)) => {
                for (key, value) in map {
                    let dotted = join(&prefix, key);
                    match known.get(key) {
                        Some(known) => self.collect(value, known, dotted),
                        None => self.unknown.push(dotted),
                    }
                }
            }
            // An empty table of Lua's.
            (Value::Array(list), Value::Object(_)) if list.is_empty() => {}
            (_, Value::Object(_)) if prefix.is_empty() => {
                self.no_tables.push("what stands".to_owned());
            }
            (_, Value::Object(_)) => self.no_tables.push(format!("`{prefix}`")),
            (value, _) => self.leaves.push((prefix, value.clone())),
        }
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
mod tests;
