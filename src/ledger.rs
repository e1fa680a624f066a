//! The ledger: what every call to a model has cost, in tokens, time and money, for all of a user's
//! editors at once.
//!
//! It is one SQLite file. Several processes write to it, so what must not go wrong between them is
//! one transaction: money is reserved before a request is sent, against what the day and the month
//! have cost already and what other requests may still cost (`Ledger::reserve`), and settled once
//! when the request is over (`Ledger::settle`). A process that dies in between leaves a
//! reservation; whoever looks next finds the process gone (`presence`) and counts the worst case as
//! spent (`Ledger::sweep`). So the sum of the ledger is never less than what was spent.
//!
//! Calls to the model in this process are written in batches by a thread of their own
//! (`LedgerWriter`), because they happen on every key: nothing waits for the ledger there, and
//! nothing fails because of it.
//!
//! There is no source text in it, no prompt, no answer, no path: numbers, hashes, and names of
//! models, hosts and actions. Whoever can read the file learns when a person worked and with which
//! models, which is why it is theirs alone (0600).
//!
//! Not done: payloads are not kept, rows of calls that were sent are never deleted or folded (they
//! are what a bill is compared with), and a damaged file is moved aside, not repaired.

mod calendar;
mod calls;
mod fault;
mod file;
mod local;
mod migrations;
mod money;
mod outcome;
pub mod presence;
mod reservations;
mod suggestions;
mod usage;
mod writer;

pub use calendar::{Calendar, Day, Now, Period, unix_ms};
pub use calls::{
    Consent, CostSource, LocalCall, LocalStatus, Name, Reservation, Settlement, Status, Suggested,
    Tokens, UsageSource, WorkspaceHash,
};
pub use fault::{Fault, FaultKind};
pub use money::{PICO_USD_PER_USD, usd, usd_to_pico};
pub use outcome::{
    CallId, CapPeriod, CapRefusal, CapWarning, Caps, Granted, NotSettled, Refused, Standing, Swept,
};
pub use reservations::Ledger;
pub use usage::{Amounts, Note, UsageReport};
pub use writer::{LedgerWriter, WriterCounts};
