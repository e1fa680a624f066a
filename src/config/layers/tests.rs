//! From settings as people write them to what is in force, and what is said of the rest.

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
    assert!(
        resolved
            .notes
            .iter()
            .any(|it| it.starts_with("`modle` (did you mean `model`?) in file is not"))
    );
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
    for values in [json!([1]), json!("x"), json!({"model": 3})] {
        let resolved = resolve(&[layer("editor", values)]);
        assert_eq!(resolved.config, Config::default());
        assert_eq!(resolved.notes.len(), 1);
    }
    for values in [json!(null), json!([]), json!({"model": []}), json!({"model": null})] {
        assert!(resolve(&[layer("editor", values)]).notes.is_empty());
    }
}

#[test]
fn what_is_no_setting_is_said_in_one_sentence() {
    let resolved = resolve(&[
        layer("file", json!({"completion": {"max_token": 1}, "theme": "dark", "modle": {}})),
        layer("editor", json!({"completion": {"maxLines": 1}, "a": 1, "b": 1, "c": 1, "d": 1})),
    ]);
    assert_eq!(
        resolved.notes,
        [
            "`completion.max_token` (did you mean `completion.max_tokens`?), `modle` (did you mean `model`?) and `theme` in file, \
          `a`, `b` and `c` in editor, and 2 more, are not settings of keyside; `keyside config show` lists all that there are"
        ]
    );
}

#[test]
fn an_old_name_is_not_followed_and_the_new_one_is_told() {
    let old = json!({"adapt": false, "draft_tokens": 0, "max_tokens": 9});
    let resolved = resolve(&[
        layer("file", json!({ "completion": old })),
        layer("editor", json!({"completion": {"ahead": false}})),
    ]);
    assert_eq!(
        resolved.notes,
        [
            "in file, `completion.adapt` is now `completion.retrieval` and `completion.draft_tokens` is now \
             `completion.speculative_tokens`; rename them there, until then they are not used",
            "in editor, `completion.ahead` is now `completion.prefetch`; rename it there, until then it is not used",
        ]
    );
    let completion = &resolved.config.completion;
    assert!(completion.retrieval && completion.prefetch);
    assert_eq!((completion.speculative_tokens, completion.max_tokens), (3, 9));
    // Every new name is that of a setting, and no old one is.
    let settings: Vec<String> = flat(&Config::default()).into_iter().map(|it| it.0).collect();
    for old in ["adapt", "ahead", "ahead_on_battery", "draft_tokens", "min_counts_confidence"] {
        let old = format!("completion.{old}");
        let new = renamed(&old).expect("an old name");
        assert!(settings.iter().any(|it| it == new) && !settings.contains(&old), "{old} {new}");
    }
}

#[test]
fn what_a_value_must_be_is_said_in_a_persons_words() {
    for (key, bad, must_be) in [
        ("completion.max_lines", json!("x"), "a whole number from 1 to 64"),
        ("completion.max_lines", json!(-1), "a whole number from 1 to 64"),
        ("completion.max_lines", json!(1.5), "a whole number from 1 to 64"),
        ("completion.max_lines", json!(65), "a whole number from 1 to 64"),
        ("completion.max_lines", json!([1]), "a whole number from 1 to 64"),
        ("completion.max_lines", json!({"a": 1}), "a whole number from 1 to 64"),
        ("completion.enabled", json!("yes"), "true or false"),
        ("completion.min_confidence", json!("high"), "a number from 0 to 1"),
        ("completion.min_confidence", json!(2), "a number from 0 to 1"),
        ("completion.disabled_languages", json!("rust"), "a list of language ids, each in quotes"),
        ("completion.disabled_languages", json!([1]), "a list of language ids, each in quotes"),
        ("model.path", json!(1), "the path of a GGUF file, in quotes"),
        ("cloud.providers", json!({}), "a list of tables, `[[cloud.providers]]`"),
        ("cloud.stall_seconds", json!(0), "a whole number of seconds from 1 to 3600"),
    ] {
        let (table, name) = key.split_once('.').unwrap();
        let resolved = resolve(&[layer("file", json!({table: {name: bad}}))]);
        let expected = format!("`{key}` in file is not used: it must be {must_be}");
        assert_eq!(resolved.notes, [expected]);
    }
}

#[test]
fn languages_that_no_editor_knows_are_followed_and_named() {
    let languages = json!(["Rust", "markdwon", "qwertz"]);
    let resolved =
        resolve(&[layer("file", json!({"completion": {"disabled_languages": languages}}))]);
    assert!(!resolved.config.completion.suggests_in("qwertz"));
    assert!(!resolved.config.completion.suggests_in("rust"));
    assert_eq!(
        resolved.notes,
        [
            "`completion.disabled_languages` in file names `markdwon` (did you mean `markdown`?) and `qwertz`, which keyside does not \
          know as a language id of an editor"
        ]
    );
}

#[test]
fn the_editor_may_wrap_its_settings() {
    for (settings, own) in [
        (json!({"keyside": {"a": 1}}), json!({"a": 1})),
        (json!({"keyside": {"a": 1}, "completion": {}}), json!({"a": 1})),
        (json!({"keyside.model.path": "x"}), json!({"model": {"path": "x"}})),
        (
            json!({"keyside": {"model": {"threads": 1}}, "keyside.model.path": "x"}),
            json!({"model": {"threads": 1, "path": "x"}}),
        ),
    ] {
        assert_eq!(editor_values(&settings), own);
        assert_eq!(shared_values(&settings), own);
    }
    assert_eq!(editor_values(&json!({"a": 1, "editorInfo": {"name": "x"}})), json!({"a": 1}));
}

#[test]
fn settings_of_other_programs_are_not_keysides() {
    let shared = json!({
        "rust-analyzer": {"completion": {"limit": 1}}, "python": {}, "editor.tabSize": 4, "modules": 1,
        "completion": {"max_lines": 2}, "complation": {"max_lines": 3},
    });
    let own = json!({"completion": {"max_lines": 2}, "complation": {"max_lines": 3}});
    assert_eq!(shared_values(&shared), own);
    assert_eq!(shared_values(&json!({})), json!({}));
}

#[test]
fn only_the_users_file_says_what_is_loaded_and_what_is_kept_out() {
    let values = json!({"model": {"path": "/w/a.gguf", "folders": ["/w"], "threads": 2},
            "sandbox": {"required": true}});
    let resolved = resolve(&[layer("editor", values.clone())]);
    assert_eq!(resolved.config.model.threads, 2);
    assert!(!resolved.config.sandbox.required && resolved.config.model.path.is_empty());
    assert!(resolved.config.model.folders.is_empty());
    for (key, what) in [
        ("model.path", "which file is loaded"),
        ("model.folders", "which file is loaded"),
        ("sandbox.required", "what keyside is kept from"),
    ] {
        let note = format!(
            "`{key}` in editor is not used: {what} is followed only in your own settings file"
        );
        assert!(resolved.notes.contains(&note), "{:?}", resolved.notes);
    }
    let resolved = resolve(&[layer("file", values)]);
    assert!(resolved.notes.is_empty(), "{:?}", resolved.notes);
    assert!(resolved.config.sandbox.required && resolved.config.model.path == "/w/a.gguf");
    // What the file names is not taken back either.
    let file = layer("file", json!({"model": {"path": "/mine.gguf"}}));
    let resolved = resolve(&[file, layer("editor", json!({"model": {"path": ""}}))]);
    assert_eq!(resolved.config.model.path, "/mine.gguf");
}
