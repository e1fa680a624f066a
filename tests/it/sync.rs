//! The server's copy of a document is the client's, character for character.

use serde_json::{Value, json};

use keyside::stdx::random::Random;

use crate::support::{Client, saying};

const URI: &str = "file:///a.rs";

/// What an editor holds: characters, and positions counted by scanning, as simply as can be.
struct Editor {
    text: Vec<char>,
    encoding: &'static str,
}

impl Editor {
    fn width(&self, c: char) -> usize {
        match self.encoding {
            "utf-8" => c.len_utf8(),
            "utf-16" => c.len_utf16(),
            _ => 1,
        }
    }

    fn position(&self, index: usize) -> Value {
        let (mut line, mut column) = (0, 0);
        let mut at = 0;
        while at < index {
            match self.text[at] {
                '\r' if self.text.get(at + 1) == Some(&'\n') => {
                    at += 1;
                    (line, column) = (line + 1, 0);
                }
                '\r' | '\n' => (line, column) = (line + 1, 0),
                c => column += self.width(c),
            }
            at += 1;
        }
        json!({"line": line, "character": column})
    }

    /// A place where a position can point: not between `\r` and `\n`.
    fn place(&self, random: &mut Random) -> usize {
        let at = random.below(self.text.len() + 1);
        let inside = at > 0 && self.text.get(at) == Some(&'\n') && self.text[at - 1] == '\r';
        at - usize::from(inside)
    }

    fn sha256(&self) -> String {
        let text: String = self.text.iter().collect();
        keyside::stdx::hex_sha256(text.as_bytes())
    }
}

const PIECES: &[&str] = &[
    "a",
    "fn f() {",
    "}",
    " ",
    "    ",
    "\t",
    "\n",
    "\r\n",
    "\r",
    "é",
    "e\u{301}",
    "😀",
    "👩\u{200d}👩\u{200d}👧",
    "漢字",
    "\u{feff}",
    "\u{0}",
    "\u{2028}",
    "\u{b}",
    "x\r\ny\nz",
    "",
];

async fn random_edits(encoding: &'static str, seed: u64) {
    let client = Client::with_fake(saying("x"));
    let result = client.initialize(&[encoding]).await;
    assert_eq!(result["capabilities"]["positionEncoding"], encoding);
    let mut random = Random::new(seed);
    let mut editor = Editor { text: "fn main() {\r\n    😀\n}\n".chars().collect(), encoding };
    client.open(URI, &editor.text.iter().collect::<String>());
    let mut version = 1;
    let mut n_edits = 0;
    while n_edits < 10_000 {
        let mut changes = Vec::new();
        for _ in 0..=random.below(3) {
            let (a, b) = (editor.place(&mut random), editor.place(&mut random));
            let (start, mut end) = (a.min(b), a.max(b));
            // Mostly short ranges, or the text would never grow.
            if random.below(10) > 0 {
                end = end.min(start + random.below(4));
                end -= usize::from(
                    end > start
                        && editor.text.get(end) == Some(&'\n')
                        && editor.text[end - 1] == '\r',
                );
            }
            let text: String =
                (0..random.below(4)).map(|_| *random.pick(PIECES).unwrap()).collect();
            changes.push(json!({
                "range": {"start": editor.position(start), "end": editor.position(end)},
                "text": text,
            }));
            editor.text.splice(start..end, text.chars());
            n_edits += 1;
        }
        if editor.text.len() > 3_000 {
            editor.text.truncate(100);
            changes = vec![json!({"text": editor.text.iter().collect::<String>()})];
        }
        version += 1;
        client.change(URI, version, json!(changes));
        let copy = client.ask("keyside/document", json!({"uri": URI})).await;
        assert_eq!(copy["result"]["version"], version);
        assert_eq!(copy["result"]["sha256"], editor.sha256(), "after {n_edits} edits, seed {seed}");
    }
    client.assert_no_faults();
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_random_edits_in_utf_8() {
    random_edits("utf-8", 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_random_edits_in_utf_16() {
    random_edits("utf-16", 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_random_edits_in_utf_32() {
    random_edits("utf-32", 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_sees_the_text_of_its_moment() {
    // Each request is sent in one breath with the edits around it; the answer is of the text between.
    let client = Client::with_fake(saying("x"));
    client.initialize(&["utf-8"]).await;
    client.open(URI, "");
    let mut answers = Vec::new();
    for n in 0..500 {
        client.type_at(URI, 2 + n, 0, usize::try_from(n).unwrap(), "a");
        answers.push((n, client.request("keyside/document", json!({"uri": URI})).1));
    }
    for (n, answer) in answers {
        let answer = answer.await.unwrap();
        assert_eq!(
            (&answer["result"]["version"], &answer["result"]["length"]),
            (&json!(n + 2), &json!(n + 1))
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_frees() {
    let client = Client::with_fake(saying("x"));
    client.initialize(&[]).await;
    client.open(URI, "text");
    client.notify("textDocument/didClose", json!({"textDocument": {"uri": URI}}));
    let answer = client.ask("keyside/document", json!({"uri": URI})).await;
    assert_eq!(answer["error"]["code"], -32602);
}
