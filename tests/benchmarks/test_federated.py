"""The simulation of shops that learn together: small shops gain, and nothing rare is shared."""

from benchmarks.federated import EPSILONS, compare, shared_counts, simulated_shops
from benchmarks.pair_tables import count_pairs
from models.behavior.evaluation.baskets import Basket

START, DAY = 1_309_478_400.0, 86_400.0
STOP = START + 31 * DAY


def test_a_small_shop_gains_from_what_others_share() -> None:
    rows = {row[0]: row for row in compare(simulated_shops(START, STOP), START, STOP)}
    own, *shared, pooled = (float(cell) for cell in rows["small"][3 : 5 + len(EPSILONS)])
    assert own < shared[-1] <= pooled


def test_a_pair_of_one_basket_is_not_shared() -> None:
    baskets = [Basket(START, "c", ("a", "b"), True)]
    assert shared_counts("shop", baskets, START, 10.0) == {}
    assert sum(shared_counts("shop", baskets * 1_000, START, 10.0).values()) > 900


def test_pairs_are_counted_as_the_agents_do() -> None:
    counts = count_pairs([Basket(START, "c", ("b", "a", "c"), False)], 2, START)
    assert counts == {("a", "b"): 0.3}
