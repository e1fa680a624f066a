//! What the value of each setting must be, in a person's words, and which setting a misspelt one was to be.

/// One line a setting.
const EXPECTED: &[(&str, &str)] = &[
    ("cloud.compare_with", "the name of a model, in quotes"),
    ("cloud.daily_cap_usd", "a number of US dollars from 0 to 1000000"),
    ("cloud.enabled", "true or false"),
    ("cloud.keep_unsent", "true or false"),
    ("cloud.max_input_tokens", "a whole number from 500 to 1000000"),
    ("cloud.max_output_tokens", "a whole number from 64 to 200000"),
    ("cloud.monthly_cap_usd", "a number of US dollars from 0 to 1000000"),
    ("cloud.never_send", "a list of globs, each in quotes"),
    ("cloud.provider", "the name of a provider in `cloud.providers`, in quotes"),
    ("cloud.providers", "a list of tables, `[[cloud.providers]]`"),
    ("cloud.stall_seconds", "a whole number of seconds from 1 to 3600"),
    ("completion.disabled_languages", "a list of language ids, each in quotes"),
    ("completion.enabled", "true or false"),
    ("completion.generate_ms", "a whole number of milliseconds from 10 to 60000"),
    ("completion.in_comments", "true or false"),
    ("completion.in_strings", "true or false"),
    ("completion.level", "\"quiet\", \"balanced\" or \"eager\""),
    ("completion.max_lines", "a whole number from 1 to 64"),
    ("completion.max_tokens", "a whole number from 1 to 512"),
    ("completion.min_characters", "a whole number from 0 to 64"),
    ("completion.min_confidence", "a number from 0 to 1"),
    ("completion.min_lookup_confidence", "a number from 0.5 to 1"),
    ("completion.prefetch", "true or false"),
    ("completion.prefetch_on_battery", "true or false"),
    ("completion.retrieval", "true or false"),
    ("completion.server", "none, llama-server, ollama or openai, in quotes"),
    (
        "completion.server_key",
        "`keyring` or `env:VARIABLE` in quotes; a key itself does not belong there",
    ),
    ("completion.server_model", "the name of a model, in quotes"),
    ("completion.server_url", "an address such as http://127.0.0.1:8080, in quotes"),
    ("completion.speculative_tokens", "a whole number from 0 to 16"),
    ("completion.workspace_tokens", "a whole number from 0 to 16000000"),
    ("model.built_in", "\"keyside-nano-v2\" or \"keyside-nano-v1\""),
    ("model.context_tokens", "a whole number from 0 to 1048576"),
    ("model.folders", "a list of folders, each in quotes"),
    ("model.gpu_layers", "\"auto\", or a whole number from 0 to 1000"),
    ("model.instruct", "the path or the name of a GGUF file, in quotes"),
    ("model.instruct_context_tokens", "a whole number from 0 to 1048576"),
    ("model.instruct_idle_seconds", "a whole number of seconds from 1 to 86400"),
    ("model.instruct_memory_mib", "a whole number of MiB from 0 to 16777216"),
    (
        "model.lora",
        "a list of tables, `[[model.lora]]`, each with a path, and a scale from -16 to 16 and the folder of a workspace if need be",
    ),
    ("model.memory_mib", "a whole number of MiB from 0 to 16777216"),
    ("model.path", "the path of a GGUF file, in quotes"),
    ("model.threads", "a whole number from 0 to 1024"),
    ("sandbox.required", "true or false"),
];

/// Settings that once had another name, by that name.
const RENAMED: &[(&str, &str)] = &[
    ("completion.adapt", "completion.retrieval"),
    ("completion.ahead", "completion.prefetch"),
    ("completion.ahead_on_battery", "completion.prefetch_on_battery"),
    ("completion.draft_tokens", "completion.speculative_tokens"),
    ("completion.min_counts_confidence", "completion.min_lookup_confidence"),
];

/// Below this two names have nothing to do with each other; 1 is the same name.
const MIN_SIMILARITY: f64 = 0.7;

/// What a setting's value must be; nothing for a key that is no setting.
pub fn expected(key: &str) -> &'static str {
    EXPECTED.iter().find(|(it, _)| *it == key).map_or("", |(_, must_be)| must_be)
}

/// The present name of a setting by its old one.
pub fn renamed(key: &str) -> Option<&'static str> {
    RENAMED.iter().find(|(old, _)| *old == key).map(|(_, new)| *new)
}

/// The table or the setting that a key was probably to be: of its last part, because a setting may have been written into the wrong
/// table, or of all of it.
pub fn nearest_setting(key: &str) -> Option<&'static str> {
    let own = plain(key);
    let own_last = plain(last_part(key));
    let tables =
        ["cloud", "completion", "model", "sandbox"].into_iter().filter(|_| !key.contains('.'));
    let score = |it: &'static str| {
        let last = strsim::normalized_damerau_levenshtein(&own_last, &plain(last_part(it)));
        let whole = strsim::normalized_damerau_levenshtein(&own, &plain(it));
        // Of settings that are named alike, the one in the same table.
        (last.max(whole) * 1_000.0) as u64 * 1_000 + (whole * 999.0) as u64
    };
    let all = tables.chain(EXPECTED.iter().map(|(it, _)| *it));
    let best = all.map(|it| (score(it), it)).max()?;
    (best.0 >= (MIN_SIMILARITY * 1_000_000.0) as u64).then_some(best.1)
}

fn last_part(key: &str) -> &str {
    key.rsplit('.').next().unwrap_or(key)
}

/// `maxLines` and `max-lines` are `max_lines`.
fn plain(name: &str) -> String {
    name.chars().filter(|it| !"_- ".contains(*it)).collect::<String>().to_lowercase()
}

/// The nearest of some names, if one is near.
pub fn nearest<'a>(name: &str, all: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let name = plain(name);
    let similarity = |it: &str| strsim::normalized_damerau_levenshtein(&name, &plain(it));
    let mut best = (MIN_SIMILARITY, None);
    for it in all {
        let similarity = similarity(it);
        if similarity >= best.0 {
            best = (similarity, Some(it));
        }
    }
    best.1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, layers};

    #[test]
    fn every_setting_has_words() {
        let keys: Vec<String> =
            layers::flat(&Config::default()).into_iter().map(|(key, _)| key).collect();
        assert_eq!(keys, EXPECTED.iter().map(|(key, _)| *key).collect::<Vec<_>>());
    }

    #[test]
    fn a_misspelt_setting_has_a_nearest_one() {
        for (key, nearest) in [
            ("completion.max_token", Some("completion.max_tokens")),
            ("completion.maxLines", Some("completion.max_lines")),
            ("completion.max-lines", Some("completion.max_lines")),
            ("completion.enabld", Some("completion.enabled")),
            ("cloud.enable", Some("cloud.enabled")),
            ("model.max_lines", Some("completion.max_lines")),
            ("max_lines", Some("completion.max_lines")),
            ("threads", Some("model.threads")),
            ("modle", Some("model")),
            ("complete", Some("completion")),
            ("model.file", None),
            ("theme", None),
            ("", None),
        ] {
            assert_eq!(nearest_setting(key), nearest, "{key}");
        }
    }
}
