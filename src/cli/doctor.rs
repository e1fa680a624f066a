//! `keyside doctor`: what works here and what does not, each with the fix.

mod asking;

use std::path::Path;

use serde_json::{Value, json};

use crate::app::Session;
use crate::cli::model::found;
use crate::cli::{setup, terminal};
use crate::completion::{CompletionAsk, CompletionMode, complete};
use crate::config::folders::Folders;
use crate::config::gpu_layers::GpuLayers;
use crate::config::layers::Resolved;
use crate::lm::ModelInfo;
use crate::lm::backend::probe;
use crate::lm::model_info::{GpuUse, built_for_gpus};
use crate::models::FoundModel;
use crate::remote::protocol;
use crate::sandbox::{self, Hold};
use crate::stdx::{clean, milliseconds as ms};

/// One line of the report.
struct Finding {
    name: &'static str,
    state: State,
    /// What was found.
    what: String,
    /// What to do about it; empty where nothing is to be done.
    fix: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Good,
    Warning,
    Bad,
}

/// Runs the command. It fails where something is bad.
///
/// # Errors
/// One sentence.
pub fn run(as_json: bool) -> Result<(), String> {
    let folders = setup::folders()?;
    let resolved = setup::settings(&folders);
    let mut findings = vec![
        program(),
        processor(),
        settings(&folders, &resolved),
        folder("cache folder", &folders.cache),
        folder("data folder", &folders.data),
        network(&resolved),
        suggestions(&resolved),
        files(&folders, &resolved),
    ];
    if resolved.config.cloud.enabled {
        findings.extend(asking::findings(&resolved.config.cloud, &folders));
    }
    findings.push(graphics_processor(&resolved));
    let found = on_disk(&folders, &resolved);
    findings.push(model(&folders, resolved)?);
    findings.push(found);
    findings.push(editor("Neovim", "nvim", "0.11.4", "ghost text needs Neovim 0.11.4 or newer"));
    let n_bad = findings.iter().filter(|it| it.state == State::Bad).count();
    if as_json {
        terminal::print_json(&to_json(&findings))?;
    } else {
        terminal::print(&to_text(&findings))?;
    }
    if n_bad > 0 {
        return Err("something is not right; the lines marked ✗ say what to do".to_owned());
    }
    Ok(())
}

fn to_text(findings: &[Finding]) -> String {
    let mut text = String::new();
    for Finding { name, state, what, fix } in findings {
        let mark = match state {
            State::Good => "✓",
            State::Warning => "!",
            State::Bad => "✗",
        };
        // A line of its own would be taken for another finding.
        text.push_str(&format!("{mark} {name}: {}\n", clean::one_line(what)));
        if !fix.is_empty() {
            text.push_str(&format!("    {}\n", clean::one_line(fix)));
        }
    }
    text
}

fn to_json(findings: &[Finding]) -> String {
    let list: Vec<Value> = findings
        .iter()
        .map(|Finding { name, state, what, fix }| {
            let state = match state {
                State::Good => "good",
                State::Warning => "warning",
                State::Bad => "bad",
            };
            json!({"name": name, "state": state, "what": what, "fix": fix})
        })
        .collect();
    format!("{}\n", serde_json::to_string_pretty(&list).unwrap_or_default())
}

fn good(name: &'static str, what: String) -> Finding {
    Finding { name, state: State::Good, what, fix: String::new() }
}

fn program() -> Finding {
    let place = std::env::current_exe().unwrap_or_default();
    good("keyside", format!("{} at {}", env!("CARGO_PKG_VERSION"), place.display()))
}

fn processor() -> Finding {
    let cores = num_cpus::get_physical();
    if let Err(sentence) = probe::processor() {
        let (what, fix) = sentence.split_once("; ").unwrap_or((&sentence, ""));
        let (what, fix) = (what.to_owned(), fix.to_owned());
        return Finding { name: "processor", state: State::Bad, what, fix };
    }
    let built_for: Vec<&str> = probe::built_for().collect();
    let what = match &built_for[..] {
        [] => format!("{} with {cores} cores", std::env::consts::ARCH),
        all => {
            format!("{} with {cores} cores; built for {}", std::env::consts::ARCH, all.join(", "))
        }
    };
    good("processor", what)
}

fn settings(folders: &Folders, resolved: &Resolved) -> Finding {
    let file = folders.config_file();
    if !resolved.notes.is_empty() {
        return Finding {
            name: "settings",
            state: State::Warning,
            what: resolved.notes.join("; "),
            fix: format!("correct {}", file.display()),
        };
    }
    let what = if file.exists() { "read" } else { "none, the defaults are in force" };
    good("settings", format!("{}: {what}", file.display()))
}

