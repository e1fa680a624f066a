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
