//! The prompt of the place where the caret rests, evaluated before anything is typed there: the first key in a
//! file is otherwise the most expensive of all.

use crate::assist::complete::CompletionAsk;
use crate::assist::session::Session;

/// Has the prompt at this place evaluated when the engine is idle. Waits for the model, not for that.
pub async fn warm(session: &Session, ask: CompletionAsk) {
    let config = session.config();
    if !config.completion.suggests_in(&ask.language_id) || !session.may_go_ahead(&config) {
        return;
    }
    let engine = session.engine();
    // Without a model there is nothing to prepare, and while it loads the latest place counts.
    let Ok(model) = session.model(&engine, ask.arrival).await else { return };
    let maker = session.request_maker(&config, &engine, &model, &ask.files);
    engine.warm(ask.arrival, Box::new(move || maker.prompt(&ask, maker.size(&ask))));
}
