"""Options of the commands that read a range of a topic: where it begins and ends, and which keys."""

from collections.abc import Callable
from typing import Any, TextIO, TypeVar

import click

from streams.options import PARTITION_POSITION
from streams.replay.record_selection import parse_keys

C = TypeVar("C", bound=Callable[..., Any])


def range_options(command: C) -> C:
    """Add --from and --until to `command`, which gets `begin` and `until` as `PartitionPosition`s."""
    begin = click.option(
        "--from",
        "begin",
        type=PARTITION_POSITION,
        required=True,
        multiple=True,
        help="Begin at this position: an offset, a time, -2h or start. 0:1200 is for partition 0 only; "
        "partitions without a position are left out.",
    )
    until = click.option(
        "--until",
        type=PARTITION_POSITION,
        multiple=True,
        help="Stop before this position: an offset, a time, -10m or end; 0:1300 for one partition.  "
        "[default: end]",
    )
    return begin(until(command))


def key_options(command: C) -> C:
    """Add --key and --keys to `command`, which gets `key` and `keys_file`."""
    key = click.option("--key", multiple=True, help="Only records with this key, such as a product id.")
    keys_file = click.option(
        "--keys",
        "keys_file",
        type=click.File(encoding="utf-8"),
        help="Only records with the keys of this file, one a line. - is standard input.",
    )
    return key(keys_file(command))


def selected_keys(key: tuple[str, ...], keys_file: TextIO | None) -> frozenset[bytes] | None:
    """Return the keys of the options; None if neither was given.

    Raises:
        click.UsageError: The file has no keys: every record would be left out.
    """
    if not key and keys_file is None:
        return None
    keys = parse_keys([*key, *(keys_file or ())])
    if not keys:
        raise click.UsageError("--keys has no keys: every record would be left out")
    return keys
