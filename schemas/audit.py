"""The audit entry: who did what to a deployment, when, and with which result."""

from enum import StrEnum
from typing import Annotated, ClassVar

from msgspec import Meta, field

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
    IMPORT = "import"


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
    event_id: Annotated[Identifier, Meta(description="id of the entry")]
    occurred_at: Annotated[Timestamp, Meta(description="when the command ended")]
    action: Annotated[AuditAction, Meta(description="what the operator did; the record's key")]
    by: Annotated[str, Meta(description="user@host")]
    outcome: Annotated[AuditOutcome, Meta(description="how it ended")]
    counts: Annotated[dict[str, int], Meta(description="what was done, in numbers")] = field(
        default_factory=dict
    )
    options: Annotated[dict[str, str], Meta(description="options of the command")] = field(
        default_factory=dict
    )
    because: Annotated[str, Meta(description="the operator's reason")] = ""
    version: Annotated[str, Meta(description="version of shelfstream")] = ""
