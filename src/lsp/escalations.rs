//! Escalations that are under way, so that they can be cancelled: by their progress, or all at once
//! by a command, because not every editor shows a button.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use tower_lsp::gen_lsp_types::ProgressToken;

/// By the text of their progress token. Locked for a look-up.
#[derive(Debug, Default)]
pub(crate) struct Escalations(Mutex<HashMap<String, watch::Sender<bool>>>);

/// Takes its escalation off the list when it is dropped.
pub(crate) struct Forgets {
    escalations: Arc<Escalations>,
    token: String,
}

impl Escalations {
    /// Takes one in; what is returned turns true when it is cancelled.
    pub(crate) fn begin(&self, token: &ProgressToken) -> (String, watch::Receiver<bool>) {
        let (sender, receiver) = watch::channel(false);
        let token = name(token);
        self.lock().insert(token.clone(), sender);
        (token, receiver)
    }

    pub(crate) fn forget_at_end(self: &Arc<Self>, token: String) -> Forgets {
        Forgets { escalations: Arc::clone(self), token }
    }

    /// Tokens of requests that are over, or of another server, are ignored.
    pub(crate) fn cancel(&self, token: &ProgressToken) {
        if let Some(sender) = self.lock().get(&name(token)) {
            sender.send_replace(true);
        }
    }

    pub(crate) fn cancel_all(&self) {
        for sender in self.lock().values() {
            sender.send_replace(true);
        }
    }

    /// How many are under way.
    pub(crate) fn n_running(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, watch::Sender<bool>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Forgets {
    fn drop(&mut self) {
        self.escalations.lock().remove(&self.token);
    }
}

fn name(token: &ProgressToken) -> String {
    match token {
        ProgressToken::Int(number) => number.to_string(),
        ProgressToken::String(text) => text.clone(),
    }
}
