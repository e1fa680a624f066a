//! Runs an evaluation and puts its figures into a table.

use std::io::Write;
use std::sync::Arc;

use ropey::Rope;
use serde::Serialize;

use crate::completion::{Completer, CompletionAsk, CompletionMode, complete};
use crate::evaluate::cases::{BlockSite, HeldOut, Part, SourceFile, block_sites, line_sites};
use crate::evaluate::names::{Names, name_figures, name_sites};
use crate::evaluate::openers::{Openers, opener_figures};
use crate::evaluate::positions::PositionRecord;
use crate::evaluate::score::{LineCase, LineScore, Position, Scorer};
use crate::evaluate::typing::{Typing, stretches, typed_keys, write_keys};
use crate::lm::ModelInfo;
use crate::retrieval::datastore::tokenize_lines;
use crate::retrieval::suffix_array::{IndexView, SuffixArray};
use crate::stdx::random::Random;

const SEED: u64 = 20_261_121;

/// How much is asked, a language.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Lines, each at four carets, two of them where words begin.
    pub n_lines: usize,
    pub n_blocks: usize,
    pub n_openers: usize,
    pub n_names: usize,
    /// Characters typed key by key.
    pub n_typed: usize,
    pub part: Option<Part>,
    /// Counts may use the other files of the package.
    pub workspace: bool,
}

/// Figures of one kind of caret.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Carets {
    pub n: usize,
    /// Share of suggestions that are exactly right.
    pub exact: f64,
    /// Mean Levenshtein similarity of suggestion and text, 0 to 1.
    pub similarity: f64,
    /// Share of exactly right ones in the third that is surest.
    pub exact_in_surest_third: f64,
}

/// Figures of one language.
#[derive(Debug, Clone, Serialize)]
pub struct LanguageFigures {
    pub language: String,
    pub n_packages: usize,
    /// The rest of a line from a token's border on.
    pub rest_of_line: Carets,
    pub inside_name: Carets,
    pub whole_line: Carets,
    pub block: Carets,
    pub openers: Openers,
    pub names: Names,
    /// Of the rest of a line and its end.
    pub bits_per_byte: f64,
    /// How often the end is the likeliest where it should come.
    pub ends_when_it_should: f64,
    pub typing: Typing,
}

/// One model's figures.
#[derive(Debug, Clone, Serialize)]
pub struct Figures {
    pub name: String,
    pub n_parameters: u64,
    pub retrieval: bool,
    pub workspace: bool,
    pub ngrams: bool,
    pub languages: Vec<LanguageFigures>,
}

/// Files of JSON lines that are written beside the figures, where they are wanted.
#[derive(Default)]
pub struct Records<'a> {
    /// See [`PositionRecord`].
    pub positions: Option<&'a mut dyn Write>,
    /// See [`crate::evaluate::keys::KeyRecord`]; then the stretches are typed by hand, and there
    /// are no figures of typing.
    pub keys: Option<&'a mut dyn Write>,
}

