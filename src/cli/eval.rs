//! `keyside eval`: measures a model on held-out source files.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, ValueEnum};

use crate::app::Session;
use crate::app::model::model_spec;
use crate::cli::setup;
use crate::config::folders::Folders;
use crate::config::{CompletionConfig, Config};
use crate::evaluate::cases::{HeldOut, Part};
use crate::evaluate::report::{Figures, Plan, Records, language_figures};
use crate::evaluate::score::Scorer;
use crate::evaluate::{new_code, scenarios};
use crate::lm::ModelInfo;
use crate::lm::registry::Registry;
use crate::retrieval::mixture::MixtureNetworks;

/// What `eval` takes.
#[derive(Debug, Args)]
pub struct EvalArguments {
    /// The folder with LANGUAGE.heldout.jsonl, as the pipeline in model/ makes it.
    #[arg(long, required_unless_present_any = ["scenarios", "new_code"])]
    pub text: Option<PathBuf>,
    /// Ask at the carets of these scenarios instead (tests/scenarios), as while a person types.
    #[arg(long, conflicts_with = "text")]
    pub scenarios: Option<PathBuf>,
    /// Type the new files of these projects instead (tests/new_code), from their beginning.
    #[arg(long, conflicts_with_all = ["text", "scenarios"])]
    pub new_code: Option<PathBuf>,
    /// Use this GGUF file instead of the model in the settings.
    #[arg(long)]
    pub model: Option<String>,
    /// The model's name in the table.
    #[arg(long)]
    pub name: Option<String>,
    /// Rests of lines a language; for each two of them also a whole line, and a caret inside a
    /// name.
    #[arg(long, default_value_t = 2_000)]
    pub cases: usize,
    /// Blocks a language.
    #[arg(long, default_value_t = 200)]
    pub blocks: usize,
    /// Lines that open a block, a language.
    #[arg(long, default_value_t = 100)]
    pub openers: usize,
    /// Names after a receiver or a path, a language.
    #[arg(long, default_value_t = 100)]
    pub names: usize,
    /// Characters a language that are typed key by key.
    #[arg(long, default_value_t = 10_000)]
    pub typed: usize,
    /// Only these languages.
    #[arg(long, value_delimiter = ',')]
    pub language: Vec<String>,
    /// Which half of the held-out packages.
    #[arg(long, value_enum, default_value_t = PartName::Test)]
    pub part: PartName,
    /// The model alone, without retrieval.
    #[arg(long)]
    pub alone: bool,
    /// The package's other files are there as the workspace's (not for blocks).
    #[arg(long)]
    pub workspace: bool,
    /// Without the n-gram table (lines only; not for blocks and typing).
    #[arg(long)]
    pub no_ngrams: bool,
    /// Hold back what is less sure than this, while typing; the setting of the same name.
    #[arg(long)]
    pub min_confidence: Option<f64>,
    /// Hold back what is shorter than this, while typing; the setting of the same name.
    #[arg(long)]
    pub min_characters: Option<usize>,
    /// Ask the model unless retrieval alone is so sure, while typing; the setting of the same name.
    #[arg(long)]
    pub min_lookup_confidence: Option<f64>,
    /// The longest suggestion in lines, while typing; the setting of the same name.
    #[arg(long)]
    pub max_lines: Option<usize>,
    /// Write the figures here as JSON.
    #[arg(long)]
    pub json: Option<PathBuf>,
    /// Write what each component predicts at each position here, for fitting the mixture.
    #[arg(long)]
    pub positions: Option<PathBuf>,
    /// Type by hand, and write what is suggested at each key here, for choosing when to speak.
    #[arg(long)]
    pub keys: Option<PathBuf>,
}

/// A half of the held-out packages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PartName {
    Fit,
    Test,
    All,
}

