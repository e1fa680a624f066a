//! What comes of asking the ledger: figures, and sentences for people.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ledger::calls::Status;
use crate::ledger::fault::Fault;
use crate::ledger::usd;

/// The most that may be spent, in trillionths of a dollar; `i64::MAX` is no cap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caps {
    pub daily_pico_usd: i64,
    pub monthly_pico_usd: i64,
}

/// A reservation that was made. It means something in the ledger that it was made in only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CallId {
    pub(super) call: i64,
    pub(super) ledger: i64,
}

/// How a day or a month stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Standing {
    /// By calls that are settled or lost.
    pub spent_pico_usd: i64,
    /// For calls that are under way.
    pub reserved_pico_usd: i64,
}

/// A request may be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Granted {
    pub id: CallId,
    /// With this reservation.
    pub day: Standing,
    pub month: Standing,
    /// Caps of which more than four fifths are used or held now.
    pub warnings: Vec<CapWarning>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CapPeriod {
    Day,
    Month,
}

/// Its `Display` is a sentence for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CapWarning {
    pub period: CapPeriod,
    pub standing: Standing,
    pub cap_pico_usd: i64,
    /// It was under four fifths before: the moment to tell it.
    pub is_new: bool,
}

/// Nothing may be sent. Its `Display` is a sentence for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    Cap(CapRefusal),
    /// What can't be reserved is not sent.
    Fault(Fault),
}

/// A request that would go past a cap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CapRefusal {
    pub period: CapPeriod,
    /// Without this request.
    pub standing: Standing,
    /// What it may cost.
    pub asked_pico_usd: i64,
    pub cap_pico_usd: i64,
}

/// Why a call was not settled; nothing has changed. Its `Display` is a sentence for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotSettled {
    /// There is no such call.
    Unknown,
    /// It was settled before, as this.
    Already(Status),
    /// Others have taken this process for dead and counted the worst case. That should not happen.
    Swept,
    /// It was reserved in a ledger that is not in use any more.
    OtherLedger,
    /// It stays reserved; try again. When the process ends first, the worst case is counted.
    Fault(Fault),
}

/// Calls of processes that are gone, counted at their worst case.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    pub n_calls: u64,
    pub pico_usd: i64,
}

impl Standing {
    pub fn total(&self) -> i64 {
        self.spent_pico_usd.saturating_add(self.reserved_pico_usd)
    }

    /// What is left of a cap.
    pub fn left(&self, cap_pico_usd: i64) -> i64 {
        cap_pico_usd.saturating_sub(self.total()).max(0)
    }
}

impl CapPeriod {
    fn whose(self) -> &'static str {
        match self {
            Self::Day => "the day's",
            Self::Month => "the month's",
        }
    }
}

impl fmt::Display for CapWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whose, cap) = (self.period.whose(), self.cap_pico_usd);
        let (used, cap) = (usd(self.standing.total()), usd(cap));
        write!(f, "of {whose} cap of {cap}, {used} is used or held for requests under way")
    }
}

impl fmt::Display for CapRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whose, cap) = (self.period.whose(), usd(self.cap_pico_usd));
        let (asked, left) = (usd(self.asked_pico_usd), usd(self.standing.left(self.cap_pico_usd)));
        let (spent, held) = (usd(self.standing.spent_pico_usd), self.standing.reserved_pico_usd);
        write!(f, "this may cost {asked}, and of {whose} cap of {cap} there is {left} left")?;
        write!(f, " ({spent} spent")?;
        if held > 0 {
            write!(f, ", {} held for requests under way", usd(held))?;
        }
        let (setting, then) = match self.period {
            CapPeriod::Day => ("cloud.daily_cap_usd", "midnight"),
            CapPeriod::Month => ("cloud.monthly_cap_usd", "the month to end"),
        };
        write!(f, "); raise {setting}, or wait for {then}")
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cap(refusal) => refusal.fmt(f),
            Self::Fault(fault) => write!(f, "nothing is sent without the ledger: {fault}"),
        }
    }
}

impl fmt::Display for NotSettled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("the ledger has no such call; please report this line"),
            Self::Already(status) => {
                let name = status.name();
                write!(f, "the call is settled already, as {name}; please report this line")
            }
            Self::Swept => f.write_str(
                "another keyside took this one for dead and counted the most that the call could cost; please report this line",
            ),
            Self::OtherLedger => f.write_str(
                "the ledger was replaced while the call was under way; its cost is not counted, so look at the provider's own figures",
            ),
            Self::Fault(fault) => {
                write!(f, "the call stays counted at the most that it could cost: {fault}")
            }
        }
    }
}

impl std::error::Error for Refused {}
impl std::error::Error for NotSettled {}

impl From<Fault> for Refused {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<Fault> for NotSettled {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}