/// Asks `scorer` for lines and `completer` for blocks and typing, which run the same model.
///
/// # Errors
/// One sentence.
pub fn language_figures(
    held_out: &HeldOut,
    plan: &Plan,
    scorer: &mut Scorer,
    completer: &Completer,
    runtime: &tokio::runtime::Runtime,
    Records { mut positions, keys }: Records,
) -> Result<LanguageFigures, String> {
    let packages = held_out.packages(plan.part);
    // Each kind of place has a beginning of its own, so that how many there are of one changes no
    // other.
    let sites = line_sites(&packages, plan.n_lines, &mut Random::new(SEED));
    let mut workspaces = Workspaces::new(plan.workspace, Arc::clone(scorer.info()));
    let mut kinds = [const { Vec::<(LineScore, f64)>::new() }; 3];
    let mut bytes = 0;
    for (number, site) in sites.iter().enumerate() {
        let [first, second] = site.boundaries;
        let places = [(0, first), (0, second), (2, site.line_start)];
        let carets = places.into_iter().chain(site.inside_name.map(|at| (1, at)));
        for (caret, (kind, at)) in carets.enumerate() {
            let case = LineCase {
                uri: format!("{}:{number}", held_out.language).into(),
                path: &site.package[site.file].path,
                before: format!("{}{}", site.before, &site.line[..at]),
                rest: &site.line[at..],
                after: site.after,
                files: workspaces.without(site.package, site.file),
            };
            let package = &site.package[site.file].package;
            let mut failed = None;
            let mut write = |file: &mut dyn Write, position: &Position| {
                let name = ["boundary", "inside_name", "whole_line"][kind];
                let case = 4 * number + caret;
                let Some(record) = PositionRecord::new(case, package, name, position) else {
                    return;
                };
                let line = serde_json::to_string(&record).map_err(std::io::Error::from);
                if let Err(error) = line.and_then(|it| writeln!(file, "{it}")) {
                    failed = Some(format!("the positions can't be written ({error})"));
                }
            };
            let score = match &mut positions {
                None => scorer.line(&case, None)?,
                Some(file) => scorer.line(&case, Some(&mut |it| write(file, &it)))?,
            };
            if let Some(sentence) = failed {
                return Err(sentence);
            }
            let similarity = strsim::normalized_levenshtein(&score.suggested, case.rest);
            if kind == 0 {
                bytes += case.rest.len() + 1;
            }
            kinds[kind].push((score, similarity));
        }
    }
    let ends = kinds[0].iter().filter(|(score, _)| score.ends).count();
    let bits: f64 = kinds[0].iter().map(|(score, _)| score.bits).sum();
    let stretches = stretches(&packages, plan.n_typed, &mut Random::new(SEED + 2));
    let typing = match keys {
        None => typed_keys(&stretches, &mut workspaces, completer, runtime)?.figures(),
        Some(file) => {
            let language = &held_out.language;
            write_keys(&stretches, language, &mut workspaces, completer, runtime, file)?;
            Typing::default()
        }
    };
    let names = name_sites(&packages, plan.n_names, &mut Random::new(SEED + 3));
    let openers = block_sites(&packages, plan.n_openers, &mut Random::new(SEED + 4));
    let blocks = block_sites(&packages, plan.n_blocks, &mut Random::new(SEED + 1));
    Ok(LanguageFigures {
        language: held_out.language.clone(),
        n_packages: packages.len(),
        ends_when_it_should: share(ends, kinds[0].len()),
        bits_per_byte: bits / bytes.max(1) as f64,
        rest_of_line: carets(&kinds[0]),
        inside_name: carets(&kinds[1]),
        whole_line: carets(&kinds[2]),
        block: block_figures(&blocks, completer, runtime)?,
        openers: opener_figures(&openers, &mut workspaces, completer, runtime)?,
        names: name_figures(&names, &mut workspaces, completer, runtime)?,
        typing,
    })
}

pub fn share(n: usize, of: usize) -> f64 {
    n as f64 / of.max(1) as f64
}

fn carets(scores: &[(LineScore, f64)]) -> Carets {
    let mut by_confidence: Vec<&LineScore> = scores.iter().map(|it| &it.0).collect();
    by_confidence.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
    let exact =
        |scores: &[&LineScore]| share(scores.iter().filter(|it| it.exact).count(), scores.len());
    Carets {
        n: scores.len(),
        exact: exact(&by_confidence),
        exact_in_surest_third: exact(&by_confidence[..scores.len() / 3]),
        similarity: scores.iter().map(|it| it.1).sum::<f64>() / scores.len().max(1) as f64,
    }
}

