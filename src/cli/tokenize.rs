//! `keyside tokenize`: the model's tokens of texts, so that they can be compared with the
//! trainer's.

use std::io::{BufRead, BufWriter, Write};

use crate::app::model::model_spec;
use crate::cli::setup;
use crate::lm::registry::Registry;

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
    let model = Registry::new(folders.cache).load(&model_spec(&config, None))?;
    let mut out = BufWriter::new(std::io::stdout().lock());
    for (index, line) in std::io::stdin().lock().split(b'\n').enumerate() {
        let line = line.map_err(|error| format!("standard input can't be read ({error})"))?;
        let text: String = serde_json::from_slice(&line)
            .map_err(|error| format!("line {} is not a JSON string: {error}", index + 1))?;
        let tokens = model.info().tokens_of(&text);
        writeln!(out, "{}", serde_json::json!(tokens))
            .map_err(|error| format!("the tokens can't be written ({error})"))?;
    }
    out.flush().map_err(|error| format!("the tokens can't be written ({error})"))
}
