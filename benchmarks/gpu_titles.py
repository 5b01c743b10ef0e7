"""The titles that `make bench-gpu` classifies: real ones, each made unique by a number."""

from streams.demo.sample_shop import iter_products


def raw_titles(first: int, count: int) -> list[str]:
    """Titles of the sample shop as sellers wrote them, numbered from `first` on, so that no two are equal.

    They equal those of `benchmarks.events.listings`, which needs a Kafka client.

    Args:
        first: The number of the first title.
        count: The number of titles.
    """
    titles = [product.title for product in iter_products()]
    return [f"{titles[number % len(titles)]} {number}" for number in range(first, first + count)]
