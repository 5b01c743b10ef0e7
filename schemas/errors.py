"""The errors of shelfstream, named for what the runtime does about them.

ShelfstreamError
├── InvalidEvent      dead-letter: this record can never be processed
├── RetryLater        back off and do it again: the world was not ready
├── InferenceFailed   halve the batch until the record at fault stands alone: the model cannot judge it
└── StopWorker        stop and say why: the configuration or the artifacts are wrong
"""


class ShelfstreamError(Exception):
    """The root of all errors that shelfstream raises on purpose."""


class InvalidEvent(ShelfstreamError):
    """A record that can never be processed, however often it is tried.

    The codec's reasons: `empty-value`, `null-value`, `malformed-json`, `too-deep`, `unknown-version`,
    `invalid-field`, `invalid-time`, `missing-shopper`, `missing-category`, `key-mismatch`, `invalid-key`.

    Args:
        reason: a stable slug for machines, such as `malformed-json` or `unknown-version`.
        detail: a sentence for people: what is wrong, where, and what to do. It quotes no more of the
            record than an unknown enum value: text may be personal, and the dead letter keeps it anyway.
        field: the JSON path of the offending field, such as `$.price.amount`, where there is one.
    """

    def __init__(self, reason: str, detail: str, field: str | None = None) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
        self.field = field

    def __reduce__(self) -> tuple[type["InvalidEvent"], tuple[str, str, str | None]]:
        # Exception's own way would call us with the one joined message: a process pool could not return it.
        return type(self), (self.reason, self.detail, self.field)


class RetryLater(ShelfstreamError):
    """Something outside was not ready; the same work may succeed later."""


class InferenceFailed(ShelfstreamError):
    """The model cannot judge a batch, or its process died of it again and again; parts of it may do."""


class StopWorker(ShelfstreamError):
    """The worker must not run like this; the message says what to change."""
