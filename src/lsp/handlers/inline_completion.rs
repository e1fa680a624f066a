//! `textDocument/inlineCompletion`: ghost text.

use tower_lsp::gen_lsp_types as lsp;
use tower_lsp::jsonrpc::Result;

use crate::lsp::handlers::{ask_at, complete, is_explicit};
use crate::lsp::ingress::world;
use crate::lsp::proto::{self, accepted_command, from_range, to_range};
use crate::lsp::server::Server;
use crate::text::position::place;

/// One item, or a few that differ where a person asked: from the start of the word at the caret,
/// with the word's typed part in their texts. An empty list, never null: Neovim keeps the old ghost
/// on null.
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

    // An item that the suggest widget has selected counts as typed: every inline item has to
    // replace the same range and begin with its text, or the client does not show it.
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

    let ask = ask_at(server, &world, &document, rope, virtual_caret, explicit);
    let Some(completion) = complete(server, &document, ask).await? else {
        return Ok(lsp::InlineCompletionList { items: Vec::new() });
    };
    // Lines end in `\n` whatever the document's do: clients put in their own, and Neovim shows a
    // `\r`.
    let shown = (&completion.text, completion.replaced_after);
    let others = completion.alternatives.iter().map(|it| (&it.text, it.replaced_after));
    let items = std::iter::once(shown).chain(others).enumerate();
    let items = items.filter_map(|(index, (text, replaced_after))| {
        let (range, text) = match &selected {
            Some((_, _, range, selected_text)) => {
                // The range can't grow, so what stands after the caret can't be replaced: the text
                // ends before it.
                let after: String = document.rope.chars_at(caret).take(replaced_after).collect();
                let end = match replaced_after {
                    0 => text.len(),
                    _ => text.find(&after).unwrap_or_default(),
                };
                if end == 0 {
                    return None;
                }
                (*range, format!("{selected_text}{}", &text[..end]))
            }
            None => {
                let typed = document.rope.slice(completion.word_start..caret);
                let end = caret + replaced_after;
                let range = to_range(&document, completion.word_start, end, world.encoding);
                (range, format!("{typed}{text}"))
            }
        };
        Some(lsp::InlineCompletionItem {
            command: Some(accepted_command(&completion, index)),
            insert_text: lsp::InsertText::String(text),
            filter_text: None,
            range: Some(range),
        })
    });
    Ok(lsp::InlineCompletionList { items: items.collect() })
}
