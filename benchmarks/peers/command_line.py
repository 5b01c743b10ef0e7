"""The command line of all peers that are written in Python."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click

from benchmarks.peers.contestant import PeerMissing, Work


def takes_work(*jobs: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Add the options of `Work` to a command for these jobs, and create the directory of its state."""

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @click.option("--bootstrap", required=True, help="Addresses of the brokers.")
        @click.option("--job", type=click.Choice(jobs), required=True)
        @click.option("--source", required=True, help="Topic to read.")
        @click.option("--sink", required=True, help="Topic to write.")
        @click.option("--group", required=True, help="Consumer group.")
        @click.option("--state", type=click.Path(file_okay=False, path_type=Path), required=True)
        @click.option("--partitions", type=click.IntRange(min=1), default=4, show_default=True)
        @wraps(command)
        def run(
            bootstrap: str,
            job: str,
            source: str,
            sink: str,
            group: str,
            state: Path,
            partitions: int,
            **options: Any,
        ) -> None:
            state.mkdir(parents=True, exist_ok=True)
            work = Work(bootstrap, job, source, sink, group, state, partitions)
            try:
                command(work=work, **options)
            except PeerMissing as missing:
                raise click.ClickException(str(missing)) from None

        return run

    return decorate
