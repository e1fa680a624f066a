//! Dying with the editor: the protocol asks a server to end when the process of its client has.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::lsp::client::ClientProfile;

/// How often to look. A closed pipe is noticed at once; this is for editors whose pipe somebody
/// else still holds open.
const LOOK: Duration = Duration::from_millis(400);

/// Ends when the process that the client named in `initialize` is gone. Never where it named none,
/// or one that can't be seen from here: an editor outside of a container names its process by a
/// number that means nothing inside.
pub async fn parent_gone(profile: Arc<OnceLock<ClientProfile>>) {
    let mut was_alive = false;
    loop {
        let process_id = profile.get().and_then(|profile| profile.process_id);
        let is_alive = process_id.is_some_and(is_alive);
        if was_alive && !is_alive {
            tracing::info!("the editor's process is gone");
            return;
        }
        was_alive = is_alive;
        // Until the client has said who it is, look often, so as to see it alive.
        let pause = if profile.get().is_some() { LOOK } else { LOOK / 20 };
        tokio::time::sleep(pause).await;
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
