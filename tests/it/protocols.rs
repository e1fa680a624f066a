//! Bodies byte by byte, and answers of three protocols: the same pieces however the bytes are cut.

use expect_test::{Expect, expect};
use keyside::config::cloud::{Protocol, Provider};
use keyside::remote::protocol::answer::Answer;
use keyside::remote::protocol::{Ask, Piece, Role, Turn, body};

fn provider(protocol: Protocol, base_url: &str, model: &str) -> Provider {
    let (base_url, model) = (base_url.to_owned(), model.to_owned());
    Provider { protocol, base_url, model, ..Provider::default() }
}

fn ask(system: &str) -> Ask {
    let turn = |role, text: &str| Turn { role, text: text.to_owned() };
    Ask {
        system: system.to_owned(),
        turns: vec![
            turn(Role::User, "a\"\\\n\t\u{e9}\u{1f980}\u{2028}</script>"),
            turn(Role::Assistant, "b"),
            turn(Role::User, "c"),
        ],
        max_output_tokens: 64,
    }
}

#[test]
fn bodies_are_these_bytes() {
    let (anthropic, chat, responses) =
        (Protocol::AnthropicMessages, Protocol::OpenaiChat, Protocol::OpenaiResponses);
    let here = "http://localhost:8080";
    let mut bodies = String::new();
    for (protocol, base_url, model, system, stream) in [
        (anthropic, "", "claude-sonnet-5-5", "You help.", true),
        (anthropic, "", "claude-sonnet-5-5", "", false),
        (chat, "", "gpt-4.1", "You help.", true),
        (chat, here, "openai/gpt-6-sol", "", true),
        (chat, here, "o4-mini", "", true),
        (chat, here, "qwen2.5-coder", "You help.", true),
        (chat, here, "gpt-oss-120b", "", false),
        (responses, "", "gpt-5.5-pro", "You help.", true),
        (responses, "", "gpt-5.5-pro", "", false),
    ] {
        let body = body(&provider(protocol, base_url, model), &ask(system), stream);
        assert!(serde_json::from_str::<serde_json::Value>(&body).is_ok());
        bodies.push_str(&body);
        bodies.push('\n');
    }
    expect![[r#"
        {"model":"claude-sonnet-5-5","max_tokens":64,"stream":true,"system":[{"type":"text","text":"You help.","cache_control":{"type":"ephemeral"}}],"messages":[{"role":"user","content":"a\"\\\n\té🦀 </script>"},{"role":"assistant","content":"b"},{"role":"user","content":"c"}]}
        {"model":"claude-sonnet-5-5","max_tokens":64,"stream":false,"messages":[{"role":"user","content":"a\"\\\n\té🦀 </script>"},{"role":"assistant","content":"b"},{"role":"user","content":"c"}]}
        {"model":"gpt-4.1","max_completion_tokens":64,"stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"system","content":"You help."},{"role":"user","content":"a\"\\\n\té🦀 </script>"},{"role":"assistant","content":"b"},{"role":"user","content":"c"}]}
        {"model":"openai/gpt-6-sol","max_completion_tokens":64,"stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"user","content":"a\"\\\n\té🦀 </script>"},{"role":"assistant","content":"b"},{"role":"user","content":"c"}]}
        {"model":"o4-mini","max_completion_tokens":64,"stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"user","content":"a\"\\\n\té🦀 </script>"},{"role":"assistant","content":"b"},{"role":"user","content":"c"}]}
        {"model":"qwen2.5-coder","max_tokens":64,"stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"system","content":"You help."},{"role":"user","content":"a\"\\\n\té🦀 </script>"},{"role":"assistant","content":"b"},{"role":"user","content":"c"}]}
        {"model":"gpt-oss-120b","max_tokens":64,"stream":false,"messages":[{"role":"user","content":"a\"\\\n\té🦀 </script>"},{"role":"assistant","content":"b"},{"role":"user","content":"c"}]}
        {"model":"gpt-5.5-pro","max_output_tokens":64,"stream":true,"store":false,"instructions":"You help.","input":[{"role":"user","content":"a\"\\\n\té🦀 </script>"},{"role":"assistant","content":"b"},{"role":"user","content":"c"}]}
        {"model":"gpt-5.5-pro","max_output_tokens":64,"stream":false,"store":false,"input":[{"role":"user","content":"a\"\\\n\té🦀 </script>"},{"role":"assistant","content":"b"},{"role":"user","content":"c"}]}
    "#]].assert_eq(&bodies);
}

