//! What ghost text does to the line that it is put into, measured from outside:
//! `cargo bench --bench ghost_text -- [--program PROGRAM] [--positions N] [--unasked] [--list]
//! FOLDER`.
//!
//! FOLDER holds a folder for each language, named by its language id, with source files. N carets of each kind are
//! drawn in each language (40 unless given), the same ones each time for the same files:
//!
//! * openers: a word of four letters or more whose second half is missing, directly before an opener (or with one
//!   blank between). A text *collides* where, after it is accepted, the line holds the opener or its first
//!   argument twice.
//! * ends: the rest of a line is missing; at every other caret the editor has closed the line's brackets and
//!   quotes. A text is *odd* where it leaves a quote open, *open* where it leaves a bracket open that is not the
//!   last character of its line. Here a person asks as well, and should see at least what is shown unasked.
//!
//! The judge is made for this bench and shares nothing with the filters, so that it can find their faults.

#[path = "shared/judge.rs"]
#[expect(unreachable_pub, reason = "shared by its place")]
mod judge;
#[path = "../tests/it/support.rs"]
#[expect(dead_code, unreachable_pub, clippy::unwrap_used, reason = "shared with the tests")]
mod support;

use std::path::{Path, PathBuf};

use judge::{Inserted, Scan, collides, is_prose, is_word, opener};
use keyside::stdx::random::Random;
use serde_json::json;
use support::{Client, Ghost, TempFolder, inline_params};
use tokio::process::Command;

const SEED: u64 = 20_261_127;

struct Arguments {
    program: String,
    n_positions: usize,
    /// Leave out what a person asks for.
    unasked: bool,
    list: bool,
    folder: PathBuf,
}

fn main() {
    let mut arguments = Arguments {
        program: env!("CARGO_BIN_EXE_keyside").to_owned(),
        n_positions: 40,
        unasked: false,
        list: false,
        folder: PathBuf::new(),
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--program" => arguments.program = words.next().expect("--program takes a path"),
            "--positions" => {
                let n = words.next().and_then(|it| it.parse().ok());
                arguments.n_positions = n.expect("--positions takes a number");
            }
            "--unasked" => arguments.unasked = true,
            "--list" => arguments.list = true,
            "--bench" => {}
            folder => arguments.folder = folder.into(),
        }
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.expect("threads").block_on(measure(&arguments));
}

async fn measure(arguments: &Arguments) {
    let home = TempFolder::new();
    // Each caret is in a text that is new: the whole prompt, and nothing beside it.
    let settings = "[completion]\nahead = false\n";
    std::fs::write(home.0.join("config.toml"), settings).expect("a file");
    let mut command = Command::new(&arguments.program);
    command.arg("serve");
    let client = Client::started(command, home);
    client.initialize(&["utf-32"]).await;
    client.model_ready().await;
    let mut all = (Openers::default(), Ends::default());
    for language in sorted(&arguments.folder) {
        let id = language.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let files: Vec<(String, String)> = sorted(&language)
            .iter()
            .filter_map(|it| Some((file_name(it), std::fs::read_to_string(it).ok()?)))
            .collect();
        let n = arguments.n_positions;
        let openers: Openers = measured(&client, &id, &files, n, arguments).await;
        let ends: Ends = measured(&client, &id, &files, 3 * n, arguments).await;
        println!("{id:<16} openers: {}", openers.row());
        println!("{:<16} ends:    {}", "", ends.row());
        all.0.add(&openers);
        all.1.add(&ends);
    }
    println!("{:<16} openers: {}", "all", all.0.row());
    println!("{:<16} ends:    {}", "", all.1.row());
}

fn sorted(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder").flatten();
    let mut paths: Vec<PathBuf> = entries.map(|it| it.path()).collect();
    paths.sort();
    paths
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// A line with a caret in it, in its file.
struct Caret<'a> {
    file: &'a (String, String),
    line: usize,
    /// The line before the caret and what is there behind it.
    before: String,
    after: String,
    /// What is missing between the two.
    missing: String,
}

impl Caret<'_> {
    fn text(&self) -> String {
        let mut lines: Vec<&str> = self.file.1.split('\n').collect();
        let line = format!("{}{}", self.before, self.after);
        lines[self.line] = &line;
        lines.join("\n")
    }
}

/// `n` of the carets of some files, each file as likely as the others.
fn drawn<'a>(
    files: &'a [(String, String)],
    n: usize,
    random: &mut Random,
    in_line: impl Fn(&str, &mut Random) -> Option<(String, String, String)>,
) -> Vec<Caret<'a>> {
    let mut carets: Vec<Caret> = Vec::new();
    for _ in 0..n * 400 {
        if carets.len() == n || files.is_empty() {
            break;
        }
        let file = &files[random.below(files.len())];
        let lines: Vec<&str> = file.1.split('\n').collect();
        let line = random.below(lines.len());
        let is_new = |it: &Caret| it.line != line || it.file.0 != file.0;
        if is_prose(lines[line]) || !carets.iter().all(is_new) {
            continue;
        }
        if let Some((before, missing, after)) = in_line(lines[line], random) {
            carets.push(Caret { file, line, before, after, missing });
        }
    }
    carets
}

