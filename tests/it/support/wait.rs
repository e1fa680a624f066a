//! The one way to wait: look again and again until it has come to pass.

use std::panic::Location;
use std::time::{Duration, Instant};

/// Longer than anything may take on a machine that does something else as well.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(5);

/// Looks until there is an answer; fails, with the caller's line, after [`PATIENCE`].
#[track_caller]
pub fn until<T>(look: impl AsyncFn() -> Option<T>) -> impl Future<Output = T> {
    let caller = Location::caller();
    async move {
        let began = Instant::now();
        loop {
            if let Some(answer) = look().await {
                return answer;
            }
            assert!(began.elapsed() < PATIENCE, "what {caller} waits for did not come to pass");
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// The same in a thread that may block.
#[track_caller]
pub fn until_blocking<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(answer) = look() {
            return answer;
        }
        assert!(began.elapsed() < PATIENCE, "it did not come to pass");
        std::thread::sleep(PAUSE);
    }
}
