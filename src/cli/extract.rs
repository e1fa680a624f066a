//! `keyside extract`: from each text of a stream JSON that conforms to a schema.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::cli::instruct_command::{InstructArguments, answers, with_usage};
use crate::cli::items::stream::{Faults, ItemStream};
use crate::cli::items::{Line, Lines};
use crate::cli::local_calls::LocalCalls;
use crate::cli::{setup, whole_number};
use crate::files;
use crate::instruct::schema::MAX_SCHEMA_BYTES;
use crate::instruct::{AnswerSchema, ExtractionExample, extraction_instruction};

/// What `extract` takes.
#[derive(Debug, Args)]
pub struct ExtractArguments {
    /// The JSON Schema that each answer conforms to.
    #[arg(long, value_name = "FILE")]
    pub schema: PathBuf,
    /// Texts whose answers are known, a line of JSON each: `{"text","value"}`. A few are enough.
    #[arg(long, value_name = "FILE")]
    pub examples: Option<PathBuf>,
    /// The longest answer, in tokens.
    #[arg(long, value_name = "N", default_value = "512", value_parser = whole_number)]
    pub max_tokens: usize,
    #[command(flatten)]
    pub instruct: InstructArguments,
}

/// Reads `{"id","text"}` from standard input, a line each, and writes `{"id","value",…,"ms"}`, in
/// the same order and each as soon as it is known. A line that is not usable, and a text that has
/// no answer, are answered with `{"id","error"}`.
///
/// # Errors
/// One sentence: the schema can't be held to, there is no model, the answers can't be written, or a
/// line is not usable and `--strict` was given.
pub fn run(arguments: &ExtractArguments) -> Result<(), String> {
    let ExtractArguments { schema: path, examples, max_tokens, instruct } = arguments;
    let read = |error| format!("{} can't be read ({error})", path.display());
    let schema = files::read(path, MAX_SCHEMA_BYTES).map_err(read)?;
    let schema = AnswerSchema::parse(&schema)
        .map_err(|fault| format!("the schema in {} {fault}", path.display()))?;
    let mut faults = Faults::new(instruct.stream.strict);
    let examples = match examples {
        Some(path) => read_examples(path, &mut faults)?,
        None => Vec::new(),
    };
    let model = instruct.instruct_model()?;
    let stream = ItemStream::open(&instruct.stream, faults)?;
    let more = instruct.instruction.as_deref();
    let instruction = extraction_instruction(&schema.text, more, &examples);
    let runtime = setup::runtime()?;
    // What is wrong with the model stops everything before the first text.
    drop(runtime.block_on(answers(&model, &instruction, *max_tokens))?);
    let calls = LocalCalls::start("extract", &model);
    let answered = stream.answer_each(|text| {
        let ask = async {
            let answers = answers(&model, &instruction, *max_tokens).await?;
            answers.extract(text, &schema).await
        };
        let answer = calls.count(|| runtime.block_on(ask))?;
        let early = if answer.value.is_closed_early { ",\"closed_early\":true" } else { "" };
        Ok(with_usage(format!("\"value\":{}{early}", answer.value.json), &answer))
    });
    calls.end();
    answered
}

/// Of the file of examples.
const MAX_EXAMPLE_BYTES: u64 = 1 << 20;

#[derive(Debug, Deserialize)]
struct ExampleLine {
    text: String,
    value: Box<RawValue>,
}

fn read_examples(path: &Path, faults: &mut Faults) -> Result<Vec<ExtractionExample>, String> {
    let unreadable = |error| format!("{} can't be read ({error})", path.display());
    let bytes = files::read(path, MAX_EXAMPLE_BYTES).map_err(unreadable)?;
    let mut examples = Vec::new();
    for line in Lines::new(&*bytes) {
        let line = line?;
        match example(&line) {
            Ok(example) => examples.push(example),
            Err(what) => {
                faults.meet(&format!("line {} of {} {what}", line.number, path.display()))?;
            }
        }
    }
    Ok(examples)
}

fn example(line: &Line) -> Result<ExtractionExample, String> {
    let bytes = line.bytes.as_ref().map_err(|fault| (*fault).to_owned())?;
    let ExampleLine { text, value } = serde_json::from_slice(bytes).map_err(|error| {
        format!("is not {{\"text\": …, \"value\": …}} as JSON (column {})", error.column())
    })?;
    Ok(ExtractionExample { text, value: value.get().to_owned() })
}
