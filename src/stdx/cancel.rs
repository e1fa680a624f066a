//! Cancelling by dropping: a [`Ticket`] lives in the request's future, its [`CancelFlag`] in the work.
//!
//! The decode loop reads the flag before every token, and before every short stretch of a prompt, so a
//! dropped ticket stops the work within one of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

const RUNNING: u8 = 0;
const CANCELLED: u8 = 1;
const SUPERSEDED: u8 = 2;
const CLOSED: u8 = 3;

/// Why work should stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopReason {
    /// No receiver waits for the answer any more.
    Cancelled,
    /// A newer request has taken its place.
    Superseded,
    /// The worker itself is to end.
    Closed,
}

/// The worker's side: cheap to clone, read in the innermost loop.
#[derive(Debug, Clone, Default)]
pub struct CancelFlag(Arc<AtomicU8>);

impl CancelFlag {
    /// Why to stop, or `None` while the work is still wanted.
    pub fn stop_reason(&self) -> Option<StopReason> {
        // Relaxed is enough: the flag carries no data, and a load that is one token late is harmless.
        match self.0.load(Ordering::Relaxed) {
            CANCELLED => Some(StopReason::Cancelled),
            SUPERSEDED => Some(StopReason::Superseded),
            CLOSED => Some(StopReason::Closed),
            _ => None,
        }
    }

    /// Marks the work as replaced by newer work, unless it has been cancelled already.
    pub fn supersede(&self) {
        let _ = self.0.compare_exchange(RUNNING, SUPERSEDED, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// Tells the worker to end at once, whatever was said before.
    pub fn close(&self) {
        self.0.store(CLOSED, Ordering::Relaxed);
    }

    fn cancel(&self) {
        let _ = self.0.compare_exchange(RUNNING, CANCELLED, Ordering::Relaxed, Ordering::Relaxed);
    }
}

/// The owner's side: dropping it cancels the work.
#[derive(Debug, Default)]
pub struct Ticket {
    flag: CancelFlag,
}

impl Ticket {
    /// The flag to hand to the work.
    pub fn flag(&self) -> CancelFlag {
        self.flag.clone()
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.flag.cancel();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dropping_the_ticket_cancels() {
        let ticket = Ticket::default();
        let flag = ticket.flag();
        assert_eq!(flag.stop_reason(), None);
        drop(ticket);
        assert_eq!(flag.stop_reason(), Some(StopReason::Cancelled));
    }

    #[test]
    fn the_first_reason_stays() {
        let ticket = Ticket::default();
        let flag = ticket.flag();
        flag.supersede();
        drop(ticket);
        assert_eq!(flag.stop_reason(), Some(StopReason::Superseded));
    }
}
