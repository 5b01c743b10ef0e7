"""The product view: a read view of the topic product-enriched in memory, as a GlobalKTable.

The agent `sessions` looks up tags, and the agent `affinity` searches for similar texts. Both need products of
all partitions, so each worker reads the whole compacted topic. The view lags the topic by a fraction of a
second. It is not a part of the transactions: outputs that derive from it reflect the view at that moment.
"""

import threading
from array import array
from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec
import structlog

from models.behavior.label_pool import LabelPool
from models.behavior.product_numbers import ProductNumbers
from models.behavior.similarity import SimilarityIndex, vector_of
from models.behavior.taste_mean import ProductLabels
from schemas.errors import InvalidEvent
from schemas.events import DecisionOutcome, Embedding, TagSource
from schemas.product_identity import ProductIdentity
from streams.records import Record

log = structlog.get_logger()


class _Tag(msgspec.Struct, gc=False):
    name: str
    source: str = ""


class _Decision(msgspec.Struct, gc=False):
    outcome: str


class _Categorized(msgspec.Struct, gc=False):
    path: str


class _Product(msgspec.Struct):
    """The fields of product-enriched that the view keeps."""

    product_id: str
    title: str = ""
    tags: list[_Tag] = []
    category: _Categorized | None = None
    decision: _Decision | None = None
    embedding: Embedding | None = None
    listed_at: datetime | None = None
    # Missing in what an earlier release published.
    shop_id: str | msgspec.UnsetType | None = msgspec.UNSET


_DECODER = msgspec.json.Decoder(_Product)
_SEARCHED_AT_ONCE = 256