fn block_figures(
    sites: &[BlockSite],
    completer: &Completer,
    runtime: &tokio::runtime::Runtime,
) -> Result<Carets, String> {
    let mut scores = Vec::new();
    for (number, site) in sites.iter().enumerate() {
        let rope = Rope::from_str(&format!("{}{}", site.before, site.after));
        let caret = site.before.chars().count();
        let ask = CompletionAsk::at(format!("block:{number}"), site.path, rope, caret)
            .with_mode(CompletionMode::ScriptedExplicit)
            .arriving(completer.next_arrival());
        let completion = runtime.block_on(complete(completer, ask)).map_err(|it| it.to_string())?;
        let (suggested, right) = (completion.text.trim_end(), site.block.trim_end());
        let score = LineScore {
            suggested: suggested.to_owned(),
            exact: suggested == right,
            confidence: completion.confidence,
            bits: 0.0,
            ends: false,
        };
        scores.push((score, strsim::normalized_levenshtein(suggested, right)));
    }
    Ok(carets(&scores))
}

/// Packages as workspaces, indexed once each.
pub struct Workspaces {
    wanted: bool,
    info: Arc<ModelInfo>,
    /// The package's address, and its index.
    made: Vec<(*const SourceFile, Arc<SuffixArray>)>,
}

impl Workspaces {
    /// For the model of `info`; without other files where they are not `wanted`.
    pub fn new(wanted: bool, info: Arc<ModelInfo>) -> Self {
        Self { wanted, info, made: Vec::new() }
    }

    /// The package's other files.
    pub fn without(&mut self, package: &[SourceFile], file: usize) -> IndexView {
        if !self.wanted {
            return IndexView::default();
        }
        let key = package.as_ptr();
        let known = self.made.iter().find(|it| it.0 == key).map(|it| Arc::clone(&it.1));
        let index = known.unwrap_or_else(|| {
            let tokenizer = self.info.tokenizer.as_ref();
            let tokens = |it: &SourceFile| tokenize_lines(&it.text, self.info.end, tokenizer);
            let index = Arc::new(SuffixArray::new(package.iter().map(tokens)));
            self.made.push((key, Arc::clone(&index)));
            index
        });
        IndexView::without(index, [file])
    }
}

impl Figures {
    /// The table's head.
    pub const HEAD: &'static str = "\
| model | language | cases | bits a byte | rest of line | similarity | in the surest third | inside a name | whole line | block | shown behind a block's opening line, first line right | names after 0, 1, 2, 3 letters | ends | spared | time gained | shown | texts a 100 keys | right | no model | median ms | 95% ms |
|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|
";

    fn with(&self) -> &'static str {
        match (self.retrieval, self.workspace, self.ngrams) {
            (false, _, _) => "",
            (true, false, false) => " + retrieval from the document",
            (true, true, false) => " + retrieval from the document and the package",
            (true, false, true) => " + retrieval from the document, n-gram table",
            (true, true, true) => " + retrieval from the document and the package, n-gram table",
        }
    }

    /// A row a language.
    pub fn rows(&self) -> String {
        let percent = |it: f64| format!("{:.1}%", it * 100.0);
        let mut out = String::new();
        for it in &self.languages {
            let row = [
                format!("{}{}", self.name, self.with()),
                it.language.clone(),
                it.rest_of_line.n.to_string(),
                format!("{:.3}", it.bits_per_byte),
                percent(it.rest_of_line.exact),
                format!("{:.3}", it.rest_of_line.similarity),
                percent(it.rest_of_line.exact_in_surest_third),
                percent(it.inside_name.exact),
                percent(it.whole_line.exact),
                format!("{} of {}", percent(it.block.exact), it.block.n),
                format!(
                    "{} of {}, {}",
                    percent(it.openers.shown),
                    it.openers.n,
                    percent(it.openers.first_line_right)
                ),
                format!("{} of {}", it.names.shown_after.map(percent).join(", "), it.names.n),
                percent(it.ends_when_it_should),
                format!("{} of {}", percent(it.typing.spared), it.typing.n_characters),
                percent(it.typing.time_gained),
                percent(it.typing.shown),
                format!("{:.1}", it.typing.showings_per_100_keys),
                percent(it.typing.right_of_shown),
                percent(it.typing.reused),
                format!("{:.1}", it.typing.median_ms),
                format!("{:.1}", it.typing.p95_ms),
            ];
            out.push_str(&format!("| {} |\n", row.join(" | ")));
        }
        out
    }
}
