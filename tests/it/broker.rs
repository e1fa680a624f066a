//! The real broker against peers that do as they are told: what goes out, what comes in, cancelling, and the broker's own end.

use std::process::Command;

use expect_test::expect;
use keyside::config::cloud::{Protocol, Provider};
use keyside::remote::broker::ipc::{Broker, Call, Event, Failure};
use keyside::remote::protocol::fault::FaultKind;
use keyside::remote::protocol::usage::Usage;
use keyside::remote::protocol::{self, Ask, Role, StopReason, Turn};

use crate::peer::{self, Peer, Step, answer, chunk, ending, good, last_chunk, stream_head, text};
use crate::support::{PATIENCE, TempFolder, keyside};

pub const KEY: &str = "sk-the-key-of-this-test";

/// A broker with a settings file of its own.
pub struct Setup {
    pub _home: TempFolder,
    pub broker: Broker,
}

impl Setup {
    pub fn new(settings: &str) -> Self {
        let home = TempFolder::new();
        std::fs::write(home.0.join("config.toml"), settings).unwrap();
        let broker = Broker::spawn(command(&home)).expect("a process");
        Self { _home: home, broker }
    }

    pub fn with(providers: &[Provider]) -> Self {
        Self::new(&settings(providers))
    }

    pub fn ask(&self, provider: &Provider) -> Call {
        self.broker.ask_without_gate(
            &provider.name,
            &protocol::host(provider).unwrap(),
            &provider.model,
            protocol::body(provider, &question(), true),
        )
    }
}

pub fn command(home: &TempFolder) -> Command {
    let mut command = keyside(&home.0, &["broker"]);
    command.env("KEYSIDE_TEST_KEY", KEY);
    command
}

pub fn settings(providers: &[Provider]) -> String {
    let cloud =
        serde_json::json!({"cloud": {"enabled": true, "stall_seconds": 1, "providers": providers}});
    toml::to_string(&without_nulls(cloud)).unwrap()
}

fn without_nulls(value: serde_json::Value) -> serde_json::Value {
    use serde_json::Value;
    match value {
        Value::Object(map) => map
            .into_iter()
            .filter(|(_, it)| !it.is_null())
            .map(|(key, it)| (key, without_nulls(it)))
            .collect(),
        Value::Array(list) => list.into_iter().map(without_nulls).collect(),
        other => other,
    }
}

pub fn provider(name: &str, base_url: &str) -> Provider {
    Provider {
        name: name.to_owned(),
        base_url: base_url.to_owned(),
        key: "env:KEYSIDE_TEST_KEY".to_owned(),
        model: "claude-sonnet-5-5".to_owned(),
        ..Provider::default()
    }
}

pub fn question() -> Ask {
    Ask {
        system: "You help.".to_owned(),
        turns: vec![Turn {
            role: Role::User,
            text: "let line_of_the_user = \"\u{1f980}\u{2028}\\\";\n".to_owned(),
        }],
        max_output_tokens: 100,
    }
}

/// An order as the server writes it.
pub fn order(provider: &Provider, host: &str, id: u64, body: &str) -> serde_json::Value {
    serde_json::json!({
        "do": "ask",
        "id": id,
        "provider": provider.name,
        "host": host,
        "model": provider.model,
        "sha256": keyside::stdx::hex_sha256(body.as_bytes()),
        "body": body,
    })
}

pub fn error(kind: &str, message: &str) -> String {
    serde_json::json!({"type": "error", "error": {"type": kind, "message": message}}).to_string()
}

/// All events of a call.
pub async fn all(mut call: Call) -> Vec<Event> {
    let mut events = Vec::new();
    let collected = async {
        while let Some(event) = call.next().await {
            events.push(event);
        }
    };
    tokio::time::timeout(PATIENCE, collected).await.expect("the call ended");
    let n_last =
        events.iter().filter(|it| matches!(it, Event::Done { .. } | Event::Failed(_))).count();
    assert_eq!(n_last, 1, "{events:?}");
    events
}

pub fn text_of(events: &[Event]) -> String {
    let texts = events.iter().map(|it| if let Event::Text(text) = it { text } else { "" });
    texts.collect()
}

#[track_caller]
pub fn failure(events: &[Event]) -> &Failure {
    match events.last() {
        Some(Event::Failed(failure)) => failure,
        other => panic!("it did not fail: {other:?}"),
    }
}

