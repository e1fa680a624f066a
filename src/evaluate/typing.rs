//! Stretches of held-out files typed key by key: what a person would have had of it.

use std::io::Write;

use ropey::Rope;
use serde::{Deserialize, Serialize};

use crate::completion::{Completer, CompletionSource, OtherFiles};
use crate::evaluate::cases::SourceFile;
use crate::evaluate::keyboard::{Key, SimulatedTypist, n_spared};
use crate::evaluate::keys::KeyRecord;
use crate::evaluate::report::{Workspaces, share};
use crate::lm::Source;
use crate::stdx::random::Random;
use crate::stdx::{milliseconds, quantile};

/// Lines that are typed at a stretch.
const TYPED_LINES: usize = 12;
/// What a person's time is counted at: a character typed, a suggestion accepted, and a wrong one
/// looked at.
pub const SECONDS_A_KEY: f64 = 0.18;
const SECONDS_AN_ACCEPTANCE: f64 = 0.5;
const SECONDS_A_WRONG_TEXT: f64 = 0.3;

/// What a person who types would have had.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Typing {
    pub n_characters: usize,
    /// Keys that were pressed, those that accept among them.
    pub n_keys: usize,
    /// Share of characters that acceptances spared, each acceptance costing one key.
    pub spared: f64,
    /// Share of the time that typing by hand takes that suggestions spared: 0.18 s a key, 0.5 s an
    /// acceptance, 0.3 s a wrong text looked at.
    pub time_gained: f64,
    /// Share of the places where the line goes on at which something is shown.
    pub shown: f64,
    /// How many texts were shown, one that stays while it is typed along being one, and the share
    /// of them that was right.
    pub n_showings: usize,
    pub right_of_shown: f64,
    /// Texts shown a hundred keys.
    pub showings_per_100_keys: f64,
    /// Share of keys answered without the model.
    pub reused: f64,
    pub median_ms: f64,
    pub p95_ms: f64,
}

/// Some lines of a file, as characters.
pub struct Stretch<'a> {
    package: &'a [SourceFile],
    file: usize,
    rope: Rope,
    from: usize,
    to: usize,
}

/// Stretches of about `n_characters` together.
pub fn stretches<'a>(
    packages: &[&'a [SourceFile]],
    n_characters: usize,
    random: &mut Random,
) -> Vec<Stretch<'a>> {
    stretches_of(packages, n_characters, TYPED_LINES, random)
}

/// The same, of `n_lines` lines each.
pub fn stretches_of<'a>(
    packages: &[&'a [SourceFile]],
    n_characters: usize,
    n_lines: usize,
    random: &mut Random,
) -> Vec<Stretch<'a>> {
    let (mut found, mut n_found) = (Vec::new(), 0);
    // Files that are too short are passed over; a corpus of nothing else must not keep this going.
    for _ in 0..n_characters {
        if n_found >= n_characters || packages.iter().all(|it| it.is_empty()) {
            break;
        }
        let package = packages[random.below(packages.len())];
        let file = random.below(package.len());
        let rope = Rope::from_str(&package[file].text);
        let Some(room) = rope.len_lines().checked_sub(n_lines + 10) else { continue };
        let first = 8 + random.below(room);
        let (from, to) = (rope.line_to_char(first), rope.line_to_char(first + n_lines) - 1);
        n_found += to - from;
        found.push(Stretch { package, file, rope, from, to });
    }
    found
}

impl<'a> Stretch<'a> {
    /// All of a file.
    pub fn whole_file(package: &'a [SourceFile], file: usize) -> Self {
        let rope = Rope::from_str(&package[file].text);
        let to = rope.len_chars();
        Self { package, file, rope, from: 0, to }
    }

    fn source(&self) -> &'a SourceFile {
        &self.package[self.file]
    }

    pub fn n_characters(&self) -> usize {
        self.to - self.from
    }

    /// The file's path and text, and which of its characters are typed.
    pub fn place(&self) -> (&'a str, &Rope, usize, usize) {
        (&self.source().path, &self.rope, self.from, self.to)
    }

    fn typist<'c>(
        &self,
        workspaces: &mut Workspaces,
        completer: &'c Completer,
    ) -> SimulatedTypist<'c> {
        let files = OtherFiles::Given(workspaces.without(self.package, self.file));
        SimulatedTypist::new(completer, &self.source().path, &self.rope, self.from, self.to)
            .beside(files)
    }
}

