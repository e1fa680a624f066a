//! How many instructions the pure parts of a key's way take: `cargo bench --bench instructions`. Needs valgrind.
//!
//! Unlike times, these counts are the same on a busy machine as on an idle one, so a change that makes a part dearer shows in its first
//! run. Each part is run by this program under valgrind's cachegrind with two numbers of repetitions, and what the larger one takes more
//! is divided by the difference. The baseline is one look at each byte of the same document.

use std::hint::black_box;
use std::process::Command;

use keyside::assistant::apply::minimal_edits;
use keyside::config::cloud::Protocol;
use keyside::lm::{Finish, TextSplits, Token, Tokenizer};
use keyside::privacy::redact::Redactor;
use keyside::prompt::excerpt::Excerpt;
use keyside::prompt::{finish, stop};
use keyside::remote::protocol::answer::Answer;
use keyside::retrieval::contexts::ContextQuery;
use keyside::retrieval::datastore::{IncrementalTokens, tokenize_lines};
use keyside::retrieval::suffix_array::{IndexView, SuffixArray};
use keyside::text::edit::{Change, apply};
use keyside::text::position::{LinePosition, LineRange, PositionEncoding};
use ropey::Rope;

/// Repetitions of the two runs.
const FEW: usize = 20;
const MANY: usize = 120;
/// Lines of the document, which is made of two frozen files.
const N_LINES: usize = 5_000;
/// The caret's line.
const CARET_LINE: usize = 4_000;

/// A part by its name: what is made ready once, and what is counted.
type Part = (&'static str, fn(&Scene) -> Box<dyn FnMut() + '_>);

const PARTS: &[Part] = &[
    ("baseline: a look at each byte", |scene| {
        Box::new(|| {
            _ = black_box(memchr::memchr_iter(b'\n', black_box(scene.text.as_bytes())).count())
        })
    }),
    ("an edit of one character, UTF-16", |scene| {
        let mut rope = scene.rope.clone();
        let at = LinePosition { line: CARET_LINE as u32, column: 4 };
        let typed = Change { range: Some(LineRange { start: at, end: at }), text: "x".to_owned() };
        Box::new(move || apply(black_box(&mut rope), &typed, PositionEncoding::Utf16))
    }),
    ("the excerpt around the caret", |scene| {
        Box::new(|| drop(black_box(Excerpt::around(&scene.rope, scene.caret))))
    }),
    ("how much to suggest, and where it ends", |scene| {
        Box::new(|| {
            let extent = stop::extent(&scene.excerpt, 12);
            black_box(stop::stop_at(extent, black_box(SUGGESTION)));
        })
    }),
    ("the filters of a suggestion", |scene| {
        Box::new(|| {
            drop(black_box(finish::finish(
                &scene.excerpt,
                black_box(SUGGESTION),
                Finish::EndToken,
                false,
            )))
        })
    }),
    ("the document's tokens after a key", |scene| {
        let mut lines = IncrementalTokens::default();
        let mut rope = scene.rope.clone();
        lines.around(&rope, scene.caret, END, &Words);
        Box::new(move || {
            rope.insert(scene.caret, "x");
            drop(black_box(lines.around(&rope, scene.caret, END, &Words)));
        })
    }),
    ("the places in the document that are like the caret's", |scene| {
        let history = &scene.tokens[scene.tokens.len() - ContextQuery::MAX_TOKENS..];
        let text = &scene.tokens[..8_000];
        Box::new(move || {
            drop(black_box(ContextQuery::new(history, END, None).in_document(text, 6_000)))
        })
    }),
    ("the places in the workspace's index", |scene| {
        let history = &scene.tokens[1_000..1_000 + ContextQuery::MAX_TOKENS];
        Box::new(move || {
            drop(black_box(
                ContextQuery::new(history, END, None).in_related_texts(&[], &scene.index),
            ))
        })
    }),
    ("secrets in a kilobyte", |scene| {
        let text = scene.text.get(..1_024).unwrap_or(&scene.text);
        Redactor::shared().find(text, Some("a.rs"));
        Box::new(move || drop(black_box(Redactor::shared().find(black_box(text), Some("a.rs")))))
    }),
    ("a piece of a cloud model's answer", |_| {
        let mut answer = Answer::new(Protocol::AnthropicMessages);
        answer.push(BEGINNING);
        Box::new(move || drop(black_box(answer.push(black_box(PIECE)))))
    }),
    ("the edits from 200 lines to 200 changed lines", |scene| {
        let old: String = scene.text.split_inclusive('\n').take(200).collect();
        let new = old.replace("let ", "let mut ");
        Box::new(move || drop(black_box(minimal_edits(black_box(&old), &new))))
    }),
];