/// The pieces of an answer that comes in the given parts, texts joined.
fn pieces_of(protocol: Protocol, parts: &[&[u8]]) -> Vec<Piece> {
    let mut answer = Answer::new(protocol);
    let mut pieces = Vec::new();
    for part in parts {
        pieces.extend(answer.push(part));
    }
    pieces.extend(answer.finish());
    assert!(answer.is_over());
    let n_last = pieces.iter().filter(|it| matches!(it, Piece::Stop(_) | Piece::Error { .. }));
    assert_eq!(n_last.count(), 1, "{pieces:?}");
    assert!(matches!(pieces.last(), Some(Piece::Stop(_) | Piece::Error { .. })), "{pieces:?}");
    pieces
}

fn check(protocol: Protocol, stream: &str, expected: &Expect) {
    let bytes = stream.as_bytes();
    let pieces = pieces_of(protocol, &[bytes]);
    for at in 0..=bytes.len() {
        let (before, after) = bytes.split_at(at);
        assert_eq!(pieces_of(protocol, &[before, after]), pieces, "cut at {at}");
    }
    let single: Vec<&[u8]> = bytes.chunks(1).collect();
    assert_eq!(pieces_of(protocol, &single), pieces, "byte by byte");
    // A comment, as gateways send it to keep a connection open, with other line ends.
    if !stream.trim_start().starts_with(['{', '<', '\u{feff}']) {
        let other = format!(": wait\r\n\r\n{}", stream.replace('\n', "\r\n"));
        assert_eq!(pieces_of(protocol, &[other.as_bytes()]), pieces);
        let marked = format!("\u{feff}{stream}");
        assert_eq!(pieces_of(protocol, &[marked.as_bytes()]), pieces);
    }
    // Without its end it is cut off, wherever that is, unless the model has said that it is done.
    let says_why = |stream: &str| {
        ["stop_reason\":\"", "finish_reason\":\"", "[DONE]"].iter().any(|it| stream.contains(it))
    };
    for at in 0..bytes.len() {
        let last = pieces_of(protocol, &[&bytes[..at]]).pop();
        let is_whole = last.as_ref() == pieces.last();
        let is_cut = matches!(last, Some(Piece::Error { .. }));
        let (told, rest) = (String::from_utf8_lossy(&bytes[..at]), bytes[at..].trim_ascii());
        let may_be_whole = rest.len() < 3 || says_why(&told);
        assert!(is_cut || is_whole && may_be_whole, "{at}: {last:?}");
    }
    let mut text = String::new();
    for piece in pieces {
        text.push_str(&format!("{piece:?}\n"));
    }
    expected.assert_eq(&text);
}

const ANTHROPIC: &str = r#"event: message_start
data: {"type":"message_start","message":{"id":"m","role":"assistant","usage":{"input_tokens":12,"cache_creation_input_tokens":30,"cache_read_input_tokens":400,"cache_creation":{"ephemeral_5m_input_tokens":20,"ephemeral_1h_input_tokens":10},"output_tokens":1}}}

event: ping
data: {"type": "ping"}

event: content_block_start
data: {"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":""}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"hm"}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"x"}}

event: a_later_invention
data: not even JSON

