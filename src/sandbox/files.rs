//! Writing: Landlock (Linux 6.2 and later, without which a file could still be emptied) lets this
//! process write, make, rename and remove files below its own folders alone. What it has open
//! already it keeps, which is its three streams.
//!
//! Another process's memory is a file as well (`/proc/PID/mem`), and so are the settings and the
//! consent.

use std::path::Path;

use landlock::{
    ABI, AccessFs, CompatLevel, Compatible, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetError,
    RulesetStatus, path_beneath_rules,
};

use crate::sandbox::{Hold, Needs};

/// The first version that knows all ways to change a file.
const COMPLETE: ABI = ABI::V3;
/// Where discarded output is written to.
const NOTHING: &str = "/dev/null";
/// Graphics processors are written to as files; in a program without code for them, none is.
const DEVICES: &[&str] = if cfg!(any(feature = "cuda", feature = "vulkan")) {
    &["/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvidia0", "/dev/nvidia1", "/dev/dri"]
} else {
    &[]
};

pub(super) fn give_up(needs: Needs<'_>) -> Hold {
    let Some(writable) = needs.writable else {
        return Hold::BestEffort("this command writes where you say");
    };
    if !is_alone() {
        return Hold::BestEffort("another thread was there already; please report this");
    }
    let has_protected = |folder: &Path, protected: &Path| {
        let real = |it: &Path| it.canonicalize().unwrap_or_else(|_| it.to_path_buf());
        real(protected).starts_with(real(folder))
    };
    match restrict(writable) {
        Ok(RulesetStatus::FullyEnforced) if is_refused() => {
            let mut pairs =
                writable.iter().flat_map(|it| needs.protected.iter().map(move |at| (it, at)));
            if pairs.any(|(folder, protected)| has_protected(folder, protected)) {
                return Hold::BestEffort("the settings lie where keyside writes; move one of both");
            }
            Hold::Enforced
        }
        Ok(RulesetStatus::FullyEnforced) => {
            Hold::BestEffort("the system took the rule and does not follow it")
        }
        Ok(RulesetStatus::PartiallyEnforced) => {
            Hold::BestEffort("this kernel's Landlock does not know all ways to write")
        }
        Ok(RulesetStatus::NotEnforced) => {
            Hold::BestEffort("this kernel has no Landlock, or it is switched off")
        }
        Err(_) => Hold::BestEffort("this kernel refuses the rule"),
    }
}

fn restrict(writable: &[&Path]) -> Result<RulesetStatus, RulesetError> {
    let writing = AccessFs::from_write(COMPLETE);
    let devices = DEVICES.iter().map(Path::new);
    let own = writable.iter().copied().chain([Path::new(NOTHING)]).chain(devices);
    let done = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(writing)?
        .create()?
        // A folder that is not there can't be written in either.
        .add_rules(path_beneath_rules(own, writing))?
        .restrict_self()?;
    Ok(done.ruleset)
}

/// Tries to open its own memory, as a file, for writing. Nothing is written.
fn is_refused() -> bool {
    let tried = std::fs::OpenOptions::new().write(true).open("/proc/self/mem");
    tried.is_err_and(|it| it.kind() != std::io::ErrorKind::NotFound)
}

fn is_alone() -> bool {
    // Without `/proc` nothing is known, and no other thread is started before.
    std::fs::read_dir("/proc/self/task").map_or(true, |it| it.count() == 1)
}