/// Opens the text, asks unasked and, if wanted, as a person; every item.
async fn ask(
    client: &Client,
    language: &str,
    caret: &Caret<'_>,
    explicitly: bool,
) -> (Option<Inserted>, Vec<Inserted>) {
    let uri = format!("file:///home/me/project/{}", caret.file.0);
    let document = json!({"uri": uri, "languageId": language, "version": 1, "text": caret.text()});
    client.notify("textDocument/didOpen", json!({"textDocument": document}));
    let column = caret.before.chars().count();
    let inserted = |text: &str, start: usize, end: usize| Inserted {
        text: text.chars().skip(column - start).collect(),
        after: caret.after.chars().skip(end - column).collect(),
    };
    let ghost = client.ghost(&uri, caret.line, column).await;
    let ghost = ghost.map(|it: Ghost| inserted(&it.text, it.start as usize, it.end as usize));
    let mut asked = Vec::new();
    if explicitly {
        let mut params = inline_params(&uri, caret.line, column);
        params["context"]["triggerKind"] = json!(1);
        let answer = client.ask("textDocument/inlineCompletion", params).await;
        for item in answer["result"]["items"].as_array().into_iter().flatten() {
            let column = |it: &str| item["range"][it]["character"].as_u64().unwrap_or_default();
            let text = item["insertText"].as_str().unwrap_or_default();
            asked.push(inserted(text, column("start") as usize, column("end") as usize));
        }
    }
    client.notify("textDocument/didClose", json!({"textDocument": {"uri": uri}}));
    (ghost, asked)
}

/// What is measured at one kind of caret.
trait Kind: Default {
    const SEED: u64;
    /// What is before the caret of a line, what is missing, and what is behind the caret.
    fn caret_in(line: &str, random: &mut Random) -> Option<(String, String, String)>;
    /// Whether a person asks as well.
    fn asks(arguments: &Arguments) -> bool;
    fn count_caret(&mut self);
    /// A text was shown, and these where a person asked; what there is to list of it.
    fn note(&mut self, caret: &Caret<'_>, shown: &Inserted, asked: Option<&[Inserted]>) -> String;
}

async fn measured<K: Kind>(
    client: &Client,
    language: &str,
    files: &[(String, String)],
    n: usize,
    arguments: &Arguments,
) -> K {
    let mut random = Random::new(K::SEED);
    let mut found = K::default();
    let asks = K::asks(arguments);
    for caret in drawn(files, n, &mut random, K::caret_in) {
        let (ghost, asked) = ask(client, language, &caret, asks).await;
        found.count_caret();
        let Some(shown) = ghost else { continue };
        let marks = found.note(&caret, &shown, asks.then_some(asked.as_slice()));
        if arguments.list {
            let before = caret.before.trim_start();
            println!("{before}|{}|{} {marks}", shown.text.replace('\n', "⏎"), shown.after);
        }
    }
    found
}

/// The names of those marks that are set.
fn marks(all: &[(bool, &str)]) -> String {
    all.iter().filter(|it| it.0).map(|it| format!(" {}", it.1)).collect()
}

#[derive(Default)]
struct Openers {
    n: usize,
    shown: usize,
    right: usize,
    colliding: usize,
}

impl Openers {
    fn add(&mut self, other: &Self) {
        self.n += other.n;
        self.shown += other.shown;
        self.right += other.right;
        self.colliding += other.colliding;
    }

    fn row(&self) -> String {
        let Self { n, shown, right, colliding } = self;
        format!(
            "{n:4} carets, {shown:4} shown, {right:4} right, {colliding:4} colliding ({:.1}%)",
            100.0 * *colliding as f64 / (*shown).max(1) as f64
        )
    }
}

impl Kind for Openers {
    const SEED: u64 = SEED;

    /// A word's first half, its second one, and what follows, where that is an opener.
    fn caret_in(line: &str, random: &mut Random) -> Option<(String, String, String)> {
        let chars: Vec<char> = line.chars().collect();
        let mut places = Vec::new();
        let mut start = None;
        for at in 0..=chars.len() {
            let c = chars.get(at).copied().unwrap_or('\n');
            match start {
                None if is_word(c) => start = Some(at),
                Some(from) if !is_word(c) => {
                    let n_letters = chars[from..at].iter().filter(|it| it.is_alphabetic()).count();
                    let rest: String = chars[at..].iter().collect();
                    let before: String = chars[..at].iter().collect();
                    if n_letters >= 4
                        && opener(&rest).is_some()
                        && Scan::of(&before).quote.is_none()
                    {
                        places.push((from, at));
                    }
                    start = None;
                }
                _ => {}
            }
        }
        let (from, to) = *places.get(random.below(places.len()))?;
        let caret = from + (to - from).div_ceil(2);
        let part = |from: usize, to: usize| chars[from..to].iter().collect::<String>();
        Some((part(0, caret), part(caret, to), part(to, chars.len())))
    }

