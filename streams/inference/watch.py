"""Tells a model process that hangs from one that works on a large batch. Pure: the time is an argument."""

from collections import deque

SILENCE_S = 20.0
"""Seconds without a heartbeat after which a process that serves hangs."""
LOADING_SILENCE_S = 120.0
"""The same for a process that loads its model: it cannot send heartbeats before it has started."""
LISTINGS_PER_TIMEOUT = 1_000
"""The time limit of a batch is the timeout, once for each of this many listings or a part of them."""

# A worker that was suspended with its model must not count the time of the suspension.
_LONGEST_STEP_S = 2.0
# Below, silence is a busy machine, and nobody need be told.
_REPORT_AFTER_S = 5.0


class ModelWatch:
    """The heartbeats and the batches of one model process.

    Args:
        timeout_s: Seconds that a batch of up to `LISTINGS_PER_TIMEOUT` listings may take.
        now: Current time in monotonic seconds.
    """

    def __init__(self, timeout_s: float, now: float) -> None:
        self._timeout_s = timeout_s
        self._ticked_at = now
        self._elapsed = 0.0
        self._heard_at = 0.0
        self._begun_at = 0.0
        self._silence_limit_s = LOADING_SILENCE_S
        self._batches: deque[int] = deque()

    def heard(self) -> None:
        """Record that the process sent something."""
        self._heard_at = self._elapsed

    def loaded(self) -> None:
        """Record that the process has loaded its model."""
        self.heard()
        self._silence_limit_s = SILENCE_S

    def sent(self, listings: int) -> None:
        """Record that a batch was sent. The process predicts batches in their order."""
        self._batches.append(listings)
        if len(self._batches) == 1:
            self._begun_at = self._elapsed

    def answered(self) -> None:
        """Record the answer to the oldest batch. The next one begins."""
        self._batches.popleft()
        self._begun_at = self._elapsed

    def hang(self, now: float) -> str | None:
        """Let time pass, and return how the process hangs. None if it does not. `now` is in seconds."""
        self._elapsed += min(max(0.0, now - self._ticked_at), _LONGEST_STEP_S)
        self._ticked_at = now
        if self._silent_s > self._silence_limit_s:
            return f"it sent no heartbeat for {self._silent_s:.0f} s"
        listings, limit_s = self._current()
        if listings and self._elapsed - self._begun_at > limit_s:
            return f"a batch of {listings:,} listings took longer than {limit_s:.0f} s"
        return None

    def trouble(self) -> str | None:
        """Return a sentence if the process seems to hang. None if it does not seem so."""
        if self._silent_s > _REPORT_AFTER_S:
            return (
                f"the model's process has not answered for {self._silent_s:.0f} s; it is replaced after"
                f" {self._silence_limit_s:.0f} s"
            )
        listings, limit_s = self._current()
        if listings and (took_s := self._elapsed - self._begun_at) > limit_s / 2:
            return (
                f"the model has worked on a batch of {listings:,} listings for {took_s:.0f} s; its process is"
                f" replaced after {limit_s:.0f} s"
            )
        return None

    @property
    def _silent_s(self) -> float:
        return self._elapsed - self._heard_at

    def _current(self) -> tuple[int, float]:
        """Return the listings of the current batch, 0 without one, and its time limit in seconds."""
        try:
            listings = self._batches[0]
        except IndexError:
            return 0, self._timeout_s
        return listings, self._timeout_s * -(-listings // LISTINGS_PER_TIMEOUT)
