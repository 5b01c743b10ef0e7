"""Fix: change dead letters, check them against the contract, and send the right ones back."""

import subprocess
import uuid
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec

from schemas.codec import DECODERS, decode_user_behavior
from schemas.errors import InvalidEvent, StopWorker
from schemas.keys import partition_for
from streams.records import MemoryRecord, Output
from streams.replay.dead_letter_lines import EditedLine, export_line, read_line
from streams.replay.dead_letter_reader import DeadLetterReader
from streams.replay.dead_letter_records import UNKNOWN, DeadLetter, DeadLetterFilter, redrive_record
from streams.replay.ranges import OffsetRange
from streams.replay.receipts import Handling, Place, receipt
from streams.replay.redrive import RedriveCounts, redrive_sender, select
from streams.replay.value_mapping import Unmappable, ValueMapping
from streams.settings import Settings
from streams.topics import USER_BEHAVIOR, redriven
from streams.wrapping.topics import TopicUnwrapper

FIX = "shelfstream.fix"
"""Header with the id of the fix that changed a record before it was sent back."""

_LATEST_MS = 253_370_678_400_000
_EXAMPLES = 3


class Broken(NamedTuple):
    """A dead letter that a fix could not repair."""

    letter: DeadLetter
    reason: str
    detail: str


Changed = EditedLine | Broken
Change = Callable[[Sequence[DeadLetter]], Mapping[Place, Changed]]
"""Changes dead letters. What it leaves out stays as it is."""


@dataclass
class FixCounts:
    """The result of a fix, or of a dry run.

    Attributes:
        fix_id: The id of the fix.
        sent: Repaired dead letters by source topic.
        unchecked: Those of them whose topic has no contract to check against.
        unchanged: Dead letters that the change left as they are.
        broken: Dead letters that stay broken, by reason and message.
        examples: Some places of each kind of broken dead letters.
        selection: The counts of the selection.
    """

    fix_id: str
    sent: Counter[str] = field(default_factory=Counter)
    unchecked: int = 0
    unchanged: int = 0
    broken: Counter[tuple[str, str]] = field(default_factory=Counter)
    examples: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    selection: RedriveCounts = field(default_factory=RedriveCounts)

    def add_broken(self, broken: Broken) -> None:
        """Count a dead letter that stays broken."""
        kind = broken.reason, broken.detail
        self.broken[kind] += 1
        places = self.examples.setdefault(kind, [])
        if len(places) < _EXAMPLES:
            places.append(broken.letter.place)


def by_mapping(mapping: ValueMapping) -> Change:
    """Return a change that applies a mapping."""

    def change(letters: Sequence[DeadLetter]) -> dict[Place, Changed]:
        changed: dict[Place, Changed] = {}
        for letter in letters:
            try:
                key, value = mapping.apply(letter.record.key, letter.record.value)
            except Unmappable as error:
                changed[_place(letter)] = Broken(letter, "unmappable", str(error))
            else:
                changed[_place(letter)] = EditedLine(_place(letter), key, value)
        return changed

    return change


def by_command(command: str) -> Change:
    """Return a change that pipes the lines of an export through a shell command.

    The command may leave lines out. It runs once for each batch of dead letters.
    """

    def change(letters: Sequence[DeadLetter]) -> dict[Place, Changed]:
        lines = b"".join(export_line(letter) + b"\n" for letter in letters)
        done = subprocess.run(command, shell=True, input=lines, capture_output=True, check=False)
        if done.returncode:
            said = done.stderr.decode(errors="replace").strip()[-500:]
            raise StopWorker(f"the command exited with {done.returncode}: {said}")
        edited = [read_line(line) for line in done.stdout.splitlines() if line.strip()]
        unknown = {line.place for line in edited} - {_place(letter) for letter in letters}
        if unknown:
            partition, offset = min(unknown)
            raise StopWorker(f"the command returned a line of place {partition}:{offset}, not one it got")
        return {line.place: line for line in edited}

    return change


