"""The benchmark of what is written counts each byte that the agents write."""

from benchmarks.amplification import AFFINITIES, markdown, measure, purchases, size
from streams.topics import AFFINITY_UPDATED, CO_BEHAVIOR, SHOPPER_UPDATED


async def test_larger_batches_and_intervals_write_less() -> None:
    events = purchases()[:600]
    small, large, waiting = [
        await measure([], events, batch, interval_s, 1000.0)
        for batch, interval_s in ((50, 0.0), (600, 0.0), (50, 60.0))
    ]
    for topic in (AFFINITIES, AFFINITY_UPDATED):
        assert large.written[topic] < small.written[topic]
    assert waiting.written[AFFINITY_UPDATED] < small.written[AFFINITY_UPDATED]
    assert waiting.published < small.published
    assert min(large.written[topic] for topic in (CO_BEHAVIOR, SHOPPER_UPDATED)) > 0
    assert markdown([small]).count("\n") == 3


def test_the_size_is_of_key_value_and_headers() -> None:
    (event,) = purchases()[:1]
    assert size(event) == len(event.key or b"") + len(event.value or b"")
