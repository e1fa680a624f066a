//! The two threads of the server that hold the broker's pipes.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout};
use std::sync::mpsc as std_mpsc;

use crate::remote::broker::ipc::{FromBroker, ToBroker};

/// The longest line of the broker: a piece of text with all of it escaped.
const MAX_LINE_BYTES: usize = 128 << 20;

/// Writes orders, a line each, until there are none or the broker is gone.
pub(super) fn write_orders(mut input: ChildStdin, orders: &std_mpsc::Receiver<ToBroker>) {
    while let Ok(order) = orders.recv() {
        let Ok(mut line) = serde_json::to_vec(&order) else { continue };
        line.push(b'\n');
        if input.write_all(&line).and_then(|()| input.flush()).is_err() {
            return;
        }
    }
}

/// Hands over the broker's messages until it ends or until nobody wants them; returns how it ended,
/// as `ended` or `failed`.
pub(super) fn read_events(
    output: ChildStdout,
    child: &mut Child,
    mut hand_over: impl FnMut(FromBroker) -> bool,
) -> String {
    let mut output = BufReader::new(output);
    let mut line = Vec::new();
    let why = loop {
        line.clear();
        match output.by_ref().take(MAX_LINE_BYTES as u64).read_until(b'\n', &mut line) {
            Ok(n) if n > 0 && line.last() == Some(&b'\n') => {}
            Ok(_) | Err(_) => break None,
        }
        let Ok(message) = serde_json::from_slice::<FromBroker>(&line) else {
            break Some("wrote something that is no message of its own".to_owned());
        };
        if !hand_over(message) {
            break Some("is not needed any more".to_owned());
        }
    };
    // Nothing but its end is of use now, and a process that is not waited for stays in the system's
    // table.
    let _ = child.kill();
    let status = child.wait();
    why.unwrap_or_else(|| match status {
        Ok(status) => format!("ended ({status})"),
        Err(_) => "ended".to_owned(),
    })
}
