"""Shape buckets: each text once, in a shape that holds it and that is more than half full."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.encoder.shape_buckets import Batch, Shape, ShapeBuckets

BUCKETS = ShapeBuckets((1, 4, 16), (8, 16, 64))


@given(st.lists(st.integers(1, 64), max_size=90))
def test_each_text_is_in_one_batch_whose_shape_is_a_bucket_that_holds_it(lengths: list[int]) -> None:
    batches = BUCKETS.plan(lengths)
    assert sorted(text for batch in batches for text in batch.members) == list(range(len(lengths)))
    for members, shape in batches:
        assert shape in BUCKETS.shapes()
        assert shape.texts / 2 < len(members) <= shape.texts
        fitting = [tokens for tokens in BUCKETS.tokens if tokens >= max(lengths[text] for text in members)]
        assert shape.tokens == fitting[0]


def test_texts_that_fill_a_bucket_need_no_padding() -> None:
    batches = BUCKETS.plan([8] * 16)
    assert batches == [Batch(list(range(16)), Shape(16, 8))]


def test_a_text_that_no_bucket_holds_is_refused() -> None:
    with pytest.raises(ValueError, match="65 tokens"):
        BUCKETS.plan([3, 65])


@pytest.mark.parametrize("sizes", [(), (0, 4), (4, 1), (4, 4)])
def test_impossible_buckets_are_refused(sizes: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="ascending"):
        ShapeBuckets(sizes, (8,))
    with pytest.raises(ValueError, match="ascending"):
        ShapeBuckets((1,), sizes)
