//! `keyside/classify` and `keyside.classify`: which of some labels a text has.

use serde_json::{Value, json};
use tower_lsp::gen_lsp_types as lsp;
use tower_lsp::jsonrpc::{Error, Result};

use crate::app::classify_thread::{ClassifiedText, ClassifyAsk};
use crate::classify::LabelledText;
use crate::classify::labels::{LabelSet, TextLabel};
use crate::lsp::ext::{CLASSIFY_COMMAND, ClassifyAnswer, ClassifyLabel, ClassifyParams};
use crate::lsp::ingress::world;
use crate::lsp::proto::{caret, document};
use crate::lsp::server::Server;
use crate::stdx::milliseconds;

/// Answers the request, on a thread of its own.
pub async fn answer(server: &Server, params: ClassifyParams) -> Result<ClassifyAnswer> {
    let ask = ask(params)?;
    let classified = server.session.classify_thread.classify(ask).await;
    classified.map(answer_of).map_err(Error::invalid_params)
}

/// Runs the command: the same, with the parameters as its one argument.
pub async fn command(server: &Server, arguments: Option<Vec<Value>>) -> Result<Value> {
    let Some(argument) = arguments.and_then(|it| it.into_iter().next()) else {
        // Editors list commands, and put what comes back into a log.
        let sentence = format!(
            "keyside: {CLASSIFY_COMMAND} needs a text and labels; docs/protocol.md has their shape"
        );
        server.client().show_message(lsp::MessageType::Warning, sentence).await;
        return Ok(Value::Null);
    };
    let params = serde_json::from_value::<ClassifyParams>(argument)
        .map_err(|error| Error::invalid_params(format!("{CLASSIFY_COMMAND}: {error}")))?;
    Ok(json!(answer(server, params).await?))
}

fn ask(params: ClassifyParams) -> Result<ClassifyAsk> {
    let text = match (params.text, params.uri) {
        (Some(text), _) => text,
        (None, Some(uri)) => text_in(&uri, params.range)?,
        (None, None) => {
            return Err(Error::invalid_params(
                "there is no text; send `text`, or `uri` and `range`",
            ));
        }
    };
    if text.trim().is_empty() {
        return Err(Error::invalid_params("the text is empty; send some, or select some"));
    }
    let labels = params.labels.into_iter().map(|it| match it {
        ClassifyLabel::Name(name) => TextLabel { name, description: String::new() },
        ClassifyLabel::Described { name, description } => TextLabel { name, description },
    });
    let labels = LabelSet::new(labels.collect()).map_err(Error::invalid_params)?;
    let mut examples = Vec::with_capacity(params.examples.len());
    for (index, example) in params.examples.into_iter().enumerate() {
        let Some(label) = labels.place(&example.label) else {
            return Err(Error::invalid_params(format!(
                "example {} has a label that is none of `labels`; correct it, or add the label",
                index + 1
            )));
        };
        examples.push(LabelledText { text: example.text, label });
    }
    Ok(ClassifyAsk { text, labels, examples })
}

/// The text of a range of an open document, or all of it.
fn text_in(uri: &str, range: Option<lsp::Range>) -> Result<String> {
    let world = world();
    let document = document(&world, uri)?;
    if document.lost {
        return Err(Error::invalid_params(
            "an edit of this document was lost; close and reopen the file",
        ));
    }
    let Some(range) = range else { return Ok(document.rope.to_string()) };
    let at = |position| caret(&document, position, world.encoding);
    let (start, end) = (at(range.start), at(range.end));
    Ok(document.rope.slice(start.min(end)..start.max(end)).to_string())
}

fn answer_of(classified: ClassifiedText) -> ClassifyAnswer {
    let ClassifiedText { labels, found, n_labels_by_name, took } = classified;
    let scores = labels.iter().zip(&found.probabilities);
    ClassifyAnswer {
        label: labels.name(found.best).to_owned(),
        scores: scores.map(|(label, score)| (label.name.clone(), json!(score))).collect(),
        unsure: found.is_unsure,
        labels_by_name: n_labels_by_name,
        cut_chars: found.n_cut_chars,
        ms: milliseconds(took),
    }
}
