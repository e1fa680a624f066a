//! The table, row by row, and the built-in requests.

use super::policy::{RouteDecision, RouteRequest, decide};
use super::requests::{KnownRequest, RequestRouter, built_in, known_request};
use super::task::{RequestTask, RouteTarget};

use RouteTarget::{Cloud, Local};

const HELD_OUT: &str = include_str!("../../model/routing/held_out.jsonl");

fn decided(request: &RouteRequest<'_>) -> RouteDecision {
    decide(&RequestRouter::shared().unwrap(), request)
}

#[test]
fn the_committed_requests_keep_to_the_table() {
    let training: Vec<KnownRequest> = built_in().collect();
    let held_out: Vec<KnownRequest> = HELD_OUT.lines().filter_map(known_request).collect();
    assert!(training.len() >= 900, "{}", training.len());
    assert!(held_out.len() >= 200, "{}", held_out.len());
    assert_eq!(held_out.len(), HELD_OUT.lines().count());
    for it in training.iter().chain(&held_out) {
        assert!(it.task.may_go(it.target), "{it:?}");
    }
    for task in RequestTask::ALL {
        assert!(held_out.iter().any(|it| it.task == task), "{task:?}");
    }
    for it in &held_out {
        assert!(!training.iter().any(|other| other.text == it.text), "in both: {it:?}");
    }
}

#[test]
fn plain_requests_go_where_a_person_expects_them() {
    for (instruction, task, target) in [
        ("explain this function to me", RequestTask::Explain, Cloud),
        ("rename this variable to count", RequestTask::Rename, Local),
        ("extract all the urls as json", RequestTask::Extract, Local),
        ("how should I design the storage layer", RequestTask::Design, Cloud),
        ("fix the typo in this comment", RequestTask::Fix, Local),
        ("schreib bitte unit tests dafür", RequestTask::Tests, Cloud),
    ] {
        let found = decided(&RouteRequest { instruction, ..RouteRequest::default() });
        assert_eq!((found.task, found.target), (task, target), "{instruction}: {found:?}");
        assert!(!found.asks && found.rule == "request", "{instruction}: {found:?}");
    }
}

#[test]
fn nothing_of_a_private_workspace_goes_to_the_cloud() {
    for it in built_in().chain(HELD_OUT.lines().filter_map(known_request)).step_by(7) {
        for (choice, action) in [(None, None), (Some(Cloud), None), (None, Some(it.task))] {
            let found = decided(&RouteRequest {
                instruction: &it.text,
                action,
                choice,
                is_private: true,
                n_files: 9,
                n_selected_lines: 900,
                local_confidence: Some(0.0),
                ..RouteRequest::default()
            });
            assert_eq!((found.target, found.asks), (Local, false), "{it:?}: {found:?}");
        }
    }
}

#[test]
fn what_a_person_chooses_wins() {
    for target in RouteTarget::ALL {
        for instruction in ["rename this", "design a chat", "ask claude to rename this", "no cloud"]
        {
            let choice = Some(target);
            let found = decided(&RouteRequest { instruction, choice, ..RouteRequest::default() });
            assert_eq!((found.target, found.asks), (target, false), "{instruction}");
        }
    }
    let said = RouteRequest { instruction: "explain this, but no cloud", ..Default::default() };
    assert_eq!((decided(&said).target, decided(&said).rule), (Local, "choice"));
}

#[test]
fn what_is_around_a_request_counts() {
    let fix = RouteRequest { action: Some(RequestTask::Fix), ..RouteRequest::default() };
    let messages = |text: &str, n: usize| vec![text.to_owned(); n];
    let unused = messages("unused import: `std::fmt`", 1);
    let small = decided(&RouteRequest { diagnostics: &unused, ..fix.clone() });
    assert_eq!((small.target, small.rule), (Local, "diagnostics"));
    let long = RouteRequest { diagnostics: &unused, n_selected_lines: 300, ..fix.clone() };
    assert_eq!((decided(&long).target, decided(&long).rule), (Cloud, "size"));
    let many = messages("mismatched types", 5);
    let found = decided(&RouteRequest { diagnostics: &many, ..fix.clone() });
    assert_eq!((found.target, found.rule), (Cloud, "diagnostics"));
    let wide = decided(&RouteRequest { n_files: 4, ..fix });
    assert_eq!((wide.target, wide.rule), (Cloud, "files"));
    let rename = RouteRequest { instruction: "rename this to count", ..RouteRequest::default() };
    assert_eq!(decided(&RouteRequest { n_files: 40, ..rename.clone() }).target, Local);
    let draft = decided(&RouteRequest { local_confidence: Some(0.2), ..rename });
    assert_eq!((draft.target, draft.rule), (Cloud, "local_confidence"));
    let document = RouteRequest { action: Some(RequestTask::Document), ..RouteRequest::default() };
    let befunge = RouteRequest { language: "befunge", ..document.clone() };
    assert_eq!((decided(&befunge).target, decided(&befunge).rule), (Cloud, "language"));
    assert_eq!(decided(&RouteRequest { language: "rust", ..document }).rule, "request");
}

#[test]
fn a_reason_answers_the_three_questions() {
    let design = RouteRequest { instruction: "design an api for uploads", ..Default::default() };
    assert_eq!(
        decided(&design).reason,
        "it reads like `design`; it runs rarely, its answer is open-ended: there is no one right answer, and the text may leave once you agree, without its secrets"
    );
    let private = decided(&RouteRequest { is_private: true, ..design });
    assert!(private.reason.starts_with("this workspace is marked private; it runs rarely"));
    assert!(private.reason.ends_with("nothing of a private workspace may leave"));
}

#[test]
fn what_says_nothing_is_asked_about() {
    let found = decided(&RouteRequest { instruction: "日本語", ..RouteRequest::default() });
    assert!(found.asks && found.reason.starts_with("not sure"), "{found:?}");
}

#[test]
fn corrections_of_one_kind_change_the_next_decision_of_that_kind() {
    let next = "give our wiki page about billing a new coat of paint";
    let request = RouteRequest { instruction: next, ..RouteRequest::default() };
    let before = decided(&request);
    let corrections: Vec<KnownRequest> = [
        "deployment",
        "login",
        "search",
        "payments",
        "invoices",
        "exports",
        "imports",
        "backups",
        "caching",
        "metrics",
        "alerts",
        "roles",
        "themes",
        "webhooks",
        "plugins",
        "uploads",
        "sessions",
        "queues",
        "releases",
        "tenants",
    ]
    .iter()
    .map(|what| KnownRequest {
        text: format!("give our wiki page about {what} a new coat of paint"),
        task: RequestTask::Summarize,
        target: Local,
    })
    .collect();
    assert_eq!(corrections.len(), 20);
    let router = RequestRouter::fit(&corrections).unwrap();
    let after = decide(&router, &request);
    assert_ne!(before.task, RequestTask::Summarize, "{before:?}");
    assert_eq!((after.task, after.target, after.asks), (RequestTask::Summarize, Local, false));
}
