//! `keyside model info`: what a model's file says of itself, and what that means here.

use serde_json::json;

use crate::cli::model::{NO_TEXT, completes, named, parameters, size};
use crate::cli::terminal;
use crate::config::folders::Folders;
use crate::lm::gguf_header::CompletesBy;
use crate::lm::model_info::FROM_TEXT_BEFORE;
use crate::machine;

/// Prints what is known.
///
/// # Errors
/// One sentence, where there is no such model or it is no model.
pub(super) fn run(folders: &Folders, wanted: &str, as_json: bool) -> Result<(), String> {
    let model = named(folders, wanted)?;
    let header = model
        .header
        .as_ref()
        .map_err(|fault| format!("{} can't be used: {fault}; get it again", model.name))?;
    let needed = header.resident_bytes(model.n_bytes);
    let free = machine::free_memory_bytes();
    if as_json {
        let json = json!({
            "name": model.name,
            "other_names": model.other_names,
            "kept_by": model.kept_by.as_str(),
            "path": model.path,
            "bytes": model.n_bytes,
            "sha256": model.sha256,
            "own_name": header.name,
            "license": header.license,
            "architecture": header.architecture,
            "parameters": header.n_params,
            "quantization": header.quantization,
            "vocabulary": header.n_vocab,
            "context_tokens": header.n_context_trained,
            "fim": header.fim_family,
            "completes": completes(header),
            "chat": header.has_chat_template,
            "files": header.n_parts,
            "memory_bytes": needed,
            "fits": free.map(|it| needed <= it),
        });
        return terminal::print_json(&format!("{json:#}\n"));
    }
    let fits = match free {
        Some(free) if needed > free => format!("more than the {} that are free", size(free)),
        Some(free) => format!("{} are free", size(free)),
        None => "this system does not tell what is free".to_owned(),
    };
    let fim = match header.completes_by() {
        Some(CompletesBy::FillInTheMiddle("metadata")) => {
            "yes, by the file's own marker ids".to_owned()
        }
        Some(CompletesBy::FillInTheMiddle(family)) => format!("yes, as {family}"),
        Some(CompletesBy::TextBefore) => format!("no, so it {FROM_TEXT_BEFORE}"),
        None => NO_TEXT.to_owned(),
    };
    let none = || "not stated".to_owned();
    let mut lines = vec![
        ("model", model.name.clone()),
        ("own name", header.name.clone().unwrap_or_else(none)),
        ("kept by", model.kept_by.as_str().to_owned()),
        ("file", model.path.display().to_string()),
        ("size", size(model.n_bytes)),
        ("SHA-256", model.sha256.clone().unwrap_or_else(none)),
        ("licence", header.license.clone().unwrap_or_else(none)),
        ("kind", format!("{} {}", header.architecture, header.quantization)),
        ("parameters", parameters(header.n_params)),
        ("vocabulary", format!("{} tokens", header.n_vocab)),
        ("trained on", format!("{} tokens of context", header.n_context_trained)),
        ("fill-in-the-middle", fim),
        ("chat template", if header.has_chat_template { "yes" } else { "no" }.to_owned()),
        ("memory", format!("about {}; {fits}", size(needed))),
    ];
    if model.path.as_os_str().is_empty() {
        lines.retain(|it| it.0 != "file");
    }
    if !model.other_names.is_empty() {
        lines.insert(1, ("also called", model.other_names.join(", ")));
    }
    let text = lines.iter().map(|(name, what)| format!("{name:20}{what}\n"));
    terminal::print(&text.collect::<String>())
}
