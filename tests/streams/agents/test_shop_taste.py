"""The shop's taste follows the views, and wild times of single products do not change it."""

from schemas.events import Relation
from schemas.product_identity import ProductIdentity
from streams.agents.affinity_view import AffinityView
from streams.agents.product_view import ProductView
from streams.agents.shop_taste import ShopTaste
from streams.records import MemoryRecord
from streams.topics import AFFINITY_UPDATED, PRODUCT_ENRICHED
from tests.streams.agents.test_affinity_view import affinity
from tests.streams.agents.test_product_view import product

DAY = 86_400.0


class Views:
    """Both views, and the taste."""

    def __init__(self, identity: ProductIdentity | None = None) -> None:
        self.products, self.affinities = ProductView(identity), AffinityView(1000)
        self.taste = ShopTaste(self.products, self.affinities, 75 * DAY)

    def list(self, name: str, path: str, shop: str | None = None) -> None:
        value = product(name, path=path, shop_id=shop)
        self.products.update([MemoryRecord(PRODUCT_ENRICHED, 0, 0, key=name.encode(), value=value)])

    def buy(self, name: str, sessions: float, days: float = 0.0) -> None:
        value = affinity(name, ("other", Relation.BOUGHT, 1.0), sessions={"bought": sessions}, days=days)
        self.affinities.update([MemoryRecord(AFFINITY_UPDATED, 0, 0, key=name.encode(), value=value)])

    def categories(self, *products: str) -> dict[str, float]:
        """Return the categories of the mean of some products' shops; of the products here by default."""
        mean = self.taste.mean(products or ("mug", "p0"))
        return {name: round(value, 3) for name, value in mean.categories.items()}


def test_the_mean_follows_both_views() -> None:
    views = Views()
    assert views.categories() == {}
    views.buy("mug", 3.0)
    assert views.categories() == {}
    views.list("mug", "Kitchen")
    views.list("box", "Decor")
    assert views.categories() == {"Kitchen": 1.0}
    views.buy("box", 1.0)
    assert views.categories() == {"Kitchen": 0.75, "Decor": 0.25}


def test_each_shop_has_its_own_mean() -> None:
    views = Views()
    for shop, name, path in (
        ("north", "mug", "Kitchen"),
        ("south", "shoe", "Shoes"),
        ("south", "sock", "Socks"),
    ):
        views.list(name, path, shop)
        views.buy(name, 1.0)
    assert views.categories("mug") == {"Kitchen": 1.0}
    assert views.categories("shoe") == {"Shoes": 0.5, "Socks": 0.5}
    assert views.categories("mug", "shoe", "unknown") == {"Kitchen": 0.5, "Shoes": 0.25, "Socks": 0.25}
    assert views.categories("unknown") == {}


def test_where_shops_do_not_count_there_is_one_mean() -> None:
    views = Views(ProductIdentity("joined"))
    for shop, name, path in (("north", "mug", "Kitchen"), ("south", "shoe", "Shoes")):
        views.list(name, path, shop)
        views.buy(name, 1.0)
    assert views.categories("mug") == {"Kitchen": 0.5, "Shoes": 0.5}


def test_behavior_counts_half_after_the_half_life() -> None:
    views = Views()
    views.list("mug", "Kitchen")
    views.list("box", "Decor")
    views.buy("mug", 1.0, days=-75)
    for number in range(10):
        views.list(f"box{number}", "Decor")
        views.buy(f"box{number}", 0.1)
    assert views.categories() == {"Decor": 0.667, "Kitchen": 0.333}


def test_the_mean_is_computed_again_when_a_tenth_has_changed() -> None:
    views = Views()
    for number in range(100):
        views.list(f"p{number}", "Kitchen")
        views.buy(f"p{number}", 1.0)
    assert views.categories() == {"Kitchen": 1.0}
    views.list("box", "Decor")
    views.buy("box", 100.0)
    assert views.categories() == {"Kitchen": 1.0}
    for number in range(10):
        views.buy(f"p{number}", 1.0)
    assert views.categories() == {"Decor": 0.5, "Kitchen": 0.5}


def test_one_wild_time_does_not_let_all_others_vanish() -> None:
    views = Views()
    for number in range(200):
        views.list(f"p{number}", "Kitchen")
        views.buy(f"p{number}", 1.0)
    views.list("wild", "Decor")
    views.buy("wild", 1.0, days=365 * 80)
    for number in range(30):
        views.buy(f"p{number}", 1.0)
    assert views.categories() == {"Kitchen": 0.995, "Decor": 0.005}
