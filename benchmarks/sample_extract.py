"""Extracts the demo's sample of a real shop: some consecutive days of UCI Online Retail (CC BY 4.0).

Run: `python -m benchmarks.sample_extract --data FOLDER`, where FOLDER holds
`behavior/online_retail_2010-12_2011-08.csv.gz`. It writes `products.jsonl.gz` (a product-created event for
each distinct product, at its first sale) and `baskets.jsonl.gz` (a user-behavior purchase for each line of an
invoice, in order of time) into the package's sample folder. Lines are filtered as in `affinity_recall`. The
same input gives the same bytes.
"""

import csv
import gzip
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import msgspec

from benchmarks.affinity_recall import PRODUCT_CODE, TABLE
from streams.demo.sample_shop import FOLDER, SHOP_ID


@dataclass(frozen=True)
class InvoiceLine:
    """A valid line of an invoice."""

    number: int
    invoice: str
    code: str
    title: str
    quantity: int
    time: datetime
    price: float
    customer: str


def read_lines(path: Path, since: datetime, until: datetime) -> list[InvoiceLine]:
    """Read the valid lines with since <= time < until, ordered by time, then as in the table."""
    lines = []
    with gzip.open(path, "rt", encoding="utf-8", newline="") as table:
        for number, row in enumerate(csv.DictReader(table), start=1):
            time = datetime.fromisoformat(row["InvoiceDate"]).replace(tzinfo=UTC)
            sale = int(row["Quantity"]) > 0 and not row["InvoiceNo"].startswith("C")
            if sale and since <= time < until and PRODUCT_CODE.fullmatch(row["StockCode"]):
                lines.append(
                    InvoiceLine(
                        number,
                        row["InvoiceNo"],
                        row["StockCode"],
                        " ".join(row["Description"].split()),
                        int(row["Quantity"]),
                        time,
                        float(row["UnitPrice"]),
                        row["CustomerID"].removesuffix(".0"),
                    )
                )
    return sorted(lines, key=lambda line: (line.time, line.number))


def products(lines: Iterable[InvoiceLine]) -> Iterator[dict[str, Any]]:
    """Yield a product-created event for each product with a title, in order of its first sale.

    Title and price are the most frequent ones, because a few lines have a note instead, or no price.
    """
    sales: dict[str, list[InvoiceLine]] = {}
    for line in lines:
        sales.setdefault(line.code, []).append(line)
    for code, sold in sales.items():
        titles = Counter(line.title for line in sold if line.title)
        prices = Counter(line.price for line in sold if line.price > 0)
        if not titles:
            continue
        event: dict[str, Any] = {
            "product_id": code,
            "title": titles.most_common(1)[0][0],
            "event_id": f"listed-{code}",
            "occurred_at": sold[0].time,
            "language": "en",
            "shop_id": SHOP_ID,
        }
        if prices:
            event["price"] = {"amount": prices.most_common(1)[0][0], "currency": "GBP"}
        yield event


def purchases(lines: Iterable[InvoiceLine], sold: set[str]) -> Iterator[dict[str, Any]]:
    """Yield a user-behavior event for each line whose product is in `sold`; guests have no user_id."""
    for line in lines:
        if line.code not in sold:
            continue
        event: dict[str, Any] = {
            "event_id": f"{line.invoice}-{line.number}",
            "occurred_at": line.time,
            "session_id": line.invoice,
            "product_id": line.code,
            "action": "purchase",
            "quantity": line.quantity,
            "shop_id": SHOP_ID,
        }
        if line.customer:
            event["user_id"] = line.customer
        if line.price > 0:
            event["price"] = {"amount": line.price, "currency": "GBP"}
        yield event


def _write(path: Path, events: Iterable[dict[str, Any]]) -> int:
    encoded = [msgspec.json.encode(event) + b"\n" for event in events]
    path.write_bytes(gzip.compress(b"".join(encoded), compresslevel=9, mtime=0))
    return len(encoded)


@click.command()
@click.option("--data", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True)
@click.option("--since", type=click.DateTime(["%Y-%m-%d"]), default="2010-12-01", show_default=True)
@click.option("--until", type=click.DateTime(["%Y-%m-%d"]), default="2010-12-13", show_default=True)
def main(data: Path, since: datetime, until: datetime) -> None:
    """Write the sample and print its size."""
    lines = read_lines(data / TABLE, since.replace(tzinfo=UTC), until.replace(tzinfo=UTC))
    listed = list(products(lines))
    sold = {event["product_id"] for event in listed}
    for name, events in (("products", iter(listed)), ("baskets", purchases(lines, sold))):
        path = FOLDER / f"{name}.jsonl.gz"
        count = _write(path, events)
        click.echo(f"{count:,} events in {path} ({path.stat().st_size:,} bytes)")


if __name__ == "__main__":
    main()