def fix(
    settings: Settings,
    reader: DeadLetterReader,
    ranges: list[OffsetRange],
    selection: DeadLetterFilter,
    change: Change,
    *,
    dry_run: bool = False,
    on_progress: Callable[[int], None] = lambda letters: None,
    on_broken: Callable[[Broken], None] = lambda broken: None,
) -> FixCounts:
    """Change the selected dead letters, and send back those that fit their contract.

    One transaction writes a batch and its receipt, as a redrive does. Agents ignore a listing that is older
    than what is published, so that a fix never overwrites a newer one.

    Args:
        settings: Settings with the broker's address and the app id.
        reader: Reader of the dead letters.
        ranges: Offsets of the dead-letter topic to read.
        selection: Selects the dead letters.
        change: Changes them.
        dry_run: Whether to count only and send nothing.
        on_progress: Called with the number of dead letters of each batch read.
        on_broken: Called with each dead letter that stays broken.

    Raises:
        StopWorker: The broker rejects a request, a newer run has fenced this one, or the command failed.
        RetryLater: The broker is unreachable. Run the fix again.
    """
    counts = FixCounts(uuid.uuid4().hex[:12])
    unwrapper = TopicUnwrapper(settings)
    with ExitStack() as stack:
        sender = None if dry_run else stack.enter_context(redrive_sender(settings))
        handled = reader.handled()
        partitions = reader.partitions()
        for letters in reader.read(ranges):
            selected = select(letters, selection, handled, partitions, counts.selection)
            changed = change(selected) if selected else {}
            repaired, broken = _repair(selected, changed, counts, unwrapper)
            for each in broken:
                counts.add_broken(each)
                on_broken(each)
            if sender is not None and repaired:
                outputs = [_output(letter, line, partitions, counts.fix_id) for letter, line in repaired]
                fixed = [letter for letter, _ in repaired]
                sender.send([*outputs, receipt(redriven(settings), fixed, Handling.FIXED)])
            counts.sent.update(letter.source_topic or UNKNOWN for letter, _ in repaired)
            on_progress(len(letters))
    return counts


def _repair(
    letters: Sequence[DeadLetter],
    changed: Mapping[Place, Changed],
    counts: FixCounts,
    unwrapper: TopicUnwrapper,
) -> tuple[list[tuple[DeadLetter, EditedLine]], list[Broken]]:
    """Sort changed dead letters into those that fit their contract now and those that do not."""
    repaired, broken = [], []
    for letter in letters:
        line = changed.get(_place(letter))
        if isinstance(line, Broken):
            broken.append(line)
        elif line is None or (line.key == letter.record.key and _same(line.value, letter.record.value)):
            counts.unchanged += 1
        elif (error := contract_error(letter, line, unwrapper)) is not None:
            broken.append(Broken(letter, error.reason, error.detail))
        else:
            counts.unchecked += letter.source_topic not in DECODERS
            repaired.append((letter, line))
    return repaired, broken


def _same(value: bytes | None, other: bytes | None) -> bool:
    """Return whether two values are equal but for the form of their JSON, which tools rewrite."""
    if value == other or value is None or other is None:
        return value == other
    try:
        value, other = (msgspec.json.encode(msgspec.json.decode(each)) for each in (value, other))
    except (ValueError, RecursionError):
        return False
    return value == other


def contract_error(letter: DeadLetter, line: EditedLine, unwrapper: TopicUnwrapper) -> InvalidEvent | None:
    """Return why a changed record breaks its topic's contract; None if it fits, or there is no contract."""
    topic = letter.source_topic or UNKNOWN
    if topic not in DECODERS:
        return None
    written = letter.timestamp
    try:
        record = MemoryRecord(topic, 0, 0, written or 0, line.key, line.value, letter.record.headers)
        for each in unwrapper.unwrap(record):
            if topic == USER_BEHAVIOR:
                known = written is not None and 0 <= written <= _LATEST_MS
                received_at = datetime.fromtimestamp((written or 0) / 1000, UTC) if known else None
                decode_user_behavior(each.value, each.key, received_at=received_at)
            else:
                DECODERS[topic](each.value, each.key)
    except InvalidEvent as error:
        return error
    return None


def _output(letter: DeadLetter, line: EditedLine, partitions: Mapping[str, int], fix_id: str) -> Output:
    """Return the record to send: with the provenance of a redrive, and the id of the fix."""
    record = redrive_record(letter, partitions[letter.source_topic or ""])
    partition = record.partition
    if line.key is not None and line.key != record.key:
        partition = partition_for(line.key, partitions[letter.source_topic or ""])
    headers = [header for header in record.headers if header[0] != FIX]
    return Output(
        record.topic, partition, line.key, line.value, [*headers, (FIX, fix_id.encode())], record.timestamp
    )


def _place(letter: DeadLetter) -> Place:
    return letter.record.partition, letter.record.offset
