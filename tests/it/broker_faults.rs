//! Everything that can go wrong with a provider: one clear sentence each, whether it may have cost money, and never a request
//! too many. The peers are told what to do byte by byte.

use expect_test::expect;
use futures_util::future::join_all;
use keyside::config::cloud::Provider;
use keyside::remote::broker::ipc::{Event, Failure};
use keyside::remote::protocol;
use keyside::remote::protocol::fault::FaultKind;

use crate::broker::{KEY, Setup, all, error, failure, provider, question, text_of};
use crate::peer::{
    self, Peer, Step, answer, chunk, ending, ending_after, last_chunk, stream_head, text,
};

/// Puts `(CAUSE)` for the system's own words before `end`, as every system has others.
fn without_cause(sentence: &str, before: &str, end: &str) -> String {
    let (Some(start), Some(end)) = (sentence.find(before), sentence.find(end)) else {
        return sentence.to_owned();
    };
    format!("{}(CAUSE){}", &sentence[..start + before.len()], &sentence[end..])
}

/// A line a case: how many requests the peer got, whether money may be gone, the kind, the sentence.
async fn report(cases: Vec<(&str, Vec<Step>)>) -> String {
    let mut report = String::new();
    for cases in cases.chunks(12) {
        let peers =
            join_all(cases.iter().map(|(_, script)| Peer::start(vec![script.clone()]))).await;
        let providers: Vec<Provider> = peers
            .iter()
            .enumerate()
            .map(|(n, peer)| provider(&format!("p{n}"), &peer.base_url()))
            .collect();
        let setup = Setup::with(&providers);
        let events = join_all(providers.iter().map(|it| all(setup.ask(it)))).await;
        for (((name, _), peer), events) in cases.iter().zip(&peers).zip(&events) {
            let line = match events.last() {
                Some(Event::Done { stop }) => {
                    format!(
                        "done {stop:?} {:?} {}",
                        text_of(events),
                        stop.shortfall().unwrap_or_default()
                    )
                }
                _ => {
                    let Failure { kind, sentence, may_cost } = failure(events);
                    let cost = if *may_cost { ", may cost" } else { "" };
                    let sentence = match *name {
                        "reset" => without_cause(sentence, "got no answer ", "; it may"),
                        _ => sentence.clone(),
                    };
                    format!("{kind:?}{cost}\n    {sentence}")
                }
            };
            let n_requests = peer.requests().len();
            report.push_str(&format!("{name}: {n_requests}x {line}\n").replace(&peer.host, "HOST"));
        }
    }
    assert!(!report.contains(KEY) && !report.contains("line_of_the_user"), "{report}");
    report
}

