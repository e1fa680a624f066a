//! `keyside summarize`: each text of a stream in a few words.

use clap::Args;

use crate::app::instruct::answers::Answers;
use crate::cli::instruct_command::{InstructArguments, answers, with_usage};
use crate::cli::items::stream::{Faults, ItemStream};
use crate::cli::local_calls::LocalCalls;
use crate::cli::setup;
use crate::instruct::summary_instruction;

/// What `summarize` takes.
#[derive(Debug, Args)]
pub struct SummarizeArguments {
    /// The longest summary, in words (1 to 1000).
    #[arg(long, value_name = "N", default_value = "40", value_parser = word_count)]
    pub max_words: usize,
    #[command(flatten)]
    pub instruct: InstructArguments,
}

fn word_count(text: &str) -> Result<usize, String> {
    let n = text.parse().ok().filter(|it| (1..=1_000).contains(it));
    n.ok_or_else(|| "write a whole number from 1 to 1000".to_owned())
}

/// Reads `{"id","text"}` from standard input, a line each, and writes `{"id","summary",…,"ms"}`, in
/// the same order and each as soon as it is known. A line that is not usable, and a text that has
/// no summary, are answered with `{"id","error"}`.
///
/// # Errors
/// One sentence: there is no model, the answers can't be written, or a line is not usable and
/// `--strict` was given.
pub fn run(arguments: &SummarizeArguments) -> Result<(), String> {
    let SummarizeArguments { max_words, instruct } = arguments;
    let model = instruct.instruct_model()?;
    let stream = ItemStream::open(&instruct.stream, Faults::new(instruct.stream.strict))?;
    let instruction = summary_instruction(*max_words, instruct.instruction.as_deref());
    let max_tokens = Answers::summary_tokens(*max_words);
    let runtime = setup::runtime()?;
    // What is wrong with the model stops everything before the first text.
    drop(runtime.block_on(answers(&model, &instruction, max_tokens))?);
    let calls = LocalCalls::start("summarize", &model);
    let answered = stream.answer_each(|text| {
        let ask = async {
            let answers = answers(&model, &instruction, max_tokens).await?;
            answers.summarize(text, *max_words).await
        };
        let answer = calls.count(|| runtime.block_on(ask))?;
        let summary = serde_json::Value::from(&*answer.value.text);
        let cut = if answer.value.is_cut { ",\"cut\":true" } else { "" };
        Ok(with_usage(format!("\"summary\":{summary}{cut}"), &answer))
    });
    calls.end();
    answered
}
