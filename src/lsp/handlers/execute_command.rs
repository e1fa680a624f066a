//! `workspace/executeCommand`: what the editor reports and asks for.

use serde_json::Value;
use tower_lsp::gen_lsp_types as lsp;
use tower_lsp::jsonrpc::{Error, Result};

use crate::assist::stats::Stats;
use crate::lsp::server::Server;

/// Knows `keyside.accepted`.
pub fn answer(server: &Server, params: &lsp::ExecuteCommandParams) -> Result<Value> {
    match params.command.as_str() {
        "keyside.accepted" => {
            Stats::count(&server.session.stats.accepted);
            Ok(Value::Null)
        }
        other => Err(Error::invalid_params(format!("keyside has no command {other}"))),
    }
}
