//! `keyside model pull` and `keyside model remove`: a model file from a hub, and away again. The
//! network is another process's; this one writes, in keyside's own cache folder alone.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use crate::cli::model::{named, size};
use crate::cli::{setup, terminal};
use crate::config::folders::Folders;
use crate::models::{GgufFileName, KeptBy};
use crate::remote::broker::fetch::{FetchEvent, FetchOrder, Fetcher, HubFile};
use crate::sandbox::{self, Needs};
use crate::stdx::hex;

/// Attempts that bring nothing, one after the other, before it is given up.
const MAX_FRUITLESS: u32 = 5;
const SHOW_EVERY: Duration = Duration::from_millis(200);

/// Where pulled models lie.
pub(super) fn folder(folders: &Folders) -> PathBuf {
    folders.cache.join("models").join("pulled")
}

/// Fetches a model: `OWNER/REPOSITORY`, `OWNER/REPOSITORY:Q4_K_M` or `OWNER/REPOSITORY/FILE.gguf`.
///
/// # Errors
/// One sentence; what came is kept, and the next `pull` goes on there.
pub(super) fn run(folders: &Folders, wanted: &str) -> Result<(), String> {
    let (repository, part) = split(wanted)?;
    let program = std::env::current_exe()
        .map_err(|error| format!("keyside does not find its own program ({error}); try again"))?;
    let mut command = Command::new(program);
    command.arg("fetch-model");
    let mut fetcher = Fetcher::start(command)?;
    // The network was that process's alone.
    let pulled = folder(folders);
    std::fs::create_dir_all(&pulled).map_err(|error| {
        format!(
            "{} can't be made ({error}); free disk space, or set KEYSIDE_HOME",
            pulled.display()
        )
    })?;
    sandbox::enter(Needs { writable: Some(&[&pulled]), ..Needs::NOTHING });
    let file = choose(&repository, &part, list(&mut fetcher, &repository)?)?;
    let path = pulled.join(&repository).join(&file.path);
    let is_there = std::fs::metadata(&path).is_ok_and(|it| it.len() == file.n_bytes);
    if !is_there {
        fetch(&mut fetcher, &repository, &file, &path)?;
    }
    let name = format!("{repository}/{}", file.path.trim_end_matches(".gguf"));
    let state = if is_there { "is here already" } else { "is here" };
    terminal::print(&format!(
        "{name} {state} ({}, {}); `keyside model use {name}` suggests with it\n",
        size(file.n_bytes),
        path.display()
    ))
}

/// Removes a model that `pull` fetched.
///
/// # Errors
/// One sentence, where it is another program's, or is not there.
pub(super) fn remove(folders: &Folders, wanted: &str) -> Result<(), String> {
    let model = named(folders, wanted)?;
    let name = &model.name;
    if model.kept_by != KeptBy::Keyside {
        let how = match model.kept_by {
            KeptBy::BuiltIn => "it is a part of this program".to_owned(),
            KeptBy::Ollama => format!("it is Ollama's; `ollama rm {name}` removes it"),
            KeptBy::HuggingFace => {
                "it is in Hugging Face's cache; `hf cache` removes it".to_owned()
            }
            other => format!("it is kept by {}; remove it there", other.as_str()),
        };
        return Err(format!("{name} was not fetched by keyside, so it stays: {how}"));
    }
    std::fs::remove_file(&model.path)
        .map_err(|error| format!("{} can't be removed ({error})", model.path.display()))?;
    let own = folder(folders);
    // Folders that are empty now.
    for parent in model.path.ancestors().skip(1).take_while(|it| *it != own) {
        let _ = std::fs::remove_dir(parent);
    }
    let used = setup::settings(folders).config.model.path == model.path.display().to_string();
    let then = if used { "; the built-in model suggests until you choose another" } else { "" };
    terminal::print(&format!("{name} is gone ({}){then}\n", size(model.n_bytes)))
}

