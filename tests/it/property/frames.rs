//! Frames of the protocol.

use keyside::lsp::frames::{Frame, FrameReader, encode, mend};
use proptest::prelude::*;
use tokio::io::AsyncWriteExt;

use super::cases;

/// What a reader makes of these bytes when they come in pieces of at most so many.
fn frames_of(bytes: &[u8], at_once: usize) -> Vec<Frame> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let (mut sender, receiver) = tokio::io::duplex(at_once);
        let bytes = bytes.to_vec();
        let sent = tokio::spawn(async move { sender.write_all(&bytes).await });
        let mut reader = FrameReader::new(receiver);
        let mut frames = Vec::new();
        while let Some(frame) = reader.next().await.unwrap() {
            frames.push(frame);
        }
        sent.await.unwrap().unwrap();
        frames
    })
}

fn bodies(frames: Vec<Frame>) -> Vec<Vec<u8>> {
    let body = |it| if let Frame::Body(body) = it { Some(body) } else { None };
    frames.into_iter().filter_map(body).collect()
}

fn any_bodies() -> impl Strategy<Value = Vec<Vec<u8>>> {
    prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 0..6)
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn bodies_come_back_however_their_bytes_arrive(sent in any_bodies(), at_once in 1_usize..40) {
        let bytes: Vec<u8> = sent.iter().flat_map(|it| encode(it)).collect();
        let frames = frames_of(&bytes, at_once);
        prop_assert!(frames.iter().all(|it| matches!(it, Frame::Body(_))));
        prop_assert_eq!(bodies(frames), sent);
    }

    /// No line of junk is a header: none has a colon.
    #[test]
    fn lines_of_junk_between_frames_lose_none_of_them(
        sent in prop::collection::vec((any_bodies(), "[^:\n]{0,30}"), 1..5),
        at_once in 1_usize..40,
    ) {
        let mut bytes = Vec::new();
        for (bodies, junk) in &sent {
            bytes.extend(format!("{junk}\n").into_bytes());
            bytes.extend(bodies.iter().flat_map(|it| encode(it)));
        }
        let expected: Vec<Vec<u8>> = sent.into_iter().flat_map(|it| it.0).collect();
        prop_assert_eq!(bodies(frames_of(&bytes, at_once)), expected);
    }

    #[test]
    fn whatever_bytes_arrive_they_are_read_to_their_end_in_one_way(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        at_once in 1_usize..40,
    ) {
        prop_assert_eq!(frames_of(&bytes, at_once), frames_of(&bytes, 4_096));
    }

    /// Strings of any UTF-16 units, written as `JSON.stringify` may write them, keep their width.
    #[test]
    fn halves_of_pairs_are_mended_without_moving_what_follows(
        units in prop::collection::vec(prop_oneof![any::<u16>(), 0xD800_u16..0xE000], 0..20),
    ) {
        let escaped: String = units.iter().map(|it| format!("\\u{it:04x}")).collect();
        let body = format!("{{\"text\": \"{escaped}\"}}");
        let value: serde_json::Value = serde_json::from_str(&mend(body.as_bytes())).unwrap();
        let text = value["text"].as_str().unwrap();
        prop_assert_eq!(text, String::from_utf16_lossy(&units));
        prop_assert_eq!(text.encode_utf16().count(), units.len());
    }

    #[test]
    fn what_needs_no_mending_is_left_as_it_is(text in any::<String>(), number in any::<i64>()) {
        let body = serde_json::json!({"text": text, "number": number}).to_string();
        prop_assert_eq!(mend(body.as_bytes()), body.as_str());
    }

    #[test]
    fn whatever_is_mended_is_text(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        // Each byte that is no UTF-8 becomes one that is.
        prop_assert!(mend(&bytes).len() >= bytes.len().min(1));
    }
}
