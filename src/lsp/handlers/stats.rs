//! `keyside/stats`: counts and times since the start, and of the last completion.

use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};

use crate::app::Session;
use crate::lm::EngineState;
use crate::stdx::milliseconds as ms;

/// Numbers and names only.
pub fn answer(session: &Session, n_escalations: usize) -> Value {
    let engine = session.engine();
    let counts = engine.counts();
    let stats = &session.completer.stats;
    let n = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let model = match engine.state() {
        EngineState::Loading => json!({"state": "loading"}),
        EngineState::Failed(message) => json!({"state": "error", "message": message}),
        EngineState::Ready(model) => json!({
            "state": "ready",
            "name": model.name,
            "instead_of": model.instead_of,
            "n_params": model.n_params,
            "context_tokens": model.n_context_tokens,
            "threads": model.n_threads,
            "fim": model.capabilities.fim.as_ref().map(|it| it.family),
            "load_ms": ms(model.load_time),
        }),
    };
    let last = stats.last().map(|last| {
        json!({
            "cached_tokens": last.usage.cached_tokens,
            "evaluated_tokens": last.usage.evaluated_tokens,
            "generated_tokens": last.usage.generated_tokens,
            "speculative_tokens": last.usage.speculative_tokens,
            "assemble_ms": ms(last.assemble),
            "queue_ms": ms(last.times.queue),
            "prompt_ms": ms(last.times.prompt),
            "generate_ms": ms(last.times.generate),
            "total_ms": ms(last.total),
            "confidence": last.confidence,
            "source": last.source.name(),
            "dropped": last.dropped.map(|it| it.name()),
        })
    });
    json!({
        "uptime_ms": ms(session.started().elapsed()),
        "model": model,
        "completions": {
            "requested": n(&stats.requested),
            "shown": n(&stats.shown),
            "empty": n(&stats.empty),
            "reused": n(&stats.reused),
            "accepted": n(&stats.accepted),
            "accepted_parts": n(&stats.accepted_parts),
            "rejected": n(&stats.rejected),
        },
        "engine": {
            "busy": counts.busy.load(Ordering::Relaxed),
            "idle": engine.is_idle(),
            "generations": n(&counts.generations),
            "cancelled": n(&counts.cancelled),
            "superseded": n(&counts.superseded),
            "failed": n(&counts.failed),
            "preempted": n(&counts.preempted),
            "cached_tokens": n(&counts.cached_tokens),
            "evaluated_tokens": n(&counts.evaluated_tokens),
            "generated_tokens": n(&counts.generated_tokens),
            "speculative_tokens": n(&counts.speculative_tokens),
            "prefetch_evaluated_tokens": n(&counts.prefetch_evaluated_tokens),
            "prefetch_generated_tokens": n(&counts.prefetch_generated_tokens),
            "short_prompts": n(&counts.short_prompts),
            "by_lookup": n(&counts.by_lookup),
            "prompt_tokens_per_second": n(&counts.prompt_tokens_per_second),
        },
        "workspace": session.completer.workspace.report(),
        "escalations": n_escalations,
        "last": last,
    })
}