event: content_block_start
data: {"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}}

event: content_block_delta
data: {"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"fn é🦀"}}

event: content_block_delta
data: {"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"() {}\n"}}

event: content_block_stop
data: {"type":"content_block_stop","index":1}

event: message_delta
data: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":9,"input_tokens":null}}

event: message_stop
data: {"type":"message_stop"}

"#;

#[test]
fn anthropics_stream() {
    check(
        Protocol::AnthropicMessages,
        ANTHROPIC,
        &expect![[r#"
        Usage(Usage { input_tokens: 12, cache_read: 400, cache_write_5m: 20, cache_write_1h: 10, output_tokens: 1, reasoning_tokens: 0, cost_pico_usd: None })
        Thinking
        Text("fn é🦀")
        Text("() {}\n")
        Usage(Usage { input_tokens: 12, cache_read: 400, cache_write_5m: 20, cache_write_1h: 10, output_tokens: 9, reasoning_tokens: 0, cost_pico_usd: None })
        Stop(End)
    "#]],
    );
}

#[test]
fn anthropics_refusal_and_one_object() {
    let refusal = r#"{"type":"message_delta","delta":{"stop_reason":"refusal","stop_details":{"category":"cyber","explanation":"no\nway"}}}"#;
    let stream = format!("data: {refusal}\n\ndata: {{\"type\":\"message_stop\"}}\n\n");
    check(
        Protocol::AnthropicMessages,
        &stream,
        &expect![[r#"
        Stop(Refusal("no way"))
    "#]],
    );
    let whole = r#" {"type":"message","content":[{"type":"thinking","thinking":"x"},{"type":"text","text":"hé"}],"stop_reason":"max_tokens","usage":{"input_tokens":3,"output_tokens":2}}"#;
    check(
        Protocol::AnthropicMessages,
        whole,
        &expect![[r#"
        Thinking
        Text("hé")
        Usage(Usage { input_tokens: 3, cache_read: 0, cache_write_5m: 0, cache_write_1h: 0, output_tokens: 2, reasoning_tokens: 0, cost_pico_usd: None })
        Stop(MaxTokens)
    "#]],
    );
}

#[test]
fn a_chat() {
    let stream = r#"data: {"choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}],"usage":null}

data: {"choices":[{"index":0,"delta":{"reasoning_content":"hm"}}]}

data: {"choices":[{"index":0,"delta":{"content":"fn é🦀"}}]}

data: {"choices":[{"index":0,"delta":{"content":[{"type":"text","text":"()"}]}}]}

data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}

data: {"choices":[],"usage":{"prompt_tokens":40,"completion_tokens":7,"prompt_tokens_details":{"cached_tokens":30},"completion_tokens_details":{"reasoning_tokens":2}}}

data: [DONE]

"#;
    check(
        Protocol::OpenaiChat,
        stream,
        &expect![[r#"
        Thinking
        Text("fn é🦀")
        Text("()")
        Usage(Usage { input_tokens: 10, cache_read: 30, cache_write_5m: 0, cache_write_1h: 0, output_tokens: 7, reasoning_tokens: 2, cost_pico_usd: None })
        Stop(End)
    "#]],
    );
}

#[test]
fn litellms_chat_tells_usage_and_cost_after_the_end() {
    let stream = r#"data: {"choices":[{"index":0,"delta":{"content":"x"}}]}

data: {"choices":[{"finish_reason":"length","index":0,"delta":{}}]}

data: {"choices":[{"index":0,"delta":{}}],"usage":{"prompt_tokens":4,"completion_tokens":1,"cost":8.1e-05}}

data: [DONE]

"#;
    check(
        Protocol::OpenaiChat,
        stream,
        &expect![[r#"
        Text("x")
        Usage(Usage { input_tokens: 4, cache_read: 0, cache_write_5m: 0, cache_write_1h: 0, output_tokens: 1, reasoning_tokens: 0, cost_pico_usd: Some(81000000) })
        Stop(MaxTokens)
    "#]],
    );
}

#[test]
fn a_chat_that_fails_or_refuses() {
    let failing = "data: {\"choices\":[{\"delta\":{\"content\":\"x\"}}]}\n\ndata: {\"error\":{\"code\":502,\"message\":\"gone\"}}\n\n";
    check(
        Protocol::OpenaiChat,
        failing,
        &expect![[r#"
        Text("x")
        Error { kind: Server, message: "gone" }
    "#]],
    );
    let refusing = "data: {\"choices\":[{\"delta\":{\"refusal\":\"I can\"}}]}\n\ndata: {\"choices\":[{\"delta\":{\"refusal\":\"not\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
    check(
        Protocol::OpenaiChat,
        refusing,
        &expect![[r#"
        Stop(Refusal("I cannot"))
    "#]],
    );
    let filtered = r#"{"choices":[{"message":{"content":null},"finish_reason":"content_filter"}]}"#;
    check(
        Protocol::OpenaiChat,
        filtered,
        &expect![[r#"
        Stop(Refusal("the provider's content filter"))
    "#]],
    );
    check(
        Protocol::OpenaiChat,
        "data: hello\n\n",
        &expect![[r#"
        Error { kind: Malformed, message: "" }
    "#]],
    );
}

#[test]
fn a_response() {
    let stream = r#"event: response.created
data: {"type":"response.created","sequence_number":0,"response":{"status":"in_progress","usage":null,"error":null}}

event: response.reasoning_summary_text.delta
data: {"type":"response.reasoning_summary_text.delta","delta":"hm"}

event: response.output_text.delta
data: {"type":"response.output_text.delta","delta":"fn é🦀"}

event: response.output_text.done
data: {"type":"response.output_text.done","text":"fn é🦀"}

event: response.completed
data: {"type":"response.completed","response":{"status":"completed","error":null,"output":[{"type":"message","content":[{"type":"output_text","text":"fn é🦀"}]}],"usage":{"input_tokens":40,"input_tokens_details":{"cached_tokens":30,"cache_write_tokens":4},"output_tokens":7,"output_tokens_details":{"reasoning_tokens":2}}}}

"#;
    check(
        Protocol::OpenaiResponses,
        stream,
        &expect![[r#"
        Thinking
        Text("fn é🦀")
        Usage(Usage { input_tokens: 6, cache_read: 30, cache_write_5m: 4, cache_write_1h: 0, output_tokens: 7, reasoning_tokens: 2, cost_pico_usd: None })
        Stop(End)
    "#]],
    );
}

#[test]
fn a_response_that_is_not_whole() {
    let of = |response: &str, kind: &str| {
        format!("data: {{\"type\":\"response.{kind}\",\"response\":{response}}}\n\n")
    };
    let incomplete = r#"{"status":"incomplete","incomplete_details":{"reason":"max_output_tokens"},"output":[{"content":[{"type":"output_text","text":"x"}]}],"usage":{"input_tokens":1,"output_tokens":2}}"#;
    check(
        Protocol::OpenaiResponses,
        &of(incomplete, "incomplete"),
        &expect![[r#"
        Text("x")
        Usage(Usage { input_tokens: 1, cache_read: 0, cache_write_5m: 0, cache_write_1h: 0, output_tokens: 2, reasoning_tokens: 0, cost_pico_usd: None })
        Stop(MaxTokens)
    "#]],
    );
    let failed = r#"{"status":"failed","error":{"code":"server_error","message":"sorry"}}"#;
    check(
        Protocol::OpenaiResponses,
        &of(failed, "failed"),
        &expect![[r#"
        Error { kind: Server, message: "sorry" }
    "#]],
    );
    let refused =
        r#"{"status":"completed","output":[{"content":[{"type":"refusal","refusal":"no"}]}]}"#;
    check(
        Protocol::OpenaiResponses,
        refused,
        &expect![[r#"
        Stop(Refusal("no"))
    "#]],
    );
}

#[test]
fn a_web_page_or_nothing_is_no_answer() {
    for &protocol in Protocol::ALL {
        for nothing in ["", "\n", "{", "data: {", "[]", "{}", "null", "\u{feff}", "<html>"] {
            let last = pieces_of(protocol, &[nothing.as_bytes()]).pop();
            assert!(matches!(last, Some(Piece::Error { .. })), "{nothing}: {last:?}");
        }
    }
}