/// Runs the command.
///
/// # Errors
/// One sentence.
pub fn run(arguments: &EvalArguments) -> Result<(), String> {
    let folders = setup::folders()?;
    let mut config = setup::settings(&folders).config;
    if let Some(model) = &arguments.model {
        config.model.set_path(model);
    }
    // The same for everybody, whatever their settings are.
    config.completion = CompletionConfig { retrieval: !arguments.alone, ..Default::default() };
    config.completion.generate_ms = 60_000;
    if let Some(least) = arguments.min_confidence {
        config.completion.min_confidence = least;
    }
    if let Some(least) = arguments.min_characters {
        config.completion.min_characters = least;
    }
    if let Some(least) = arguments.min_lookup_confidence {
        config.completion.min_lookup_confidence = least;
    }
    if let Some(most) = arguments.max_lines {
        config.completion.max_lines = most;
    }
    if let Some(folder) = &arguments.scenarios {
        return run_scenarios(folder, config, folders);
    }
    if let Some(folder) = &arguments.new_code {
        return run_new_code(folder, config, folders);
    }
    let Some(text) = &arguments.text else { return Err("--text is missing".to_owned()) };
    let mut held_out = HeldOut::read_folder(text)?;
    held_out
        .retain(|it| arguments.language.is_empty() || arguments.language.contains(&it.language));
    let plan = Plan {
        n_lines: arguments.cases.div_ceil(2),
        n_blocks: arguments.blocks,
        n_openers: arguments.openers,
        n_names: arguments.names,
        n_typed: arguments.typed,
        part: match arguments.part {
            PartName::Fit => Some(Part::Fit),
            PartName::Test => Some(Part::Test),
            PartName::All => None,
        },
        workspace: arguments.workspace,
    };
    let mut positions = record_file(arguments.positions.as_deref())?;
    let mut keys = record_file(arguments.keys.as_deref())?;

    let model = Registry::new(folders.cache.clone()).load(&model_spec(&config.model, None))?;
    let info = Arc::clone(model.info());
    let networks = MixtureNetworks::embedded_for(&info.name)
        .map(Arc::new)
        .ok_or("the mixture's networks in this program don't fit it; build it again")?;
    let mut scorer = Scorer::new(model, networks, !arguments.alone)?;
    if arguments.no_ngrams {
        scorer.drop_ngrams();
    }
    let (session, runtime, _) = started(config, folders)?;
    let mut figures = Figures {
        name: arguments.name.clone().unwrap_or_else(|| info.name.clone()),
        n_parameters: info.n_params,
        retrieval: !arguments.alone,
        workspace: arguments.workspace,
        ngrams: scorer.has_ngrams(),
        languages: Vec::new(),
    };
    setup::print(Figures::HEAD)?;
    for language in &held_out {
        let records = Records {
            positions: positions.as_mut().map(|it| it as &mut dyn Write),
            keys: keys.as_mut().map(|it| it as &mut dyn Write),
        };
        let one =
            language_figures(language, &plan, &mut scorer, &session.completer, &runtime, records)?;
        let row = Figures { languages: vec![one.clone()], ..figures.clone() }.rows();
        figures.languages.push(one);
        setup::print(&row)?;
    }
    for mut file in positions.into_iter().chain(keys) {
        file.flush().map_err(|error| format!("a file of records can't be written ({error})"))?;
    }
    if let Some(path) = &arguments.json {
        let json = serde_json::to_string_pretty(&figures).map_err(|error| error.to_string())?;
        std::fs::write(path, json + "\n")
            .map_err(|error| format!("{} can't be written ({error})", path.display()))?;
    }
    Ok(())
}

/// Asks at the carets of scenarios, and prints the table and what was wrong.
fn run_scenarios(folder: &Path, config: Config, folders: Folders) -> Result<(), String> {
    let all = scenarios::read_folder(folder)?;
    let (session, runtime, _) = started(config, folders)?;
    let shown = runtime.block_on(scenarios::shown(&session.completer, &all))?;
    setup::print(&scenarios::report(&all, &shown))
}

/// Types the new files of projects, and prints the table.
fn run_new_code(folder: &Path, config: Config, folders: Folders) -> Result<(), String> {
    let projects = new_code::read_folder(folder)?;
    let (session, runtime, info) = started(config, folders)?;
    setup::print(&new_code::table(&projects, &session.completer, &info, &runtime)?)
}

/// A session whose model is loaded.
fn started(
    config: Config,
    folders: Folders,
) -> Result<(Session, tokio::runtime::Runtime, Arc<ModelInfo>), String> {
    let session = Session::start(config, folders)
        .map_err(|error| format!("the system refuses another thread ({error}); try again"))?;
    let runtime = setup::runtime()?;
    let info = runtime.block_on(session.engine().ready())?;
    Ok((session, runtime, info))
}

/// A file of records that were asked for.
fn record_file(path: Option<&Path>) -> Result<Option<BufWriter<File>>, String> {
    let Some(path) = path else { return Ok(None) };
    let created = File::create(path);
    let unwritable = |error| format!("{} can't be written ({error})", path.display());
    Ok(Some(BufWriter::new(created.map_err(unwritable)?)))
}
