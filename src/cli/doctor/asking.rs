//! What `keyside doctor` finds of asking a cloud model: whether the key is there, and how much of
//! the caps is left.

use super::{Finding, State, good};
use crate::assistant::cloud::{caps, ledger_file};
use crate::cli::cloud::key_state;
use crate::config::cloud::CloudConfig;
use crate::config::folders::Folders;
use crate::ledger::{Calendar, Ledger, Standing, usd};

pub(super) fn findings(cloud: &CloudConfig, folders: &Folders) -> Vec<Finding> {
    let key = cloud.chosen().map(|provider| match key_state(provider) {
        Ok(what) => good("key", format!("{}: {what}", provider.name)),
        Err(sentence) => bad("key", &sentence),
    });
    key.into_iter().chain([spent(cloud, folders)]).collect()
}

/// A sentence of what is wrong and what to do.
fn bad(name: &'static str, sentence: &str) -> Finding {
    let (what, fix) = sentence.rsplit_once("; ").unwrap_or((sentence, ""));
    Finding { name, state: State::Bad, what: what.to_owned(), fix: fix.to_owned() }
}

fn spent(cloud: &CloudConfig, folders: &Folders) -> Finding {
    let caps = caps(cloud);
    let path = ledger_file(&folders.data);
    // Looking begins no ledger.
    let standings = if path.exists() {
        let opened = Ledger::open(&path);
        opened.and_then(|mut ledger| ledger.standings(&Calendar::system().now()))
    } else {
        Ok((Standing::default(), Standing::default()))
    };
    let (day, month) = match standings {
        Ok(standings) => standings,
        Err(fault) => return bad("money", &fault.to_string()),
    };
    let reached = [
        (day, caps.daily_pico_usd, "cloud.daily_cap_usd", "midnight"),
        (month, caps.monthly_pico_usd, "cloud.monthly_cap_usd", "the month to end"),
    ]
    .into_iter()
    .find(|(standing, cap, ..)| standing.left(*cap) == 0);
    let what = format!(
        "spent or held today {} of {}, this month {} of {}",
        usd(day.total()),
        usd(caps.daily_pico_usd),
        usd(month.total()),
        usd(caps.monthly_pico_usd)
    );
    match reached {
        None => good("money", what),
        Some((_, _, setting, end)) => Finding {
            name: "money",
            state: State::Bad,
            what: format!("{what}: nothing more is sent"),
            fix: format!("raise {setting}, or wait for {end}"),
        },
    }
}
