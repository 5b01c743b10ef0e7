"""Which products are counted for drift."""

from zlib import crc32

SAMPLED_ONE_IN = 4
"""One product in this many is counted. The hash of its id decides, so that the order does not matter."""


def is_sampled(product_id: bytes) -> bool:
    """Return whether the product of an id, in UTF-8, is counted."""
    return crc32(product_id) % SAMPLED_ONE_IN == 0