fn folder(name: &'static str, path: &Path) -> Finding {
    let probe = path.join(".keyside-doctor");
    let tried = std::fs::create_dir_all(path)
        .and_then(|()| std::fs::write(&probe, "x"))
        .and_then(|()| std::fs::remove_file(&probe));
    match tried {
        Ok(()) => good(name, format!("{} can be written", path.display())),
        Err(error) => Finding {
            name,
            state: State::Warning,
            what: format!("{} can't be written ({error})", path.display()),
            fix: "make it writable, free disk space, or set KEYSIDE_HOME to another folder"
                .to_owned(),
        },
    }
}

fn network(resolved: &Resolved) -> Finding {
    let cloud = &resolved.config.cloud;
    if cloud.enabled {
        let own = sandbox::state().network_sentence();
        return match cloud.chosen().map(protocol::host) {
            Some(Ok(host)) => good(
                "network",
                format!("cloud: on, {host} when you ask; this program itself: {own}"),
            ),
            Some(Err(what)) => Finding {
                name: "network",
                state: State::Bad,
                what: what.to_string(),
                fix: "correct cloud.providers".to_owned(),
            },
            None => {
                let sentence = cloud.why_nobody();
                let (what, fix) = sentence.rsplit_once("; ").unwrap_or((&sentence, ""));
                let (what, fix) = (what.to_owned(), fix.to_owned());
                Finding { name: "network", state: State::Bad, what, fix }
            }
        };
    }
    let state = sandbox::state();
    let what = format!("{}; it can make no connection", state.network_sentence());
    match state.network {
        Hold::Enforced => good("network", what),
        Hold::BestEffort(_) => Finding {
            name: "network",
            state: if resolved.config.sandbox.required { State::Bad } else { State::Warning },
            what,
            fix: "keyside has no code that opens a connection; where the system must see to it as well, use Linux with seccomp"
                .to_owned(),
        },
    }
}

fn files(folders: &Folders, resolved: &Resolved) -> Finding {
    let state = sandbox::state();
    let (data, cache) = (folders.data.display(), folders.cache.display());
    let sentence = state.files_sentence();
    match state.files {
        Hold::Enforced => {
            good("files", format!("{sentence}; it can write in {data} and {cache} alone, not the settings"))
        }
        Hold::BestEffort(_) => Finding {
            name: "files",
            state: if resolved.config.sandbox.required { State::Bad } else { State::Warning },
            what: format!("{sentence}; keyside has no code that writes elsewhere than in {data} and {cache}"),
            fix: "where the system must see to it as well, use Linux 6.2 or newer with Landlock, and set sandbox.required"
                .to_owned(),
        },
    }
}

/// Whether there is anything to suggest in, as far as this machine's own settings say.
fn suggestions(resolved: &Resolved) -> Finding {
    let completion = &resolved.config.completion;
    if !completion.enabled {
        let file = resolved.origins.get("completion.enabled").map_or("the settings", |it| it);
        return Finding {
            name: "suggestions",
            state: State::Warning,
            what: format!("none, because `completion.enabled` is false in {file}"),
            fix: "set completion.enabled to true where you want suggestions".to_owned(),
        };
    }
    let what = match &completion.disabled_languages[..] {
        [] => "in every language".to_owned(),
        some => format!(
            "in every language but {}, which `completion.disabled_languages` names",
            some.join(", ")
        ),
    };
    good("suggestions", what)
}

fn model(folders: &Folders, mut resolved: Resolved) -> Result<Finding, String> {
    // The model is what is looked at, wherever it is used.
    resolved.config.completion.enabled = true;
    resolved.config.completion.disabled_languages.clear();
    let fix =
        "set model.path to a GGUF code model, or leave it empty for the built-in one".to_owned();
    let workspace = std::env::current_dir().ok();
    let session = Session::start_in(resolved.config, folders.clone(), workspace.as_deref())
        .map_err(|error| format!("the system refuses another thread ({error}); try again"))?;
    let runtime = setup::runtime()?;
    let model = match runtime.block_on(session.engine().ready()) {
        Ok(model) => model,
        Err(what) => return Ok(Finding { name: "model", state: State::Bad, what, fix }),
    };
    if let Some(why) = &model.instead_of {
        let what = format!("{why}; {} suggests instead", model.name);
        return Ok(Finding { name: "model", state: State::Bad, what, fix });
    }
    let text = "fn double(values: &[u32]) -> Vec<u32> {\n    values.iter().map(|value| ";
    let (rope, caret) = (ropey::Rope::from_str(text), text.chars().count());
    let ask = CompletionAsk::at("doctor", "src/lib.rs", rope, caret)
        .with_mode(CompletionMode::ScriptedExplicit)
        .arriving(1);
    let ask = CompletionAsk { language_id: "rust".into(), ..ask };
    Ok(match runtime.block_on(complete(&session.completer, ask)) {
        Ok(completion) => good(
            "model",
            format!(
                "{}{} ({:.1} million parameters, {} threads{}{}), loaded in {:.0} ms, completes in {:.1} ms",
                model.name,
                model
                    .adapter
                    .as_ref()
                    .map(|it| format!(" with the adapter {it}"))
                    .unwrap_or_default(),
                model.n_params as f64 / 1e6,
                model.n_threads,
                memory_of(&model),
                model.completes_how().map(|it| format!("; it {it}")).unwrap_or_default(),
                ms(model.load_time),
                ms(completion.total)
            ),
        ),
        Err(error) => Finding { name: "model", state: State::Bad, what: error.to_string(), fix },
    })
}

