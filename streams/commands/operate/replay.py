"""`shelfstream replay`: run a range of a topic again."""

import uuid
from datetime import UTC, datetime

import click

from schemas.errors import RetryLater, StopWorker
from streams.commands.tables import new_table, print_table, progress_bar
from streams.options import POSITION, with_settings
from streams.replay.broker_admin import BrokerAdmin
from streams.replay.positions import END, START, Position
from streams.replay.replay import Plan, Progress, Replay, resolve_to
from streams.settings import Settings


@click.command()
@click.argument("topic")
@click.option("--from", "begin", type=POSITION, default=START, help="First record: offset, time, -2h, start.")
@click.option("--until", type=POSITION, help="First record not to be replayed: offset, time, -10m, end.")
@click.option("--into", help="The topic to write to; the same one if not given.")
@click.option("--to", multiple=True, help="The same as --until for a position, as --into for a topic's name.")
@click.option("--rate", type=click.FloatRange(min=0, min_open=True), help="Records per second at most.")
@click.option(
    "--id", "replay_id", help="Its name: run it again under the same one to go on where it stopped."
)
@click.option("--dry-run", is_flag=True, help="Only count what would be replayed.")
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
    """Write a range of TOPIC again, with keys, values, headers and timestamps as they were.

    Headers tell where each record stood and which replay wrote it. Positions are an offset (in every
    partition), a time (ISO 8601, UTC without a zone), a relative time such as -2h, `start` or `end`.
    """
    replay_id = replay_id or uuid.uuid4().hex[:12]
    to_until, to_target = resolve_to(to, BrokerAdmin(settings).topics() if to else (), datetime.now(UTC))
    if (until and to_until) or (into and to_target):
        raise click.UsageError("--to repeats what --until or --into says")
    with Replay(settings, replay_id) as run:
        plan = run.plan(topic, into or to_target or topic, begin, until or to_until or END, rate)
        click.echo(f"replay {replay_id}: {plan.source} into {plan.target}", err=True)
        with progress_bar("counting" if dry_run else "replaying", plan.offsets) as advance:
            try:
                done = run.count(plan, advance) if dry_run else run.run(plan, advance)
            except (RetryLater, StopWorker, KeyboardInterrupt) as error:
                raise click.ClickException(
                    f"{error or 'stopped'}\nWhat is written stays; go on with: --id {replay_id}"
                ) from error
    _summarize(plan, done, dry_run)
    _warn_of_retention(settings, plan, done)


def _summarize(plan: Plan, done: Progress, dry_run: bool) -> None:
    table = new_table("partition", "from offset", "to offset", "records")
    for each in plan.ranges:
        count = done.by_partition.get(each.partition, 0)
        table.add_row(str(each.partition), str(each.start), str(each.end), f"{count:,}")
    print_table(table)
    verb = "would be replayed" if dry_run else "replayed"
    times = ""
    if done.oldest_ms is not None and done.newest_ms is not None:
        times = f", of {_iso(done.oldest_ms)} to {_iso(done.newest_ms)}"
    click.echo(
        f"{done.records:,} records ({done.size:,} bytes, {done.tombstones:,} tombstones{times}) {verb} "
        f"from {plan.source} into {plan.target}"
    )


def _warn_of_retention(settings: Settings, plan: Plan, done: Progress) -> None:
    """Timestamps stay as they were, so that a short retention may delete what was just written."""
    if settings.embedded or done.oldest_ms is None:
        return
    config = BrokerAdmin(settings).describe([plan.target])[plan.target].config
    kept_ms = int(config.get("retention.ms", -1))
    age_ms = datetime.now(UTC).timestamp() * 1000 - done.oldest_ms
    if "delete" in config.get("cleanup.policy", "") and 0 <= kept_ms < age_ms:
        click.echo(
            f"Beware: records are up to {age_ms / 86_400_000:.1f} days old, and {plan.target} deletes them "
            f"after {kept_ms / 86_400_000:.1f} days: raise its retention.ms, or consume them at once.",
            err=True,
        )


def _iso(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
