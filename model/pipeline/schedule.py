"""The learning rate over a training: warm-up, constant, then linear decay (WSD, arXiv:2404.06395)."""

WARM_UP_STEPS = 100
# Of the constant rate, where the decay ends.
LEAST_RATE = 0.02


def learning_rate(done: float, resumed_at: float, step: int, decay: float) -> float:
    """The factor of the rate.

    `done` is the share of the schedule that is over, 0 to 1. `resumed_at` is the share at which
    `--extend` took the constant rate up again, 0 where it did not. `decay` is the share of the
    schedule, or of what is left of it after `resumed_at`, over which the rate falls.
    """
    falls_from = max(resumed_at, 1 - decay * (1 - resumed_at)) if resumed_at else 1 - decay
    warm_up = min(1.0, (step + 1) / WARM_UP_STEPS)
    if done < falls_from:
        return warm_up
    return warm_up * max(LEAST_RATE, (1 - done) / (1 - falls_from))
