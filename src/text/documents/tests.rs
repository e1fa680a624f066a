//! What becomes of documents, whatever an editor sends.

use super::*;
use crate::text::position::{LinePosition, LineRange};

const URI: &str = "file:///a";

fn whole(text: &str) -> Vec<Option<Change>> {
    vec![Some(Change { range: None, text: text.to_owned() })]
}

/// Typed at the text's beginning.
fn typed(text: &str) -> Vec<Option<Change>> {
    let start = LinePosition { line: 0, column: 0 };
    let range = Some(LineRange { start, end: start });
    vec![Some(Change { range, text: text.to_owned() })]
}

fn opened(version: Option<i32>) -> Documents {
    let mut documents = Documents::default();
    documents.open(URI, "rust", version, Some("one"));
    documents
}

/// The text, or `None` where it is lost.
fn text(documents: &mut Documents) -> Option<String> {
    let document = documents.world().document(URI).unwrap();
    (!document.lost).then(|| document.rope.to_string())
}

#[test]
fn a_world_does_not_change() {
    let newest = Newest::default();
    let mut documents = Documents::with_newest(newest.clone());
    documents.open(URI, "rust", Some(1), Some("one"));
    let world = documents.world();
    documents.change(URI, Some(2), &whole("two")).unwrap();
    assert_eq!(newest.of(URI).map(|it| (it.0, it.1.to_string())), Some((2, "two".to_owned())));
    documents.close(URI).unwrap();
    assert!(newest.of(URI).is_none());
    assert_eq!(world.document(URI).unwrap().rope.to_string(), "one");
    assert!(documents.world().document(URI).is_none());
}

#[test]
fn a_whole_text_is_applied_whatever_its_version() {
    for version in [Some(6), Some(5), Some(4), Some(i32::MIN), None] {
        let mut documents = opened(Some(5));
        documents.change(URI, version, &whole("two")).unwrap();
        assert_eq!(text(&mut documents).as_deref(), Some("two"));
        // The editor counts on from there.
        let next = version.map_or(-7, |it| it + 1);
        documents.change(URI, Some(next), &typed("x")).unwrap();
        assert_eq!(text(&mut documents).as_deref(), Some("xtwo"), "{version:?}");
    }
}

#[test]
fn an_edit_whose_version_does_not_rise_loses_the_document_once() {
    for version in [Some(5), Some(4), Some(i32::MIN), None] {
        let mut documents = opened(Some(5));
        let refused = documents.change(URI, version, &typed("x"));
        let expected =
            DocumentError::OutOfOrder { uri: URI.to_owned(), at_hand: 5, received: version };
        assert_eq!(refused, Err(expected));
        assert_eq!(text(&mut documents), None);
        assert_eq!(documents.change(URI, version, &typed("x")), Ok(()), "told already");
        documents.change(URI, Some(6), &typed("x")).unwrap();
        assert_eq!(text(&mut documents), None);
        documents.change(URI, version, &whole("three")).unwrap();
        assert_eq!(text(&mut documents).as_deref(), Some("three"));
    }
}

#[test]
fn what_stands_before_a_whole_text_does_not_matter() {
    let both = |first: Vec<Option<Change>>, second: Vec<Option<Change>>| [first, second].concat();
    let mut documents = opened(Some(5));
    documents.change(URI, Some(1), &both(typed("x"), whole("two"))).unwrap();
    assert_eq!(text(&mut documents).as_deref(), Some("two"));
    documents.change(URI, Some(1), &both(whole("three"), typed("x"))).unwrap();
    assert_eq!(text(&mut documents).as_deref(), Some("xthree"));
    documents.change(URI, Some(2), &both(vec![None], whole("four"))).unwrap();
    assert_eq!(text(&mut documents).as_deref(), Some("four"));
    assert!(documents.change(URI, Some(3), &both(whole("five"), vec![None])).is_err());
    assert_eq!(text(&mut documents), None);
}

#[test]
fn nothing_changed_is_nothing_lost() {
    let mut documents = opened(Some(5));
    documents.change(URI, Some(5), &[]).unwrap();
    documents.change(URI, Some(7), &[]).unwrap();
    assert!(documents.change(URI, Some(7), &typed("x")).is_err());
}

#[test]
fn a_lost_text_is_found_again_with_the_whole_text() {
    let mut documents = opened(Some(1));
    assert!(documents.lose(URI).is_err());
    assert!(documents.lose(URI).is_ok(), "told already");
    documents.change(URI, Some(2), &typed("x")).unwrap();
    assert_eq!(text(&mut documents), None);
    documents.change(URI, Some(3), &whole("three")).unwrap();
    documents.change(URI, Some(4), &typed("x")).unwrap();
    assert_eq!(text(&mut documents).as_deref(), Some("xthree"));
    documents.open(URI, "rust", None, None);
    assert_eq!(text(&mut documents), None);
    documents.change(URI, None, &whole("four")).unwrap();
    assert_eq!(text(&mut documents).as_deref(), Some("four"));
}

#[test]
fn one_document_has_many_spellings() {
    let mut documents = Documents::default();
    documents.open("file:///c%3A/a.rs", "rust", Some(1), Some("one"));
    documents.change("file:///C:/./a.rs", Some(2), &typed("x")).unwrap();
    assert_eq!(documents.newest.of("file:///c:/a.rs").unwrap().1, "xone");
    documents.close("file:///c:/a.rs").unwrap();
    assert!(documents.world().document("file:///c%3A/a.rs").is_none());
}

#[test]
fn an_unknown_document_is_refused() {
    let mut documents = Documents::default();
    assert!(documents.change("file:///b", Some(1), &whole("x")).is_err());
    assert!(documents.close("file:///b").is_err());
}