/// What runs on a graphics processor, and what the settings want there.
fn graphics_processor(resolved: &Resolved) -> Finding {
    const NAME: &str = "graphics processor";
    match (built_for_gpus().as_slice(), resolved.config.model.gpu_layers) {
        ([], GpuLayers::Number(1..)) => Finding {
            name: NAME,
            state: State::Warning,
            what: "model.gpu_layers names layers for one, and this keyside was built for none, so the model runs on \
                   the processor"
                .to_owned(),
            fix: "build keyside with the feature cuda, metal or vulkan, or take the setting out".to_owned(),
        },
        ([], _) => good(NAME, "none is used; this keyside was built for none".to_owned()),
        (all, GpuLayers::Auto) => {
            good(NAME, format!("built for {}; as many layers as fit", all.join(", ")))
        }
        (all, GpuLayers::Number(n)) => {
            good(NAME, format!("built for {}; {n} layers by model.gpu_layers", all.join(", ")))
        }
    }
}

/// The memory that a model takes, and what for.
fn memory_of(model: &ModelInfo) -> String {
    let Some(bytes) = model.memory_bytes else { return String::new() };
    format!(
        "; about {} MiB of memory with {} prompts of {} tokens",
        bytes.div_ceil(1 << 20),
        model.n_sequences,
        model.n_context_tokens
    ) + &match &model.gpu {
        GpuUse { n_layers, device: Some(device) } => format!("; {n_layers} layers on {device}"),
        GpuUse { device: None, .. } => String::new(),
    }
}

/// The models that other programs have fetched.
fn on_disk(folders: &Folders, resolved: &Resolved) -> Finding {
    let found = found(folders, &resolved.config.model.folders, &[]);
    let completes =
        |it: &&FoundModel| it.header.as_ref().is_ok_and(|it| it.completes_by().is_some());
    let usable: Vec<&str> =
        found.models.iter().filter(completes).map(|it| it.name.as_str()).collect();
    let first = usable.iter().take(3).map(|it| clean::name(it)).collect::<Vec<_>>().join(", ");
    let what = match (found.models.len(), usable.len()) {
        (0, _) => "none but the built-in one".to_owned(),
        (n, 0) => format!("{n} beside the built-in one, none of which completes code"),
        (n, 1..=3) => format!("{n} beside the built-in one; {first} can complete code"),
        (n, n_usable) => format!(
            "{n} beside the built-in one; {first} and {} more can complete code",
            n_usable - 3
        ),
    };
    let more = match usable.is_empty() {
        true => String::new(),
        false => {
            "; `keyside model list` shows them, `keyside model use NAME` chooses one".to_owned()
        }
    };
    let left_out = match found.notes.len() {
        0 => String::new(),
        n => format!("; {n} can't be used, see `keyside model list`"),
    };
    good("models on this disk", format!("{what}{more}{left_out}"))
}

fn editor(name: &'static str, command: &str, wanted: &str, fix: &str) -> Finding {
    let output = std::process::Command::new(command).arg("--version").output();
    let version = output.ok().filter(|it| it.status.success()).and_then(|output| {
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let version =
            text.lines().next()?.split_whitespace().find_map(|word| word.strip_prefix('v'))?;
        Some(version.to_owned())
    });
    let numbers =
        |text: &str| -> Vec<u32> { text.split('.').map_while(|it| it.parse().ok()).collect() };
    match version {
        Some(version) if numbers(&version) >= numbers(wanted) => good(name, version),
        Some(version) => {
            Finding { name, state: State::Warning, what: version, fix: fix.to_owned() }
        }
        None => good(name, "not found, which is fine if you use another editor".to_owned()),
    }
}
