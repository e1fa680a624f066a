//! `keyside model verify`: a model's bytes against what its name or its manifest says of them, and
//! then its tokens, a text and its speed, in a process that may die of the file.

use std::io::Read;
use std::time::{Duration, Instant};

use serde_json::json;
use sha2::{Digest, Sha256};

use crate::cli::model::{NO_TEXT, named, size};
use crate::cli::terminal;
use crate::config::folders::Folders;
use crate::files;
use crate::lm::backend::probe;
use crate::lm::model_info::FROM_TEXT_BEFORE;
use crate::lm::registry::ModelMeasurement;
use crate::models::FoundModel;
use crate::stdx::hex;

const SHOW_EVERY: Duration = Duration::from_millis(200);

/// Checks a model and prints what was found.
///
/// # Errors
/// One sentence, where something is wrong with it.
pub(super) fn run(folders: &Folders, wanted: &str, as_json: bool) -> Result<(), String> {
    let model = named(folders, wanted)?;
    let name = &model.name;
    if let Err(fault) = &model.header {
        return Err(format!("{name} can't be used: {fault}; get it again"));
    }
    if model.path.as_os_str().is_empty() {
        return Err(format!(
            "{name} is a part of this program, which compares it with itself at each start; name another, \
             `keyside model list` shows all"
        ));
    }
    let sha256 = sha256_of(&model)?;
    if let Some(known) = model.sha256.as_ref().filter(|it| !it.eq_ignore_ascii_case(&sha256)) {
        return Err(format!(
            "{name} is damaged: its SHA-256 is {sha256}, and {} knows it as {known}; get it again",
            model.kept_by.as_str()
        ));
    }
    let measured = probe::measure(&model.path)?;
    let result = if as_json {
        let json = json!({
            "name": name,
            "path": model.path,
            "sha256": sha256,
            "sha256_is_known": model.sha256.is_some(),
            "measured": measured,
        });
        terminal::print_json(&format!("{json:#}\n"))
    } else {
        terminal::print(&to_text(&model, &sha256, &measured))
    };
    result.and_then(|()| match measured.is_round_trip {
        true => Ok(()),
        false => Err(format!(
            "{name} does not give a text back from its tokens, so suggestions would be wrong; choose another"
        )),
    })
}

fn to_text(model: &FoundModel, sha256: &str, measured: &ModelMeasurement) -> String {
    let compared = match model.sha256 {
        Some(_) => format!("as {} knows it", model.kept_by.as_str()),
        None => "nothing here says what it should be".to_owned(),
    };
    let tokens = match measured.is_round_trip {
        true => "a text of several scripts comes back from its tokens".to_owned(),
        false => "a text does not come back from its tokens".to_owned(),
    };
    let fim = match &measured.fim {
        Some(family) => format!("yes, as {family}"),
        None if measured.generates => format!("no, so it {FROM_TEXT_BEFORE}"),
        None => NO_TEXT.to_owned(),
    };
    let lines = [
        ("model", model.name.clone()),
        ("size", size(model.n_bytes)),
        ("SHA-256", format!("{sha256}, {compared}")),
        ("loads in", format!("{:.0} ms", measured.load_ms)),
        ("tokens", tokens),
        ("fill-in-the-middle", fim),
        ("answers", format!("{:?}", measured.text)),
        ("reads", format!("{:.0} tokens a second", measured.prefill_tokens_per_second)),
        ("writes", format!("{:.1} tokens a second", measured.decode_tokens_per_second)),
    ];
    lines.iter().map(|(name, what)| format!("{name:20}{what}\n")).collect()
}

fn sha256_of(model: &FoundModel) -> Result<String, String> {
    let unreadable = |error| format!("{} can't be read ({error}); get it again", model.name);
    let mut file = files::open(&model.path).map_err(unreadable)?;
    let total = file.metadata().map_err(unreadable)?.len().max(1);
    let (mut hash, mut n_read) = (Sha256::new(), 0);
    let mut buffer = vec![0; 1 << 20];
    let mut last_shown: Option<Instant> = None;
    loop {
        let n = file.read(&mut buffer).map_err(unreadable)?;
        if n == 0 {
            break;
        }
        hash.update(&buffer[..n]);
        n_read += n as u64;
        let is_due = last_shown.is_none_or(|it| it.elapsed() >= SHOW_EVERY);
        if terminal::shows_progress() && is_due {
            last_shown = Some(Instant::now());
            terminal::progress(&format!("SHA-256: {}%", n_read * 100 / total));
        }
    }
    if last_shown.is_some() {
        terminal::progress("");
    }
    Ok(hex(&hash.finalize()))
}
