"""`shelfstream replay`: write a range of a topic again."""

import uuid
from datetime import UTC, datetime

import click

from schemas.errors import RetryLater, StopWorker
from streams.commands.terminal_tables import new_table, print_table, progress_bar
from streams.options import POSITION, with_settings
from streams.replay.broker_admin import BrokerAdmin
from streams.replay.dead_letter_view import iso_time
from streams.replay.positions import END, Position
from streams.replay.replay import Replay, ReplayPlan, ReplayProgress, resolve_to
from streams.settings import Settings


@click.command()
@click.argument("topic")
@click.option(
    "--from",
    "begin",
    type=POSITION,
    required=True,
    help="Begin at this position: an offset, a time, -2h or start.",
)
@click.option(
    "--until",
    type=POSITION,
    help="Stop before this position: an offset, a time, -10m or end.  [default: end]",
)
@click.option("--into", help="Topic to write to.  [default: TOPIC]")
@click.option("--to", multiple=True, help="--until if the value is a position, --into if it is a topic.")
@click.option(
    "--rate", type=click.FloatRange(min=0, min_open=True), help="Write at most this many records per second."
)
@click.option(
    "--id",
    "replay_id",
    help="Id of the replay. The same id continues an interrupted replay.  [default: random]",
)
@click.option("--dry-run", is_flag=True, help="Count what would be replayed, and write nothing.")
@with_settings
def replay(
    settings: Settings,
    topic: str,
    begin: Position,
    until: Position | None,
    into: str | None,
    to: tuple[str, ...],
    rate: float | None,
    replay_id: str | None,
    dry_run: bool,
) -> None:
    """Write a range of TOPIC again, with the same keys, values, headers and timestamps.

    Two headers are added: the position of the original record, and the id of the replay. A position is an
    offset (the same in every partition), a time (ISO 8601; UTC without a zone), a relative time such as -2h,
    `start` or `end`. An interrupted replay prints its id; with --id it continues and writes nothing twice.
    Copies that an earlier replay wrote into TOPIC are left out: their originals are in TOPIC.
    """
    replay_id = replay_id or uuid.uuid4().hex[:12]
    to_until, to_target = resolve_to(to, BrokerAdmin(settings).topics() if to else (), datetime.now(UTC))
    if (until and to_until) or (into and to_target):
        raise click.UsageError("--to gives the same thing as --until or --into; leave one of them out")
    with Replay(settings, replay_id) as session:
        plan = session.plan(topic, into or to_target or topic, begin, until or to_until or END, rate)
        click.echo(f"replay {replay_id}: {plan.source} into {plan.target}", err=True)
        with progress_bar("counting" if dry_run else "replaying", plan.offsets) as advance:
            try:
                progress = session.count(plan, advance) if dry_run else session.run(plan, advance)
            except (RetryLater, StopWorker, KeyboardInterrupt) as error:
                raise click.ClickException(
                    f"{error or 'interrupted'}\nCommitted records stay. To continue, add: --id {replay_id}"
                ) from error
    _print_summary(plan, progress, dry_run)
    _warn_of_retention(settings, plan, progress)


def _print_summary(plan: ReplayPlan, progress: ReplayProgress, dry_run: bool) -> None:
    table = new_table("partition", "from offset", "to offset", "records")
    for each in plan.ranges:
        count = progress.by_partition.get(each.partition, 0)
        table.add_row(str(each.partition), str(each.start), str(each.end), f"{count:,}")
    print_table(table)
    verb = "would be replayed" if dry_run else "replayed"
    times = ""
    if progress.oldest_ms is not None and progress.newest_ms is not None:
        times = f", timestamps {iso_time(progress.oldest_ms)} to {iso_time(progress.newest_ms)}"
    click.echo(
        f"{progress.records:,} records ({progress.size:,} bytes, {progress.tombstones:,} tombstones{times}) "
        f"{verb} from {plan.source} into {plan.target}"
    )


def _warn_of_retention(settings: Settings, plan: ReplayPlan, progress: ReplayProgress) -> None:
    """Warn if the target's retention deletes the written records: they keep their old timestamps."""
    if settings.embedded or progress.oldest_ms is None:
        return
    config = BrokerAdmin(settings).describe([plan.target])[plan.target].config
    retention_ms = int(config.get("retention.ms", -1))
    age_ms = datetime.now(UTC).timestamp() * 1000 - progress.oldest_ms
    if "delete" in config.get("cleanup.policy", "") and 0 <= retention_ms < age_ms:
        click.echo(
            f"Warning: the records are up to {age_ms / 86_400_000:.1f} days old, and {plan.target} "
            f"deletes them after {retention_ms / 86_400_000:.1f} days: "
            "raise its retention.ms, or consume them now.",
            err=True,
        )
