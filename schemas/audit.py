"""The audit entry: who did what to a deployment, when, and with which result."""

from enum import StrEnum
from typing import ClassVar

from msgspec import field

from schemas.events import Event
from schemas.fields import Identifier, Timestamp

TOPIC = "shelfstream-audit"
"""The topic that audit entries are written to."""


class AuditAction(StrEnum):
    """What an operator did."""

    REPLAY = "replay"
    REDRIVE = "redrive"
    FIX = "fix"
    DISCARD = "discard"
    ERASE = "erase"
    ACKNOWLEDGE = "acknowledge"
    PROMOTE = "promote"
    ROLLBACK = "rollback"
    SHADOW = "shadow"
    CANARY = "canary"


class AuditOutcome(StrEnum):
    """How it ended. What was committed before a failure or an interruption stays."""

    DONE = "done"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


class AuditEntry(Event, frozen=True, kw_only=True):
    """One command that changed data or models: who ran it, when, its options and its counts.

    `by` is user@host. `options` has no keys and no shoppers' ids, only their number or a digest.
    """

    topic: ClassVar[str] = TOPIC
    event_id: Identifier
    occurred_at: Timestamp
    action: AuditAction
    by: str
    outcome: AuditOutcome
    counts: dict[str, int] = field(default_factory=dict)
    options: dict[str, str] = field(default_factory=dict)
    because: str = ""
    version: str = ""
