//! Things that the standard library could have had.

pub mod cancel;
pub mod clean;
pub mod random;
pub mod utf16;

use std::time::Duration;

use sha2::{Digest, Sha256};

/// A duration in milliseconds.
pub fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// SHA-256 in hexadecimal.
pub fn hex_sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Bytes in hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// FNV-1a of 64 bits (Fowler, Noll and Vo).
pub fn fnv1a_64<'a>(bytes: impl Iterator<Item = &'a u8>) -> u64 {
    bytes.fold(0xCBF2_9CE4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3)
    })
}

/// Between which shares the true one is, with a probability of 95%, where `n_right` of `n` were
/// right (Wilson 1927); 0 and 1 of none.
pub fn wilson_interval(n_right: usize, n: usize) -> (f64, f64) {
    const Z: f64 = 1.959_964;
    if n == 0 {
        return (0.0, 1.0);
    }
    let (share, n) = (n_right as f64 / n as f64, n as f64);
    let middle = share + Z * Z / (2.0 * n);
    let reach = Z * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + Z * Z / n;
    (((middle - reach) / scale).max(0.0), ((middle + reach) / scale).min(1.0))
}

/// The value of which a share `q`, 0 to 1, of the values is no greater; 0 of none. `sorted` rises.
pub fn quantile(sorted: &[f64], q: f64) -> f64 {
    let last = sorted.len().saturating_sub(1);
    sorted.get((last as f64 * q).round() as usize).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_right_answers_say_little() {
        let percent = |(low, high): (f64, f64)| ((low * 100.0).round(), (high * 100.0).round());
        assert_eq!(percent(wilson_interval(0, 0)), (0.0, 100.0));
        assert_eq!(percent(wilson_interval(0, 20)), (0.0, 16.0));
        assert_eq!(percent(wilson_interval(20, 20)), (84.0, 100.0));
        assert_eq!(percent(wilson_interval(50, 100)), (40.0, 60.0));
    }
}