/// The repository, and which of its files.
fn split(wanted: &str) -> Result<(String, String), String> {
    let is_name = |it: &&str| {
        let has = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        !it.is_empty() && !it.starts_with('.') && it.chars().all(has)
    };
    let (rest, quantization) = wanted.split_once(':').unwrap_or((wanted, ""));
    let parts: Vec<&str> = rest.split('/').collect();
    if parts.len() < 2 || !parts.iter().all(is_name) {
        return Err(format!(
            "{wanted} is no name of a model on a hub; write OWNER/REPOSITORY, OWNER/REPOSITORY:Q4_K_M or \
             OWNER/REPOSITORY/FILE.gguf"
        ));
    }
    let file = if parts.len() > 2 { parts[2..].join("/") } else { quantization.to_owned() };
    Ok((parts[..2].join("/"), file))
}

fn list(fetcher: &mut Fetcher, repository: &str) -> Result<Vec<HubFile>, String> {
    fetcher.order(&FetchOrder::List { repository: repository.to_owned() })?;
    let mut files = Vec::new();
    loop {
        match fetcher.event()? {
            FetchEvent::Files(all) => files = all,
            FetchEvent::Done => return Ok(files),
            FetchEvent::Failed { sentence, .. } => return Err(sentence),
            FetchEvent::From(_) | FetchEvent::Bytes(_) => {}
        }
    }
}

/// The file that is meant.
fn choose(repository: &str, part: &str, files: Vec<HubFile>) -> Result<HubFile, String> {
    let is_safe = |it: &HubFile| {
        it.path.split('/').all(|it| !it.is_empty() && !it.starts_with('.') && !it.contains('\\'))
    };
    let mut files: Vec<HubFile> = files.into_iter().filter(is_safe).collect();
    files.retain(|it| !GgufFileName::of(&it.path).is_projector());
    if files.is_empty() {
        return Err(format!(
            "{repository} has no GGUF file; look for one of the same name with -GGUF at its end"
        ));
    }
    let exact = files.iter().position(|it| it.path == part);
    let has_it = |it: &HubFile| it.path.to_lowercase().contains(&part.to_lowercase());
    let matching: Vec<&HubFile> = match exact {
        Some(at) => vec![&files[at]],
        None => files.iter().filter(|it| has_it(it)).collect(),
    };
    match matching[..] {
        [one] if GgufFileName::of(&one.path).is_part() => Err(format!(
            "{} is one of several files of a model, which `pull` does not put together; fetch them with `hf download`, keyside \
             finds them then",
            one.path
        )),
        [one] => Ok(one.clone()),
        _ => {
            let among = if matching.is_empty() { files.iter().collect() } else { matching };
            let names = among.iter().map(|it| format!("{} ({})", it.path, size(it.n_bytes)));
            let names: Vec<String> = names.take(12).collect();
            Err(format!(
                "{repository} has {} files that this may be; name one, as in `keyside model pull {repository}/FILE`: {}",
                among.len(),
                names.join(", ")
            ))
        }
    }
}

/// A file that is coming, as far as it is there.
struct Part {
    file: File,
    path: PathBuf,
    n_bytes: u64,
    hash: Sha256,
}

impl Part {
    /// Goes on with what an earlier `pull` left.
    fn open(path: PathBuf, most: u64) -> std::io::Result<Self> {
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path)?;
        if file.metadata()?.len() > most {
            file.set_len(0)?;
        }
        let (mut hash, mut n_bytes) = (Sha256::new(), 0);
        let mut buffer = vec![0; 1 << 20];
        loop {
            let n = file.read(&mut buffer)?;
            if n == 0 {
                return Ok(Self { file, path, n_bytes, hash });
            }
            hash.update(&buffer[..n]);
            n_bytes += n as u64;
        }
    }

    fn begin_anew(&mut self) -> std::io::Result<()> {
        self.file.set_len(0)?;
        self.file.seek(SeekFrom::Start(0))?;
        (self.n_bytes, self.hash) = (0, Sha256::new());
        Ok(())
    }

    fn add(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.file.write_all(bytes)?;
        self.hash.update(bytes);
        self.n_bytes += bytes.len() as u64;
        Ok(())
    }
}

