"""Noticing that a worker has dropped out of its group for good: pure, with time passed in."""


class MembershipWatch:
    """Tells a worker that waits for its group from one whose client will never come back.

    A rebalance, a broker that restarts, or a slow start are over within the patience. A client that neither
    fails nor joins beyond that must be replaced, and that is done best by a new process.

    Args:
        patience_s: seconds without membership that are nothing to worry about.
        now: monotonic seconds.
    """

    def __init__(self, patience_s: float, now: float) -> None:
        self.patience_s = patience_s
        self._member_at = now

    def lost(self, member: bool, now: float) -> bool:
        """Whether membership has been missing for longer than the patience."""
        if member:
            self._member_at = now
        return now - self._member_at > self.patience_s

    def forgive(self, now: float) -> None:
        """Begin to wait anew: the cause lies elsewhere."""
        self._member_at = now
