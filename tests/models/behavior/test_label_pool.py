"""Equal labels are stored once, and no longer than a product has them."""

from hypothesis import given
from hypothesis import strategies as st

from models.behavior.label_pool import LabelPool
from models.behavior.taste_mean import ProductLabels

labels = st.builds(
    ProductLabels, st.lists(st.sampled_from("ab"), max_size=2).map(tuple), st.none() | st.sampled_from("xy")
)


@given(st.lists(st.tuples(st.integers(0, 5), st.none() | labels), max_size=40))
def test_the_pool_is_a_dictionary_of_few_objects(steps: list[tuple[int, ProductLabels | None]]) -> None:
    pool, oracle = LabelPool(), dict[int, ProductLabels]()
    for number, each in steps:
        if each is None:
            pool.remove(number)
            oracle.pop(number, None)
        else:
            pool.put(number, each)
            oracle[number] = each
    assert {number: pool.of(number) for number in range(7)} == {
        number: oracle.get(number) for number in range(7)
    }
    assert len(pool) == len(set(oracle.values()))
