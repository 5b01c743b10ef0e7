"""Redrive: send dead letters back to their source topics, each once over all runs."""

from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field

from streams.replay.dead_letter_reader import DeadLetterReader
from streams.replay.dead_letter_records import UNKNOWN, DeadLetter, DeadLetterFilter, redrive_record
from streams.replay.dead_letter_remedies import Remedy, remedy_of
from streams.replay.ranges import OffsetRange
from streams.replay.rate_limiter import RateLimiter
from streams.replay.receipts import Handling, Place, receipt
from streams.replay.transactional_sender import TransactionalSender
from streams.settings import Settings
from streams.topics import redriven

_SENT = (Handling.REDRIVEN, Handling.FIXED)


def redrive_sender(settings: Settings) -> TransactionalSender:
    """Return the sender of all commands that handle dead letters: a newer run fences an older one."""
    return TransactionalSender(settings, f"{settings.app_id}-redrive")


@dataclass
class RedriveCounts:
    """Counts of dead letters of a redrive, or of a dry run.

    Attributes:
        sent: Dead letters sent back, by source topic.
        invalid: Those of them that are invalid in themselves, so that they will come back.
        already_handled: Selected dead letters that an earlier run handled, by how.
        not_selected: Dead letters that the filter does not select.
        unroutable: Selected dead letters that cannot be sent back, by reason.
    """

    sent: Counter[str] = field(default_factory=Counter)
    invalid: int = 0
    already_handled: Counter[Handling] = field(default_factory=Counter)
    not_selected: int = 0
    unroutable: Counter[str] = field(default_factory=Counter)


def redrive(
    settings: Settings,
    reader: DeadLetterReader,
    ranges: list[OffsetRange],
    selection: DeadLetterFilter,
    *,
    again: bool = False,
    rate: float | None = None,
    dry_run: bool = False,
    on_progress: Callable[[int], None] = lambda letters: None,
) -> RedriveCounts:
    """Send the selected dead letters back to their source topics.

    One transaction writes a batch and its receipt. Of several concurrent runs only the newest can write: it
    fences the others before it reads the receipts.

    Args:
        settings: Settings with the broker's address and the app id.
        reader: Reader of the dead letters.
        ranges: Offsets of the dead-letter topic to read.
        selection: Selects the dead letters to send.
        again: Whether to send also what an earlier run has sent.
        rate: Most records per second; None for no limit.
        dry_run: Whether to count only and send nothing.
        on_progress: Called with the number of dead letters of each batch read.

    Returns:
        The counts of this run.

    Raises:
        StopWorker: The broker rejects a request, or a newer run has fenced this one.
        RetryLater: The broker is unreachable. Run the redrive again.
    """
    counts = RedriveCounts()
    limiter = RateLimiter(None if dry_run else rate)
    with ExitStack() as stack:
        sender = None
        if not dry_run:
            sender = stack.enter_context(redrive_sender(settings))
        handled = _not_to_send(reader, again)
        partitions = reader.partitions()
        for letters in reader.read(ranges, limiter.batch_records):
            selected = select(letters, selection, handled, partitions, counts)
            limiter.wait(len(selected))
            if sender is not None and selected:
                outputs = [redrive_record(each, partitions[each.source_topic or ""]) for each in selected]
                sender.send([*outputs, receipt(redriven(settings), selected)])
            counts.sent.update(letter.source_topic or UNKNOWN for letter in selected)
            counts.invalid += sum(remedy_of(letter) is Remedy.FIX for letter in selected)
            on_progress(len(letters))
    return counts


def _not_to_send(reader: DeadLetterReader, again: bool) -> dict[Place, Handling]:
    """Return what was handled before. With `again`, what was sent before is sent once more."""
    return {place: how for place, how in reader.handled().items() if not (again and how in _SENT)}


def select(
    letters: list[DeadLetter],
    selection: DeadLetterFilter,
    handled: Mapping[Place, Handling],
    partitions: Mapping[str, int],
    counts: RedriveCounts,
) -> list[DeadLetter]:
    """Return the dead letters to send, and count the others by the reason."""
    selected = []
    for letter in letters:
        if not selection.matches(letter):
            counts.not_selected += 1
        elif (before := handled.get((letter.record.partition, letter.record.offset))) is not None:
            counts.already_handled[before] += 1
        elif letter.source_topic is None:
            counts.unroutable["no header names the source topic"] += 1
        elif letter.left_out is not None:
            # Without its value the record would be written as a tombstone.
            counts.unroutable["too large for the dead-letter topic; produce it again in smaller records"] += 1
        elif letter.source_topic not in partitions:
            counts.unroutable[f"there is no topic {letter.source_topic!r}"] += 1
        else:
            selected.append(letter)
    return selected
