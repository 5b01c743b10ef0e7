"""Measures the product view by the number of products: memory, reading it anew, and the search for neighbors.

Run: `OPENBLAS_NUM_THREADS=1 python -m benchmarks.catalog_growth`. Products are simulated, because no shop of
ten million is at hand. The record of a simulated product is that of a listing of the sample shop with another
id; its embedding is that of the listing, turned a little towards another listing's and at random. Each worker
with the agent `sessions` or `affinity` reads all products when it starts, so the time to read them is that
of a recovery without Kafka's part. Recall is the share of the 20 nearest products, by brute force over all,
that the search returns.
"""

import ctypes
import gc
import json
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from time import process_time

import click
import msgspec
import numpy as np
from numpy.typing import NDArray

from benchmarks.machine import describe
from models.behavior.similarity import vector_of
from models.enrichment.enricher import Enricher
from schemas.codec import encode
from schemas.events import Embedding
from streams.agents.product_view import ProductView
from streams.demo.sample_shop import iter_products
from streams.records import MemoryRecord
from streams.topics import PRODUCT_ENRICHED

RESULTS = Path(__file__).parents[1] / "docs" / "benchmarks" / "results"
TOP = 20
_CHUNK = 1000
_QUERIES = 200
_MODEL = "simulated"

Vectors = NDArray[np.int8]


@dataclass(frozen=True, slots=True)
class CatalogPoint:
    """The result for one number of products.

    Attributes:
        products: The number of products.
        bytes_each: Resident memory of the view, in bytes for each product.
        read_s: Seconds of processor time to read all products into an empty view.
        update_ms: Milliseconds of processor time for each of the last 1,000 products that were read.
        search_ms: Milliseconds of processor time for the neighbors of one product, in batches of 200.
        brute_force_ms: The same by comparing with all products, as one matrix product.
        recall: The share of the 20 nearest products that the search returns.
    """

    products: int
    bytes_each: float
    read_s: float
    update_ms: float
    search_ms: float
    brute_force_ms: float
    recall: float


class SimulatedCatalog:
    """Records of product-enriched with ids and embeddings of their own.

    Args:
        seed: Draws the embeddings.
    """

    def __init__(self, seed: int = 0) -> None:
        self._random = np.random.default_rng(seed)
        listings = list(iter_products())
        enricher = Enricher.load()
        self._parts: list[tuple[bytes, bytes, bytes]] = []
        vectors = []
        for listing, enrichment in zip(listings, enricher.enrich(listings), strict=True):
            event = enricher.event(listing, enrichment)
            if event.embedding is None:
                continue
            vectors.append(vector_of(event.embedding))
            marked = Embedding(dimensions=len(vectors[0]), int8="@@", model_version=_MODEL)
            event = msgspec.structs.replace(event, embedding=marked, product_id="##")
            before, _, rest = encode(event).partition(b"##")
            between, _, after = rest.partition(b"@@")
            self._parts.append((before, between, after))
        self._vectors = np.array(vectors, dtype=np.float32)

    def draw(self, count: int) -> Vectors:
        """Draw embeddings; shape (count, dimensions)."""
        size, random = len(self._vectors), self._random
        drawn = np.empty((count, self._vectors.shape[1]), dtype=np.int8)
        for start in range(0, count, 100_000):
            some = min(100_000, count - start)
            listing = np.arange(start, start + some) % size
            vectors = self._vectors[listing] + 0.4 * self._vectors[random.integers(size, size=some)]
            vectors += random.normal(0, 3, vectors.shape)
            drawn[start : start + some] = np.rint(
                127 * vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
            )
        return drawn

    def records(self, start: int, vectors: Vectors) -> list[MemoryRecord]:
        """Return the records of the products from number `start`."""
        made = []
        for number, vector in enumerate(vectors, start):
            before, between, after = self._parts[number % len(self._parts)]
            key = product_id(number).encode()
            value = b"".join([before, key, between, b64encode(vector.tobytes()), after])
            made.append(MemoryRecord(PRODUCT_ENRICHED, 0, number, key=key, value=value))
        return made


