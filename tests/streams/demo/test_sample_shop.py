"""The sample shop: attribution, order, and a listing for every purchase."""

from schemas.events import Action
from streams.demo.sample_shop import FOLDER, iter_baskets, iter_products


def test_every_purchase_is_of_a_listed_product_and_in_order_of_time() -> None:
    listed = {product.product_id: product for product in iter_products()}
    purchases = list(iter_baskets())
    times = [purchase.occurred_at for purchase in purchases]
    assert times == sorted(times)
    assert {purchase.product_id for purchase in purchases} == listed.keys()
    assert all(listed[purchase.product_id or ""].occurred_at is not None for purchase in purchases[:1])
    assert {purchase.action for purchase in purchases} == {Action.PURCHASE}
    assert len({purchase.event_id for purchase in purchases}) == len(purchases) >= 20_000


def test_products_are_distinct_with_titles_and_in_order_of_first_sale() -> None:
    products = list(iter_products())
    times = [product.occurred_at for product in products if product.occurred_at is not None]
    assert 2_000 <= len({product.product_id for product in products}) == len(products) <= 4_000
    assert times == sorted(times)
    assert len(times) == len(products)
    assert all(product.title.strip() for product in products)
    assert all(product.price is None or product.price.currency == "GBP" for product in products)


def test_the_source_and_its_license_are_named_beside_the_data() -> None:
    attribution = (FOLDER / "ATTRIBUTION.md").read_text()
    assert "Chen, D. (2015)" in attribution
    assert "CC BY 4.0" in attribution
    assert sum(path.stat().st_size for path in FOLDER.glob("*.gz")) < 1_500_000
