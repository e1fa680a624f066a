//! `textDocument/completion`: the same suggestion in a popup, for clients without ghost text.

use tower_lsp::gen_lsp_types as lsp;
use tower_lsp::jsonrpc::Result;

use crate::completion::CompletionAsk;
use crate::lsp::handlers::{ask_at, complete};
use crate::lsp::ingress::world;
use crate::lsp::proto::{self, accepted_command, to_range};
use crate::lsp::server::Server;

/// At most one item, first in the list, to be asked for again at each key.
pub async fn answer(server: &Server, params: lsp::CompletionParams) -> Result<lsp::CompletionList> {
    let world = world();
    let at = params.text_document_position_params;
    let uri = at.text_document.uri.0;
    let document = proto::document(&world, &uri)?;
    let caret = proto::caret(&document, at.position, world.encoding);
    let rope = document.rope.clone();
    // Clients say "invoked" here for any letter that is typed, so nothing is known to be explicit.
    let ask = CompletionAsk {
        leaves_names: true,
        ..ask_at(server, &world, &document, rope, caret, false)
    };
    let completion = complete(server, &document, ask).await?;
    let items = completion.map(|completion| {
        let typed = document.rope.slice(completion.word_start..caret).to_string();
        let text = format!("{typed}{}", completion.text_as_in_document());
        // A suggestion can begin with a line break.
        let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let label = lines.next().unwrap_or_default().to_owned();
        let end = caret + completion.replaced_after;
        lsp::CompletionItem {
            filter_text: Some(if typed.is_empty() { label.clone() } else { typed }),
            label,
            kind: Some(lsp::CompletionItemKind::Text),
            detail: Some("keyside".to_owned()),
            documentation: Some(lsp::Documentation::MarkupContent(lsp::MarkupContent {
                kind: lsp::MarkupKind::Markdown,
                value: fenced(&document.language_id, &text),
            })),
            preselect: Some(true),
            // Before every other server's items.
            sort_text: Some("\0".to_owned()),
            text_edit: Some(lsp::CompletionItemTextEdit::TextEdit(lsp::TextEdit {
                range: to_range(&document, completion.word_start, end, world.encoding),
                new_text: text,
            })),
            // Its lines are indented as they are to be.
            insert_text_mode: Some(lsp::InsertTextMode::AsIs),
            command: Some(accepted_command(&completion, 0)),
            ..Default::default()
        }
    });
    Ok(lsp::CompletionList {
        is_incomplete: true,
        items: items.into_iter().collect(),
        ..Default::default()
    })
}

/// The text as a fenced block, with a fence longer than any in the text.
fn fenced(language_id: &str, text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or_default();
    let fence = "`".repeat(longest.max(2) + 1);
    format!("{fence}{language_id}\n{text}\n{fence}")
}
