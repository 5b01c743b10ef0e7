"""Audit of commands: who ran them, when, with which options and which result."""

import getpass
import os
import socket
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import click

from schemas.audit import TOPIC, AuditAction, AuditEntry, AuditOutcome
from streams.replay.audit_log import write_entry
from streams.replay.dead_letter_view import iso_time
from streams.replay.positions import PartitionPosition, Position
from streams.replay.ranges import OffsetRange
from streams.settings import Settings

_NOT_OPTIONS = frozenset(
    {"config", "bootstrap_servers", "dry_run", "yes", "because", "as_json", "broken", "output"}
)
_PERSONAL = frozenset({"keys", "key", "keys_file", "shoppers"})
"""Options whose values can be ids of persons. The audit is kept for ever: it has their number only."""


@contextmanager
def audited(
    settings: Settings, action: AuditAction, *, when: bool = True, because: str = "", **more: str
) -> Iterator[Counter[str]]:
    """Append an entry to the audit topic when the block ends, also by an error.

    Args:
        settings: Settings with the broker's address.
        action: What the block does.
        when: Whether to write the entry; a dry run writes none.
        because: Why, in the operator's words.
        more: More options to record.

    Yields:
        The counts of the entry. The block fills them.
    """
    counts: Counter[str] = Counter()
    outcome = AuditOutcome.FAILED
    try:
        yield counts
        outcome = AuditOutcome.DONE
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt) or isinstance(error.__cause__, KeyboardInterrupt):
            outcome = AuditOutcome.INTERRUPTED
        raise
    finally:
        if when:
            _record(settings, action, outcome, counts, because, more)


def _record(
    settings: Settings,
    action: AuditAction,
    outcome: AuditOutcome,
    counts: Mapping[str, int],
    because: str,
    more: Mapping[str, str],
) -> None:
    context = click.get_current_context(silent=True)
    entry = AuditEntry(
        event_id=uuid.uuid4().hex,
        occurred_at=datetime.now(UTC),
        action=action,
        by=operator(),
        outcome=outcome,
        counts=dict(counts),
        options=option_texts({} if context is None else context.params) | dict(more),
        because=because,
        version=version("shelfstream"),
    )
    missing = write_entry(settings, entry)
    if missing is not None and not _without_kafka(settings):
        click.echo(f"Warning: this {action} is not recorded in {TOPIC}: {missing}", err=True)


def operator() -> str:
    """Return who runs the command: user@host. Behind sudo it is the user who called it."""
    try:
        user = os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):
        user = f"uid {os.getuid()}"  # a container without a user database
    return f"{user}@{socket.gethostname()}"


def option_texts(params: Mapping[str, Any]) -> dict[str, str]:
    """Return the given options of a command as texts, without ids of persons."""
    texts = {}
    for name, value in params.items():
        if name in _NOT_OPTIONS or value in (None, "", (), False):
            continue
        if name in _PERSONAL:
            texts[name] = f"{len(value)} given" if isinstance(value, tuple) else "given"
        else:
            texts[name.replace("_", "-")] = _text(value)
    return texts


def _text(value: Any) -> str:
    if isinstance(value, Position):
        if value.offset is not None:
            return str(value.offset)
        return ("end" if value.at_end else "start") if value.time_ms is None else iso_time(value.time_ms)
    if isinstance(value, PartitionPosition):
        at = "" if value.partition is None else f"{value.partition}:"
        return at + _text(value.position)
    if isinstance(value, OffsetRange):
        return f"{value.partition}:{value.start}-{value.end - 1}"
    if isinstance(value, tuple | list):
        return ", ".join(map(_text, value))
    return str(value)


def _without_kafka(settings: Settings) -> bool:
    """Return whether nobody named a broker: a registry of models can be used without one."""
    return settings.bootstrap_servers == Settings().bootstrap_servers
