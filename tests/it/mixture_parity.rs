//! The retrieval mixture, held to what the Python side reads and to recorded positions.
//!
//! `model/tests/test_mixture.py` compares the same files with the Python side, so neither can change
//! alone. Positions are recorded by `keyside eval --positions`; `tests/fixtures/mixture/README.md` says how.

use keyside::retrieval::attention::Component;
use keyside::retrieval::contexts::RetrievedContext;
use keyside::retrieval::features::{
    AttentionFeatures, FeatureSchema, MatchFeatures, ModelFeatures, N_HEADS, NgramFeatures,
};
use keyside::retrieval::mixture::{MixtureNetworks, NOT_ASKED, Retrieved};

use keyside::lm::{ModelConfidence, Token};
use serde_json::Value;

use crate::support::repository;

fn read(path: &str) -> String {
    std::fs::read_to_string(repository(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn numbers(value: &Value) -> Vec<f32> {
    let all = value.as_array().expect("a list").iter();
    all.map(|it| it.as_f64().expect("a number") as f32).collect()
}

fn array<const N: usize>(value: &Value) -> [f32; N] {
    numbers(value).try_into().expect("as many numbers as features")
}

/// Written with a few digits, or computed in another order.
fn assert_close(ours: &[f32], recorded: &[f32], what: &str) {
    assert_eq!(ours.len(), recorded.len(), "{what}");
    for (a, b) in ours.iter().zip(recorded) {
        assert!((a - b).abs() <= 1e-5 + 1e-3 * b.abs(), "{what}: {ours:?}, recorded {recorded:?}");
    }
}

#[test]
fn the_schema_that_python_reads_is_this_one() {
    let current = serde_json::to_string_pretty(&FeatureSchema::CURRENT).unwrap() + "\n";
    let path = "model/features.json";
    if std::env::var_os("KEYSIDE_UPDATE").is_some() {
        std::fs::write(repository(path), &current).unwrap();
    }
    assert!(
        read(path).replace('\r', "") == current,
        "{path} is not the schema of src/retrieval/features.rs any more. The mixture's networks have to \
         be fitted anew; then run this test with KEYSIDE_UPDATE=1, and commit the file"
    );
}

#[test]
fn features_have_the_scale_that_was_recorded() {
    let scale: Value = serde_json::from_str(&read("tests/fixtures/mixture/scale.json")).unwrap();
    let rows = |group: &str| scale[group].as_array().expect("rows").clone();
    for row in rows("match") {
        let features = MatchFeatures::from_values(array(&row["values"]));
        assert_close(&features.scaled(), &numbers(&row["scaled"]), "match");
        let quantized = features.quantized().map(f32::from);
        assert_eq!(quantized.to_vec(), numbers(&row["quantized"]));
    }
    for row in rows("attention") {
        let features = AttentionFeatures::from_values(array(&row["values"]));
        assert_close(&features.scaled(), &numbers(&row["scaled"]), "attention");
    }
    for row in rows("ngram") {
        let features = NgramFeatures::from_values(array(&row["values"]));
        assert_close(&features.scaled(), &numbers(&row["scaled"]), "ngram");
    }
    for row in rows("model") {
        let features = ModelFeatures::from_values(array(&row["values"]));
        assert_close(&features.scaled(), &numbers(&row["scaled"]), "model");
    }
}

/// The contexts of a record: which candidate follows, and the quantized features.
fn contexts(hexadecimal: &str) -> Vec<RetrievedContext> {
    let byte = |at: usize| u8::from_str_radix(&hexadecimal[2 * at..2 * at + 2], 16).unwrap();
    let n_bytes = 2 + MatchFeatures::N;
    assert_eq!(hexadecimal.len() % (2 * n_bytes), 0);
    let starts = (0..hexadecimal.len() / 2).step_by(n_bytes);
    starts
        .map(|at| RetrievedContext {
            next: Token::from(byte(at)) * 256 + Token::from(byte(at + 1)),
            features: std::array::from_fn(|feature| byte(at + 2 + feature)),
        })
        .collect()
}

#[test]
fn recorded_positions_have_the_same_features_weights_and_probabilities() {
    let networks = MixtureNetworks::embedded_for("keyside-nano-v1").expect("networks");
    let positions = read("tests/fixtures/mixture/positions.jsonl");
    let mut n_positions = 0;
    for line in positions.lines() {
        n_positions += 1;
        let record: Value = serde_json::from_str(line).unwrap();
        let distributions: Vec<Vec<f32>> =
            record["distributions"].as_array().unwrap().iter().map(numbers).collect();
        let ngram = |at: usize| {
            let features: [f32; NgramFeatures::N] = array(&record["ngrams"][at]);
            let next = distributions[1 + at].iter().enumerate();
            let next = next.map(|(token, p)| (token as Token, *p)).filter(|it| it.1 > 0.0);
            (features[0] > 0.0).then(|| Component { next: next.collect(), features })
        };
        let retrieved = Retrieved {
            contexts: contexts(record["contexts"].as_str().unwrap()),
            ngrams: std::array::from_fn(ngram),
        };
        let components = retrieved.components(&networks);
        for (head, recorded) in
            components[..N_HEADS].iter().zip(record["attention"].as_array().unwrap())
        {
            let features = head.as_ref().map_or([0.0; AttentionFeatures::N], |it| it.features);
            assert_close(&features, &numbers(recorded), "attention");
        }
        let [entropy, top_probability, is_constrained] = array(&record["model"]);
        let confidence = ModelConfidence { entropy, top_probability };
        let is_constrained = is_constrained > 0.0;
        let weights = networks.with_model.weights(confidence, is_constrained, &components);
        assert_close(&weights, &numbers(&record["weights"]), "weights");
        let alone = networks.without_model.weights(NOT_ASKED, is_constrained, &components);
        assert_close(&alone, &numbers(&record["weights_without_model"]), "without the model");

        // The probability came out of the decoder's own path, of all tokens and not of candidates.
        let target = record["target"].as_u64().unwrap() as usize;
        let recorded_allowed = numbers(&record["allowed"]);
        let (mut of_target, mut allowed) = (weights[0] * distributions[0][target], weights[0]);
        for (at, (component, weight)) in components.iter().zip(&weights[1..]).enumerate() {
            let next = component.iter().flat_map(|it| &it.next);
            let p: f32 = next.filter(|it| it.0 == target as Token).map(|it| it.1).sum();
            of_target += weight * p;
            let of_ngram = at.checked_sub(N_HEADS).map(|it| recorded_allowed[1 + it]);
            allowed += weight * of_ngram.unwrap_or(1.0);
        }
        let recorded = record["probability"].as_f64().unwrap() as f32;
        assert_close(&[of_target / allowed], &[recorded], "probability");
    }
    assert!(n_positions >= 100, "{n_positions}");
}