class ProductView:
    """Labels, shops and embeddings by product. Threads may read and write at the same time.

    Products are named by their keys, which `identity` defines.

    Args:
        identity: What makes two products the same, and whether shops count.
        with_titles: Whether to keep titles, some 100 bytes a product.

    Attributes:
        arrivals: How often products came that were unknown. It grows after they can be described.
    """

    def __init__(self, identity: ProductIdentity | None = None, with_titles: bool = False) -> None:
        self._identity = identity or ProductIdentity()
        self._with_titles = with_titles
        # By product: its title in UTF-8, which takes less than a string.
        self._titles: list[bytes] = []
        self._products = ProductNumbers()
        self._labels = LabelPool()
        # By product: when it was listed, in seconds since 1970.
        self._listed_at = array("d")
        # By product: the place of its shop among the names, or 0 where it is not known.
        self._shop_of = array("i")
        self._shop_names: list[str | None] = [None]
        self._place_of_shop: dict[str | None, int] = {None: 0}
        self._index = SimilarityIndex(self._products)
        self._lock = threading.Lock()
        self.arrivals = 0

    def __len__(self) -> int:
        return len(self._products)

    def update(self, records: Iterable[Record]) -> None:
        """Apply records of product-enriched. Null removes the product. Invalid records are ignored."""
        last: dict[str, tuple[_Product, float] | None] = {}
        for record in records:
            if record.key is None:
                continue
            try:
                if record.value is None:
                    last[record.key.decode()] = None
                else:
                    product = _DECODER.decode(record.value)
                    if product.embedding is not None:
                        vector_of(product.embedding)
                    last[record.key.decode()] = (product, _listed_at(product, record))
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, InvalidEvent) as error:
                log.warning(
                    "ignoring a product-enriched record of another program",
                    offset=record.offset,
                    error=str(error),
                )
        with self._lock:
            arrived = any(
                each is not None and self._products.find(name) is None for name, each in last.items()
            )
            self._apply(last)
            self.arrivals += arrived

    def describe(self, product_id: str) -> ProductLabels | None:
        """Return the product's tags and category, or None if it is unknown."""
        number = self._products.find(product_id)
        return None if number is None else self._labels.of(number)

    def listed_at(self, product_id: str) -> float | None:
        """Return when a product was listed, or None if it is unknown.

        Returns:
            Seconds since 1970: the time of the listing's event, or of its record where the event has none.
        """
        number = self._products.find(product_id)
        return None if number is None else self._listed_at[number]

    def title_of(self, product_id: str) -> str | None:
        """Return the title of a product; None if it is unknown, or if the view keeps no titles."""
        number = self._products.find(product_id)
        if number is None or number >= len(self._titles):
            return None
        return self._titles[number].decode()

    def shop_of(self, product_id: str) -> str | None:
        """Return the shop of a product, empty if it has none. None if it is not known."""
        number = self._products.find(product_id)
        return None if number is None else self._shop_names[self._shop_of[number]]

    def similar(
        self, product_ids: Sequence[str], count: int, min_cosine: float = -1.0
    ) -> dict[str, list[tuple[str, float]]]:
        """Search for products with a similar text.

        Args:
            product_ids: The products to search for. Those without an embedding are left out.
            count: Neighbors per product at most.
            min_cosine: The least cosine of a neighbor.

        Returns:
            For each product its neighbors with their cosine similarity, best first. The search is exact while
            a model has some 20,000 products, and approximate beyond.
        """
        found: dict[str, list[tuple[str, float]]] = {}
        for start in range(0, len(product_ids), _SEARCHED_AT_ONCE):
            some = product_ids[start : start + _SEARCHED_AT_ONCE]
            # Others read and write between two parts of a large search.
            with self._lock:
                numbers = {name: number for name in some if (number := self._products.find(name)) is not None}
                nearest = self._index.nearest(list(numbers.values()), count, min_cosine)
            found.update({name: nearest[number] for name, number in numbers.items() if number in nearest})
        return found

    @property
    def floods(self) -> int:
        """How often more texts changed than `affected` can tell of: any list may be another since."""
        return self._index.floods

    def affected(self, count: int, min_cosine: float) -> list[str]:
        """Take some changes of texts, and return the products whose similar texts they may change.

        Args:
            count: The number of changes to take at most.
            min_cosine: The least cosine of a neighbor.
        """
        with self._lock:
            return self._index.affected(count, min_cosine)

    def _apply(self, last: dict[str, tuple[_Product, float] | None]) -> None:
        """Bring the products to their last state. All embeddings go into the index at once."""
        embeddings: dict[int, Embedding] = {}
        shops: dict[int, str | None] = {}
        without: list[int] = []
        removed: list[str] = []
        for product_id, listed in last.items():
            if listed is None:
                number = self._products.find(product_id)
                if number is not None:
                    without.append(number)
                    removed.append(product_id)
                continue
            product, listed_at = listed
            number = self._products.add(product_id)
            if number >= len(self._listed_at):
                more = number + 1 - len(self._listed_at)
                self._listed_at.extend([0.0] * more)
                self._shop_of.extend([0] * more)
            self._listed_at[number] = listed_at
            if self._with_titles:
                self._titles.extend([b""] * (number + 1 - len(self._titles)))
                self._titles[number] = product.title.encode()
            shops[number] = shop = self._shop(product)
            self._shop_of[number] = self._place_of_shop.setdefault(shop, len(self._shop_names))
            if self._shop_of[number] == len(self._shop_names):
                self._shop_names.append(shop)
            self._labels.put(number, _labels(product))
            if product.embedding is None:
                without.append(number)
            else:
                embeddings[number] = product.embedding
        self._index.remove(without)
        self._index.put(embeddings, shops)
        for product_id in removed:
            self._labels.remove(self._products.add(product_id))
            self._products.remove(product_id)

    def _shop(self, product: _Product) -> str | None:
        if self._identity.joined:
            return ""
        return None if product.shop_id is msgspec.UNSET else product.shop_id or ""


def _labels(product: _Product) -> ProductLabels:
    """Return the labels that are known.

    A category that waits for a person is a guess, with its tag. Tags by behavior say nothing of the product.
    """
    guessed = product.decision is not None and product.decision.outcome == DecisionOutcome.ABSTAINED
    left_out = (TagSource.BEHAVIOR, TagSource.CATEGORY) if guessed else (TagSource.BEHAVIOR,)
    tags = tuple(tag.name for tag in product.tags if tag.source not in left_out)
    return ProductLabels(tags, None if guessed or product.category is None else product.category.path)


def _listed_at(product: _Product, record: Record) -> float:
    return record.timestamp / 1000 if product.listed_at is None else product.listed_at.timestamp()