/// Types the stretches and takes what is right.
///
/// # Errors
/// Those of the model.
pub fn typed_keys(
    stretches: &[Stretch],
    workspaces: &mut Workspaces,
    completer: &Completer,
    runtime: &tokio::runtime::Runtime,
) -> Result<TypedKeys, String> {
    let mut all = TypedKeys::default();
    for stretch in stretches {
        let mut typist = stretch.typist(workspaces, completer);
        let (keys, _) =
            runtime.block_on(typist.type_all(|_, _, _| ())).map_err(|error| error.to_string())?;
        all.add(TypedKeys::of(stretch.n_characters(), typist.n_keys_by_hand(), &keys));
    }
    Ok(all)
}

/// Keys that were pressed and what came of them, as counts that add up.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct TypedKeys {
    pub n_characters: usize,
    pub n_keys: usize,
    /// Without suggestions.
    pub n_by_hand: usize,
    /// Texts that were shown and right, so that they were taken.
    pub n_right: usize,
    pub n_showings: usize,
    /// Places where the line goes on, and of these those at which something is shown.
    pub n_going_on: usize,
    pub n_shown: usize,
    pub n_reused: usize,
    pub n_spared: usize,
    /// Of each key but the first of a stretch: the first prompt of a file is evaluated from
    /// nothing.
    pub latencies_ms: Vec<f64>,
}

impl TypedKeys {
    /// Of one stretch.
    pub fn of(n_characters: usize, n_by_hand: usize, keys: &[Key]) -> Self {
        let count = |is: &dyn Fn(&Key) -> bool| keys.iter().filter(|it| is(it)).count();
        let by_model = CompletionSource::Generated(Source::WholePrompt);
        Self {
            n_characters,
            n_keys: keys.len(),
            n_by_hand,
            n_right: count(&|it| it.was_right),
            n_showings: count(&|it| it.is_new),
            n_going_on: count(&|it| it.goes_on),
            n_shown: count(&|it| it.goes_on && !it.completion.text.is_empty()),
            n_reused: count(&|it| it.completion.source != by_model),
            n_spared: n_spared(keys),
            latencies_ms: keys.iter().skip(1).map(|it| milliseconds(it.completion.total)).collect(),
        }
    }

    /// Adds another stretch.
    pub fn add(&mut self, other: Self) {
        self.n_characters += other.n_characters;
        self.n_keys += other.n_keys;
        self.n_by_hand += other.n_by_hand;
        self.n_right += other.n_right;
        self.n_showings += other.n_showings;
        self.n_going_on += other.n_going_on;
        self.n_shown += other.n_shown;
        self.n_reused += other.n_reused;
        self.n_spared += other.n_spared;
        self.latencies_ms.extend(other.latencies_ms);
    }

    /// What they mean for a person.
    pub fn figures(mut self) -> Typing {
        self.latencies_ms.sort_by(f64::total_cmp);
        let seconds = SECONDS_A_KEY * (self.n_keys - self.n_right) as f64
            + SECONDS_AN_ACCEPTANCE * self.n_right as f64
            + SECONDS_A_WRONG_TEXT * self.n_showings.saturating_sub(self.n_right) as f64;
        Typing {
            n_characters: self.n_characters,
            n_keys: self.n_keys,
            spared: share(self.n_spared, self.n_characters),
            time_gained: 1.0 - seconds / (SECONDS_A_KEY * self.n_by_hand.max(1) as f64),
            shown: share(self.n_shown, self.n_going_on),
            n_showings: self.n_showings,
            right_of_shown: share(self.n_right, self.n_showings),
            showings_per_100_keys: 100.0 * share(self.n_showings, self.n_keys),
            reused: share(self.n_reused, self.n_keys),
            median_ms: quantile(&self.latencies_ms, 0.5),
            p95_ms: quantile(&self.latencies_ms, 0.95),
        }
    }
}

/// Types the stretches by hand and writes what is suggested at each key, a line a key.
///
/// # Errors
/// Those of the model, and where the file can't be written.
pub fn write_keys(
    stretches: &[Stretch],
    language: &str,
    workspaces: &mut Workspaces,
    completer: &Completer,
    runtime: &tokio::runtime::Runtime,
    file: &mut dyn Write,
) -> Result<(), String> {
    for (number, stretch) in stretches.iter().enumerate() {
        let typist = stretch.typist(workspaces, completer);
        let mut failed = None;
        let typed = typist.type_by_hand(|at, (before, after), completion| {
            let text = (before, after, &typist.goal()[at..]);
            let names = (language, &*stretch.source().package);
            let record = KeyRecord::new(names, (number, at), text, completion);
            let line = serde_json::to_string(&record).map_err(std::io::Error::from);
            if let Err(error) = line.and_then(|it| writeln!(file, "{it}")) {
                failed = Some(format!("the keys can't be written ({error})"));
            }
        });
        runtime.block_on(typed).map_err(|error| error.to_string())?;
        if let Some(sentence) = failed {
            return Err(sentence);
        }
    }
    Ok(())
}
