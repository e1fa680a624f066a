//! How real servers end their answers, and what they send to keep a connection open: the real broker against a peer on this machine
//! that has the habit. A whole answer is used, at once where the connection stays open; what is cut off is not.

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use futures_util::future::join_all;
use keyside::cloud::link::Event;
use keyside::config::cloud::{Protocol, Provider};
use keyside::wire::StopReason;
use keyside::wire::fault::FaultKind;
use serde_json::{Value, json};
use std::io::Write;

use crate::broker::{Setup, all, failure, provider, settings, text_of};
use crate::peer::{self, Peer, Step, chunk, last_chunk, stream_head};

/// What a server does after what it has to say.
#[derive(Debug, Clone, Copy, PartialEq)]
enum After {
    Close,
    /// Nothing, and the connection stays open.
    Hang,
    Reset,
    /// Pings, comments and empty events, for as long as somebody listens.
    Ping,
}

const PINGS: &str = ": ping\n\nevent: ping\ndata: {\"type\": \"ping\"}\n\ndata:\n\ndata: ping\n\n";

fn steps(body: &[u8], after: After) -> Vec<Step> {
    let mut steps = vec![stream_head()];
    // A chunk of nothing is the end.
    steps.extend((!body.is_empty()).then(|| chunk(body)));
    match after {
        After::Close => steps.push(last_chunk()),
        After::Hang => steps.push(Step::Hang),
        After::Reset => steps.extend([Step::Pause, Step::Reset]),
        After::Ping => {
            let Step::Send(framed) = chunk(PINGS.as_bytes()) else { unreachable!() };
            steps.push(Step::Repeat(framed));
        }
    }
    steps
}

/// What became of an answer: its text and `End`, or else why not.
async fn outcome(protocol: Protocol, script: Vec<Step>, stall_seconds: u32) -> (String, String) {
    let peer = Peer::start(vec![script]).await;
    let provider = Provider { protocol, ..provider("p", &peer.base_url()) };
    let settings = settings(std::slice::from_ref(&provider))
        .replace("stall_seconds = 1", &format!("stall_seconds = {stall_seconds}"));
    let events = all(Setup::new(&settings).ask(&provider)).await;
    let end = match events.last() {
        Some(Event::Done { stop }) => format!("{stop:?}"),
        _ => format!("{:?}", failure(&events).kind),
    };
    (text_of(&events), end)
}

/// Each of the streams is a whole answer `hello`, in the end that it has and, where nothing more needs to come, in others.
async fn whole(protocol: Protocol, cases: &[(&str, String, After)]) {
    let outcomes = cases.iter().map(|(name, stream, after)| async move {
        // No test waits for so long: what comes, comes without the limit.
        let outcome = outcome(protocol, steps(stream.as_bytes(), *after), 600).await;
        assert_eq!(outcome, ("hello".to_owned(), "End".to_owned()), "{name}: {after:?}");
    });
    join_all(outcomes).await;
}

fn event(json: &Value) -> String {
    format!("data: {json}\n\n")
}

fn chat(content: &str) -> String {
    event(&json!({"choices": [{"index": 0, "delta": {"content": content}, "finish_reason": null}]}))
}

fn finish(reason: &str) -> String {
    event(&json!({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]}))
}

