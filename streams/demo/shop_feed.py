"""The sample shop as groups of records, with the injected events, once or repeatedly."""

from collections.abc import Iterator, Sequence

from schemas.events import ProductCreated, UserBehavior
from streams.demo.feed import Group, interleave, shifted_shop, shop_groups
from streams.demo.injected_events import make_injected_events
from streams.demo.sample_shop import iter_baskets, iter_products


class ShopFeed:
    """The records of the sample shop, in memory.

    Attributes:
        products: Listings in the order of their first sale.
        purchases: Purchases in order of event time.
        records: Number of records of one repetition, with the injected events.
    """

    def __init__(self) -> None:
        self.products: Sequence[ProductCreated] = list(iter_products())
        self.purchases: Sequence[UserBehavior] = list(iter_baskets())
        self._injected = make_injected_events(self.products, self.purchases).records
        self.records = len(self.products) + len(self.purchases) + len(self._injected)

    def groups(self, repeat: bool) -> Iterator[Group]:
        """Yield the shop with the injected events.

        Args:
            repeat: Whether to continue without end, with the shop shifted in time at each repetition.
        """
        groups = len(self.products) + len({each.session_id for each in self.purchases})
        start, step = groups * 7 // 10, max(1, groups // 30)
        yield from interleave(shop_groups(self.products, self.purchases), self._injected, start, step)
        repetition = 1
        while repeat:
            yield from shop_groups(*shifted_shop(self.products, self.purchases, repetition))
            repetition += 1
