//! Files that are edited in several editors, and settings with which more is suggested in them.

/// Lines that differ in a name alone: what comes next is likely.
pub const TOTALS: &str = r#"use std::collections::HashMap;

fn totals(map: &HashMap<String, u64>) -> u64 {
    let alpha = map.get("alpha").copied().unwrap_or(0);
    let beta = map.get("beta").copied().unwrap_or(0);
    let gamma = map.get("gamma").copied().unwrap_or(0);
    let delta = map.get("delta").copied().unwrap_or(0);

    alpha + beta + gamma + delta
}
"#;

/// The same in Python.
pub const PYTHON_TOTALS: &str = r#"def totals(table):
    alpha = table.get("alpha", 0)
    beta = table.get("beta", 0)
    gamma = table.get("gamma", 0)
    delta = table.get("delta", 0)

    return alpha + beta + gamma + delta
"#;

/// More suggestions than by default, however slow this machine is.
pub const EAGER: &str = "[completion]\nlevel = \"eager\"\ngenerate_ms = 60000\n";
