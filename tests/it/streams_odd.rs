//! What else real servers do with their streams: keep connections open, cut characters in two, compress what was not asked for,
//! report errors in the middle, and never end. The real broker against a peer on this machine.

use std::io::Write;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use futures_util::future::join_all;
use keyside::config::cloud::{Protocol, Provider};
use keyside::remote::broker::ipc::Event;
use keyside::remote::protocol::StopReason;
use keyside::remote::protocol::fault::FaultKind;
use serde_json::json;

use crate::broker::{Setup, all, failure, provider, text_of};
use crate::peer::{self, Peer, Step, chunk, last_chunk, stream_head};
use crate::streams::{After, DONE, chat, event, finish, outcome, steps, usage};

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
