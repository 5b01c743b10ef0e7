"""`shelfstream erase`: forget a shopper."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import click

from schemas.audit import AuditAction
from schemas.erasure import shopper_digest
from schemas.errors import StopWorker
from streams.commands.audited import audited
from streams.options import with_settings
from streams.pseudonym_keys import load_pseudonyms
from streams.replay.broker_admin import BrokerAdmin
from streams.replay.dead_letter_view import printable
from streams.replay.erasure import (
    ErasedLetters,
    erase_letters,
    guest_sessions,
    remaining,
    request_erasure,
    wait_until_processed,
)
from streams.replay.transactional_copy import open_consumer
from streams.settings import Settings
from streams.topics import DEAD_LETTER, SHOPPER_REPARTITION, SHOPPER_UPDATED, USER_BEHAVIOR


@click.command()
@click.option(
    "--shopper",
    "shoppers",
    multiple=True,
    required=True,
    help="Id of the shopper: a user_id, or the anonymous_id or session_id of a guest. Repeatable.",
)
@click.option(
    "--find-guests",
    is_flag=True,
    help="Read user-behavior, and forget also guests whose id occurs with the shopper.",
)
@click.option(
    "--timeout",
    "timeout_s",
    type=click.FloatRange(min=0),
    default=120.0,
    show_default=True,
    help="Seconds to wait for the workers.",
)
@click.option("--verify", is_flag=True, help="Read the changelog and shopper-updated to check it.")
@click.option("--because", default="", help="Why, for the audit, such as the number of the request.")
@click.option("--dry-run", is_flag=True, help="Show what would be erased, and erase nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@with_settings
def erase(
    settings: Settings,
    shoppers: tuple[str, ...],
    find_guests: bool,
    timeout_s: float,
    verify: bool,
    because: str,
    dry_run: bool,
    yes: bool,
) -> None:
    """Forget a shopper: state, changelog, shopper-updated and dead letters.

    Events that occurred until now have no influence from now on, also if they are read late or replayed. It
    cannot be undone. Exits 1 if a part is not done yet: run it again. Says at its end what remains in Kafka.
    """
    names = list(dict.fromkeys(shoppers))
    for name in names:
        if not 1 <= len(name) <= 256 or not name.isprintable():
            raise click.UsageError(f"{printable(name)!r} is no id of 1 to 256 characters")
    if find_guests:
        names += _found_guests(settings, names)
    shown, names = names, _names_in_state(settings, names)
    if dry_run:
        letters = erase_letters(settings, {*shown, *names}, dry_run=True)
        click.echo(f"{len(shown)} shoppers would be erased, and {letters.erased:,} dead letters")
        return
    if not yes:
        click.confirm(f"Forget {', '.join(map(printable, shown))}? It cannot be undone", abort=True, err=True)
    digests = ", ".join(shopper_digest(name).hex() for name in names)
    with audited(settings, AuditAction.ERASE, because=because, digests=digests) as done:
        done["shoppers"] = len(shown)
        unfinished = _erase(settings, names, {*shown, *names}, timeout_s, verify, done)
    click.echo(f"In the audit the shoppers have the digests {digests}.")
    _print_what_stays(settings)
    if unfinished:
        raise click.exceptions.Exit(1)


def _names_in_state(settings: Settings, names: list[str]) -> list[str]:
    """Return the names under which shoppers are kept: their ids, or with keys the pseudonyms of these."""
    pseudonyms = load_pseudonyms(settings)
    if pseudonyms is None:
        return names
    return list(dict.fromkeys(name for each in names for name in pseudonyms.names(each)))


def _found_guests(settings: Settings, names: list[str]) -> list[str]:
    consumer = open_consumer(settings, f"{settings.app_id}-erase")
    try:
        guests = sorted(guest_sessions(settings, consumer, names) - set(names))
    finally:
        consumer.close()
    listed = ", ".join(map(printable, guests)) or "none"
    click.echo(f"{len(guests)} guests with a session of the shopper: {listed}")
    return guests


def _erase(
    settings: Settings,
    names: list[str],
    in_letters: set[str],
    timeout_s: float,
    verify: bool,
    done: Counter[str],
) -> bool:
    """Erase the shoppers, and print each part. Return whether a part is not done yet.

    Args:
        settings: Settings with the broker's address.
        names: The names of the shoppers in state.
        in_letters: These, and their ids: dead letters from before pseudonyms have those.
        timeout_s: Seconds to wait for the workers.
        verify: Whether to read the changelog and shopper-updated.
        done: Receives counts for the audit.
    """
    ends = request_erasure(settings, names, datetime.now(UTC))
    click.echo(f"Requested in {USER_BEHAVIOR}; waiting for the workers", err=True)
    behind = wait_until_processed(settings, ends, timeout_s)
    if behind:
        click.echo(
            f"Not carried out yet in {len(behind)} of {len(ends)} partitions: {sum(behind.values()):,}"
            " records are before the request. A worker of `sessions` carries it out when it gets there. Then"
            " run the command again, for the dead letters that these records may cause.",
            err=True,
        )
    else:
        click.echo(f"State, changelog and {SHOPPER_UPDATED}: erased")
    letters = erase_letters(settings, in_letters)
    done["dead letters"] = letters.erased
    _print_letters(letters)
    left = _verified(settings, names) if verify and not behind else []
    return bool(behind or letters.not_deleted or left)


def _print_letters(letters: ErasedLetters) -> None:
    click.echo(f"{DEAD_LETTER}: {letters.erased:,} erased")
    if letters.copied:
        click.echo(f"{letters.copied:,} dead letters of others were before them and have new places")
    if letters.not_deleted:
        click.echo(
            f"The erased ones are no longer listed, but the broker did not delete their records:"
            f" {letters.not_deleted}. It needs the permission Delete on {DEAD_LETTER}. Run it again.",
            err=True,
        )


def _verified(settings: Settings, names: list[str]) -> list[str]:
    consumer = open_consumer(settings, f"{settings.app_id}-erase")
    try:
        left = remaining(settings, consumer, names)
    finally:
        consumer.close()
    for topic in left:
        click.echo(f"The latest value in {topic} is not null: another program wrote it since", err=True)
    if not left:
        click.echo("Verified: the latest value of each key is null, in the changelog and shopper-updated")
    return left


def _print_what_stays(settings: Settings) -> None:
    """Say what the command cannot erase."""
    retention = "its retention ends"
    if not settings.embedded:
        try:
            config = BrokerAdmin(settings).describe([USER_BEHAVIOR])[USER_BEHAVIOR].config
            milliseconds = int(config.get("retention.ms", -1))
        except (StopWorker, KeyError, ValueError):
            milliseconds = -1
        if milliseconds >= 0:
            until = datetime.now(UTC) + timedelta(milliseconds=milliseconds)
            retention = f"{until:%Y-%m-%d}, by its retention"
    click.echo(
        f"What stays: the events and the request in {USER_BEHAVIOR} until {retention}, and for three days"
        f" what was moved through {SHOPPER_REPARTITION}. Compacted topics keep"
        " old values until the broker compacts them. Affinities are sums over all shoppers, without ids: one"
        " shopper's share cannot be told apart, and decays with the half-life. Copies outside of shelfstream"
        " are not known to it."
    )
