//! What the machine can spare at the moment: whether it runs on its battery, and whether more programs want to run
//! than there are processors.
//!
//! Linux tells; elsewhere there is always enough. Looked at every few seconds, because it takes a few dozen
//! microseconds.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

const LOOK_EVERY: Duration = Duration::from_secs(10);
/// Programs that want to run, a processor, from which on there is nothing to spare; one may be keyside itself.
const MAX_LOAD: f64 = 1.5;

/// See the module.
pub struct Spare {
    power_supplies: PathBuf,
    load: PathBuf,
    n_processors: usize,
    last: Mutex<Option<(Instant, bool)>>,
}

impl Default for Spare {
    fn default() -> Self {
        Self::at(Path::new("/sys/class/power_supply"), Path::new("/proc/loadavg"), num_cpus::get())
    }
}

impl Spare {
    /// Looks at these files instead of the system's.
    pub fn at(power_supplies: &Path, load: &Path, n_processors: usize) -> Self {
        Self {
            power_supplies: power_supplies.to_owned(),
            load: load.to_owned(),
            n_processors,
            last: Mutex::new(None),
        }
    }

    /// Whether there is nothing for work that nobody has asked for.
    pub fn is_scarce(&self) -> bool {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        match *last {
            Some((at, is_scarce)) if at.elapsed() < LOOK_EVERY => is_scarce,
            _ => {
                let is_scarce = self.runs_on_battery() || self.is_loaded();
                *last = Some((Instant::now(), is_scarce));
                is_scarce
            }
        }
    }

    fn runs_on_battery(&self) -> bool {
        let Ok(supplies) = std::fs::read_dir(&self.power_supplies) else { return false };
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
        let text = std::fs::read_to_string(&self.load).unwrap_or_default();
        let load: Option<f64> = text.split_whitespace().next().and_then(|it| it.parse().ok());
        load.is_some_and(|it| it > MAX_LOAD * self.n_processors as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_scarce(supplies: &[(&str, &[(&str, &str)])], load: &str) -> bool {
        let folder = std::env::temp_dir().join(format!("keyside-spare-{}", std::process::id()));
        let power = folder.join("power");
        for (supply, files) in supplies {
            std::fs::create_dir_all(power.join(supply)).expect("a folder");
            for (name, value) in *files {
                std::fs::write(power.join(supply).join(name), format!("{value}\n"))
                    .expect("a file");
            }
        }
        std::fs::create_dir_all(&folder).expect("a folder");
        std::fs::write(folder.join("loadavg"), load).expect("a file");
        let spare = Spare::at(&power, &folder.join("loadavg"), 2);
        let is_scarce = spare.is_scarce();
        std::fs::remove_dir_all(&folder).expect("it goes away");
        // It is not looked at again at once.
        assert_eq!(spare.is_scarce(), is_scarce);
        is_scarce
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
