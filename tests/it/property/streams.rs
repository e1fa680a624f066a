//! Server-sent events and the answers in them, however their bytes are cut.

use eventsource_stream::Eventsource;
use futures_util::StreamExt;
use keyside::config::cloud::Protocol;
use keyside::remote::protocol::answer::Answer;
use keyside::remote::protocol::sse::{Event, Parser};
use keyside::remote::protocol::{Piece, StopReason};
use proptest::prelude::*;

use super::cases;
use crate::peer;

/// The bytes in pieces: each ends at one of these places.
fn pieces<'a>(bytes: &'a [u8], cuts: &[prop::sample::Index]) -> Vec<&'a [u8]> {
    let mut cuts: Vec<usize> = cuts.iter().map(|it| it.index(bytes.len() + 1)).collect();
    cuts.extend([0, bytes.len()]);
    cuts.sort_unstable();
    cuts.windows(2).map(|it| &bytes[it[0]..it[1]]).collect()
}

fn events(pieces: &[&[u8]]) -> Vec<Event> {
    let (mut parser, mut events) = (Parser::default(), Vec::new());
    for piece in pieces {
        parser.push(piece, &mut events).unwrap();
    }
    parser.finish(&mut events);
    events
}

/// What the crate that others use makes of it, with the name that it gives to events without one
/// taken away.
fn events_by_eventsource_stream(text: &str) -> Vec<Event> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let bytes = futures_util::stream::iter([Ok::<_, std::io::Error>(text.as_bytes().to_vec())]);
    let events = runtime.block_on(bytes.eventsource().collect::<Vec<_>>());
    let event = |it: eventsource_stream::Event| Event {
        name: if it.event == "message" { String::new() } else { it.event },
        data: it.data,
    };
    events.into_iter().map(|it| event(it.unwrap())).collect()
}

/// Lines of a stream; none is JSON, which ends an event here and not in the standard.
fn any_lines() -> impl Strategy<Value = String> {
    let line = prop_oneof![
        3 => "data: [a-zé🦀: ]{1,12}",
        1 => "data:[a-z]{1,5}",
        1 => "event: [a-z]{1,6}",
        1 => ":[ a-z]{0,6}",
        1 => "id: [0-9]{1,3}",
        1 => "unknown: [a-z]{0,3}",
        3 => Just(String::new()),
    ];
    let end = prop_oneof![3 => Just("\n"), 1 => Just("\r\n"), 1 => Just("\r")];
    prop::collection::vec((line, end), 0..20).prop_map(|lines| {
        lines.iter().map(|(line, end)| format!("{line}{end}")).collect::<String>() + "\n\n"
    })
}

fn any_protocol() -> impl Strategy<Value = Protocol> {
    prop::sample::select(Protocol::ALL)
}

/// The pieces of an answer, neighbouring texts joined: where a text is cut is no matter.
fn answer(protocol: Protocol, pieces: &[&[u8]]) -> Vec<Piece> {
    let mut answer = Answer::new(protocol);
    let mut found: Vec<Piece> = pieces.iter().flat_map(|it| answer.push(it)).collect();
    found.extend(answer.finish());
    let mut joined: Vec<Piece> = Vec::new();
    for piece in found {
        match (joined.last_mut(), piece) {
            (Some(Piece::Text(before)), Piece::Text(text)) => before.push_str(&text),
            (_, piece) => joined.push(piece),
        }
    }
    joined
}

proptest! {
    #![proptest_config(cases(400))]

    #[test]
    fn events_are_those_of_the_standard(text in any_lines()) {
        prop_assert_eq!(events(&[text.as_bytes()]), events_by_eventsource_stream(&text));
    }

    #[test]
    fn events_do_not_depend_on_how_bytes_are_cut(
        bytes in prop_oneof![
            any_lines().prop_map(String::into_bytes),
            prop::collection::vec(any::<u8>(), 0..200),
            "(data: |event: |\\{\"a\":1\\}|\\[DONE\\]|\r|\n|\\{|\\}|x){0,40}".prop_map(String::into_bytes),
        ],
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        prop_assert_eq!(events(&pieces(&bytes, &cuts)), events(&[&bytes]));
    }

    #[test]
    fn an_answers_text_arrives_as_it_was_said(
        said in prop::collection::vec(any::<String>(), 1..8),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let texts: String = said.iter().map(|it| peer::text(it)).collect();
        let stream = format!("{}{texts}{}", peer::BEGINNING, peer::ending("end_turn"));
        let found = answer(Protocol::AnthropicMessages, &pieces(stream.as_bytes(), &cuts));
        let text: String = found
            .iter()
            .filter_map(|it| if let Piece::Text(text) = it { Some(text.as_str()) } else { None })
            .collect();
        prop_assert_eq!(text, said.concat());
        prop_assert_eq!(found.last(), Some(&Piece::Stop(StopReason::End)));
    }

    /// Whatever a provider sends, the answer comes to an end, in one way.
    #[test]
    fn any_bytes_are_an_answer_that_ends_once(
        protocol in any_protocol(),
        bytes in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..200),
            "(data: |event: error|\\{\"type\":\"error\"\\}|\\{\"choices\":\\[\\]\\}|\\[DONE\\]|\r|\n|<|x){0,30}"
                .prop_map(String::into_bytes),
        ],
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let is_end = |it: &Piece| matches!(it, Piece::Stop(_) | Piece::Error { .. });
        for pieces in [pieces(&bytes, &cuts), vec![&bytes[..]]] {
            let found = answer(protocol, &pieces);
            prop_assert_eq!(found.iter().filter(|it| is_end(it)).count(), 1);
            prop_assert!(found.last().is_some_and(is_end));
        }
    }
}
