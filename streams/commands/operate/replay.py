"""`shelfstream replay`: write a range of a topic again."""

import sys
import uuid
from datetime import UTC, datetime
from typing import TextIO

import click

from schemas.audit import AuditAction
from schemas.errors import RetryLater, StopWorker
from streams.commands.audited import audited
from streams.commands.model_wait import timeout_option, wait_until_served
from streams.commands.operate.replay_options import key_options, range_options, selected_keys
from streams.commands.terminal_tables import new_table, print_table, progress_bar
from streams.options import with_settings
from streams.replay.broker_admin import BrokerAdmin
from streams.replay.dead_letter_view import iso_time, printable
from streams.replay.positions import END, PartitionPosition, merge_positions
from streams.replay.record_selection import RecordSelection
from streams.replay.replay import Replay
from streams.replay.replay_plan import ReplayPlan, ReplayProgress, resolve_to
from streams.replay.worker_records import WantedModel
from streams.settings import Settings
from streams.topics import USER_BEHAVIOR

_CONFIRMED_FROM = 100_000
"""Offsets from which on a replay at a terminal is confirmed."""
_KEYS_SHOWN = 5
_COUNTED_ONCE = (
    "Workers ignore copies of events that they have read: a replay of user-behavior counts nothing twice. To"
    " count anew, see docs/operations/on-call.md, Replay"
)


@click.command()
@click.argument("topic")
@range_options
@key_options
@click.option(
    "--latest-per-key", is_flag=True, help="Of each key, write only the newest record of the range."
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
@click.option(
    "--when-model",
    metavar="VERSION",
    help="First wait until every worker of the group serves this model, for --timeout seconds at most.",
)
@timeout_option
@click.option("--dry-run", is_flag=True, help="Count what would be replayed, and write nothing.")
@click.option("--yes", is_flag=True, help="Write a large range without a confirmation.")
@with_settings
def replay(
    settings: Settings,
    topic: str,
    begin: tuple[PartitionPosition, ...],
    until: tuple[PartitionPosition, ...],
    key: tuple[str, ...],
    keys_file: TextIO | None,
    latest_per_key: bool,
    into: str | None,
    to: tuple[str, ...],
    rate: float | None,
    replay_id: str | None,
    when_model: str | None,
    timeout_s: float,
    dry_run: bool,
    yes: bool,
) -> None:
    """Write a range of TOPIC again, with the same keys, values, headers and timestamps.

    Two headers are added: the position of the original record, and the id of the replay. A position is an
    offset (the same in every partition), a time (ISO 8601; UTC without a zone), a relative time such as -2h,
    `start` or `end`; 0:1200 is for partition 0 only. An interrupted replay prints its id; with --id and the
    same options it continues and writes nothing twice. Copies that an earlier replay wrote into TOPIC are
    left out: their originals are in TOPIC. In user-behavior, workers ignore copies of what they have read.
    """
    replay_id = replay_id or uuid.uuid4().hex[:12]
    selection = RecordSelection(selected_keys(key, keys_file))
    to_until, to_target = resolve_to(to, BrokerAdmin(settings).topics() if to else (), datetime.now(UTC))
    if (until and to_until) or (into and to_target):
        raise click.UsageError("--to gives the same thing as --until or --into; leave one of them out")
    first, end = merge_positions(begin, "--from"), merge_positions(until or to_until, "--until", END)
    with Replay(settings, replay_id) as session:
        plan = session.plan(topic, into or to_target or topic, first, end, rate)
        plan = plan._replace(selection=selection)
        click.echo(f"replay {replay_id}: {plan.source} into {plan.target}", err=True)
        if plan.source == plan.target == USER_BEHAVIOR:
            click.echo(_COUNTED_ONCE, err=True)
        if not dry_run and not yes:
            _confirm(plan)
        if when_model is not None and not dry_run:
            wait_until_served(settings, WantedModel(when_model), timeout_s)
        with audited(settings, AuditAction.REPLAY, when=not dry_run, id=replay_id) as done:
            progress = _run(session, plan, latest_per_key, dry_run)
            done["records"] = progress.records
    _print_summary(plan, progress, dry_run)
    _warn_of_retention(settings, plan, progress)


def _confirm(plan: ReplayPlan) -> None:
    """Let the operator confirm a large range. Without a terminal nothing is to be confirmed.

    Raises:
        click.Abort: The operator declined.
    """
    if plan.offsets < _CONFIRMED_FROM or not (sys.stdin.isatty() and sys.stderr.isatty()):
        return
    at_rate = f" at {plan.rate:,.0f} records/s" if plan.rate else " without a rate limit"
    click.confirm(
        f"Up to {plan.offsets:,} records of {plan.source} go into {plan.target}{at_rate}{_duration(plan)}; "
        "--dry-run counts them. Write them?",
        abort=True,
        err=True,
    )


def _run(session: Replay, plan: ReplayPlan, latest_per_key: bool, dry_run: bool) -> ReplayProgress:
    """Count or write the plan's records, behind a progress bar."""
    try:
        if latest_per_key:
            with progress_bar("finding the newest records", plan.offsets) as advance:
                plan = session.with_newest(plan, advance)
        with progress_bar("counting" if dry_run else "replaying", plan.offsets) as advance:
            return session.count(plan, advance) if dry_run else session.run(plan, advance)
    except (RetryLater, StopWorker, KeyboardInterrupt) as error:
        raise click.ClickException(
            f"{error or 'interrupted'}\nCommitted records stay. To continue, add: --id {plan.replay_id}"
        ) from error


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
    if progress.left_out:
        click.echo(
            f"{progress.left_out:,} records of the range are left out: copies of earlier replays, or not "
            "selected by the options"
        )
    if dry_run and plan.rate is not None:
        click.echo(f"At {plan.rate:,.0f} records/s this takes{_duration(plan, progress.records)}")
    _print_missing_keys(plan, progress)


def _duration(plan: ReplayPlan, records: int | None = None) -> str:
    if plan.rate is None:
        return ""
    seconds = (plan.offsets if records is None else records) / plan.rate
    return f" about {seconds:,.0f} s" if seconds < 600 else f" about {seconds / 60:,.0f} minutes"


def _print_missing_keys(plan: ReplayPlan, progress: ReplayProgress) -> None:
    if plan.selection.keys is None:
        return
    missing = sorted(plan.selection.keys - (progress.keys or set()))
    if missing:
        names = ", ".join(printable(each.decode("utf-8", "replace")) for each in missing[:_KEYS_SHOWN])
        more = ", …" if len(missing) > _KEYS_SHOWN else ""
        share = f"{len(missing):,} of {len(plan.selection.keys):,}"
        click.echo(f"{share} keys have no record in the range: {names}{more}")


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
