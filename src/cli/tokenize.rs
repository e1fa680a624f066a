//! `keyside tokenize`: the model's tokens of texts, so that they can be compared with the
//! trainer's.

use std::io::{BufRead, BufWriter, Write};

use crate::assist::session::load_model;
use crate::cli::setup;

/// Reads JSON strings, one a line, and prints the tokens of each as a JSON array.
///
/// # Errors
/// One sentence.
pub fn run(model: Option<&str>) -> Result<(), String> {
    let folders = setup::folders()?;
    let mut config = setup::settings(&folders).config.model;
    if let Some(model) = model {
        model.clone_into(&mut config.path);
    }
    let model = load_model(&config, &folders.cache)?;
    let mut out = BufWriter::new(std::io::stdout().lock());
    for (index, line) in std::io::stdin().lock().split(b'\n').enumerate() {
        let line = line.map_err(|error| format!("standard input can't be read ({error})"))?;
        let text: String = serde_json::from_slice(&line)
            .map_err(|error| format!("line {} is not a JSON string: {error}", index + 1))?;
        let mut tokens = Vec::new();
        model.info().tokenizer.tokenize(&text, &mut tokens);
        writeln!(out, "{}", serde_json::json!(tokens))
            .map_err(|error| format!("the tokens can't be written ({error})"))?;
    }
    out.flush().map_err(|error| format!("the tokens can't be written ({error})"))
}
