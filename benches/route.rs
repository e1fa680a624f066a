//! How well and how fast `keyside route` reads requests: task, target, calibration, rewordings, time.
//!
//!     cargo bench --bench route
//!
//! The held-out part is for this table alone; `-- cross` has the figures by which something may be
//! chosen: eight parts of the training requests, each read by a head that was fitted to the others.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a bench")]

use std::time::Instant;

use keyside::route::requests::{KnownRequest, built_in, known_request};
use keyside::route::{RequestRouter, RouteDecision, RouteRequest, RouteTarget, policy};
use keyside::stdx::quantile;

const HELD_OUT: &str = include_str!("../model/routing/held_out.jsonl");
const REWORDINGS: &str = include_str!("../model/routing/rewordings.jsonl");
const N_PARTS: usize = 8;

fn decide(router: &RequestRouter, instruction: &str) -> RouteDecision {
    policy::decide(router, &RouteRequest { instruction, ..RouteRequest::default() })
}

/// What was said with which confidence, and whether it was right.
#[derive(Default)]
struct Answers(Vec<(f64, bool)>);

impl Answers {
    fn accuracy(&self) -> f64 {
        100.0 * self.0.iter().filter(|it| it.1).count() as f64 / self.0.len() as f64
    }

    /// The distance between confidence and accuracy, in ten steps (Naeini et al. 2015).
    fn calibration_error(&self) -> f64 {
        let mut steps = [(0.0, 0.0); 10];
        for (confidence, is_right) in &self.0 {
            let step = &mut steps[((confidence * 10.0) as usize).min(9)];
            *step = (step.0 + confidence, step.1 + f64::from(u8::from(*is_right)));
        }
        let apart: f64 = steps.iter().map(|(sure, right)| (sure - right).abs()).sum();
        apart / self.0.len() as f64
    }
}

#[derive(Default)]
struct Measured {
    tasks: Answers,
    targets: Answers,
    /// Those of which the router is sure.
    unasked: Answers,
}

impl Measured {
    fn add(&mut self, router: &RequestRouter, requests: &[KnownRequest], shows_faults: bool) {
        for it in requests {
            let found = decide(router, &it.text);
            let is_right = found.target == it.target;
            self.tasks.0.push((found.task_confidence, found.task == it.task));
            self.targets.0.push((found.confidence, is_right));
            if !found.asks {
                self.unasked.0.push((found.confidence, is_right));
            }
            if shows_faults && !(is_right && found.task == it.task) {
                println!("{} {} -> {found:?}: {}", it.task.name(), it.target.name(), it.text);
            }
        }
    }

    fn print(&self, name: &str) {
        let asked = 100.0 * (1.0 - self.unasked.0.len() as f64 / self.targets.0.len() as f64);
        println!(
            "| {name}, {} | {:.1}% | {:.1}% | {:.3} | {:.3} | {asked:.0}% | {:.1}% |",
            self.tasks.0.len(),
            self.tasks.accuracy(),
            self.targets.accuracy(),
            self.tasks.calibration_error(),
            self.targets.calibration_error(),
            self.unasked.accuracy(),
        );
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |name: &str| arguments.iter().any(|it| it == name);
    let training: Vec<KnownRequest> = built_in().collect();
    println!(
        "| requests | task | target | calibration error: task | target | asked | target where not asked |"
    );
    println!("|---|---|---|---|---|---|---|");
    if has("cross") {
        let mut measured = Measured::default();
        for part in 0..N_PARTS {
            let is_out = |index: usize| index * 7_919 % N_PARTS == part;
            let split = |out: bool| -> Vec<KnownRequest> {
                let some = training.iter().enumerate().filter(|(index, _)| is_out(*index) == out);
                some.map(|it| it.1.clone()).collect()
            };
            measured.add(&RequestRouter::of(&split(false)).unwrap(), &split(true), has("faults"));
        }
        measured.print("training, by eight parts");
        return;
    }
    let started = Instant::now();
    let router = RequestRouter::fit(&[]).unwrap();
    let fit_ms = started.elapsed().as_millis();
    let held_out: Vec<KnownRequest> = HELD_OUT.lines().filter_map(known_request).collect();
    let mut measured = Measured::default();
    measured.add(&router, &held_out, has("faults"));
    measured.print("held out");
    let usual = held_out.iter().filter(|it| it.target == RouteTarget::Cloud).count();
    println!("\nThe commoner target alone: {:.1}%", 100.0 * usual as f64 / held_out.len() as f64);
    let (mut n_pairs, mut n_changed, mut n_sure) = (0, 0, 0);
    for line in REWORDINGS.lines() {
        let pair: serde_json::Value = serde_json::from_str(line).unwrap();
        let of = |key: &str| decide(&router, pair[key].as_str().unwrap());
        let (first, second) = (of("first"), of("second"));
        n_pairs += 1;
        let changed = first.target != second.target;
        n_changed += usize::from(changed);
        n_sure += usize::from(changed && !first.asks && !second.asks);
    }
    println!(
        "Rewordings: {n_changed} of {n_pairs} change the target ({:.1}%), {n_sure} of them without a question",
        100.0 * f64::from(n_changed as u32) / f64::from(n_pairs)
    );
    let mut times_us: Vec<f64> = Vec::new();
    for it in training.iter().chain(&held_out) {
        let started = Instant::now();
        std::hint::black_box(decide(&router, &it.text));
        times_us.push(started.elapsed().as_secs_f64() * 1e6);
    }
    times_us.sort_unstable_by(f64::total_cmp);
    println!(
        "A decision: {:.0} µs in the median, {:.0} µs at 95%; fitting to {} requests once: {fit_ms} ms",
        quantile(&times_us, 0.5),
        quantile(&times_us, 0.95),
        training.len()
    );
}
