//! A person who types, measured from outside: `cargo bench --bench keystroke [-- --pause MS] [MODEL.gguf …]`.
//!
//! Stretches of the frozen workspace's files (`tests/fixtures/project`) are typed again, a key at a time with a pause after each, into the real
//! program over its stdio; nothing is ever accepted, so that the same keys are typed whatever is shown. The
//! baseline is the first key of each file where all of its prompt has to be evaluated.
//!
//! With `-- --classify` the same keys are typed into programs that do nothing else and into programs that are
//! asked for labels of texts all the time, by turns; the aim is at most 20% slower in the median.

#[path = "shared/replay.rs"]
#[expect(unreachable_pub, reason = "shared with another bench")]
mod replay;
#[path = "../tests/it/support.rs"]
#[expect(dead_code, unreachable_pub, clippy::unwrap_used, reason = "shared with the tests")]
mod support;

use std::cell::Cell;
use std::time::Duration;

use replay::{AS_IT_IS, Key, WITHOUT_SHORTCUTS, files, typed};
use support::Client;

/// Lines typed in each file.
const LINES: usize = 5;
const FILES: usize = 24;
/// From an answer to the next key, unless another is given; the fastest typists need about as long.
const PAUSE: Duration = Duration::from_millis(60);

fn main() {
    let mut arguments = std::env::args().skip(1);
    let (mut models, mut pause, mut classifies) = (Vec::new(), PAUSE, false);
    while let Some(argument) = arguments.next() {
        if argument == "--pause" {
            let ms = arguments.next().and_then(|it| it.parse().ok());
            pause = Duration::from_millis(ms.expect("--pause takes milliseconds"));
        } else if argument == "--classify" {
            classifies = true;
        } else if !argument.starts_with("--") {
            models.push(argument);
        }
    }
    let models = if models.is_empty() { vec![String::new()] } else { models };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("threads");
    for model in models {
        match classifies {
            true => runtime.block_on(beside_classification(&model, pause)),
            false => runtime.block_on(measure(&model, pause)),
        }
    }
}

async fn measure(model: &str, pause: Duration) {
    let client = replay::program(model, AS_IT_IS).await;
    let name = client.stats().await["model"]["name"].as_str().unwrap_or_default().to_owned();
    let (cpu, joules) = (cpu_seconds(&client), joules());
    let mut keys = Vec::new();
    let files = files(FILES);
    for file in &files {
        keys.extend(typed(&client, file, LINES, pause).await);
    }
    let cpu = cpu_seconds(&client) - cpu;
    let joules = self::joules().zip(joules).map(|(after, before)| after - before);
    let end = client.stats().await;
    println!(
        "{name}: {} keys in {} files, {} ms after each answer",
        keys.len(),
        files.len(),
        pause.as_millis()
    );
    let all = |_: &&Key| true;
    let model_asked = |it: &&Key| it.source.starts_with("model");
    row("all keys", &keys, all);
    row("the model asked", &keys, model_asked);
    row("retrieval was sure", &keys, |it| it.source == "lookup");
    row("answered before", &keys, |it| !it.source.starts_with("model") && it.source != "lookup");
    row("after a line break", &keys, |it| it.after_line_break);
    row("the first of a file", &keys, |it| it.first);
    row("  of its whole prompt", &baseline(model, &files).await, all);
    let followed = keys.iter().filter(|it| it.followed);
    let (mut n, mut without) = (0, 0);
    for key in followed {
        n += 1;
        without += usize::from(!key.source.starts_with("model"));
    }
    println!(
        "  keys that follow what is shown: {n}, answered without the model: {}",
        percent(without, n)
    );
    let n_shown = keys.iter().filter(|it| it.shown).count();
    let sum = |of: fn(&Key) -> u64| keys.iter().map(of).sum::<u64>() as f64 / keys.len() as f64;
    println!("  keys with ghost text {}", percent(n_shown, keys.len()));
    println!(
        "  a key: {:.1} prompt tokens evaluated, {:.1} before anybody asked, {:.1} generated, {:.1} ms of \
         processor time",
        sum(|it| it.evaluated),
        end["engine"]["prefetch_evaluated_tokens"].as_f64().unwrap_or_default() / keys.len() as f64,
        sum(|it| it.generated),
        cpu * 1e3 / keys.len() as f64
    );
    match joules {
        Some(joules) => {
            println!("  the whole machine: {:.2} joules a key", joules / keys.len() as f64)
        }
        None => println!("  this system does not tell its joules"),
    }
}

