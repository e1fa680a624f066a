//! Amounts of money, digit by digit, so that nothing drifts.

/// A decimal number times ten to the `shift`, rounded up to a whole one. `None` for what is not a
/// decimal number, is negative, or does not fit.
pub(crate) fn decimal_up(text: &str, shift: i32) -> Option<i64> {
    let (digits, exponent) = match text.split_once(['e', 'E']) {
        Some((digits, exponent)) => (digits, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all = format!("{whole}{fraction}");
    if all.is_empty() || all.len() > 30 || !all.bytes().all(|it| it.is_ascii_digit()) {
        return None;
    }
    let number = all.parse::<i128>().ok()?;
    let shift = exponent.checked_add(shift)?.checked_sub(i32::try_from(fraction.len()).ok()?)?;
    if number == 0 {
        return Some(0);
    }
    let scaled = match shift {
        0.. => number.checked_mul(10_i128.checked_pow(shift.unsigned_abs())?)?,
        // Smaller than any amount that is counted, and not nothing.
        ..-38 => 1,
        _ => {
            number.checked_add(10_i128.pow(shift.unsigned_abs()) - 1)?
                / 10_i128.pow(shift.unsigned_abs())
        }
    };
    i64::try_from(scaled).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_exact_and_round_up() {
        for (text, shift, expected) in [
            ("5e-9", 12, Some(5_000)),
            ("6.25e-08", 12, Some(62_500)),
            ("0.1", 6, Some(100_000)),
            ("0.30000000000000004", 6, Some(300_001)),
            ("15", 6, Some(15_000_000)),
            ("1e-13", 12, Some(1)),
            ("1e-999", 12, Some(1)),
            ("0e-999", 12, Some(0)),
            ("9223372.036854775807", 12, Some(i64::MAX)),
            ("9223372.036854775808", 12, None),
            ("1e99", 12, None),
            ("-1", 12, None),
            ("", 12, None),
            (".", 12, None),
            ("NaN", 12, None),
            ("inf", 12, None),
            ("1e", 12, None),
        ] {
            assert_eq!(decimal_up(text, shift), expected, "{text}");
        }
    }
}
