"""Whether Kafka answers, from the answers to a regular question. Pure: the time is an argument."""


class Reachability:
    """Kafka counts as unreachable when no question was answered for some seconds.

    The age of the last answer decides, not a failure: one slow answer is no outage, and a question that never
    returns is one.

    Args:
        limit_s: Seconds without an answer after which Kafka counts as unreachable.
        now: Current time in monotonic seconds.
    """

    def __init__(self, limit_s: float, now: float) -> None:
        self._limit_s = limit_s
        self._answered_at = now
        self._failure = "no answer"

    def answered(self, now: float) -> None:
        """Record an answer."""
        self._answered_at = max(self._answered_at, now)
        self._failure = "no answer"

    def failed(self, reason: str) -> None:
        """Record why the last question was not answered."""
        self._failure = reason

    def silent_s(self, now: float) -> float:
        """Return the seconds since the last answer."""
        return max(0.0, now - self._answered_at)

    def unreachable_reason(self, now: float) -> str | None:
        """Return why Kafka counts as unreachable at `now`, or None if it answers."""
        return self._failure if self.silent_s(now) > self._limit_s else None