#[tokio::test]
async fn the_bytes_that_were_shown_are_the_bytes_that_go_out() {
    let protocols = [Protocol::AnthropicMessages, Protocol::OpenaiChat, Protocol::OpenaiResponses];
    let peer = Peer::start(vec![answer(400, "", "")]).await;
    let with = |protocol: Protocol| Provider {
        protocol,
        ..provider(&format!("{protocol:?}"), &peer.base_url())
    };
    let providers = protocols.map(with);
    let setup = Setup::with(&providers);
    let mut heads = String::new();
    for (n, provider) in providers.iter().enumerate() {
        all(setup.ask(provider)).await;
        let request = peer.requests()[n].clone();
        assert_eq!(request.body, protocol::body(provider, &question(), true).into_bytes());
        heads.push_str(&request.head.replace(&peer.host, "HOST"));
        heads.push_str("\n\n");
    }
    let heads = heads.replace(env!("CARGO_PKG_VERSION"), "VERSION");
    expect![[r#"
        POST /v1/messages HTTP/1.1
        content-type: application/json
        accept: text/event-stream
        anthropic-version: 2023-06-01
        x-api-key: sk-the-key-of-this-test
        user-agent: keyside/VERSION
        host: HOST
        content-length: 224

        POST /v1/chat/completions HTTP/1.1
        content-type: application/json
        accept: text/event-stream
        authorization: Bearer sk-the-key-of-this-test
        user-agent: keyside/VERSION
        host: HOST
        content-length: 221

        POST /v1/responses HTTP/1.1
        content-type: application/json
        accept: text/event-stream
        authorization: Bearer sk-the-key-of-this-test
        user-agent: keyside/VERSION
        host: HOST
        content-length: 186

    "#]]
    .assert_eq(&heads);
}

#[tokio::test]
async fn a_character_may_come_in_two_chunks() {
    let said = format!("{}{}{}", peer::BEGINNING, text("a\u{1f980}b"), ending("end_turn"));
    // JSON leaves it as it is, so this is the middle of the crab.
    let middle = said.find('\u{1f980}').unwrap() + 2;
    let (before, after) = said.as_bytes().split_at(middle);
    let script = vec![stream_head(), chunk(before), Step::Pause, chunk(after), last_chunk()];
    let peer = Peer::start(vec![script]).await;
    let provider = provider("p", &peer.base_url());
    let events = all(Setup::with(std::slice::from_ref(&provider)).ask(&provider)).await;
    let usage =
        |output_tokens| Event::Usage(Usage { input_tokens: 11, output_tokens, ..Usage::default() });
    let expected = [
        Event::Sending,
        Event::Answering { request_id: "req_7".to_owned() },
        usage(1),
        Event::Text("a\u{1f980}b".to_owned()),
        usage(5),
        Event::Done { stop: StopReason::End },
    ];
    assert_eq!(events, expected);
}

#[tokio::test]
async fn a_busy_provider_is_asked_again_and_the_user_is_told() {
    let busy = answer(529, "retry-after: 1\r\n", &error("overloaded_error", "Overloaded"));
    let peer = Peer::start(vec![busy.clone(), busy, good("at last")]).await;
    let provider = provider("p", &peer.base_url());
    let events = all(Setup::with(std::slice::from_ref(&provider)).ask(&provider)).await;
    assert_eq!(text_of(&events), "at last");
    assert_eq!(peer.requests().len(), 3);
    let waits: Vec<_> = events.iter().filter(|it| matches!(it, Event::Waiting { .. })).collect();
    let sentence = format!(
        "{} has more to do than it can (status 529, it says: Overloaded); trying again in 1 s",
        peer.host
    );
    assert_eq!(
        waits,
        [
            &Event::Waiting { seconds: 1, sentence: sentence.clone() },
            &Event::Waiting { seconds: 1, sentence }
        ]
    );
}

#[tokio::test]
async fn a_proxy_learns_the_hosts_name_and_nothing_else() {
    let proxy = Peer::start(vec![answer(502, "", "")]).await;
    let local = Peer::start(vec![good("straight")]).await;
    let providers =
        [provider("far", "https://far.invalid/v1"), provider("near", &local.base_url())];
    let home = TempFolder::new();
    std::fs::write(home.0.join("config.toml"), settings(&providers)).unwrap();
    let mut command = command(&home);
    for name in ["HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "http_proxy"] {
        command.env(name, proxy.base_url());
    }
    for name in ["https_proxy", "NO_PROXY", "no_proxy"] {
        command.env_remove(name);
    }
    let setup = Setup { _home: home, broker: Broker::spawn(command).unwrap() };
    let events = all(setup.ask(&providers[0])).await;
    let Failure { kind, may_cost, .. } = failure(&events);
    assert_eq!((*kind, *may_cost), (FaultKind::Unreachable, false));
    assert_eq!(text_of(&all(setup.ask(&providers[1])).await), "straight");
    let requests = proxy.requests();
    assert_eq!(requests.len(), 1);
    assert!(requests[0].head.starts_with("CONNECT far.invalid:443 "), "{requests:?}");
    assert!(requests[0].body.is_empty() && !requests[0].head.contains(KEY), "{requests:?}");
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let other = Peer::start(vec![good("caught")]).await;
    for status in [301, 302, 303, 307, 308] {
        let peer = Peer::start(vec![answer(
            status,
            &format!("location: {}/v1/messages\r\n", other.base_url()),
            "",
        )])
        .await;
        let provider = provider("p", &peer.base_url());
        let events = all(Setup::with(std::slice::from_ref(&provider)).ask(&provider)).await;
        assert_eq!(failure(&events).kind, FaultKind::Redirect);
    }
    assert_eq!(other.requests().len(), 0);
}

/// A peer that has begun to answer, and a call that has its first text.
async fn under_way() -> (Peer, Setup, Call) {
    let begun = format!("{}{}", peer::BEGINNING, text("Hello"));
    let peer = Peer::start(vec![vec![stream_head(), chunk(begun.as_bytes()), Step::Hang]]).await;
    let provider = provider("p", &peer.base_url());
    let long = settings(std::slice::from_ref(&provider))
        .replace("stall_seconds = 1", "stall_seconds = 600");
    let setup = Setup::new(&long);
    let mut call = setup.ask(&provider);
    loop {
        match call.next().await {
            Some(Event::Text(_)) => return (peer, setup, call),
            Some(Event::Done { .. } | Event::Failed(_)) | None => panic!("no text came"),
            Some(_) => {}
        }
    }
}

#[tokio::test]
async fn cancelling_closes_the_connection_and_is_the_last_event() {
    let (peer, setup, call) = under_way().await;
    setup.broker.cancel(call.id);
    let events = all(call).await;
    let Failure { kind, may_cost, .. } = failure(&events);
    assert_eq!((*kind, *may_cost), (FaultKind::Cancelled, true));
    peer.connection_over().await;
}

#[tokio::test]
async fn dropping_a_call_cancels_it() {
    let (peer, setup, call) = under_way().await;
    drop(call);
    peer.connection_over().await;
    assert_eq!(setup.broker.gone(), None);
}

#[tokio::test]
async fn the_broker_ends_with_its_last_handle_in_the_middle_of_an_answer() {
    let (peer, setup, call) = under_way().await;
    drop((setup, call));
    peer.connection_over().await;
}

#[tokio::test]
async fn the_end_of_its_input_ends_the_process() {
    use std::io::Write;
    let peer = Peer::start(vec![vec![Step::Hang]]).await;
    let provider = provider("p", &peer.base_url());
    let home = TempFolder::new();
    std::fs::write(home.0.join("config.toml"), settings(std::slice::from_ref(&provider))).unwrap();
    let mut child = command(&home)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let body = protocol::body(&provider, &question(), true);
    let order = order(&provider, &peer.host, 1, &body);
    writeln!(child.stdin.as_ref().unwrap(), "{order}").unwrap();
    crate::support::until(async || (!peer.requests().is_empty()).then_some(())).await;
    drop(child.stdin.take());
    let status = tokio::task::spawn_blocking(move || child.wait()).await.unwrap().unwrap();
    assert!(status.success());
    peer.connection_over().await;
}

#[tokio::test]
async fn calls_do_not_disturb_each_other() {
    let silent = Peer::start(vec![vec![Step::Hang]]).await;
    let peer = Peer::start(vec![good("said")]).await;
    let (stuck, fine) = (provider("stuck", &silent.base_url()), provider("fine", &peer.base_url()));
    let setup = Setup::with(&[stuck.clone(), fine.clone()]);
    let waiting: Vec<Call> = (0..15).map(|_| setup.ask(&stuck)).collect();
    assert_eq!(text_of(&all(setup.ask(&fine)).await), "said");
    let one_more = setup.ask(&stuck);
    let events = all(setup.ask(&fine)).await;
    assert_eq!(failure(&events).kind, FaultKind::TooMany);
    drop((waiting, one_more));
    assert_eq!(text_of(&all(setup.ask(&fine)).await), "said");
}

#[tokio::test]
async fn one_json_object_instead_of_a_stream_is_understood() {
    let whole = serde_json::json!({
        "content": [{"type": "text", "text": "whole"}], "stop_reason": "end_turn",
        "usage": {"input_tokens": 3, "output_tokens": 2}});
    let peer =
        Peer::start(vec![answer(200, "content-type: application/json\r\n", &whole.to_string())])
            .await;
    let provider = provider("p", &peer.base_url());
    let events = all(Setup::with(std::slice::from_ref(&provider)).ask(&provider)).await;
    assert_eq!(text_of(&events), "whole");
    assert_eq!(events.last(), Some(&Event::Done { stop: StopReason::End }));
}

#[tokio::test]
async fn an_answer_that_used_all_its_tokens_is_not_called_whole() {
    let delta = serde_json::json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 100}});
    let events = format!(
        "{}{}data: {delta}\n\ndata: {{\"type\":\"message_stop\"}}\n\n",
        peer::BEGINNING,
        text("half")
    );
    let peer = Peer::start(vec![vec![stream_head(), chunk(events.as_bytes()), last_chunk()]]).await;
    let provider = provider("p", &peer.base_url());
    let events = all(Setup::with(std::slice::from_ref(&provider)).ask(&provider)).await;
    assert_eq!(events.last(), Some(&Event::Done { stop: StopReason::MaxTokens }));
}
