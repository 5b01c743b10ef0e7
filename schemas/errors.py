"""The errors of shelfstream, named by how the runtime handles them.

ShelfstreamError
├── InvalidEvent      dead-letter the record: it can never be processed
├── InvalidFile       end the import: a file is not of its format
├── RetryLater        retry with backoff: a dependency is not available
├── InferenceFailed   bisect the batch until the failing record is alone: the model cannot process it
└── StopWorker        stop the worker with a message: the configuration or an artifact is wrong
"""


class ShelfstreamError(Exception):
    """The base class of all errors that shelfstream raises."""


class InvalidEvent(ShelfstreamError):
    """A record can never be processed, however often it is tried.

    The codec's reason codes: `empty-value`, `null-value`, `malformed-json`, `too-deep`, `unknown-version`,
    `invalid-field`, `invalid-time`, `missing-shopper`, `missing-category`, `key-mismatch`, `invalid-key`.

    Args:
        reason: A stable reason code for programs, such as `malformed-json` or `unknown-version`.
        detail: A sentence for operators: what is wrong, where, and what to do. It quotes nothing of the
            record but an unknown enum value and keys of maps, because text may be personal data. The dead
            letter contains the whole record.
        field: The JSON path of the first invalid field, such as `$.price.amount`, if there is one.
        advice: What to do with a record in Kafka, which is no help for a line of a file. It ends `detail`.

    Attributes:
        problem: `detail` without `advice`.
    """

    def __init__(self, reason: str, detail: str, field: str | None = None, advice: str = "") -> None:
        self.problem = detail
        self.reason = reason
        self.detail = f"{detail}; {advice}" if advice else detail
        self.field = field
        self.advice = advice
        super().__init__(f"{reason}: {self.detail}")

    def __reduce__(self) -> tuple[type["InvalidEvent"], tuple[str, str, str | None, str]]:
        # The inherited method would pass the joined message alone, which a process pool could not unpickle.
        return type(self), (self.reason, self.problem, self.field, self.advice)


class InvalidFile(ShelfstreamError):
    """A file cannot be read as the format it should have; the message says where, and what to do."""


class RetryLater(ShelfstreamError):
    """A dependency is not available; the same work may succeed later."""


class InferenceFailed(ShelfstreamError):
    """The model cannot process a batch, or its process died repeatedly. Parts of the batch may succeed."""


class StopWorker(ShelfstreamError):
    """The worker must not run in this configuration; the message says what to change."""
