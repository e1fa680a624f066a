//! What the machine can spare at the moment: whether it runs on its battery, whether more programs
//! want to run than there are processors, and how much memory is free.
//!
//! Linux tells; elsewhere there is always enough.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

const LOOK_EVERY: Duration = Duration::from_secs(10);
/// Programs that want to run, a processor, from which on there is nothing to spare; one may be
/// keyside itself.
const MAX_LOAD: f64 = 1.5;

/// Lets typing go before what the calling thread does. Linux alone has priorities of threads in
/// this call; elsewhere the scheduler is trusted.
pub fn lower_priority() {
    #[cfg(target_os = "linux")]
    {
        let thread = rustix::thread::gettid();
        // Refused or not, the work is the same.
        let _ = rustix::process::setpriority_process(Some(thread), 10);
    }
}

/// Bytes of memory that programs can still have without the system moving others out; `None` where
/// it does not tell.
pub fn free_memory_bytes() -> Option<u64> {
    free_memory_in(&std::fs::read_to_string("/proc/meminfo").ok()?)
}

/// This process's share of the memory that is resident (PSS): what is shared with others counts by
/// how many share it. `None` where the system does not tell.
pub fn own_memory_bytes() -> Option<u64> {
    let rollup = std::fs::read_to_string("/proc/self/smaps_rollup").ok()?;
    kib_of(&rollup, "Pss:")
}

fn free_memory_in(meminfo: &str) -> Option<u64> {
    kib_of(meminfo, "MemAvailable:")
}

/// The bytes of a line of `/proc`, which counts in KiB.
fn kib_of(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|it| it.strip_prefix(name))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim_end().parse().ok()?;
    kib.checked_mul(1_024)
}

/// See the module.
pub struct Spare {
    /// Where the system's files are: `/`, but for tests.
    root: PathBuf,
    last_look: Mutex<Option<Instant>>,
    is_scarce: AtomicBool,
}

impl Default for Spare {
    fn default() -> Self {
        Self::below(Path::new("/"))
    }
}

impl Spare {
    fn below(root: &Path) -> Self {
        let (last_look, is_scarce) = (Mutex::new(None), AtomicBool::new(false));
        Self { root: root.to_owned(), last_look, is_scarce }
    }

    /// Whether there was nothing for background work when that was last looked at. Has it looked at
    /// again, on another thread, when that is a while ago. Inside of a tokio runtime only.
    pub fn is_scarce(self: &Arc<Self>) -> bool {
        let mut last = self.last_look.lock().unwrap_or_else(PoisonError::into_inner);
        if last.is_none_or(|it| it.elapsed() >= LOOK_EVERY) {
            *last = Some(Instant::now());
            let this = Arc::clone(self);
            // Some laptops ask a slow controller before they tell.
            tokio::task::spawn_blocking(move || this.look());
        }
        self.is_scarce.load(Ordering::Relaxed)
    }

    fn look(&self) {
        let is_scarce = self.runs_on_battery() || self.is_loaded();
        self.is_scarce.store(is_scarce, Ordering::Relaxed);
    }

    fn runs_on_battery(&self) -> bool {
        let supplies = std::fs::read_dir(self.root.join("sys/class/power_supply"));
        let Ok(supplies) = supplies else { return false };
        let is = |folder: &Path, name: &str, value: &str| {
            std::fs::read_to_string(folder.join(name)).is_ok_and(|it| it.trim() == value)
        };
        supplies.flatten().map(|it| it.path()).any(|it| {
            // A mouse has a battery too.
            is(&it, "type", "Battery")
                && !is(&it, "scope", "Device")
                && is(&it, "status", "Discharging")
        })
    }

    fn is_loaded(&self) -> bool {
        let read = |path: &str| std::fs::read_to_string(self.root.join(path)).unwrap_or_default();
        let load: Option<f64> =
            read("proc/loadavg").split_whitespace().next().and_then(|it| it.parse().ok());
        // Of the machine, as the load is: a container may be given fewer.
        let is_processor = |it: &&str| {
            it.strip_prefix("cpu").is_some_and(|it| it.starts_with(|c: char| c.is_ascii_digit()))
        };
        let n_processors = read("proc/stat").lines().filter(is_processor).count().max(1);
        load.is_some_and(|it| it > MAX_LOAD * n_processors as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_scarce(supplies: &[(&str, &[(&str, &str)])], load: &str) -> bool {
        let root = std::env::temp_dir().join(format!("keyside-spare-{}", std::process::id()));
        let write = |path: &str, text: &str| {
            let path = root.join(path);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            std::fs::write(path, text).expect("a file");
        };
        for (supply, files) in supplies {
            for (name, value) in *files {
                write(&format!("sys/class/power_supply/{supply}/{name}"), &format!("{value}\n"));
            }
        }
        write("proc/loadavg", load);
        write("proc/stat", "cpu  1 2 3\ncpu0 1 2 3\ncpu1 1 2 3\nintr 5\n");
        let spare = Spare::below(&root);
        spare.look();
        std::fs::remove_dir_all(&root).expect("it goes away");
        spare.is_scarce.into_inner()
    }

    #[test]
    fn free_memory_is_what_programs_can_have() {
        let meminfo = "MemTotal:  100 kB\nMemFree:  1 kB\nMemAvailable:     64 kB\n";
        assert_eq!(free_memory_in(meminfo), Some(65_536));
        assert_eq!(free_memory_in("MemAvailable: much"), None);
    }

    #[test]
    fn a_battery_that_empties_or_a_queue_of_programs() {
        let calm = "0.50 0.40 0.30 1/200 1234\n";
        let battery = |status| [("type", "Battery"), ("status", status)];
        assert!(!is_scarce(&[], calm));
        assert!(!is_scarce(&[("BAT0", &battery("Charging")), ("AC", &[("type", "Mains")])], calm));
        assert!(is_scarce(&[("BAT0", &battery("Discharging"))], calm));
        let mouse = [("type", "Battery"), ("status", "Discharging"), ("scope", "Device")];
        assert!(!is_scarce(&[("hid-mouse", &mouse)], calm));
        assert!(is_scarce(&[], "3.20 1.00 0.50 5/200 1234\n"));
        assert!(!is_scarce(&[], "nonsense"));
        assert!(!is_scarce(&[], ""));
    }
}
