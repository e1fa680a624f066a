//! `textDocument/inlineCompletion`: ghost text.

use tower_lsp::gen_lsp_types as lsp;
use tower_lsp::jsonrpc::Result;

use crate::lsp::handlers::{complete_at, is_explicit};
use crate::lsp::ingress::world;
use crate::lsp::proto::{self, accepted_command, from_range, to_range};
use crate::lsp::server::Server;
use crate::text::position::place;

/// At most one item: from the start of the word at the caret, with the word's typed part in its text.
/// An empty list, never null: Neovim keeps the old ghost on null.
pub async fn answer(
    server: &Server,
    params: lsp::InlineCompletionParams,
) -> Result<lsp::InlineCompletionList> {
    let world = world();
    let at = params.text_document_position_params;
    let uri = at.text_document.uri.0;
    let document = proto::document(&world, &uri)?;
    let explicit = is_explicit(&params.context.trigger_kind);
    let caret = proto::caret(&document, at.position, world.encoding);

    // An item that the suggest widget has selected counts as typed: every inline item has to replace the
    // same range and begin with its text, or the client does not show it.
    let selected = params.context.selected_completion_info.map(|info| {
        let range = from_range(info.range);
        let start = place(&document.rope, range.start, world.encoding).char_index;
        let end = place(&document.rope, range.end, world.encoding).char_index.max(start);
        (start, end, info.range, info.text)
    });
    let mut rope = document.rope.clone();
    let mut virtual_caret = caret;
    if let Some((start, end, _, text)) = &selected {
        rope.remove(*start..*end);
        rope.insert(*start, text);
        virtual_caret = *start + text.chars().count();
    }

    let completion = complete_at(server, &world, &document, rope, virtual_caret, explicit).await?;
    let Some(completion) = completion else {
        return Ok(lsp::InlineCompletionList { items: Vec::new() });
    };
    // Lines end in `\n` whatever the document's do: clients put in their own, and Neovim shows a `\r`.
    let (range, text) = match selected {
        Some((_, _, range, selected_text)) => {
            // The range can't grow, so what stands after the caret can't be replaced: the text ends before it.
            let after: String =
                document.rope.chars_at(caret).take(completion.replaced_after).collect();
            let end = match completion.replaced_after {
                0 => completion.text.len(),
                _ => completion.text.find(&after).unwrap_or_default(),
            };
            if end == 0 {
                return Ok(lsp::InlineCompletionList { items: Vec::new() });
            }
            (range, selected_text + &completion.text[..end])
        }
        None => {
            let typed = document.rope.slice(completion.word_start..caret).to_string();
            let end = caret + completion.replaced_after;
            let range = to_range(&document, completion.word_start, end, world.encoding);
            (range, typed + &completion.text)
        }
    };
    let item = lsp::InlineCompletionItem {
        command: Some(accepted_command(&completion)),
        insert_text: lsp::InsertText::String(text),
        filter_text: None,
        range: Some(range),
    };
    Ok(lsp::InlineCompletionList { items: vec![item] })
}
