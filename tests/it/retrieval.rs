//! What a document's own text adds to what the model says, from outside.

use serde_json::{Value, json};

use keyside::lm::backend::Backend;
use keyside::lm::backend::scripted::{Script, ScriptedBackend};
use keyside::lm::registry::{ModelSpec, Registry};
use keyside::retrieval::ngram_table::NgramTable;
use keyside::text::language::{Language, NgramGroup};

use crate::support::{
    Client, Ghost, TempFolder, frozen, inline_params, keyside, project, run, until,
};

const URI: &str = "file:///home/me/project/src/a.rs";
/// Calls that no model has seen.
const BEFORE: &str = "fn setup(pool: &mut Pool) {\n    \
    let near = acquire_frobnicator(pool, Zone::NEAR_FIELD);\n    \
    let far = acquire_frobnicator(pool, Zone::NEAR_FIELD);\n    \
    log(near, far);\n}\n\nfn more(pool: &mut Pool) {\n    let third = acq";
const AFTER: &str = "\n    log(third, third);\n}\n";

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
async fn a_documents_own_names_come_back_and_changed_ones_at_once() {
    let client = Client::with_embedded_model();
    client.initialize(&["utf-16"]).await;
    client.open(URI, &format!("{BEFORE}uire_frobnicator(pool, Zone::{AFTER}"));
    client.model_ready().await;
    let ghost = client.ghost(URI, 7, 48).await.expect("ghost text").text;
    assert!(ghost.starts_with("NEAR_FIELD"), "{ghost}");
    // The zone is another one now, in both lines above.
    let zone = |line: usize, from: usize| {
        let to = from + "NEAR_FIELD".len();
        let range = json!({"start": {"line": line, "character": from}, "end": {"line": line, "character": to}});
        json!({"range": range, "text": "OUTER_RIM"})
    };
    let first = BEFORE.lines().nth(1).unwrap().find("NEAR").unwrap();
    let second = BEFORE.lines().nth(2).unwrap().find("NEAR").unwrap();
    client.change(URI, 2, json!([zone(1, first), zone(2, second)]));
    let ghost = client.ghost(URI, 7, 48).await.expect("ghost text").text;
    assert!(ghost.starts_with("OUTER_RIM"), "{ghost}");
    client.assert_no_faults();
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
async fn other_open_documents_of_the_language_tell_too() {
    let other = BEFORE.rsplit_once("\n\n").unwrap().0;
    let here = "fn more(pool: &mut Pool) {\n    let third = acquire_frobnicator(";
    let client = Client::with_embedded_model();
    client.initialize(&["utf-16"]).await;
    client.model_ready().await;
    let right = Some("pool, Zone::NEAR_FIELD);");
    client.open(URI, here);
    let alone = client.ghost(URI, 1, 36).await.map(|it| it.text);
    assert_ne!(alone.as_deref(), right);
    let beside = "file:///home/me/project/src/b.rs";
    client.open(beside, other);
    // Once it is known that no ignore file names it.
    let text = async || client.ghost(URI, 1, 36).await.map(|it| it.text);
    until(async || text().await.filter(|it| Some(it.as_str()) == right)).await;
    // What is closed is not looked at any more.
    client.notify("textDocument/didClose", json!({"textDocument": {"uri": beside}}));
    assert_eq!(text().await, alone);
    client.assert_no_faults();
}

#[test]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
fn the_corpus_knows_what_a_language_says_again_and_again() {
    let home = TempFolder::new();
    let model = Registry::new(home.0.clone()).load(&ModelSpec::embedded()).unwrap();
    let info = model.info();
    let counts = NgramTable::embedded_for(info).expect("counts of the built-in model's tokens");
    let group_of = |id: &str, path: &str| Language::of(id, path).and_then(|it| it.ngram_group);
    let likeliest = |path: &str, text: &str| {
        let mut history = Vec::new();
        info.tokenizer.tokenize(text, &mut history);
        let group = group_of("", path).expect("a language of the corpus");
        let [longest, _] = counts.longest_matches(group, &history, None);
        let (token, _) = longest.expect("it occurs").next[0];
        String::from_utf8_lossy(model.vocabulary().bytes_of(token)).into_owned()
    };
    assert_eq!(likeliest("a.rs", "use std::collections"), "::");
    assert_eq!(likeliest("a.rs", "    #[derive(Debug,"), " Clone");
    assert_eq!(likeliest("a.py", "if __name__ =="), " \"__");
    assert_eq!(likeliest("a.ts", "export default"), " function");
    assert_eq!(likeliest("a.js", "module.exports"), " =");
    assert!(group_of("", "a.txt").is_none());
    assert_eq!(group_of("typescriptreact", "untitled"), Some(NgramGroup::Script));
    let other = ScriptedBackend::new(Script::saying(""));
    assert!(NgramTable::embedded_for(other.info()).is_none(), "another model has other tokens");
}

/// `keyside eval` on a few frozen files, in `home`.
fn evaluate(home: &TempFolder, arguments: &[&str]) -> (Value, String) {
    let text = home.0.join("text");
    std::fs::create_dir_all(&text).unwrap();
    let mut lines = String::new();
    for path in ["lib/text/edit.rs", "lib/prompt/window.rs", "lib/stdx/cancel.rs"] {
        let file = json!({"lang": "rust", "pkg": "keyside", "path": path, "text": frozen(path)});
        lines.push_str(&format!("{file}\n"));
    }
    // Ten calls that no model has seen, six times each.
    let names =
        ["frob", "quux", "zorch", "blit", "snarf", "munge", "twiddle", "grok", "kludge", "hork"];
    let calls = (0..60).map(|n| {
        let name = names[n * 7 % 10];
        format!("    register_{name}(pool, {}_DEFAULTS, on_{name}_done);\n", name.to_uppercase())
    });
    let file = json!({"pkg": "keyside", "path": "calls.rs", "text": calls.collect::<String>()});
    lines.push_str(&format!("{file}\n"));
    std::fs::write(text.join("rust.heldout.jsonl"), lines).unwrap();
    let json = home.0.join("figures.json");
    let mut command =
        keyside(&home.0, &["eval", "--cases", "24", "--blocks", "3", "--typed", "150"]);
    command.arg("--text").arg(&text).arg("--json").arg(&json).args(arguments);
    let output = run(command, "");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    let figures = std::fs::read(&json).unwrap();
    let rows = String::from_utf8_lossy(&output.stdout).into_owned();
    (serde_json::from_slice(&figures).unwrap(), rows)
}

#[test]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
fn eval_gives_the_same_figures_each_time_and_counts_tell_something() {
    let home = TempFolder::new();
    // Blocks and typing depend on the machine: how the engine cuts a prompt into batches follows its
    // speed, and with it the last digits of a probability.
    let without_engine = |(mut figures, _): (Value, String)| {
        let language = figures["languages"][0].as_object_mut().unwrap();
        let typing = language.remove("typing").unwrap();
        assert_eq!(language.remove("block").unwrap()["n"], 3);
        assert!(typing["n_characters"].as_u64().unwrap() >= 150);
        assert!(typing["median_ms"].as_f64().unwrap() > 0.0);
        figures
    };
    let positions = home.0.join("positions.jsonl");
    let first = evaluate(&home, &["--positions", positions.to_str().unwrap()]);
    assert_eq!(first.1.lines().count(), 3, "a head and one row: {}", first.1);
    let first = without_engine(first);
    assert_eq!(first, without_engine(evaluate(&home, &[])));
    let alone = without_engine(evaluate(&home, &["--alone"]));
    let no_corpus = without_engine(evaluate(&home, &["--no-ngrams"]));
    let bits = |figures: &Value| figures["languages"][0]["bits_per_byte"].as_f64().unwrap();
    assert!(bits(&first) < bits(&no_corpus) && bits(&no_corpus) < bits(&alone), "{first} {alone}");
    assert!(bits(&first) > 0.01, "{first}");
    let rust = &first["languages"][0];
    assert_eq!(rust["rest_of_line"]["n"], 24);

    // Each position's candidates hold the right token, with a distribution for the model and each source.
    let positions = std::fs::read_to_string(positions).unwrap();
    assert!(positions.lines().count() > 60);
    let mut n_places = 0;
    for line in positions.lines() {
        let position: Value = serde_json::from_str(line).unwrap();
        let distributions = position["distributions"].as_array().unwrap();
        assert_eq!(distributions.len(), 3);
        let target = position["target"].as_u64().unwrap() as usize;
        assert!(distributions[0][target].as_f64().unwrap() > 0.0, "{line}");
        assert_eq!(position["ngrams"].as_array().unwrap().len(), 2);
        let places = position["contexts"].as_str().unwrap();
        n_places += places.len() / 44;
        assert_eq!(places.len() % 44, 0, "two bytes and twenty: {places}");
        let n_candidates = distributions[0].as_array().unwrap().len();
        for at in (0..places.len()).step_by(44) {
            assert!(usize::from_str_radix(&places[at..at + 4], 16).unwrap() < n_candidates);
        }
    }
    assert!(n_places > 500, "{n_places}");
}

#[test]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
fn eval_and_tokenize_say_what_is_wrong_with_what_they_are_given() {
    let home = TempFolder::new();
    let ask = |arguments: &[&str], input: &str| {
        let output = run(keyside(&home.0, arguments), input);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code(), said, String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let folder = home.0.to_str().unwrap();
    let (code, said, _) = ask(&["eval", "--text", folder], "");
    assert_eq!(code, Some(1));
    assert!(said.contains("has no LANGUAGE.heldout.jsonl; make the corpus first"), "{said}");
    std::fs::write(home.0.join("c.heldout.jsonl"), "{\"pkg\": 1}\n").unwrap();
    let (code, said, _) = ask(&["eval", "--text", folder], "");
    assert_eq!(code, Some(1));
    assert!(said.contains("line 1 of c.heldout.jsonl is not usable"), "{said}");
    let (code, said, _) = ask(&["tokenize"], "no json\n");
    assert_eq!(code, Some(1));
    assert!(said.contains("line 1 is not a JSON string"), "{said}");
    let (code, _, out) = ask(&["tokenize"], "\"let x\"\n\"\"\n\"<|endoftext|>\"\n");
    let rows: Vec<Vec<i32>> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((code, rows.len(), rows[0].len(), rows[1].len()), (Some(0), 3, 2, 0));
    // A marker that is spelled in a text is text.
    assert!(rows[2].len() > 3, "{rows:?}");
}

/// What is suggested at places of a file of the frozen workspace, with the rest of it as the workspace; and how
/// many tokens were generated, and of these expected.
async fn suggested(speculative_tokens: usize) -> (Vec<Option<String>>, u64, u64) {
    let client = Client::with_embedded_model();
    let root = format!("file://{}", project("").display());
    let params = json!({
        "processId": null,
        "rootUri": root,
        "capabilities": {"textDocument": {"inlineCompletion": {}}, "general": {"positionEncodings": ["utf-8"]}},
        // Unsure as well, so that generations are long.
        "initializationOptions": {"completion": {
            "speculative_tokens": speculative_tokens,
            "min_confidence": 0.01,
            // What is ready when a key comes would depend on the time.
            "prefetch": false,
        }},
    });
    client.initialize_with(params).await;
    let uri = format!("{root}/lib/lsp/server.rs");
    let text = frozen("lib/lsp/server.rs");
    client.open(&uri, &text);
    client.model_ready().await;
    client.ghost(&uri, 60, 0).await;
    let indexed =
        async || (client.stats().await["workspace"][0]["building"] == false).then_some(());
    until(indexed).await;
    let before = client.stats().await["engine"].clone();
    let mut texts = Vec::new();
    for (number, line) in text.lines().enumerate().skip(70).take(120) {
        let Some(indent) = line.find(|it: char| !it.is_whitespace()) else { continue };
        for column in [indent + 1, indent + (line.len() - indent) / 2] {
            let params = inline_params(&uri, number, column);
            let answer = client.ask("textDocument/inlineCompletion", params).await;
            texts.push(Ghost::of(&answer).map(|it| it.text));
        }
    }
    let after = client.stats().await["engine"].clone();
    let grown = |name: &str| after[name].as_u64().unwrap() - before[name].as_u64().unwrap();
    (texts, grown("generated_tokens"), grown("speculative_tokens"))
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
async fn drafts_save_steps_and_change_nothing() {
    let (plain, n_plain, none) = suggested(0).await;
    let (drafted, n_generated, n_drafted) = suggested(3).await;
    assert_eq!(none, 0);
    // Batches of another size change the last digits of a probability, which two equally likely tokens show. With so low a
    // limit of confidence and so small a workspace, two in a hundred texts have such a place.
    let n_different = plain.iter().zip(&drafted).filter(|(a, b)| a != b).count();
    assert!(n_different * 100 <= 3 * plain.len(), "{n_different} of {}", plain.len());
    let steps = n_generated - n_drafted;
    println!(
        "{n_plain} tokens in {n_plain} steps, {n_generated} in {steps}; {n_different} of {} differ",
        plain.len()
    );
    assert!(steps * 3 < n_plain * 2, "{n_generated} tokens in {steps} steps");
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
async fn what_the_text_leaves_no_doubt_of_is_answered_without_the_model() {
    let home = TempFolder::new();
    std::fs::write(home.0.join("config.toml"), "").unwrap();
    let client = Client::real_process_in(home);
    client.initialize(&["utf-8"]).await;
    client.model_ready().await;
    let line = |n: usize| {
        format!(
            "    let name_{n} = {n};\n    registry.register(handler, Priority::from_level(level));\n"
        )
    };
    let lines: String = (0..9).map(line).collect();
    let text = format!("fn all() {{\n{lines}    let last = 7;\n    registry.reg\n}}\n");
    let uri = "file:///home/me/project/src/a.rs";
    client.open(uri, &text);
    let ghost = client.ghost(uri, 20, 16).await.expect("a ghost");
    assert_eq!(ghost.text, "register(handler, Priority::from_level(level));");
    let stats = client.stats().await;
    assert_eq!(stats["last"]["source"], "lookup", "{stats}");
    assert_eq!(stats["engine"]["by_lookup"], 1);
    assert_eq!(stats["engine"]["evaluated_tokens"], 0, "the model was not asked");

    // An explicit request gets the model's suggestion too.
    let mut params = inline_params(uri, 20, 16);
    params["context"]["triggerKind"] = json!(1);
    client.ask("textDocument/inlineCompletion", params).await;
    assert_ne!(client.stats().await["last"]["source"], "lookup");
    // Nothing of the kind stands in the text.
    client.type_at(uri, 2, 20, 16, "\n    while 2.5 > ");
    client.ghost(uri, 21, 16).await;
    assert_ne!(client.stats().await["last"]["source"], "lookup");
    client.assert_no_faults();
}
