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
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// FNV-1a of 64 bits (Fowler, Noll and Vo).
pub fn fnv1a_64<'a>(bytes: impl Iterator<Item = &'a u8>) -> u64 {
    bytes.fold(0xCBF2_9CE4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3)
    })
}

/// The value of which a share `q`, 0 to 1, of the values is no greater; 0 of none. `sorted` rises.
pub fn quantile(sorted: &[f64], q: f64) -> f64 {
    let last = sorted.len().saturating_sub(1);
    sorted.get((last as f64 * q).round() as usize).copied().unwrap_or_default()
}
