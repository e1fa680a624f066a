//! Dying with the editor: the protocol asks a server to end when the process of its client has.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::lsp::client::ClientProfile;

/// How often to look. A closed pipe is noticed at once; this is for editors whose pipe somebody else
/// still holds open.
const LOOK: Duration = Duration::from_millis(400);

/// Ends when the process that the client named in `initialize` is gone; never where it named none.
pub async fn parent_gone(profile: Arc<OnceLock<ClientProfile>>) {
    loop {
        tokio::time::sleep(LOOK).await;
        let process_id = profile.get().and_then(|profile| profile.process_id);
        if process_id.is_some_and(|id| !is_alive(id)) {
            tracing::info!("the editor's process is gone");
            return;
        }
    }
}

#[cfg(unix)]
fn is_alive(process_id: u32) -> bool {
    let pid = i32::try_from(process_id).ok().and_then(rustix::process::Pid::from_raw);
    let Some(pid) = pid else { return true };
    // A process of somebody else's is alive too (EPERM); only "no such process" is an end.
    !matches!(rustix::process::test_kill_process(pid), Err(rustix::io::Errno::SRCH))
}

/// Elsewhere the closed pipe has to do.
#[cfg(not(unix))]
fn is_alive(_process_id: u32) -> bool {
    true
}