def product_id(number: int) -> str:
    """Return an id of 20 characters, as shops have."""
    return f"shop-7-sku-{number:09d}"


def measure(catalog: SimulatedCatalog, sizes: list[int]) -> Iterator[CatalogPoint]:
    """Fill a view, and measure it at each of the sizes, which ascend."""
    vectors = catalog.draw(sizes[-1])
    view, read, before = ProductView(), 0.0, resident()
    for start in range(0, sizes[-1], _CHUNK):
        records = catalog.records(start, vectors[start : start + _CHUNK])
        began = process_time()
        view.update(records)
        took = process_time() - began
        read += took
        end = start + _CHUNK
        if end in sizes:
            added = resident() - before
            queries = np.random.default_rng(1).choice(end, _QUERIES, replace=False)
            search, brute, recall = _search(view, vectors[:end], queries)
            yield CatalogPoint(end, added / end, read, took, search, brute, recall)


def _search(view: ProductView, vectors: Vectors, queries: NDArray[np.int64]) -> tuple[float, float, float]:
    """Return milliseconds for a product of the view's search and of brute force, and the recall."""
    began = process_time()
    found = view.similar([product_id(number) for number in queries.tolist()], TOP)
    search = (process_time() - began) * 1e3 / len(queries)
    began = process_time()
    best = np.full((len(queries), 0), 0.0, dtype=np.float32)
    asked = vectors[queries].astype(np.float32)
    asked /= np.linalg.norm(asked, axis=1, keepdims=True)
    for start in range(0, len(vectors), 50_000):
        some = vectors[start : start + 50_000].astype(np.float32)
        cosines = asked @ (some / np.linalg.norm(some, axis=1, keepdims=True)).T
        best = np.concatenate([best, cosines], axis=1)
        # One more than asked for: the product itself is among them.
        best = np.partition(best, -TOP - 1, axis=1)[:, -TOP - 1 :]
    brute = (process_time() - began) * 1e3 / len(queries)
    hits = [
        sum(cosine >= floor - 1e-5 for _, cosine in found[product_id(number)])
        for number, floor in zip(queries.tolist(), np.sort(best, axis=1)[:, 0].tolist(), strict=True)
    ]
    return search, brute, sum(hits) / (TOP * len(queries))


def resident() -> int:
    """Return the resident memory in bytes, without what was freed and kept by the allocator."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def markdown(points: list[CatalogPoint]) -> str:
    """Return the points as a Markdown table."""
    names = (
        "products",
        "memory",
        "bytes a product",
        "read",
        "neighbors of one",
        "brute force",
        "recall at 20",
    )
    lines = [f"| {' | '.join(names)} |", "| " + " | ".join(["---:"] * len(names)) + " |"]
    for point in points:
        cells = (
            f"{point.products:,}",
            f"{point.bytes_each * point.products / 2**20:,.0f} MiB",
            f"{point.bytes_each:,.0f}",
            f"{point.read_s:,.0f} s",
            f"{point.search_ms:.1f} ms",
            f"{point.brute_force_ms:.1f} ms",
            f"{point.recall:.1%}",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


@click.command()
@click.option(
    "--products",
    type=click.IntRange(1),
    multiple=True,
    default=(10_000, 100_000, 300_000, 1_000_000, 10_000_000),
    show_default=True,
    help="Numbers of products, in thousands each; the largest takes 6 GB.",
)
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default=RESULTS,
    show_default=True,
    help="Directory for catalog.md and catalog.json.",
)
def main(products: tuple[int, ...], output: Path) -> None:
    """Measure the product view by the number of products, and write the results."""
    if any(count % _CHUNK for count in products):
        raise click.BadParameter(f"sizes are multiples of {_CHUNK}")
    points = []
    for point in measure(SimulatedCatalog(), sorted(products)):
        points.append(point)
        click.echo(markdown([point]).splitlines()[-1])
    output.mkdir(parents=True, exist_ok=True)
    head = f"{describe()}. One run; seconds of processor time.\n"
    (output / "catalog.md").write_text(f"{head}\n{markdown(points)}", encoding="utf-8")
    document = {"machine": describe(), "points": [asdict(point) for point in points]}
    (output / "catalog.json").write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
