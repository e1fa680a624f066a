//! `keyside/stats`: counts and times since the start, and of the last completion.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::app::Session;
use crate::completion::stats::LastCompletion;
use crate::lm::EngineState;
use crate::lsp::ext::{
    CompletionStats, EngineStats, IndexStats, LastCompletionStats, ModelStats, SkippedFiles,
    StatsAnswer,
};
use crate::stdx::milliseconds as ms;

/// Numbers and names only.
pub fn answer(session: &Session, n_escalations: usize) -> StatsAnswer {
    StatsAnswer {
        uptime_ms: ms(session.started().elapsed()),
        model: model(session.engine().state()),
        completions: completions(session),
        engine: engine(session),
        workspace: indices(session),
        escalations: n_escalations,
        last: session.completer.stats.last().map(last),
    }
}

fn model(state: EngineState) -> ModelStats {
    match state {
        EngineState::Loading => ModelStats::Loading,
        EngineState::Failed(message) => ModelStats::Error { message },
        EngineState::Ready(model) => ModelStats::Ready {
            name: model.name.clone(),
            instead_of: model.instead_of.clone(),
            n_params: model.n_params,
            context_tokens: model.n_context_tokens,
            sequences: model.n_sequences,
            memory_mib: model.memory_bytes.map(|it| it.div_ceil(1 << 20)),
            threads: model.n_threads,
            fim: model.capabilities.fim.as_ref().map(|it| it.family),
            load_ms: ms(model.load_time),
        },
    }
}

fn n(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

fn completions(session: &Session) -> CompletionStats {
    let stats = &session.completer.stats;
    CompletionStats {
        requested: n(&stats.requested),
        shown: n(&stats.shown),
        empty: n(&stats.empty),
        reused: n(&stats.reused),
        accepted: n(&stats.accepted),
        accepted_parts: n(&stats.accepted_parts),
        rejected: n(&stats.rejected),
    }
}

fn engine(session: &Session) -> EngineStats {
    let engine = session.engine();
    let counts = engine.counts();
    EngineStats {
        busy: counts.busy.load(Ordering::Relaxed),
        idle: engine.is_idle(),
        generations: n(&counts.generations),
        cancelled: n(&counts.cancelled),
        superseded: n(&counts.superseded),
        failed: n(&counts.failed),
        preempted: n(&counts.preempted),
        cached_tokens: n(&counts.cached_tokens),
        evaluated_tokens: n(&counts.evaluated_tokens),
        generated_tokens: n(&counts.generated_tokens),
        speculative_tokens: n(&counts.speculative_tokens),
        reused_logits: n(&counts.reused_logits),
        prefetch_evaluated_tokens: n(&counts.prefetch_evaluated_tokens),
        prefetch_generated_tokens: n(&counts.prefetch_generated_tokens),
        short_prompts: n(&counts.short_prompts),
        by_lookup: n(&counts.by_lookup),
        prompt_tokens_per_second: n(&counts.prompt_tokens_per_second),
    }
}

fn indices(session: &Session) -> Vec<IndexStats> {
    let indices = session.completer.workspace.report().into_iter().map(|it| IndexStats {
        family: it.family,
        building: it.building,
        files: it.files,
        tokens: it.tokens,
        build_ms: it.build_ms,
        skipped: SkippedFiles {
            too_large: it.skipped.too_large,
            unreadable: it.skipped.unreadable,
            minified: it.skipped.minified,
            over_budget: it.skipped.over_budget,
            walk_cut_short: it.skipped.walk_cut_short,
        },
    });
    indices.collect()
}

fn last(last: LastCompletion) -> LastCompletionStats {
    LastCompletionStats {
        cached_tokens: last.usage.cached_tokens,
        evaluated_tokens: last.usage.evaluated_tokens,
        generated_tokens: last.usage.generated_tokens,
        speculative_tokens: last.usage.speculative_tokens,
        reused_logits: last.usage.reused_logits,
        assemble_ms: ms(last.assemble),
        queue_ms: ms(last.times.queue),
        prompt_ms: ms(last.times.prompt),
        generate_ms: ms(last.times.generate),
        total_ms: ms(last.total),
        confidence: last.confidence,
        source: last.source.name(),
        dropped: last.dropped.map(|it| it.name()),
    }
}