const SUGGESTION: &str =
    "total += value;\n        if total > limit {\n            return None;\n        }\n    }\n";
const BEGINNING: &[u8] = b"event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"type\":\"message\",\"role\":\"assistant\",\"content\":[],\"usage\":{\"input_tokens\":1,\"output_tokens\":1}}}\n\nevent: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n";
const PIECE: &[u8] = b"event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\" the value that\"}}\n\n";
const END: Token = 0;

/// A token a word, by its hash: a model's tokenizer would be most of what is counted.
struct Words;

impl Tokenizer for Words {
    fn tokenize(&self, text: &str, into: &mut Vec<Token>) {
        let words = text.split_inclusive(|it: char| !it.is_alphanumeric());
        into.extend(words.map(|word| {
            let hash =
                word.bytes().fold(0_u32, |hash, byte| hash.wrapping_mul(31) ^ u32::from(byte));
            1 + (hash % 8_191) as Token
        }));
    }

    fn splits(&self) -> TextSplits {
        TextSplits::BeforeLines
    }
}

struct Scene {
    text: String,
    rope: Rope,
    caret: usize,
    excerpt: Excerpt,
    tokens: Vec<Token>,
    index: IndexView,
}

impl Scene {
    fn new() -> Self {
        let files = [
            include_str!("../tests/fixtures/project/lib/engine/generate.rs"),
            include_str!("../tests/fixtures/project/lib/prompt/assemble.rs"),
        ];
        let text: String = files.concat().split_inclusive('\n').cycle().take(N_LINES).collect();
        let rope = Rope::from_str(&text);
        let caret = rope.line_to_char(CARET_LINE) + 4;
        let tokens = tokenize_lines(&text, END, &Words);
        let excerpt = Excerpt::around(&rope, caret);
        let index =
            IndexView::without(SuffixArray::new([&tokens[..20_000.min(tokens.len())]]).into(), []);
        Self { text, rope, caret, excerpt, tokens, index }
    }
}

fn main() {
    let mut arguments = std::env::args().skip(1).filter(|it| it != "--bench");
    if let (Some(name), Some(n)) =
        (arguments.next(), arguments.next().and_then(|it| it.parse().ok()))
    {
        return repeat(&name, n);
    }
    println!("{:48} {:>14} {:>12}", "", "instructions", "of baseline");
    let mut baseline = None;
    for (name, _) in PARTS {
        let (few, many) = match (counted(name, FEW), counted(name, MANY)) {
            (Ok(few), Ok(many)) => (few, many),
            (Err(sentence), _) | (_, Err(sentence)) => {
                eprintln!("{sentence}");
                std::process::exit(1);
            }
        };
        let each = (many.saturating_sub(few)) as f64 / (MANY - FEW) as f64;
        let baseline = *baseline.get_or_insert(each);
        println!("{name:48} {each:14.0} {:12.3}", each / baseline);
    }
}

/// Runs a part so many times, in the process that valgrind watches.
fn repeat(name: &str, n: usize) {
    let scene = Scene::new();
    if let Some((_, part)) = PARTS.iter().find(|it| it.0 == name) {
        let mut work = part(&scene);
        (0..n).for_each(|_| work());
    }
}

/// The instructions of a process that runs a part so many times.
fn counted(name: &str, n: usize) -> Result<u64, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let output = Command::new("valgrind")
        .args(["--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"])
        .arg(program)
        .args([name, &n.to_string()])
        .output()
        .map_err(|error| format!("valgrind can't be started ({error}); install it, for example with apt-get install valgrind"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    // `==42== I refs:        12,345`, in newer versions `I   refs:`.
    let line = said.lines().find(|it| it.contains("refs:") && it.contains(" I"));
    let digits = line.map(|it| it.rsplit(':').next().unwrap_or_default().replace([',', ' '], ""));
    digits
        .and_then(|it| it.parse().ok())
        .ok_or_else(|| format!("valgrind did not count {name}: {said}"))
}