/// Pairs of runs, one without and one with texts that are classified meanwhile.
const PAIRS: usize = 2;
/// Texts that at least have to be classified for the figure to be one.
const MIN_ITEMS: usize = 10_000;

async fn beside_classification(model: &str, pause: Duration) {
    let files = files(FILES);
    let (mut alone, mut beside, mut n_items) = (Vec::new(), Vec::new(), 0);
    for _ in 0..PAIRS {
        // A program of its own each: what was typed once is answered from what is kept.
        for (keys, classifies) in [(&mut alone, false), (&mut beside, true)] {
            let client = replay::program(model, AS_IT_IS).await;
            let n_done = Cell::new(0);
            let typing = async {
                for file in &files {
                    keys.extend(typed(&client, file, LINES, pause).await);
                }
            };
            match classifies {
                false => typing.await,
                true => tokio::select! {
                    () = typing => {}
                    () = classify_without_end(&client, &n_done) => {}
                },
            }
            n_items += n_done.get();
        }
    }
    println!(
        "{} keys alone, {} beside {n_items} texts that were classified",
        alone.len(),
        beside.len()
    );
    row("alone", &alone, |_| true);
    row("beside", &beside, |_| true);
    let slower = 100.0 * (median(&beside) / median(&alone) - 1.0);
    println!("  in the median {slower:+.1}%");
    if n_items < MIN_ITEMS {
        println!("  fewer than {MIN_ITEMS} texts: type more files, or with a longer pause");
    }
}

/// Asks for labels of one text after the other, with sixteen examples a label.
async fn classify_without_end(client: &Client, n_done: &Cell<usize>) {
    let labels = ["fix", "feature", "docs"];
    let text = |label: &str, n: usize| format!("{label} number {n}: the {label} of part {}", n % 7);
    let examples: Vec<serde_json::Value> = (0..48)
        .map(|n| (labels[n % labels.len()], n))
        .map(|(label, n)| serde_json::json!({"text": text(label, n), "label": label}))
        .collect();
    loop {
        let n = n_done.get();
        let params = serde_json::json!({
            "text": text(labels[n % labels.len()], n), "labels": labels, "examples": examples,
        });
        let answer = client.ask("keyside/classify", params).await;
        assert!(answer["result"]["label"].is_string(), "{answer}");
        n_done.set(n + 1);
    }
}

fn median(keys: &[Key]) -> f64 {
    let mut times: Vec<f64> = keys.iter().map(|it| it.ms).collect();
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// The first key of each file where nothing of it is resident and all of its prompt is evaluated.
async fn baseline(model: &str, files: &[std::path::PathBuf]) -> Vec<Key> {
    let client = replay::program(model, WITHOUT_SHORTCUTS).await;
    let mut keys = Vec::new();
    for file in files {
        keys.extend(typed(&client, file, 1, Duration::ZERO).await.into_iter().take(1));
    }
    keys
}

/// What the processor has used, where the system lets everybody read it; it begins anew now and then.
fn joules() -> Option<f64> {
    let text = std::fs::read_to_string("/sys/class/powercap/intel-rapl:0/energy_uj").ok()?;
    Some(text.trim().parse::<f64>().ok()? / 1e6)
}

fn percent(n: usize, of: usize) -> String {
    format!("{:.1}%", 100.0 * n as f64 / of.max(1) as f64)
}

fn row(what: &str, keys: &[Key], of: impl Fn(&&Key) -> bool) {
    let mut times: Vec<f64> = keys.iter().filter(of).map(|it| it.ms).collect();
    times.sort_by(f64::total_cmp);
    let at = |q: f64| {
        let at = (times.len().saturating_sub(1) as f64 * q).round() as usize;
        times.get(at).copied().unwrap_or_default()
    };
    println!(
        "  {what:<22} {:5} keys  median {:7.2}  95% {:7.2}  99% {:7.2} ms",
        times.len(),
        at(0.5),
        at(0.95),
        at(0.99)
    );
}

/// Processor time of the program so far; 0 where the system does not tell.
fn cpu_seconds(client: &Client) -> f64 {
    let id = client.child.as_ref().and_then(tokio::process::Child::id).unwrap_or_default();
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    // After the name in brackets: user and system time are the 12th and 13th.
    let fields = stat.rsplit_once(')').map_or("", |it| it.1).split_whitespace();
    let ticks: f64 = fields.skip(11).take(2).filter_map(|it| it.parse::<f64>().ok()).sum();
    ticks / 100.0
}
