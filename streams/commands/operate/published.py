"""`affinity --of` and `shopper`: show what a deployment publishes of one product or shopper."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

import click
from rich.markup import escape

from schemas.codec import encode
from schemas.events import AffinityUpdated, Preference, Relation, ShopperUpdated
from schemas.product_identity import ProductIdentity
from streams.agents.affinity_events import titled_affinity
from streams.commands.terminal_tables import new_table, print_table
from streams.options import with_settings
from streams.pseudonym_keys import load_pseudonyms
from streams.replay.dead_letter_view import printable
from streams.replay.latest_values import LatestValues
from streams.replay.publications import (
    published_shopper,
    related_products,
    titles_of,
)
from streams.settings import Settings


def show_related_products(settings: Settings, product: str, as_json: bool) -> None:
    """Print the related products of a product with their titles.

    Args:
        settings: Settings with the broker's address.
        product: The product's key.
        as_json: Whether to print one JSON object: the event, with a title in each related product.

    Raises:
        StopWorker: The product is unknown, withdrawn, or not published yet.
        RetryLater: The broker is unreachable.
    """
    identity = ProductIdentity(settings.shops)
    with LatestValues(settings) as values:
        event, titles = related_products(values, product, identity)
    if as_json:
        click.echo(titled_affinity(event, titles.get, identity))
        return
    click.echo(f"{printable(product)}  {printable(titles.get(product, 'not listed'))}")
    if not event.related:
        click.echo(
            "No related products: nobody viewed, carted or bought it with another, and no text is similar."
        )
        return
    click.echo(f"as of {_time(event.as_of)}; a session counts half after {event.half_life_days:g} days")
    _print_related(event, titles, identity)
    recommended = [
        (f"{each.product_id}  {titles.get(identity.key(event.shop_id, each.product_id), '')}", each.score)
        for each in event.recommended
    ]
    _print_scores("recommended, by all that is known", recommended)


def _print_related(event: AffinityUpdated, titles: Mapping[str, str], identity: ProductIdentity) -> None:
    table = new_table("relation", "score", "sessions", "product", "title")
    for each in event.related:
        sessions = "" if each.relation is Relation.SIMILAR else f"{each.support:,}"
        title = titles.get(identity.key(event.shop_id, each.product_id), "not listed")
        row = (each.relation.value, f"{each.score:.3g}", sessions, each.product_id, title)
        table.add_row(*(escape(printable(cell)) for cell in row))
    print_table(table)


@click.command()
@click.argument("shopper_id", metavar="SHOPPER")
@click.option("--json", "as_json", is_flag=True, help="Print the event as it is in shopper-updated.")
@with_settings
def shopper(settings: Settings, shopper_id: str, as_json: bool) -> None:
    """Show what the deployment publishes of a shopper.

    SHOPPER is a user_id; for a guest the anonymous_id, else the session_id.
    """
    with LatestValues(settings) as values:
        event = published_shopper(values, shopper_id, load_pseudonyms(settings))
        titles = {} if as_json else titles_of(values, _products(event))
    if as_json:
        click.echo(encode(event))
        return
    session = event.session
    click.echo(
        f"{printable(shopper_id)}: session {printable(session.session_id)} from {_time(session.started_at)}"
        f" to {_time(session.last_at)}, {session.events:,} events, {session.products:,} products"
    )
    _print_scores("next action", sorted(event.next_behavior.items(), key=lambda each: -each[1]))
    for title, preferences in (("category", event.categories), ("tag", event.tags)):
        _print_scores(title, map(_named_score, preferences))
    past = [(each.product_id, each.score) for each in event.products]
    coming = [(each.product_id, each.score) for each in event.next_products]
    for title, products in (("past product", past), ("next product", coming)):
        _print_scores(title, ((_titled(product, titles), score) for product, score in products))


def _products(event: ShopperUpdated) -> list[str]:
    past, coming = event.products, event.next_products
    return [each.product_id for each in past] + [each.product_id for each in coming]


def _named_score(preference: Preference) -> tuple[str, float]:
    return preference.name, preference.score


def _titled(product: str, titles: Mapping[str, str]) -> str:
    return f"{product}  {titles.get(product, '')}".rstrip()


def _print_scores(title: str, scores: Iterable[tuple[str, float]]) -> None:
    """Print names with their scores as a table; nothing if there are none."""
    table = new_table(title, "score")
    for name, score in scores:
        table.add_row(escape(printable(name)), f"{score:.3f}")
    if table.row_count:
        click.echo()
        print_table(table)


def _time(time: datetime) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
