//! The hidden `keyside bench-model`: types stretches of a workspace's code with one model, in a
//! process that may die of its file and whose memory is that model's. `cli/model/bench.rs` starts
//! it.

use std::io::{BufRead, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::app::Session;
use crate::cli::beside::files_beside;
use crate::cli::complete::relative;
use crate::cli::{setup, terminal};
use crate::config::BuiltInModel;
use crate::evaluate::cases::SourceFile;
use crate::evaluate::keyboard::SimulatedTypist;
use crate::evaluate::model_bench::{BenchLine, PATIENCE};
use crate::evaluate::typing::{TypedKeys, stretches_of};
use crate::files;
use crate::machine;
use crate::stdx::milliseconds;
use crate::stdx::random::Random;
use crate::workspace;

/// What is measured, as a line on standard input.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct BenchOrder {
    /// `model.path`; empty: `built_in`.
    pub model: String,
    pub built_in: BuiltInModel,
    pub folder: PathBuf,
    pub n_characters: usize,
    pub seconds: u64,
}

/// The same stretches for every model.
const SEED: u64 = 20_261_128;
/// Lines that are typed at a stretch: few, so that a slow model finishes some.
const LINES: usize = 6;
/// Files that are read, drawn from all; and how large one may be.
const MAX_FILES: usize = 200;
const MAX_FILE_BYTES: u64 = 256 * 1024;

/// Runs the command.
///
/// # Errors
/// One sentence.
pub fn run() -> Result<(), String> {
    let mut line = String::new();
    let read = std::io::stdin().lock().read_line(&mut line);
    let order: Option<BenchOrder> = read.ok().and_then(|_| serde_json::from_str(&line).ok());
    let order = order.ok_or("this command is for `keyside model bench`; run that")?;
    let watcher = std::thread::Builder::new().spawn(|| {
        // Whoever asked is gone when this returns.
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        setup::leave(3);
    });
    watcher.map_err(|error| format!("the system refuses a thread ({error})"))?;
    let files = code_of(&order.folder);
    let packages = [files.as_slice()];
    let places = stretches_of(&packages, order.n_characters, LINES, &mut Random::new(SEED));
    if places.is_empty() {
        return Err(format!(
            "{} has no code to type: files of at least {} lines that git does not ignore; name another folder \
             with --folder",
            order.folder.display(),
            LINES + 10
        ));
    }

    let folders = setup::folders()?;
    let mut config = setup::settings(&folders).config;
    config.model.set_path(&order.model);
    config.model.built_in = order.built_in;
    config.completion.enabled = true;
    config.completion.disabled_languages.clear();
    // Nobody pauses here, so nothing can be done ahead, and no whole prompt behind a short one.
    config.completion.prefetch = false;
    let session = Session::start(config, folders)
        .map_err(|error| format!("the system refuses another thread ({error}); try again"))?;
    let runtime = setup::runtime()?;
    let model = runtime.block_on(session.engine().ready())?;
    if let Some(why) = &model.instead_of {
        return Err(why.clone());
    }
    say(&BenchLine::Loaded {
        load_ms: milliseconds(model.load_time),
        n_stretches: places.len(),
        n_characters: places.iter().map(|it| it.n_characters()).sum(),
        n_files: files.len(),
    })?;
    let until = Instant::now() + Duration::from_secs(order.seconds);
    for place in &places {
        let (path, rope, from, to) = place.place();
        let beside = files_beside(&session, &model, path);
        let path = relative(path);
        let mut typist = SimulatedTypist::new(&session.completer, &path, rope, from, to)
            .beside(beside)
            .at_keyboard(PATIENCE);
        let left = until.saturating_duration_since(Instant::now());
        let typed = async { tokio::time::timeout(left, typist.type_all(|_, _, _| ())).await };
        let Ok(typed) = runtime.block_on(typed) else { break };
        let (keys, _) = typed.map_err(|error| error.to_string())?;
        let keys = TypedKeys::of(place.n_characters(), typist.n_keys_by_hand(), &keys);
        say(&BenchLine::Stretch { keys })?;
    }
    say(&BenchLine::Done { memory_bytes: machine::own_memory_bytes() })
}

fn say(line: &BenchLine) -> Result<(), String> {
    let line = serde_json::to_string(line).map_err(|error| error.to_string())?;
    terminal::print_json(&format!("{line}\n"))
}

/// Files of the folder that hold code, always the same ones of the same files.
fn code_of(folder: &Path) -> Vec<SourceFile> {
    let mut paths = workspace::code_files(folder);
    let mut random = Random::new(SEED);
    while paths.len() > MAX_FILES {
        paths.swap_remove(random.below(paths.len()));
    }
    paths.sort();
    let read = |path: PathBuf| {
        let text = String::from_utf8(files::read(&path, MAX_FILE_BYTES).ok()?).ok()?;
        let path = path.into_os_string().into_string().ok()?;
        (!text.contains('\0')).then(|| SourceFile { package: String::new(), path, text })
    };
    paths.into_iter().filter_map(read).collect()
}
