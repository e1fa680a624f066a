//! How real servers end their answers: the real broker against a peer on this machine that has the habit. A whole answer is used, at
//! once where the connection stays open; what is cut off is not.

use futures_util::future::join_all;
use keyside::config::cloud::{Protocol, Provider};
use keyside::remote::broker::ipc::Event;
use serde_json::{Value, json};

use crate::broker::{Setup, all, failure, provider, settings, text_of};
use crate::peer::{self, Peer, Step, chunk, last_chunk, stream_head};

/// What a server does after what it has to say.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum After {
    Close,
    /// Nothing, and the connection stays open.
    Hang,
    Reset,
    /// Pings, comments and empty events, for as long as somebody listens.
    Ping,
}

const PINGS: &str = ": ping\n\nevent: ping\ndata: {\"type\": \"ping\"}\n\ndata:\n\ndata: ping\n\n";

pub fn steps(body: &[u8], after: After) -> Vec<Step> {
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
pub async fn outcome(
    protocol: Protocol,
    script: Vec<Step>,
    stall_seconds: u32,
) -> (String, String) {
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

pub fn event(json: &Value) -> String {
    format!("data: {json}\n\n")
}

pub fn chat(content: &str) -> String {
    event(&json!({"choices": [{"index": 0, "delta": {"content": content}, "finish_reason": null}]}))
}

pub fn finish(reason: &str) -> String {
    event(&json!({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]}))
}

pub fn usage() -> String {
    event(&json!({"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 2}}))
}

pub const DONE: &str = "data: [DONE]\n\n";

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
