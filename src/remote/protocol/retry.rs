//! Whether a refused request may go out again, and after how long. As the vendors' own SDKs do it,
//! but for money and for doubt: a request that somebody may be working on, and may charge for, is
//! not repeated behind a person's back.

use std::time::Duration;

use crate::remote::protocol::fault::FaultKind;

/// After the first try.
pub const MAX_RETRIES: u32 = 2;
/// A person waits; whoever wants more time than this is told to ask again later.
pub const MAX_WAIT: Duration = Duration::from_secs(30);
const FIRST_WAIT_SECONDS: f64 = 0.5;
const MAX_OWN_WAIT_SECONDS: f64 = 8.0;

/// What to do with a refused request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    No,
    After(Duration),
    /// It could be tried again, but only after more time than a person waits.
    NotBefore(Duration),
}

/// The parts of a refusal that count.
#[derive(Debug, Clone, Copy)]
pub struct Refusal<'a> {
    pub status: u16,
    pub kind: FaultKind,
    /// The header `x-should-retry`, and so on.
    pub should_retry: Option<&'a str>,
    pub retry_after_ms: Option<&'a str>,
    pub retry_after: Option<&'a str>,
}

/// Decides. `n_tries` counts the tries so far; `now` are seconds since 1970; `chance` is from 0 to
/// 1 and spreads the waits of many clients.
///
/// The provider's own word in `x-should-retry` comes first, but never for money: neither waiting
/// nor asking again brings any. Then these statuses are tried again: 408 (the request was not
/// read), 409, 429, and those of a server that failed. Not 504 and 524: there a gateway gave up
/// waiting for a model that had the request, and may have gone on to answer and to charge.
pub fn decide(refusal: &Refusal<'_>, n_tries: u32, now: u64, chance: f64) -> Retry {
    if n_tries > MAX_RETRIES || refusal.kind == FaultKind::Money {
        return Retry::No;
    }
    let may = match refusal.should_retry {
        Some("true") => true,
        Some("false") => false,
        _ => matches!(refusal.status, 408 | 409 | 429 | 500..=503 | 529),
    };
    if !may {
        return Retry::No;
    }
    let wait = asked_wait(refusal, now).unwrap_or_else(|| {
        let doubled = FIRST_WAIT_SECONDS * f64::from(1_u32 << (n_tries.clamp(1, 8) - 1));
        let spread = 1.0 - 0.25 * chance.clamp(0.0, 1.0);
        Duration::from_secs_f64(doubled.min(MAX_OWN_WAIT_SECONDS) * spread)
    });
    if wait > MAX_WAIT { Retry::NotBefore(wait) } else { Retry::After(wait) }
}

