//! Tasks of the model port, by a scripted model and by the built-in one: what scoring and vectors are,
//! and that background work gives way and goes on.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use keyside::lm::backend::scripted::Script;
use keyside::lm::registry::{ModelSpec, Registry};
use keyside::lm::task::StopAtLineEnd;
use keyside::lm::{
    ChooseTask, EmbedTask, Engine, GenerateTask, Lane, ModelInfo, PrefillTask, ScoreTask, TaskError,
};

use crate::support::{TempFolder, fake_engine, saying, until};

fn typed(document: &str, arrival: u64) -> Lane {
    Lane::Interactive { document: document.into(), arrival }
}

fn bytes(text: &str) -> Vec<i32> {
    text.bytes().map(i32::from).collect()
}

/// The built-in model's engine.
async fn embedded() -> (Arc<Engine>, Arc<ModelInfo>, TempFolder) {
    let home = TempFolder::new();
    let registry = Registry::new(home.0.clone());
    let engine = registry.engine(&ModelSpec::embedded(), |_| Ok(())).expect("a thread");
    let info = engine.ready().await.expect("it loads");
    (engine, info, home)
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
async fn a_continuation_is_as_likely_as_its_tokens_whatever_the_batch() {
    let (engine, info, _home) = embedded().await;
    let prompt = info.tokens_of("for i in range(10):\n    print(");
    let continuations = ["i)\n", "i * i)\n", "zebra)\n", "i"].map(|it| info.tokens_of(it));
    let mut scores = Vec::new();
    for max_batch_tokens in [1, 64] {
        let task = ScoreTask::after(prompt.clone(), continuations.to_vec());
        let task = ScoreTask { max_batch_tokens, ..task };
        scores.push(engine.run(Lane::Background, task).await.expect("scores"));
    }
    for (one, many) in scores[0].iter().zip(&scores[1]) {
        let difference = (one.log_probability() - many.log_probability()).abs();
        assert!(difference < 0.01, "{one:?}\n{many:?}");
    }
    let likely: Vec<f32> = scores[0].iter().map(|it| it.log_probability()).collect();
    assert!(likely[0] > likely[2] && likely[1] > likely[2], "{likely:?}");
    for (tokens, score) in continuations.iter().zip(&scores[0]) {
        assert_eq!(tokens.len(), score.tokens.len());
    }
    // What greedy decoding generates is what scoring calls greedy.
    let task =
        GenerateTask { stop: Arc::new(StopAtLineEnd), ..GenerateTask::after(prompt.clone(), 8) };
    let generated = engine.run(typed("a", 1), task).await.expect("a text");
    let tokens = info.tokens_of(&generated.best.text);
    let task = ScoreTask::after(prompt, vec![tokens]);
    let score = engine.run(Lane::Background, task).await.expect("a score").remove(0);
    assert!(score.is_greedy(), "{:?} {score:?}", generated.best);
    assert!((score.log_probability().exp() - generated.best.confidence).abs() < 0.01);
}

/// A key within a word: the prompt is the same, and what has to be spelled is longer.
#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
async fn a_key_that_agrees_evaluates_nothing_again_and_says_the_same() {
    let (engine, info, _home) = embedded().await;
    let prompt =
        info.tokens_of("for number in range(10):\n    print(number)\nfor other in range(10):\n   ");
    let task = |spelled: &str, cold: bool| GenerateTask {
        stop: Arc::new(StopAtLineEnd),
        required_prefix: spelled.as_bytes().to_vec(),
        cold,
        ..GenerateTask::after(prompt.clone(), 8)
    };
    let mut arrival = 0;
    let mut run = async |spelled: &str, cold: bool| {
        arrival += 1;
        engine.run(typed("a", arrival), task(spelled, cold)).await.expect("a text")
    };
    // Once, so that the model has shown that it can take tokens back.
    run(" p", true).await;
    let first = run(" p", false).await;
    let warm = run(" pr", false).await;
    let evaluated_anew = run(" pr", true).await;
    assert!(first.best.text.starts_with("rint("), "{:?}", first.best);
    assert_eq!(first.best.text.strip_prefix('r'), Some(&*warm.best.text));
    assert_eq!(warm.usage.evaluated_tokens, 0, "{:?}", warm.usage);
    assert_eq!(warm.usage.reused_logits, warm.usage.generated_tokens, "{:?}", warm.usage);
    assert_eq!(evaluated_anew.usage.reused_logits, 0);
    assert_eq!(warm.best.text, evaluated_anew.best.text);
    let difference = (warm.best.confidence - evaluated_anew.best.confidence).abs();
    assert!(difference < 0.01, "{warm:?}\n{evaluated_anew:?}");
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
async fn vectors_are_of_length_one_and_the_nearer_the_more_alike_texts_are() {
    let (engine, info, _home) = embedded().await;
    let texts = [
        "def read_lines(path):\n    with open(path) as file:\n        return file.readlines()\n",
        "def read_text(path):\n    with open(path) as file:\n        return file.read()\n",
        "int main(void) { printf(\"%d\\n\", sizeof(long)); return 0; }\n",
        "def read_lines(path):\n    with open(path) as file:\n        return file.readlines()\n",
    ];
    let texts = texts.map(|it| info.tokens_of(it)).to_vec();
    let vectors = engine.run(Lane::Background, EmbedTask { texts }).await.expect("vectors");
    let product = |a: usize, b: usize| -> f32 {
        vectors[a].iter().zip(&vectors[b]).map(|(a, b)| a * b).sum()
    };
    for at in 0..4 {
        assert!((product(at, at) - 1.0).abs() < 1e-3, "{}", product(at, at));
    }
    assert!((product(0, 3) - 1.0).abs() < 1e-3, "the same text: {}", product(0, 3));
    assert!(product(0, 1) > product(0, 2), "{} {}", product(0, 1), product(0, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn background_work_gives_way_to_a_key_and_goes_on() {
    // It generates `x` for ever.
    let script = Script { time_per_token: Duration::from_millis(5), ..saying("") };
    let engine = Arc::new(fake_engine(script));
    engine.ready().await.expect("it loads");
    let background = tokio::spawn({
        let engine = Arc::clone(&engine);
        async move { engine.run(Lane::Background, GenerateTask::after(bytes("long"), 200)).await }
    });
    let count = |it: &AtomicU64| it.load(Ordering::Relaxed);
    let counts = engine.counts();
    until(async || (count(&counts.prefetch_generated_tokens) > 0).then_some(())).await;
    let key = engine.run(typed("a", 1), GenerateTask::after(bytes("key"), 1)).await;
    assert_eq!(key.expect("an answer").best.text, "x");
    assert_eq!(count(&counts.preempted), 1);
    let text = background.await.unwrap().expect("a text").best.text;
    assert_eq!(text, "x".repeat(200));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_is_dropped_is_cancelled() {
    let script = Script { time_per_token: Duration::from_millis(5), ..saying("") };
    let engine = fake_engine(script);
    engine.ready().await.expect("it loads");
    let endless = engine.run(Lane::Background, GenerateTask::after(bytes("a"), 4_000));
    let dropped = tokio::time::timeout(Duration::from_millis(100), endless).await;
    assert!(dropped.is_err(), "it ended: {dropped:?}");
    let cancelled = || engine.counts().cancelled.load(Ordering::Relaxed);
    until(async || (cancelled() == 1).then_some(())).await;
    let next = engine.run(Lane::Background, GenerateTask::after(bytes("b"), 1)).await;
    assert_eq!(next.expect("the engine goes on").best.text, "x");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_model_can_not_do_and_what_does_not_fit_is_said() {
    let engine = fake_engine(saying("x"));
    engine.ready().await.expect("it loads");
    let failed = |sentence: &str| Some(TaskError::Failed(sentence.to_owned()));
    let long = PrefillTask { prompt: vec![1; 5_000] };
    let too_long = "a prompt of 5000 tokens does not fit the context of 4096; raise \
                    model.context_tokens";
    assert_eq!(engine.run(Lane::Background, long).await.err(), failed(too_long));
    let empty = ScoreTask::after(bytes("a"), vec![vec![]]);
    let no_tokens = "a continuation to score has no tokens";
    assert_eq!(engine.run(Lane::Background, empty).await.err(), failed(no_tokens));
    // A scripted model predicts the next byte of its answer, and nothing else.
    let task = ScoreTask::after(bytes("a"), vec![bytes("x"), bytes("y")]);
    let scores = engine.run(Lane::Background, task).await.expect("scores");
    assert_eq!(scores.iter().map(|it| it.is_greedy()).collect::<Vec<_>>(), [true, false]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_can_not_roll_back_gives_the_same_scores() {
    let mut scores = Vec::new();
    for all_or_nothing in [false, true] {
        let engine = fake_engine(Script { all_or_nothing, ..saying("xy") });
        engine.ready().await.expect("it loads");
        let task = ScoreTask::after(bytes("ab"), ["xy", "xz", "x", "zy"].map(bytes).to_vec());
        scores.push(engine.run(Lane::Background, task).await.expect("scores"));
    }
    assert_eq!(scores[0], scores[1]);
    let greedy: Vec<bool> = scores[0].iter().map(|it| it.is_greedy()).collect();
    assert_eq!(greedy, [true, false, true, false]);
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
async fn a_choice_is_what_its_texts_score_and_shared_beginnings_are_evaluated_once() {
    let (engine, info, _home) = embedded().await;
    // Longer than what is worth a copy.
    let line = "for i in range(10):\n    print(";
    let prompt = info.tokens_of(&[&format!("{line}i)\n").repeat(8), line].concat());
    let choose = async |texts: &[&str]| {
        let choices = texts.iter().map(|it| info.tokens_of(it)).collect();
        let task = ChooseTask { prompt: prompt.clone(), choices };
        engine.run(Lane::Background, task).await.expect("a choice")
    };
    // Where they part at the first token, a choice is that token's share.
    let single = ["i", "x", "\""].map(|it| info.tokens_of(it)[..1].to_vec());
    let task = ScoreTask::after(prompt.clone(), single.to_vec());
    let scores = engine.run(Lane::Background, task).await.expect("scores");
    let likely: Vec<f64> = scores.iter().map(|it| f64::from(it.tokens[0].probability)).collect();
    let sum: f64 = likely.iter().sum();
    let found = choose(&["i", "x", "\""]).await;
    for (found, likely) in found.probabilities.iter().zip(&likely) {
        assert!((found - likely / sum).abs() < 0.01, "{found} {likely} {sum}");
    }
    // The prompt was there but for its last token, whose logits are the answer.
    assert!(found.usage.evaluated_tokens <= 1, "{:?}", found.usage);
    // One begins with another, and two with the same; all that is shared is evaluated once.
    let texts = ["i", "i + 1", "i + 2", "zebra"];
    let found = choose(&texts).await;
    assert!((found.probabilities.iter().sum::<f64>() - 1.0).abs() < 1e-9, "{found:?}");
    assert!(found.probabilities[..3].iter().sum::<f64>() > found.probabilities[3], "{found:?}");
    let longest = texts.iter().map(|it| info.tokens_of(it).len()).max().unwrap();
    assert!(found.usage.evaluated_tokens <= 1 + longest, "{:?}", found.usage);
    let same = ChooseTask { prompt: prompt.clone(), choices: vec![bytes("a"), bytes("a")] };
    let refused = engine.run(Lane::Background, same).await.unwrap_err();
    assert!(refused.to_string().contains("are the same to the model"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_goes_before_a_choice_and_a_model_that_can_not_roll_back_gives_the_same() {
    let mut found = Vec::new();
    for all_or_nothing in [false, true] {
        let time_per_token = Duration::from_millis(1);
        let engine = fake_engine(Script { all_or_nothing, time_per_token, ..saying("x") });
        engine.ready().await.expect("it loads");
        let task = ChooseTask {
            prompt: bytes(&"a".repeat(600)),
            choices: ["xy", "xz", "x", "zy"].map(bytes).to_vec(),
        };
        let choice = engine.run(Lane::Background, task);
        tokio::pin!(choice);
        // It is under way when the key comes, and is there only after it.
        let begins = until(async || (!engine.is_idle()).then_some(()));
        tokio::select! {
            biased;
            _ = &mut choice => panic!("it was not to be finished"),
            () = begins => {}
        }
        let key = engine.run(typed("a", 1), GenerateTask::after(bytes("b"), 1));
        tokio::select! {
            biased;
            key = key => assert_eq!(key.expect("a text").best.text, "x"),
            _ = &mut choice => panic!("the key was to come first"),
        }
        found.push(choice.await.expect("a choice").probabilities);
    }
    assert_eq!(found[0], found[1]);
    assert!((found[0].iter().sum::<f64>() - 1.0).abs() < 1e-9, "{found:?}");
}