    fn asks(_: &Arguments) -> bool {
        false
    }

    fn count_caret(&mut self) {
        self.n += 1;
    }

    fn note(&mut self, caret: &Caret<'_>, shown: &Inserted, _: Option<&[Inserted]>) -> String {
        let collides = collides(shown);
        self.shown += 1;
        self.right += usize::from(shown.text == caret.missing && shown.after == caret.after);
        self.colliding += usize::from(collides);
        marks(&[(collides, "COLLIDES")])
    }
}

#[derive(Default)]
struct Ends {
    n: usize,
    shown: usize,
    right: usize,
    /// Characters of right texts.
    spared: usize,
    odd: usize,
    open: usize,
    /// A bracket is the last character, and its line's last one.
    opened_at_end: usize,
    asked_less: usize,
}

impl Ends {
    fn add(&mut self, other: &Self) {
        self.n += other.n;
        self.shown += other.shown;
        self.right += other.right;
        self.spared += other.spared;
        self.odd += other.odd;
        self.open += other.open;
        self.opened_at_end += other.opened_at_end;
        self.asked_less += other.asked_less;
    }

    fn row(&self) -> String {
        let Self { n, shown, right, spared, odd, open, opened_at_end, asked_less } = self;
        format!(
            "{n:4} carets, {shown:4} shown, {right:4} right ({spared} characters), {odd:3} odd, {open:3} open, \
             {opened_at_end:3} end in an opener, {asked_less:3} less when asked for"
        )
    }
}

impl Kind for Ends {
    const SEED: u64 = SEED + 1;

    /// A line without its rest, or with what an editor has closed by itself.
    fn caret_in(line: &str, random: &mut Random) -> Option<(String, String, String)> {
        let chars: Vec<char> = line.trim_end().chars().collect();
        let from = chars.iter().take_while(|it| it.is_whitespace()).count();
        let caret = from + 1 + random.below(chars.len().saturating_sub(from + 1));
        let before: String = chars.get(..caret)?.iter().collect();
        let missing: String = chars[caret..].iter().collect();
        let scan = Scan::of(&before);
        let mut after = String::new();
        if random.below(2) == 0 {
            after.extend(scan.quote);
            let closed =
                |c: char| [('(', ')'), ('[', ']'), ('{', '}')].into_iter().find(|it| it.0 == c);
            after.extend(scan.open.iter().rev().filter_map(|it| closed(it.1)).map(|it| it.1));
        }
        Some((before, missing, after))
    }

    fn asks(arguments: &Arguments) -> bool {
        !arguments.unasked
    }

    fn count_caret(&mut self) {
        self.n += 1;
    }

    fn note(&mut self, caret: &Caret<'_>, shown: &Inserted, asked: Option<&[Inserted]>) -> String {
        let Inserted { text, after } = shown;
        let is_right = caret.missing.starts_with(text.trim_end());
        let (before, whole) =
            (Scan::of(&caret.before), Scan::of(&format!("{}{text}{after}", caret.before)));
        let is_odd = whole.quote.is_some() && before.quote.is_none();
        let first = caret.before.chars().count();
        let inside = first..first + text.chars().count();
        let line: Vec<char> = format!("{}{text}\n", caret.before).chars().collect();
        let ends_line = |at: usize| line[at + 1..].iter().find(|c| **c != ' ') == Some(&'\n');
        let is_open = |ending: bool| {
            let mut open = whole.open.iter().filter(|it| inside.contains(&it.0));
            !is_odd && open.any(|it| ends_line(it.0) == ending)
        };
        let is_less = asked.is_some_and(|it| !it.iter().any(|it| it.text.starts_with(text)));
        self.shown += 1;
        self.right += usize::from(is_right);
        self.spared += if is_right { text.trim_end().chars().count() } else { 0 };
        self.odd += usize::from(is_odd);
        self.open += usize::from(is_open(false));
        self.opened_at_end += usize::from(!is_open(false) && is_open(true));
        self.asked_less += usize::from(is_less);
        let less: Vec<&str> =
            asked.filter(|_| is_less).into_iter().flatten().map(|it| it.text.as_str()).collect();
        let marks = marks(&[
            (is_odd, "ODD"),
            (is_open(false), "OPEN"),
            (is_open(true), "OPENER AT END"),
            (is_less, "LESS WHEN ASKED"),
            (is_right, "right"),
        ]);
        if less.is_empty() { marks } else { format!("{marks} {less:?}") }
    }
}