fn asked_wait(refusal: &Refusal<'_>, now: u64) -> Option<Duration> {
    let number = |text: Option<&str>| text?.trim().parse::<f64>().ok().filter(|it| *it >= 0.0);
    if let Some(milliseconds) = number(refusal.retry_after_ms) {
        return Duration::try_from_secs_f64(milliseconds / 1e3).ok();
    }
    if let Some(seconds) = number(refusal.retry_after) {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    Some(Duration::from_secs(seconds_of_date(refusal.retry_after?.trim())?.saturating_sub(now)))
}

/// The seconds since 1970 of a date such as `Sun, 06 Nov 1994 08:49:37 GMT`, the one form that RFC
/// 9110 lets servers write.
fn seconds_of_date(text: &str) -> Option<u64> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (_, text) = text.split_once(", ")?;
    let [day, month, year, time, "GMT"] = text.split(' ').collect::<Vec<_>>()[..] else {
        return None;
    };
    let number = |text: &str, range: std::ops::RangeInclusive<u64>| {
        text.parse::<u64>().ok().filter(|it| range.contains(it))
    };
    let [hour, minute, second] = time.split(':').collect::<Vec<_>>()[..] else { return None };
    let clock =
        number(hour, 0..=23)? * 3_600 + number(minute, 0..=59)? * 60 + number(second, 0..=60)?;
    let day = number(day, 1..=31)?;
    let year = number(year, 1_970..=9_999)?;
    let month = MONTHS.iter().position(|it| *it == month)? as u64;
    // Years that begin with March have their leap day at the end; 719,468 days lie between the
    // first of them and 1970.
    let (year, month) = if month < 2 { (year - 1, month + 10) } else { (year, month - 2) };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1;
    Some((days - 719_468) * 86_400 + clock)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Refusal<'_> = Refusal {
        status: 500,
        kind: FaultKind::Server,
        should_retry: None,
        retry_after_ms: None,
        retry_after: None,
    };

    fn decided(refusal: Refusal<'_>) -> Retry {
        decide(&refusal, 1, seconds_of_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap(), 0.0)
    }

    #[test]
    fn statuses_that_pass_are_tried_again() {
        let again = Retry::After(Duration::from_millis(500));
        for status in [408, 409, 429, 500, 502, 503, 529] {
            assert_eq!(decided(Refusal { status, ..PLAIN }), again, "{status}");
        }
        for status in [301, 400, 401, 402, 403, 404, 413, 422, 501 + 3, 524] {
            assert_eq!(decided(Refusal { status, ..PLAIN }), Retry::No, "{status}");
        }
    }

    #[test]
    fn the_provider_has_the_first_word_but_not_on_money() {
        let should_retry = Some("false");
        assert_eq!(decided(Refusal { should_retry, ..PLAIN }), Retry::No);
        let should_retry = Some("true");
        assert_ne!(decided(Refusal { status: 504, should_retry, ..PLAIN }), Retry::No);
        assert_eq!(decided(Refusal { kind: FaultKind::Money, should_retry, ..PLAIN }), Retry::No);
    }

    #[test]
    fn waits_are_as_asked_for_or_double() {
        let after = |retry_after| decided(Refusal { retry_after: Some(retry_after), ..PLAIN });
        let default = Retry::After(Duration::from_millis(500));
        assert_eq!(after("1.5"), Retry::After(Duration::from_millis(1_500)));
        assert_eq!(after("0"), Retry::After(Duration::ZERO));
        assert_eq!(after("31"), Retry::NotBefore(Duration::from_secs(31)));
        assert_eq!(after("Sun, 06 Nov 1994 08:49:47 GMT"), Retry::After(Duration::from_secs(10)));
        assert_eq!(after("Sun, 06 Nov 1994 08:49:00 GMT"), Retry::After(Duration::ZERO));
        assert_eq!(after("soon"), default);
        assert_eq!(after("-1"), default);
        assert_eq!(after("NaN"), default);
        let refusal = Refusal { retry_after_ms: Some("250"), retry_after: Some("9"), ..PLAIN };
        assert_eq!(decided(refusal), Retry::After(Duration::from_millis(250)));

        assert_eq!(decide(&PLAIN, 2, 0, 0.0), Retry::After(Duration::from_secs(1)));
        assert_eq!(decide(&PLAIN, 2, 0, 1.0), Retry::After(Duration::from_millis(750)));
        assert_eq!(decide(&PLAIN, 3, 0, 0.0), Retry::No);
    }

    #[test]
    fn dates_are_seconds() {
        for (date, seconds) in [
            ("Thu, 01 Jan 1970 00:00:00 GMT", Some(0)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(784_111_777)),
            ("Tue, 29 Feb 2000 23:59:59 GMT", Some(951_868_799)),
            ("Mon, 01 Mar 2100 00:00:00 GMT", Some(4_107_542_400)),
            ("Sunday, 06-Nov-94 08:49:37 GMT", None),
            ("Sun, 06 Nov 1994 08:49:37 CET", None),
            ("Sun, 06 Nov 1994 24:49:37 GMT", None),
            ("Sun, 06 Now 1994 08:49:37 GMT", None),
            ("Sun, 06 Nov 18446744073709551615 08:49:37 GMT", None),
            ("", None),
        ] {
            assert_eq!(seconds_of_date(date), seconds, "{date}");
        }
    }
}
