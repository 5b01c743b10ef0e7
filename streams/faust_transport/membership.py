"""Detects that a worker has left its consumer group for good. Pure: the time is an argument."""


class MembershipWatch:
    """Distinguishes a worker that waits for its group from one whose client will not rejoin.

    A rebalance, a restart of the broker and a slow start end within the timeout. A client that has neither
    failed nor joined by then must be replaced by a new process.

    Args:
        timeout_s: Seconds without membership after which the worker is lost.
        now: Current time in monotonic seconds.
    """

    def __init__(self, timeout_s: float, now: float) -> None:
        self.timeout_s = timeout_s
        self._member_at = now

    def lost(self, member: bool, now: float) -> bool:
        """Record whether the worker is a member now, and return whether it is lost."""
        if member:
            self._member_at = now
        return now - self._member_at > self.timeout_s

    def absent_s(self, now: float) -> float:
        """Return the seconds since the worker was a member, or since the start or a reset."""
        return now - self._member_at

    def reset(self, now: float) -> None:
        """Restart the timeout, because the broker is the cause."""
        self._member_at = now
