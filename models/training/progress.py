"""Callbacks through which training, evaluation and export report their progress."""

from collections.abc import Callable

ProgressCallback = Callable[[str, int, int], None]
"""Called with the name of the phase, the number of steps done and the total number of steps."""

LossCallback = Callable[[int, int, float], None]
"""Called after each training step with its number (from 1), the number of steps and the smoothed loss."""


def ignore_progress(name: str, step: int, steps: int) -> None:
    """A `ProgressCallback` that does nothing."""


def ignore_loss(step: int, steps: int, loss: float) -> None:
    """A `LossCallback` that does nothing."""


def loss_reporter(name: str, progress: ProgressCallback) -> LossCallback:
    """A `LossCallback` that forwards to `progress` under the phase name `NAME, loss 0.123`."""
    return lambda step, steps, loss: progress(f"{name}, loss {loss:.3f}", step, steps)
