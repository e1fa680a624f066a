//! Days and months as the user's clock on the wall has them, for caps and for sums.
//!
//! A day goes from midnight to midnight where the user is, so it has 23 or 25 hours twice a year.
//! The library is `jiff`: it reads the system's time zone files itself, from any thread, where
//! libc's `localtime_r` may race with a change of the environment, which is why the `time` crate
//! refuses to ask it in a program with threads.

use std::time::SystemTime;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, Zoned};

/// From an instant to another one, which does not belong to it; milliseconds since 1970 in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    pub start_unix_ms: i64,
    pub end_unix_ms: i64,
}

impl Period {
    pub fn contains(self, unix_ms: i64) -> bool {
        (self.start_unix_ms..self.end_unix_ms).contains(&unix_ms)
    }
}

/// An instant with the day and the month that it is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    pub unix_ms: i64,
    pub day: Period,
    pub month: Period,
}

/// A day with its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Day {
    /// As `2026-11-21`.
    pub date: String,
    pub period: Period,
}

/// The time now, in milliseconds since 1970.
pub fn unix_ms() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Where days begin.
#[derive(Debug, Clone)]
pub struct Calendar(TimeZone);

impl Calendar {
    /// As the system has it; UTC where it has none.
    pub fn system() -> Self {
        Self(TimeZone::system())
    }

    pub fn utc() -> Self {
        Self(TimeZone::UTC)
    }

    /// By a name such as `Europe/Berlin`; `None` where the system does not know it.
    pub fn named(name: &str) -> Option<Self> {
        TimeZone::get(name).ok().map(Self)
    }

    /// An instant with its day and month.
    pub fn at(&self, unix_ms: i64) -> Now {
        let date = self.date(unix_ms);
        let first = date.first_of_month();
        Now {
            unix_ms,
            day: self.period(date, add(date, 1)),
            month: self.period(first, first.checked_add(1.month()).unwrap_or(Date::MAX)),
        }
    }

    /// The present, with its day and month.
    pub fn now(&self) -> Now {
        self.at(unix_ms())
    }

    /// The day that an instant is in.
    pub fn day(&self, unix_ms: i64) -> Day {
        self.day_of(self.date(unix_ms))
    }

    /// The day that an instant is in and those before it, `n_days` in all, the oldest first.
    pub fn last_days(&self, unix_ms: i64, n_days: u32) -> Vec<Day> {
        let date = self.date(unix_ms);
        (0..i64::from(n_days)).rev().map(|back| self.day_of(add(date, -back))).collect()
    }

    /// The days of the month that an instant is in, from its first to the instant's.
    pub fn days_of_month(&self, unix_ms: i64) -> Vec<Day> {
        let day_of_month = self.date(unix_ms).day();
        self.last_days(unix_ms, u32::from(day_of_month.unsigned_abs()))
    }

    /// The day whose period the instant is in. Where clocks went back over midnight, the calendar
    /// on the wall had the day before once more; here days are in one piece.
    fn date(&self, unix_ms: i64) -> Date {
        let at = Timestamp::from_millisecond(unix_ms).unwrap_or(Timestamp::UNIX_EPOCH);
        let date = Zoned::new(at, self.0.clone()).date();
        let next = add(date, 1);
        if self.midnight(next) <= at.as_millisecond() { next } else { date }
    }

    fn day_of(&self, date: Date) -> Day {
        Day { date: date.to_string(), period: self.period(date, add(date, 1)) }
    }

    fn period(&self, from: Date, to: Date) -> Period {
        Period { start_unix_ms: self.midnight(from), end_unix_ms: self.midnight(to) }
    }

    /// When the day begins: where clocks jump over midnight, at the first moment after it.
    fn midnight(&self, date: Date) -> i64 {
        let start = date.to_zoned(self.0.clone());
        // Dates without a midnight are those at the ends of time.
        start.map_or(i64::MAX, |it| it.timestamp().as_millisecond())
    }
}

fn add(date: Date, n_days: i64) -> Date {
    date.checked_add(n_days.days()).unwrap_or(Date::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_MS: i64 = 3_600_000;

    fn hours(period: Period) -> i64 {
        (period.end_unix_ms - period.start_unix_ms) / HOUR_MS
    }

    #[test]
    fn days_follow_the_clock_on_the_wall() {
        let berlin = Calendar::named("Europe/Berlin").expect("time zones");
        // 2026-03-29 00:30 in Berlin, the day on which clocks go forward.
        let short = berlin.at(1_774_740_600_000);
        assert_eq!(berlin.day(short.unix_ms).date, "2026-03-29");
        assert_eq!(hours(short.day), 23);
        assert_eq!(hours(short.month), 31 * 24 - 1);
        // 2026-10-25 23:30 in Berlin.
        let long = berlin.at(1_792_967_400_000);
        assert_eq!(berlin.day(long.unix_ms).date, "2026-10-25");
        assert_eq!(hours(long.day), 25);
        assert!(long.day.contains(long.unix_ms));
        assert!(!long.day.contains(long.day.end_unix_ms));
        assert_eq!(berlin.at(long.day.end_unix_ms).day.start_unix_ms, long.day.end_unix_ms);
    }

    #[test]
    fn a_day_whose_midnight_does_not_exist_begins_at_one() {
        let cairo = Calendar::named("Africa/Cairo").expect("time zones");
        // On 2026-04-24 clocks in Cairo went from 24:00 to 01:00.
        let day = cairo.day(1_777_025_000_000);
        assert_eq!((day.date.as_str(), hours(day.period)), ("2026-04-24", 23));
    }

    #[test]
    fn a_day_that_comes_twice_is_one() {
        let st_johns = Calendar::named("America/St_Johns").expect("time zones");
        // On 2010-11-07, at one minute past midnight, it was 23:01 of the day before again.
        for minutes in -120..120 {
            let now = st_johns.at(1_289_097_060_000 + minutes * 60_000);
            assert!(now.day.contains(now.unix_ms) && now.month.contains(now.unix_ms));
        }
    }

    #[test]
    fn lists_of_days_touch() {
        let utc = Calendar::utc();
        let days = utc.last_days(1_795_300_000_000, 40);
        assert_eq!(days.len(), 40);
        assert_eq!(days[39].date, "2026-11-21");
        for pair in days.windows(2) {
            assert_eq!(pair[0].period.end_unix_ms, pair[1].period.start_unix_ms);
        }
        let month = utc.days_of_month(1_795_300_000_000);
        assert_eq!((month.len(), month[0].date.as_str()), (21, "2026-11-01"));
    }

    #[test]
    fn times_out_of_range_are_no_panic() {
        for at in [i64::MIN, -1, 0, i64::MAX] {
            Calendar::utc().at(at);
            Calendar::utc().last_days(at, 3);
        }
    }
}
