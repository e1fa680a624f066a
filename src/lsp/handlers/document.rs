//! `keyside/document`: what the server's own copy of a document is, for tests and bug reports.

use tower_lsp::jsonrpc::Result;

use crate::lsp::ext::{DocumentAnswer, DocumentParams};
use crate::lsp::ingress::world;
use crate::lsp::proto;
use crate::stdx::hex_sha256;

/// Version, length and hash; no text.
pub fn answer(params: &DocumentParams) -> Result<DocumentAnswer> {
    let document = proto::document(&world(), &params.uri)?;
    let text = document.rope.to_string();
    Ok(DocumentAnswer {
        version: document.version,
        in_sync: !document.lost,
        length: text.len(),
        sha256: hex_sha256(text.as_bytes()),
    })
}
