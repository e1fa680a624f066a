//! The process that writes down what was under way when the server was killed. That a server starts
//! it, and that it outlives one, `helix` tries.

use std::path::Path;

use keyside::ledger::{CallId, Ledger};
use serde_json::{Value, json};

use crate::ledger::{NO_CAPS, look, path, reserve, settlement};
use crate::support::{TempFolder, keyside, run, text};

const RESERVED: i64 = 1_000_000_000;

/// A line in which a call would have cost this.
fn so_far(id: CallId, cost_pico_usd: i64) -> Value {
    let tokens = json!({
        "input": 10, "output": 3, "cache_read": 0, "cache_write_5m": 0, "cache_write_1h": 0,
        "reasoning": 0,
    });
    let so_far = json!({
        "tokens": tokens, "usage_source": "Estimated", "cost_pico_usd": cost_pico_usd,
        "cost_source": "Table", "request_id": "req_1", "duration_ms": 200, "first_text_ms": null,
    });
    json!({"id": id, "so_far": so_far})
}

fn rows(path: &Path) -> Vec<(String, Option<i64>)> {
    let connection = look(path);
    let sql = "SELECT status, cost_pico_usd FROM sent_calls ORDER BY call_id";
    let mut statement = connection.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    rows.map(Result::unwrap).collect()
}

#[test]
fn what_is_open_when_its_input_ends_is_settled_as_it_was_told_last() {
    let home = TempFolder::new();
    let path = path(&home);
    let mut ledger = Ledger::open(&path).unwrap();
    let mut id = || reserve(&mut ledger, "a test", RESERVED, &NO_CAPS).unwrap().id;
    let [open, settled, told_of_later, cut_off] = [id(), id(), id(), id()];
    ledger.settle(settled, &settlement(7)).unwrap();
    ledger.settle(told_of_later, &settlement(8)).unwrap();
    let lines = [
        so_far(open, 100),
        so_far(settled, 200),
        json!({"id": settled, "so_far": null}),
        // The server was killed between the ledger and the word of it.
        so_far(told_of_later, 300),
        so_far(open, 400),
        json!("something else"),
    ];
    let mut input: String = lines.iter().map(|it| format!("{it}\n")).collect();
    // In the middle of a line.
    input.push_str(&so_far(cut_off, 500).to_string()[..40]);
    let output = run(keyside(&home.0, &["settle"]), input);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let expected = [("cancelled", Some(400)), ("ok", Some(7)), ("ok", Some(8)), ("reserved", None)];
    assert_eq!(rows(&path), expected.map(|(status, cost)| (status.to_owned(), cost)));
    assert!(output.stdout.is_empty() && output.stderr.is_empty());
}

#[test]
fn where_nothing_is_open_no_ledger_is_begun() {
    let home = TempFolder::new();
    let output = run(keyside(&home.0, &["settle"]), "");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(!path(&home).exists());
}