#[tokio::test]
async fn every_status_has_its_sentence_and_its_number_of_requests() {
    let json = "content-type: application/json\r\nrequest-id: req_9\r\n";
    let cases = vec![
        ("307", answer(307, "location: http://example.com/\r\n", "")),
        ("400", answer(400, json, &error("invalid_request_error", "max_tokens: 99 > 64"))),
        (
            "400 money",
            answer(400, json, &error("invalid_request_error", "Your credit balance is too low.")),
        ),
        (
            "400 size",
            answer(400, json, &error("invalid_request_error", "prompt is too long: 9 > 8")),
        ),
        (
            "400 echo",
            answer(400, json, &error("invalid_request_error", "bad: let line_of_the_user = 1")),
        ),
        ("401", answer(401, json, &error("authentication_error", "invalid x-api-key"))),
        (
            "401 echo",
            answer(401, json, &error("authentication_error", &format!("no such key {KEY}"))),
        ),
        ("402", answer(402, json, &error("billing_error", "no money"))),
        ("403", answer(403, json, &error("permission_error", "no"))),
        ("404", answer(404, json, &error("not_found_error", "model: claude-sonnet-5-5"))),
        ("408", answer(408, "", "")),
        ("409", answer(409, "", "")),
        ("413", answer(413, json, &error("request_too_large", "too large"))),
        ("422", answer(422, "", "{\"detail\": \"what is this\"}")),
        ("429", answer(429, json, &error("rate_limit_error", "slow down"))),
        (
            "429 soon",
            answer(429, "retry-after-ms: 10\r\n", &error("rate_limit_error", "slow down")),
        ),
        (
            "429 later",
            answer(429, "retry-after: 3600\r\n", &error("rate_limit_error", "slow down")),
        ),
        (
            "429 no",
            answer(429, "x-should-retry: false\r\n", &error("rate_limit_error", "slow down")),
        ),
        (
            "429 money",
            answer(
                429,
                "retry-after: 0\r\n",
                "{\"error\":{\"code\":\"insufficient_quota\",\"message\":\"m\"}}",
            ),
        ),
        ("500", answer(500, json, &error("api_error", "Internal server error"))),
        ("502", answer(502, "", "<html>Bad Gateway</html>")),
        ("503", answer(503, "", "no healthy upstream")),
        ("504", answer(504, "", "")),
        ("529", answer(529, json, &error("overloaded_error", "Overloaded"))),
    ];
    expect![[r#"
        307: 1x Redirect
            HOST points to another address, which is not followed (status 307); correct `base_url` of p0 in the settings file
        400: 1x BadRequest
            HOST refuses the request (status 400, request req_9, it says: max_tokens: 99 > 64); see whether `model` and `protocol` of p1 are right
        400 money: 1x Money
            the account of p2 with HOST has no money left or has reached its limit (status 400, request req_9, it says: Your credit balance is too low); top it up or raise the limit there, or ask another provider
        400 size: 1x TooLarge
            the text is too large for `claude-sonnet-5-5` (status 400, request req_9, it says: prompt is too long: 9 > 8); select less text or lower `cloud.max_input_tokens`
        400 echo: 1x BadRequest
            HOST refuses the request (status 400, request req_9); see whether `model` and `protocol` of p4 are right
        401: 1x WrongKey
            HOST does not accept the key of p5 (status 401, request req_9, it says: invalid x-api-key); put a valid one in place, with `keyside cloud login p5` if it is in the keyring
        401 echo: 1x WrongKey
            HOST does not accept the key of p6 (status 401, request req_9); put a valid one in place, with `keyside cloud login p6` if it is in the keyring
        402: 1x Money
            the account of p7 with HOST has no money left or has reached its limit (status 402, request req_9, it says: no money); top it up or raise the limit there, or ask another provider
        403: 1x NotAllowed
            HOST does not allow the key of p8 to do this (status 403, request req_9, it says: no); see with the provider what the key may do
        404: 1x NotFound
            HOST has no model `claude-sonnet-5-5`, or nothing at this address (status 404, request req_9, it says: model: claude-sonnet-5-5); correct `model` or `base_url` of p9 in the settings file
        408: 3x Server
            HOST failed (status 408); ask again in a while, or another provider
        409: 3x Server
            HOST failed (status 409); ask again in a while, or another provider
        413: 1x TooLarge
            the text is too large for `claude-sonnet-5-5` (status 413, request req_9, it says: too large); select less text or lower `cloud.max_input_tokens`
        422: 1x BadRequest
            HOST refuses the request (status 422, it says: what is this); see whether `model` and `protocol` of p1 are right
        429: 3x TooMany
            HOST gets too many requests from p2 (status 429, request req_9, it says: slow down); wait a minute and ask again
        429 soon: 3x TooMany
            HOST gets too many requests from p3 (status 429, it says: slow down); wait a minute and ask again
        429 later: 1x TooMany
            HOST gets too many requests from p4 (status 429, it says: slow down); ask again in 60 minutes, not before
        429 no: 1x TooMany
            HOST gets too many requests from p5 (status 429, it says: slow down); wait a minute and ask again
        429 money: 1x Money
            the account of p6 with HOST has no money left or has reached its limit (status 429, it says: m); top it up or raise the limit there, or ask another provider
        500: 3x Server
            HOST failed (status 500, request req_9, it says: Internal server error); ask again in a while, or another provider
        502: 3x Server
            HOST failed (status 502); ask again in a while, or another provider
        503: 3x Overloaded
            HOST has more to do than it can (status 503, it says: no healthy upstream); ask again in a while, or another provider
        504: 1x Server, may cost
            HOST failed (status 504); it may have been charged for, ask again in a while, or another provider
        529: 3x Overloaded
            HOST has more to do than it can (status 529, request req_9, it says: Overloaded); ask again in a while, or another provider
    "#]].assert_eq(&report(cases).await);
}

#[tokio::test]
async fn every_broken_answer_has_its_sentence_and_is_asked_for_once() {
    let events = |text: String| vec![stream_head(), chunk(text.as_bytes()), last_chunk()];
    let beginning = peer::BEGINNING;
    let begun = format!("{beginning}{}", text("Hello"));
    let overloaded = format!("event: error\ndata: {}\n\n", error("overloaded_error", "Overloaded"));
    let huge = (0..9).map(|_| chunk(text(&"x".repeat(1 << 20)).as_bytes()));
    let endless = (0..17).map(|_| chunk(&vec![b'x'; 1 << 20]));
    let cases = vec![
        ("no answer", vec![Step::Hang]),
        ("closed", vec![]),
        ("reset", vec![Step::Reset]),
        ("no HTTP", vec![Step::Send(b"hello\r\n\r\n".to_vec())]),
        ("stall at the beginning", vec![stream_head(), Step::Hang]),
        ("stall in the middle", vec![stream_head(), chunk(begun.as_bytes()), Step::Hang]),
        (
            "reset in the middle",
            vec![stream_head(), chunk(begun.as_bytes()), Step::Pause, Step::Reset],
        ),
        ("closed in the middle", vec![stream_head(), chunk(begun.as_bytes())]),
        ("no end", events(begun.clone())),
        ("half an event", events(format!("{begun}event: message_st"))),
        ("half of its data", events(format!("{begun}data: {{\"type\":\"mess"))),
        ("not a word", events(String::new())),
        ("an empty answer", events(format!("{beginning}{}", ending("end_turn")))),
        ("a refusal", events(format!("{beginning}{}", ending("refusal")))),
        ("no tokens left", events(format!("{begun}{}", ending_after(100, "max_tokens")))),
        ("a limit that is not ours", events(format!("{begun}{}", ending("max_tokens")))),
        ("no context left", events(format!("{begun}{}", ending("model_context_window_exceeded")))),
        ("an error at first", events(overloaded.clone())),
        ("an error later", events(format!("{begun}{overloaded}"))),
        ("no JSON", events(format!("{begun}event: content_block_delta\ndata: hello\n\n"))),
        ("a web page", answer(200, "", " <!DOCTYPE html><html>Log in</html>")),
        ("an error with 200", answer(200, "", &error("api_error", "sorry"))),
        (
            "too much text",
            [vec![stream_head(), chunk(beginning.as_bytes())], huge.collect()].concat(),
        ),
        ("a line without end", [vec![stream_head()], endless.collect()].concat()),
    ];
    expect![[r#"
        no answer: 1x Stalled, may cost
            HOST has not begun to answer for 1 s and was given up; it may have been charged for, ask again or raise `cloud.stall_seconds`
        closed: 1x Broken, may cost
            the request to HOST got no answer (connection closed before message completed); it may have been charged for, see whether the network is up and ask again
        reset: 1x Broken, may cost
            the request to HOST got no answer (CAUSE); it may have been charged for, see whether the network is up and ask again
        no HTTP: 1x Broken, may cost
            the request to HOST got no answer (invalid HTTP version parsed); it may have been charged for, see whether the network is up and ask again
        stall at the beginning: 1x Stalled, may cost
            HOST has sent nothing more for 1 s and was given up; it may have been charged for, ask again or raise `cloud.stall_seconds`
        stall in the middle: 1x Stalled, may cost
            HOST has sent nothing more for 1 s and was given up; it may have been charged for, ask again or raise `cloud.stall_seconds`
        reset in the middle: 1x Broken, may cost
            the connection to HOST ended in the middle of the answer; it may have been charged for, see whether the network is up and ask again
        closed in the middle: 1x Broken, may cost
            the connection to HOST ended in the middle of the answer; it may have been charged for, see whether the network is up and ask again
        no end: 1x CutOff, may cost
            the answer of HOST was cut off before its end; it may have been charged for, ask again
        half an event: 1x CutOff, may cost
            the answer of HOST was cut off before its end; it may have been charged for, ask again
        half of its data: 1x CutOff, may cost
            the answer of HOST was cut off before its end; it may have been charged for, ask again
        not a word: 1x CutOff, may cost
            the answer of HOST was cut off before its end; it may have been charged for, ask again
        an empty answer: 1x Empty, may cost
            HOST ended its answer without a word; it may have been charged for, ask again, or another model
        a refusal: 1x done Refusal("") "" the model declined to answer; put the question differently or ask another model
        no tokens left: 1x done MaxTokens "Hello" the answer was cut off at the limit of its tokens; raise `cloud.max_output_tokens` or ask for less
        a limit that is not ours: 1x done ContextFull "Hello" the answer was cut off by a limit of the model's own, such as its context; select less text, lower `cloud.max_input_tokens` or ask for less
        no context left: 1x done ContextFull "Hello" the answer was cut off by a limit of the model's own, such as its context; select less text, lower `cloud.max_input_tokens` or ask for less
        an error at first: 1x Overloaded, may cost
            HOST has more to do than it can (in its answer, it says: Overloaded); it may have been charged for, ask again in a while, or another provider
        an error later: 1x Overloaded, may cost
            HOST has more to do than it can (in its answer, it says: Overloaded); it may have been charged for, ask again in a while, or another provider
        no JSON: 1x Malformed, may cost
            HOST does not answer as its protocol says; it may have been charged for, see whether `protocol` and `base_url` of p7 fit each other
        a web page: 1x Malformed, may cost
            HOST does not answer as its protocol says (a web page); it may have been charged for, see whether `protocol` and `base_url` of p8 fit each other
        an error with 200: 1x Server, may cost
            HOST failed (in its answer, it says: sorry); it may have been charged for, ask again in a while, or another provider
        too much text: 1x AnswerTooLarge, may cost
            HOST sends more than an answer can be (100 tokens were asked for at most); it may have been charged for, see whether `base_url` of p10 is right
        a line without end: 1x AnswerTooLarge, may cost
            HOST sends more than an answer can be; it may have been charged for, see whether `base_url` of p11 is right
    "#]].assert_eq(&report(cases).await);
}

#[tokio::test]
async fn what_was_never_sent_costs_nothing() {
    let peer = Peer::start(vec![answer(200, "", "")]).await;
    let blunt = Peer::blunt(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
    let closed = {
        let peer = Peer::start(vec![vec![]]).await;
        peer.base_url()
    };
    let good_one = provider("good", &peer.base_url());
    let providers = [
        provider("nowhere", "https://nobody.invalid"),
        provider("closed", &closed),
        provider("not encrypted", &format!("https://{}", blunt.host)),
        Provider {
            key: "env:KEYSIDE_NO_SUCH_VARIABLE".to_owned(),
            ..provider("no key", &peer.base_url())
        },
        provider("plain", "http://localhost.invalid"),
        Provider {
            headers: [("Host".to_owned(), "x".to_owned())].into(),
            ..provider("header", &peer.base_url())
        },
    ];
    let setup = Setup::with(&[&providers[..], std::slice::from_ref(&good_one)].concat());
    let mut report = String::new();
    let mut add = |name: &str, events: &[Event]| {
        let Failure { kind, sentence, may_cost } = failure(events);
        assert!(!may_cost, "{sentence}");
        let sentence = without_cause(sentence, "can't be found ", "; see whether");
        let line = format!("{name}: {kind:?}\n    {sentence}\n");
        report.push_str(
            &line
                .replace(&peer.host, "HOST")
                .replace(&blunt.host, "BLUNT")
                .replace(closed.trim_start_matches("http://"), "CLOSED"),
        );
    };
    for provider in &providers {
        let host = protocol::host(provider).unwrap_or_default();
        let events = all(setup.broker.ask_without_gate(
            &provider.name,
            &host,
            &provider.model,
            protocol::body(provider, &question(), true),
        ))
        .await;
        add(&provider.name, &events);
    }
    let body = protocol::body(&good_one, &question(), true);
    let model = &*good_one.model;
    let ask = |setup: &Setup, provider: &str, host: &str, model: &str, body: &str| {
        all(setup.broker.ask_without_gate(provider, host, model, body.to_owned()))
    };
    add("other host", &ask(&setup, "good", "example.com:443", model, &body).await);
    let other = body.replace("claude-sonnet-5-5", "claude-opus-5-5");
    add("other model", &ask(&setup, "good", &peer.host, "claude-opus-5-5", &other).await);
    add("other model in it", &ask(&setup, "good", &peer.host, model, &other).await);
    add("nobody", &ask(&setup, "nobody", &peer.host, model, &body).await);
    let large = "x".repeat((16 << 20) + 1);
    add("too large", &ask(&setup, "good", &peer.host, model, &large).await);
    // A key where it does not belong costs its provider, so that it is seen, and is not repeated.
    let bad_place = Provider { key: KEY.to_owned(), ..provider("bad place", &peer.base_url()) };
    let events = all(Setup::with(std::slice::from_ref(&bad_place)).ask(&bad_place)).await;
    let bad = failure(&events);
    assert_eq!(bad.kind, FaultKind::Settings);
    assert!(bad.sentence.contains("a key itself does not belong here"), "{}", bad.sentence);
    assert!(!bad.sentence.contains(KEY), "{}", bad.sentence);
    let off = Setup::new("cloud.enabled = false");
    add("switched off", &ask(&off, "good", &peer.host, model, &body).await);
    let bad_file = ask(&Setup::new("cloud = {"), "good", &peer.host, model, &body).await;
    assert_eq!(failure(&bad_file).kind, FaultKind::Settings);
    // The connection that is not encrypted sends no request either.
    assert_eq!(peer.requests().len(), 0);
    expect![[r#"
        nowhere: Unreachable
            nobody.invalid:443 can't be found (CAUSE); see whether the network is up and `base_url` of nowhere is right
        closed: Unreachable
            nobody listens at CLOSED; start the server there or correct `base_url` of closed
        not encrypted: Tls
            no encrypted connection to BLUNT came about (received corrupt message of type InvalidContentType); see whether `base_url` of not encrypted and this machine's clock and certificates are right
        no key: NoKey
            the environment variable KEYSIDE_NO_SUCH_VARIABLE with the key of no key is not set; set it where the editor is started, and restart the editor
        plain: Settings
            the base_url of the provider plain is http://, which anybody on the way can read; that is followed only for this machine and private networks, use https://; correct it in the settings file
        header: Settings
            the header `host` of the provider header belongs to the connection; take it out of the settings file
        other host: Mismatch
            the request is for another model or host than the settings of good named when the broker was started, so it was not sent; restart the server
        other model: Mismatch
            the request is for another model or host than the settings of good named when the broker was started, so it was not sent; restart the server
        other model in it: Mismatch
            the request is not what was agreed to, so it was not sent; ask again, and report this if it comes again
        nobody: Mismatch
            the settings file had no provider nobody when the broker was started; restart the server
        too large: TooLarge
            the request has more than 16 MiB and was not sent; select less text
        switched off: Settings
            cloud requests are switched off; set `cloud.enabled` in the settings file and restart the server
    "#]].assert_eq(&report);
}
