//! Cancelling by dropping: a [`Ticket`] lives in the request's future, its [`CancelFlag`] in the
//! work.
//!
//! The decode loop reads the flag before every token, and before every short stretch of a prompt,
//! so a dropped ticket stops the work within one of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

const CANCELLED: u8 = 1;
const SUPERSEDED: u8 = 1 << 1;
const CLOSED: u8 = 1 << 2;
const PREEMPTED: u8 = 1 << 3;

/// Why work should stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopReason {
    /// No receiver waits for the answer any more.
    Cancelled,
    /// A newer request has taken its place.
    Superseded,
    /// The worker itself is to end.
    Closed,
    /// More urgent work has come; this goes on after it.
    Preempted,
}

/// The worker's side: cheap to clone, read in the innermost loop.
#[derive(Debug, Clone, Default)]
pub struct CancelFlag(Arc<AtomicU8>);

impl CancelFlag {
    /// Why to stop, or `None` while the work is still wanted. Of several reasons, one for good
    /// comes before one for now.
    pub fn stop_reason(&self) -> Option<StopReason> {
        // Relaxed is enough: the flag carries no data, and a load that is one token late is
        // harmless.
        let bits = self.0.load(Ordering::Relaxed);
        let reasons = [
            (CLOSED, StopReason::Closed),
            (CANCELLED, StopReason::Cancelled),
            (SUPERSEDED, StopReason::Superseded),
            (PREEMPTED, StopReason::Preempted),
        ];
        reasons.into_iter().find(|(bit, _)| bits & bit != 0).map(|(_, reason)| reason)
    }

    /// Marks the work as replaced by newer work, unless it has been cancelled already.
    pub fn supersede(&self) {
        self.set_first(SUPERSEDED);
    }

    /// Tells the worker to end at once, whatever other reason there was.
    pub fn close(&self) {
        self.0.fetch_or(CLOSED, Ordering::Relaxed);
    }

    /// Interrupts the work until [`CancelFlag::resume`].
    pub fn preempt(&self) {
        self.0.fetch_or(PREEMPTED, Ordering::Relaxed);
    }

    /// The work may go on, if nothing else stops it.
    pub fn resume(&self) {
        self.0.fetch_and(!PREEMPTED, Ordering::Relaxed);
    }

    fn cancel(&self) {
        self.set_first(CANCELLED);
    }

    /// Of the reasons why a request is not wanted any more the first one stays.
    fn set_first(&self, reason: u8) {
        let is_wanted = |bits: u8| bits & (CANCELLED | SUPERSEDED | CLOSED) == 0;
        let set = |bits| is_wanted(bits).then_some(bits | reason);
        let _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, set);
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

    #[test]
    fn work_that_was_preempted_goes_on_unless_it_is_cancelled_meanwhile() {
        let ticket = Ticket::default();
        let flag = ticket.flag();
        flag.preempt();
        assert_eq!(flag.stop_reason(), Some(StopReason::Preempted));
        flag.resume();
        assert_eq!(flag.stop_reason(), None);
        flag.preempt();
        drop(ticket);
        flag.resume();
        assert_eq!(flag.stop_reason(), Some(StopReason::Cancelled));
    }
}