/// Fetches a file, as often as the connection breaks, each time from where it broke.
fn fetch(
    fetcher: &mut Fetcher,
    repository: &str,
    file: &HubFile,
    path: &Path,
) -> Result<(), String> {
    let unwritable = |error: std::io::Error| {
        format!(
            "{} can't be written ({error}); free disk space ({} are needed) and pull again, what came is kept",
            path.display(),
            size(file.n_bytes)
        )
    };
    std::fs::create_dir_all(path.parent().unwrap_or(Path::new("."))).map_err(unwritable)?;
    let mut part =
        Part::open(path.with_extension("gguf.part"), file.n_bytes).map_err(unwritable)?;
    let mut progress = PullProgress { began: Instant::now(), from: part.n_bytes, last: None };
    let mut n_fruitless = 0;
    while part.n_bytes < file.n_bytes {
        let from = part.n_bytes;
        fetcher.order(&FetchOrder::File {
            repository: repository.to_owned(),
            file: file.path.clone(),
            from,
        })?;
        let stopped = loop {
            match fetcher.event()? {
                FetchEvent::From(begins) if begins != part.n_bytes => {
                    part.begin_anew().map_err(unwritable)?;
                }
                FetchEvent::Bytes(n) => {
                    let bytes = fetcher.bytes(n)?;
                    part.add(&bytes).map_err(unwritable)?;
                    if part.n_bytes > file.n_bytes {
                        let _ = std::fs::remove_file(&part.path);
                        return Err(format!(
                            "the hub sends more than the {} of {}; try again, or another mirror",
                            size(file.n_bytes),
                            file.path
                        ));
                    }
                    progress.show(part.n_bytes, file.n_bytes);
                }
                FetchEvent::Done => break None,
                FetchEvent::Failed { sentence, may_pass } => break Some((sentence, may_pass)),
                FetchEvent::From(_) | FetchEvent::Files(_) => {}
            }
        };
        n_fruitless = if part.n_bytes > from { 0 } else { n_fruitless + 1 };
        match stopped {
            Some((sentence, may_pass)) if !may_pass || n_fruitless >= MAX_FRUITLESS => {
                progress.end();
                return Err(sentence);
            }
            _ if n_fruitless >= MAX_FRUITLESS => {
                progress.end();
                return Err("the hub sends nothing; try again, what came is kept".to_owned());
            }
            _ if n_fruitless > 0 => {
                std::thread::sleep(Duration::from_millis(250 << n_fruitless.min(4)));
            }
            _ => {}
        }
    }
    progress.end();
    let Part { file: written, path: unfinished, hash, .. } = part;
    let sha256 = hex(&hash.finalize());
    if let Some(known) = file.sha256.as_ref().filter(|it| !it.eq_ignore_ascii_case(&sha256)) {
        let _ = std::fs::remove_file(&unfinished);
        return Err(format!(
            "what came of {} is damaged: its SHA-256 is {sha256}, and the hub says {known}; it was removed, pull again",
            file.path
        ));
    }
    written.sync_all().and_then(|()| std::fs::rename(&unfinished, path)).map_err(unwritable)
}

/// How far it is, where a person looks.
struct PullProgress {
    began: Instant,
    from: u64,
    last: Option<Instant>,
}

impl PullProgress {
    fn show(&mut self, n_bytes: u64, total: u64) {
        if !terminal::shows_progress() || self.last.is_some_and(|it| it.elapsed() < SHOW_EVERY) {
            return;
        }
        self.last = Some(Instant::now());
        let rate = (n_bytes - self.from.min(n_bytes)) as f64
            / self.began.elapsed().as_secs_f64().max(1e-3);
        terminal::progress(&format!(
            "{} of {}, {}%, {} a second",
            size(n_bytes),
            size(total),
            n_bytes * 100 / total.max(1),
            size(rate as u64)
        ));
    }

    fn end(&self) {
        if self.last.is_some() {
            terminal::progress("");
        }
    }
}
