//! Counts in the ledger what a command asks of the instruct model: tokens and time, never text.

use std::time::Instant;

use crate::app::instruct::InstructModel;
use crate::app::instruct::answers::Answer;
use crate::assistant::cloud::ledger_file;
use crate::cli::{setup, terminal};
use crate::ledger::{LedgerWriter, LocalCall, LocalStatus, Name, WorkspaceHash, unix_ms};
use crate::lm::Usage;

/// See the module.
pub struct LocalCalls {
    /// `None` where there is no folder for one, or the system refuses a thread.
    ledger: Option<LedgerWriter>,
    action: Name,
    model: Name,
    workspace: WorkspaceHash,
}

impl LocalCalls {
    /// Of a command of this name, which asks this model.
    pub fn start(action: &'static str, model: &InstructModel) -> Self {
        let folders = setup::folders().ok();
        let ledger = folders.and_then(|it| LedgerWriter::start(&ledger_file(&it.data)).ok());
        let folder = std::env::current_dir().unwrap_or_default();
        let workspace = WorkspaceHash::of(&folder.to_string_lossy());
        Self { ledger, action: Name::of(action), model: Name::kept(&model.name()), workspace }
    }

    /// Asks, and counts it.
    ///
    /// # Errors
    /// Those of `ask`.
    pub fn count<T>(
        &self,
        ask: impl FnOnce() -> Result<Answer<T>, String>,
    ) -> Result<Answer<T>, String> {
        let began = Instant::now();
        let answer = ask();
        let small = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let usage = answer.as_ref().map_or_else(|_| Usage::default(), |it| it.usage);
        if let Some(ledger) = &self.ledger {
            ledger.record(LocalCall {
                at_unix_ms: unix_ms(),
                workspace: self.workspace,
                action: self.action,
                model: self.model,
                status: if answer.is_ok() { LocalStatus::Ok } else { LocalStatus::Failed },
                input_tokens: small(usage.cached_tokens + usage.evaluated_tokens),
                cached_tokens: small(usage.cached_tokens),
                output_tokens: small(usage.generated_tokens),
                duration_us: u32::try_from(began.elapsed().as_micros()).unwrap_or(u32::MAX),
            });
        }
        answer
    }

    /// Writes what is left, and says where that could not be.
    pub fn end(self) {
        let Some(ledger) = &self.ledger else { return };
        ledger.flush();
        terminal::notes(&ledger.take_notes());
        if let Some(fault) = ledger.counts().fault {
            terminal::complain(&format!("the ledger does not have these calls: {fault}"));
        }
    }
}
