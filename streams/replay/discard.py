"""Discard: dead letters of which nothing can be made are marked, and no longer listed or sent back."""

from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack

from streams.replay.dead_letter_reader import DeadLetterReader
from streams.replay.dead_letter_records import UNKNOWN, DeadLetterFilter
from streams.replay.ranges import OffsetRange
from streams.replay.receipts import Handling, receipt
from streams.replay.redrive import redrive_sender
from streams.settings import Settings
from streams.topics import redriven


def discard(
    settings: Settings,
    reader: DeadLetterReader,
    ranges: list[OffsetRange],
    selection: DeadLetterFilter,
    dry_run: bool,
    on_progress: Callable[[int], None] = lambda letters: None,
) -> Counter[tuple[str, str]]:
    """Write receipts of the selected dead letters that were not handled before.

    Args:
        settings: Settings with the broker's address and the app id.
        reader: Reader of the dead letters.
        ranges: Offsets of the dead-letter topic to read.
        selection: Selects the dead letters.
        dry_run: Whether to count only.
        on_progress: Called with the number of dead letters of each batch read.

    Returns:
        The number of discarded dead letters by source topic and reason.

    Raises:
        StopWorker: The broker rejects a request, or a newer run has fenced this one.
        RetryLater: The broker is unreachable. Run it again.
    """
    counts: Counter[tuple[str, str]] = Counter()
    with ExitStack() as stack:
        sender = None if dry_run else stack.enter_context(redrive_sender(settings))
        handled = reader.handled()
        for letters in reader.read(ranges):
            selected = [
                letter
                for letter in letters
                if selection.matches(letter)
                and (letter.record.partition, letter.record.offset) not in handled
            ]
            if sender is not None and selected:
                sender.send([receipt(redriven(settings), selected, Handling.DISCARDED)])
            counts.update((letter.source_topic or UNKNOWN, letter.reason) for letter in selected)
            on_progress(len(letters))
    return counts
