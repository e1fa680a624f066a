//! Money as integers: trillionths of a US dollar, because a token out of a cache costs a few
//! billionths and sums must be exact.

/// Trillionths in a dollar. An `i64` of them holds nine million dollars.
pub const PICO_USD_PER_USD: i64 = 1_000_000_000_000;

/// Dollars of the settings as trillionths, to the nearest; what is no number or below zero is 0,
/// what is too much is the most there is.
pub fn usd_to_pico(usd: f64) -> i64 {
    // A cast from float to integer saturates, and makes 0 of NaN.
    (usd.max(0.0) * PICO_USD_PER_USD as f64).round() as i64
}

/// An amount as people read it: `$2.00`, `$0.0123`, `under $0.0001`.
pub fn usd(pico_usd: i64) -> String {
    const TEN_THOUSANDTH: u64 = 100_000_000;
    let sign = if pico_usd < 0 { "-" } else { "" };
    let amount = pico_usd.unsigned_abs();
    if amount > 0 && amount < TEN_THOUSANDTH {
        return format!("under {sign}$0.0001");
    }
    let rounded = (amount + TEN_THOUSANDTH / 2) / TEN_THOUSANDTH;
    let (whole, rest) = (rounded / 10_000, rounded % 10_000);
    if rest.is_multiple_of(100) {
        format!("{sign}${whole}.{:02}", rest / 100)
    } else {
        format!("{sign}${whole}.{rest:04}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_as_people_read_them() {
        let cases = [
            (0, "$0.00"),
            (1, "under $0.0001"),
            (99_999_999, "under $0.0001"),
            (100_000_000, "$0.0001"),
            (12_345_678_901, "$0.0123"),
            (120_000_000_000, "$0.12"),
            (1_999_999_999_999, "$2.00"),
            (2_000_000_000_000, "$2.00"),
            (1_234_567_800_000_000, "$1234.5678"),
            (-500_000_000_000, "-$0.50"),
            (i64::MAX, "$9223372.0369"),
        ];
        for (pico_usd, expected) in cases {
            assert_eq!(usd(pico_usd), expected);
        }
    }

    #[test]
    fn dollars_of_the_settings() {
        assert_eq!(usd_to_pico(2.0), 2 * PICO_USD_PER_USD);
        assert_eq!(usd_to_pico(0.1), 100_000_000_000);
        assert_eq!(usd_to_pico(-1.0), 0);
        assert_eq!(usd_to_pico(f64::NAN), 0);
        assert_eq!(usd_to_pico(f64::INFINITY), i64::MAX);
    }
}
