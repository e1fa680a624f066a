//! The server's end of the way to the broker, where the broker ends, babbles or never starts.

use std::process::Command;

use keyside::remote::broker::ipc::Broker;
#[cfg(unix)]
use keyside::remote::broker::ipc::{Event, Failure};
#[cfg(unix)]
use keyside::remote::protocol::fault::FaultKind;

#[cfg(unix)]
use crate::broker::{all, failure};

/// A broker that is a shell script.
#[cfg(unix)]
async fn events_of_script(script: &str) -> (Broker, Vec<Event>) {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    let broker = Broker::spawn(command).unwrap();
    let events = all(broker.ask_without_gate("p", "h:1", "m", "{}".to_owned())).await;
    (broker, events)
}

#[cfg(unix)]
#[tokio::test]
async fn a_broker_that_ends_or_babbles_ends_every_call() {
    let sending = r#"read -r line; echo '{"id":1,"event":"sending"}';"#;
    for (script, may_cost, expected) in [
        (
            "read -r line",
            false,
            "keyside's broker for cloud requests ended (exit status: 0); nothing had been sent, restart",
        ),
        (
            &format!("{sending} exit 3"),
            true,
            "ended (exit status: 3); the request had been sent and may be charged for",
        ),
        (
            &format!("{sending} kill -9 $$"),
            true,
            "ended (signal: 9 (SIGKILL)); the request had been sent",
        ),
        (
            &format!("{sending} echo hello; exec sleep 600"),
            true,
            "wrote something that is no message of its own; the request had",
        ),
        (
            "read -r line; echo '{\"id\":1}'; exec sleep 600",
            false,
            "wrote something that is no message of its own; nothing",
        ),
        (
            "read -r line; printf '{\"id\":1,\"event\":\"thinking\"}'",
            false,
            "ended (exit status: 0); nothing had been sent",
        ),
    ] {
        let (broker, events) = events_of_script(script).await;
        let Failure { kind, sentence, may_cost: may } = failure(&events);
        assert_eq!((*kind, *may), (FaultKind::BrokerGone, may_cost), "{script}");
        assert!(sentence.contains(expected), "{sentence}");
        // And those that come later, at once.
        let events = all(broker.ask_without_gate("p", "h:1", "m", String::new())).await;
        assert_eq!(failure(&events).kind, FaultKind::BrokerGone);
        assert!(broker.gone().is_some());
    }
}

#[test]
fn a_program_that_is_not_there_is_one_sentence() {
    let sentence = Broker::spawn(Command::new("/there/is/no/such/program")).unwrap_err();
    assert!(sentence.contains("restart the server"), "{sentence}");
}