fn usage() -> String {
    event(&json!({"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 2}}))
}

const DONE: &str = "data: [DONE]\n\n";

#[tokio::test]
async fn ends_of_a_chat_that_is_whole() {
    let hello = format!("{}{}", chat("hel"), chat("lo"));
    let mut cases = Vec::new();
    for after in [After::Close, After::Hang, After::Ping, After::Reset] {
        cases.push(("stop, usage", format!("{hello}{}{}", finish("stop"), usage()), after));
        cases.push(("stop alone", format!("{hello}{}", finish("stop")), after));
        cases.push(("no reason, DONE", format!("{hello}{DONE}"), after));
        cases.push(("no reason, usage, DONE", format!("{hello}{}{DONE}", usage()), after));
        cases.push(("DONE with a blank", format!("{hello}data: [DONE] \n\n"), after));
        cases.push(("DONE in quotes", format!("{hello}data:\"[DONE]\"\n\n"), after));
        cases.push(("DONE without a blank line", format!("{hello}data: [DONE]\n"), after));
    }
    for reason in ["eos", "eos_token", "end_turn", "stop_sequence", "STOP", "Stop", "EOS_TOKEN"] {
        cases.push((reason, format!("{hello}{}{DONE}", finish(reason)), After::Close));
        cases.push((reason, format!("{hello}{}", finish(reason)), After::Hang));
    }
    let one_break = format!("{hello}{}{}{DONE}", finish("stop"), usage()).replace("\n\n", "\n");
    cases.push(("one line break", one_break.clone(), After::Close));
    cases.push(("one line break", one_break, After::Hang));
    let returns = format!("{hello}{}{DONE}", finish("stop"));
    cases.push(("CR", returns.replace('\n', "\r"), After::Hang));
    cases.push(("CRLF", returns.replace('\n', "\r\n"), After::Hang));
    cases.push(("BOM", format!("\u{feff}{returns}"), After::Hang));
    cases.push((
        "empty events",
        format!("data:\n\n{hello}data: \n\n{}", finish("stop")),
        After::Hang,
    ));
    let empty_reasons = hello.replace("null", "\"\"");
    cases.push(("empty reasons", format!("{empty_reasons}{}", finish("stop")), After::Hang));
    let early = event(
        &json!({"choices": [{"delta": {"role": "assistant", "content": ""}}], "usage": {"prompt_tokens": 9, "completion_tokens": 0}}),
    );
    cases.push(("usage in each", format!("{early}{hello}{}", finish("stop")), After::Hang));
    let reason_with_text = event(
        &json!({"choices": [{"delta": {"content": "hello"}, "finish_reason": "stop"}], "usage": null}),
    );
    cases.push(("reason beside the text", reason_with_text, After::Hang));
    let message = json!({"choices": [{"message": {"content": "hello"}, "finish_reason": "stop"}]});
    cases.push(("a message in an event", event(&message), After::Hang));
    cases.push(("one object", message.to_string(), After::Close));
    cases.push(("one object", message.to_string(), After::Hang));
    cases.push(("one object after blanks", format!("\n\n  \n{message}\n"), After::Hang));
    let bare = json!({"choices": [{"message": {"content": "hello"}}]});
    cases.push(("one object without a reason", bare.to_string(), After::Close));
    let lines = format!("{hello}{}", finish("stop")).replace("data: ", "").replace("\n\n", "\n");
    cases.push(("objects line by line", lines, After::Close));
    for cases in cases.chunks(16) {
        whole(Protocol::OpenaiChat, cases).await;
    }
}

#[tokio::test]
async fn ends_of_a_message_that_is_whole() {
    let hello = format!("{}{}{}", peer::BEGINNING, peer::text("hel"), peer::text("lo"));
    let delta = |reason: &str| {
        let delta = json!({"type": "message_delta", "delta": {"stop_reason": reason}, "usage": {"output_tokens": 2}});
        format!("event: message_delta\ndata: {delta}\n\n")
    };
    let stop = "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";
    let mut cases = Vec::new();
    for after in [After::Close, After::Hang, After::Ping, After::Reset] {
        cases.push(("no message_stop", format!("{hello}{}", delta("end_turn")), after));
        cases.push(("message_stop alone", format!("{hello}{stop}"), after));
        cases.push(("DONE", format!("{hello}{DONE}"), after));
        cases.push(("DONE at the end", format!("{hello}{}{DONE}", delta("end_turn")), after));
    }
    for reason in ["END_TURN", "stop", "eos", "stop_sequence"] {
        cases.push((reason, format!("{hello}{}", delta(reason)), After::Hang));
    }
    let all = format!("{hello}{}{stop}", delta("end_turn"));
    cases.push(("CR", all.replace('\n', "\r"), After::Hang));
    cases.push(("one line break", all.replace("\n\n", "\n"), After::Hang));
    cases.push(("BOM", format!("\u{feff}{all}"), After::Hang));
    let nameless: String =
        all.lines().filter(|it| !it.starts_with("event:")).map(|it| format!("{it}\n")).collect();
    cases.push(("no names", nameless, After::Hang));
    let whole_message =
        json!({"content": [{"type": "text", "text": "hello"}], "stop_reason": "end_turn"});
    cases.push(("one object", whole_message.to_string(), After::Hang));
    for cases in cases.chunks(16) {
        whole(Protocol::AnthropicMessages, cases).await;
    }
}

#[tokio::test]
async fn ends_of_a_response_that_is_whole() {
    let delta = |text: &str| event(&json!({"type": "response.output_text.delta", "delta": text}));
    let hello = format!("{}{}", delta("hel"), delta("lo"));
    let response = json!({"status": "completed", "output": [{"type": "message", "content": [{"type": "output_text", "text": "hello"}]}], "usage": {"input_tokens": 9, "output_tokens": 2}});
    let completed = event(&json!({"type": "response.completed", "response": response}));
    let item = json!({"type": "message", "status": "completed", "content": [{"type": "output_text", "text": "hello"}]});
    let item_done = event(&json!({"type": "response.output_item.done", "item": item}));
    let mut cases = Vec::new();
    for after in [After::Close, After::Hang, After::Ping, After::Reset] {
        cases.push(("completed", format!("{hello}{completed}"), after));
        cases.push(("nothing but completed", completed.clone(), after));
        cases.push(("DONE alone", format!("{hello}{DONE}"), after));
        let bare = event(&json!({"type": "response.completed", "response": {}}));
        cases.push(("completed without a response", format!("{hello}{bare}"), after));
    }
    cases.push(("the item is done", format!("{hello}{item_done}"), After::Close));
    cases.push(("nothing but the item", item_done, After::Close));
    cases.push(("CR", format!("{hello}{completed}").replace('\n', "\r"), After::Hang));
    cases.push((
        "one line break",
        format!("{hello}{completed}").replace("\n\n", "\n"),
        After::Hang,
    ));
    cases.push(("one object", response.to_string(), After::Hang));
    for cases in cases.chunks(16) {
        whole(Protocol::OpenaiResponses, cases).await;
    }
}

#[tokio::test]
async fn what_is_not_whole_stays_an_error() {
    let chat_begun = format!("{}{}", chat("hel"), chat("lo"));
    let message_begun = format!("{}{}", peer::BEGINNING, peer::text("hello"));
    let stopped =
        format!("{message_begun}data: {{\"type\":\"content_block_stop\",\"index\":0}}\n\n");
    let response_begun = event(&json!({"type": "response.output_text.delta", "delta": "hello"}));
    let one_of_two = format!(
        "{response_begun}{}{}",
        event(
            &json!({"type": "response.output_item.done", "item": {"type": "message", "status": "completed"}})
        ),
        event(&json!({"type": "response.output_item.added", "item": {"type": "message"}})),
    );
    let half = json!({"choices": [{"message": {"content": "hello"}}]}).to_string();
    let half = &half[..half.len() - 2];
    let (chats, messages, responses) =
        (Protocol::OpenaiChat, Protocol::AnthropicMessages, Protocol::OpenaiResponses);
    let cut_off = "CutOff";
    for (protocol, stream, after, expected) in [
        (chats, chat_begun.as_str(), After::Close, cut_off),
        (chats, chat_begun.as_str(), After::Reset, "Broken"),
        (chats, chat_begun.as_str(), After::Hang, "Stalled"),
        (chats, chat_begun.as_str(), After::Ping, "Stalled"),
        (chats, "", After::Ping, "Stalled"),
        (chats, half, After::Close, cut_off),
        (chats, half, After::Hang, "Stalled"),
        (messages, &message_begun, After::Close, cut_off),
        (messages, &stopped, After::Close, cut_off),
        (messages, &stopped, After::Ping, "Stalled"),
        (responses, &response_begun, After::Close, cut_off),
        (responses, &one_of_two, After::Close, cut_off),
        (responses, &response_begun, After::Ping, "Stalled"),
    ] {
        let (_, end) = outcome(protocol, steps(stream.as_bytes(), after), 1).await;
        assert_eq!(end, expected, "{protocol:?} {after:?}: {stream}");
    }
    for (reason, expected) in [
        ("length", "MaxTokens"),
        ("MAX_TOKENS", "MaxTokens"),
        ("SAFETY", "Refusal(\"the provider's content filter\")"),
        ("model_length", "ContextFull"),
        ("abort", "Other(\"abort\")"),
        ("tool_calls", "Other(\"tool_calls\")"),
    ] {
        let stream = format!("{chat_begun}{}", finish(reason));
        let outcome = outcome(chats, steps(stream.as_bytes(), After::Hang), 600).await;
        assert_eq!(outcome, ("hello".to_owned(), expected.to_owned()));
    }
}

/// Each a keep-alive of some server, none of them a step of the answer.
#[tokio::test]
async fn no_keep_alive_is_a_sign_of_life() {
    let (chats, messages, responses) =
        (Protocol::OpenaiChat, Protocol::AnthropicMessages, Protocol::OpenaiResponses);
    let empty_delta = json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": ""}});
    let no_thought = json!({"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": ""}});
    let in_progress =
        json!({"type": "response.in_progress", "response": {"status": "in_progress"}});
    let cases = [
        (chats, ": OPENROUTER PROCESSING\n\n".to_owned()),
        (chats, "\n\n".to_owned()),
        (chats, "data:\n\n".to_owned()),
        (chats, chat("")),
        (chats, event(&json!({"choices": [{"delta": {}}], "usage": null}))),
        (chats, event(&json!({"choices": []}))),
        (chats, "data: ping\n\n".to_owned()),
        (messages, "event: ping\ndata: {\"type\": \"ping\"}\n\n".to_owned()),
        (messages, "data: {\"type\": \"ping\"}\n\n".to_owned()),
        (messages, event(&empty_delta)),
        (messages, event(&no_thought)),
        (responses, event(&in_progress)),
        (responses, event(&json!({"type": "keepalive", "sequence_number": 3}))),
        (responses, event(&json!({"type": "response.output_text.delta", "delta": ""}))),
    ];
    let outcomes = cases.iter().map(|(protocol, keep_alive)| async move {
        let Step::Send(framed) = chunk(keep_alive.as_bytes()) else { unreachable!() };
        let script = vec![stream_head(), Step::Repeat(framed)];
        let (_, end) = outcome(*protocol, script, 1).await;
        assert_eq!(end, "Stalled", "{keep_alive}");
    });
    join_all(outcomes).await;
}

/// Slow is not stalled: each of these comes in the middle of a limit.
#[tokio::test]
async fn a_slow_answer_is_not_given_up() {
    let think = event(&json!({"choices": [{"delta": {"reasoning_content": "hm"}}]}));
    let mut script = vec![stream_head()];
    for said in [&think, &think, &think, &think, &chat("hel"), &chat("lo")] {
        script.extend([chunk(said.as_bytes()), Step::Wait(400)]);
    }
    script.push(chunk(format!("{}{DONE}", finish("stop")).as_bytes()));
    let outcome = outcome(Protocol::OpenaiChat, script, 1).await;
    assert_eq!(outcome, ("hello".to_owned(), "End".to_owned()));
}

#[tokio::test]
async fn a_character_in_two_events_is_one_character() {
    let halves = |one: &str, other: &str| {
        format!(
            "data: {{\"choices\":[{{\"delta\":{{\"content\":\"a{one}\"}}}}]}}\n\n\
             data: {{\"choices\":[{{\"delta\":{{\"content\":\"{other}b\"}}}}]}}\n\n{DONE}"
        )
    };
    let ask = async |stream: &str, cut: Option<usize>| {
        let (before, after) = stream.as_bytes().split_at(cut.unwrap_or(0));
        let mut script = vec![stream_head()];
        if !before.is_empty() {
            script.extend([chunk(before), Step::Pause]);
        }
        script.extend([chunk(after), last_chunk()]);
        outcome(Protocol::OpenaiChat, script, 600).await.0
    };
    let stream = halves("\\ud83d", "\\ude00");
    assert_eq!(ask(&stream, None).await, "a\u{1f600}b");
    let within = stream.find("\\ud83d").unwrap() + 3;
    assert_eq!(ask(&stream, Some(within)).await, "a\u{1f600}b");
    assert_eq!(ask(&halves("\\uD83D", ""), None).await, "a\u{fffd}b");
    assert_eq!(ask(&halves("", "\\ude00"), None).await, "a\u{fffd}b");
    let one = "data: {\"type\":\"content_block_delta\",\"delta\":{\"type\":\"text_delta\",\"text\":\"\\ud83e\"}}\n\n";
    let stream = format!(
        "{}{one}{}{}",
        peer::BEGINNING,
        one.replace("d83e", "dd80"),
        peer::ending("end_turn")
    );
    let script = vec![stream_head(), chunk(stream.as_bytes()), last_chunk()];
    let outcome = outcome(Protocol::AnthropicMessages, script, 600).await;
    assert_eq!(outcome.0, "\u{1f980}");
}

/// The stream compressed, with what was written so far flushed behind each event.
fn compressed<W: Write>(mut encoder: W, stream: &str) -> W {
    for event in stream.split_inclusive("\n\n") {
        encoder.write_all(event.as_bytes()).unwrap();
        encoder.flush().unwrap();
    }
    encoder
}

#[tokio::test]
async fn a_compressed_answer_that_was_not_asked_for_is_read() {
    let stream = format!("{}{}{}{}", chat("hel"), chat("lo"), finish("stop"), usage());
    let level = Compression::default;
    let gzip = compressed(GzEncoder::new(Vec::new(), level()), &stream).finish().unwrap();
    let zlib = compressed(ZlibEncoder::new(Vec::new(), level()), &stream).finish().unwrap();
    let raw = compressed(DeflateEncoder::new(Vec::new(), level()), &stream).finish().unwrap();
    for (encoding, bytes) in
        [("gzip", &gzip), ("x-gzip", &gzip), ("", &gzip), ("deflate", &zlib), ("deflate", &raw)]
    {
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-encoding: {encoding}\r\ntransfer-encoding: chunked\r\n\r\n"
        );
        let head =
            if encoding.is_empty() { head.replace("content-encoding: \r\n", "") } else { head };
        let (before, after) = bytes.split_at(bytes.len() / 2);
        let begin = [Step::Send(head.into_bytes()), chunk(before), Step::Pause, chunk(after)];
        // Whole; without the end of the connection; and without the end of the compressed stream.
        let cut = &after[..after.len() - 6];
        let scripts = [
            [&begin[..], &[last_chunk()]].concat(),
            [&begin[..], &[Step::Hang]].concat(),
            [&begin[..3], &[chunk(cut), last_chunk()]].concat(),
        ];
        for script in scripts {
            let outcome = outcome(Protocol::OpenaiChat, script, 600).await;
            assert_eq!(outcome, ("hello".to_owned(), "End".to_owned()), "{encoding}");
        }
    }
}

#[tokio::test]
async fn an_error_in_a_compressed_body_or_a_strange_compression_is_told() {
    let error = json!({"error": {"message": "no such thing", "code": 400}}).to_string();
    let gzip =
        compressed(GzEncoder::new(Vec::new(), Compression::default()), &error).finish().unwrap();
    let head = |status: u32, encoding: &str, n_bytes: usize| {
        format!("HTTP/1.1 {status} X\r\ncontent-encoding: {encoding}\r\ncontent-length: {n_bytes}\r\n\r\n").into_bytes()
    };
    let cases = [
        (400, "gzip", gzip.clone(), FaultKind::BadRequest, "it says: no such thing"),
        (200, "gzip", gzip, FaultKind::BadRequest, "it says: no such thing"),
        (200, "zstd", vec![0x28, 0xb5, 0x2f, 0xfd], FaultKind::Malformed, "compressed as zstd"),
        (200, "gzip", b"data: hello\n\n".to_vec(), FaultKind::Malformed, "badly compressed"),
    ];
    for (status, encoding, body, kind, words) in cases {
        let script = vec![Step::Send(head(status, encoding, body.len())), Step::Send(body)];
        let peer = Peer::start(vec![script]).await;
        let provider =
            Provider { protocol: Protocol::OpenaiChat, ..provider("p", &peer.base_url()) };
        let events = all(Setup::with(std::slice::from_ref(&provider)).ask(&provider)).await;
        let failure = failure(&events);
        assert_eq!(failure.kind, kind, "{}", failure.sentence);
        assert!(failure.sentence.contains(words), "{}", failure.sentence);
    }
}

/// Errors in the middle of a stream, in the shapes of several servers.
#[tokio::test]
async fn errors_within_a_stream_are_told() {
    let (chats, messages, responses) =
        (Protocol::OpenaiChat, Protocol::AnthropicMessages, Protocol::OpenaiResponses);
    let said = "no such thing";
    let as_object = event(&json!({"error": {"message": said, "code": 502}}));
    let cases = [
        (chats, as_object.clone()),
        (chats, event(&json!({"error": said}))),
        (
            chats,
            event(
                &json!({"object": "error", "message": said, "type": "BadRequestError", "code": 400}),
            ),
        ),
        (
            chats,
            event(
                &json!({"choices": [{"delta": {"content": ""}, "finish_reason": "error", "error": {"message": said}}]}),
            ),
        ),
        (chats, format!("{}\n\n", json!({"error": {"message": said}}))),
        (chats, format!("event: error\n{as_object}")),
        (chats, format!("event: error\ndata: {said}\n\n")),
        (messages, as_object.clone()),
        (
            messages,
            event(&json!({"type": "error", "error": {"type": "api_error", "message": said}})),
        ),
        (responses, as_object),
        (responses, event(&json!({"type": "error", "code": "x", "message": said}))),
        (
            responses,
            event(
                &json!({"type": "response.failed", "response": {"status": "failed", "error": {"message": said}}}),
            ),
        ),
    ];
    for (protocol, error) in cases {
        for after in [After::Close, After::Hang] {
            let script = steps(error.as_bytes(), after);
            let peer = Peer::start(vec![script]).await;
            let provider = Provider { protocol, ..provider("p", &peer.base_url()) };
            let events = all(Setup::with(std::slice::from_ref(&provider)).ask(&provider)).await;
            let sentence = &failure(&events).sentence;
            assert!(sentence.contains(said), "{protocol:?} {error}: {sentence}");
        }
    }
}

/// The limit of tokens was told to the server; one that goes past it is stopped, or it would write and charge without end.
#[tokio::test]
async fn an_answer_without_end_is_stopped() {
    let Step::Send(framed) = chunk(chat(&"word ".repeat(100)).as_bytes()) else { unreachable!() };
    let peer = Peer::start(vec![vec![stream_head(), Step::Repeat(framed)]]).await;
    let provider = Provider { protocol: Protocol::OpenaiChat, ..provider("p", &peer.base_url()) };
    let events = all(Setup::with(std::slice::from_ref(&provider)).ask(&provider)).await;
    let failure = failure(&events);
    assert_eq!((failure.kind, failure.may_cost), (FaultKind::AnswerTooLarge, true));
    assert!(failure.sentence.contains("100 tokens were asked for"), "{}", failure.sentence);
    assert!(text_of(&events).len() < 20_000);
    assert_ne!(events.last(), Some(&Event::Done { stop: StopReason::End }));
    peer.connection_over().await;
}
