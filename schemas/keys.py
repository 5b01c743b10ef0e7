"""Record keys, and the partition that Kafka's default partitioner assigns to a key.

`murmur2` equals the hash of Kafka's Java client, so producers in any language and shelfstream agree on a
key's partition (librdkafka: `partitioner=murmur2_random`).
"""

from functools import lru_cache
from struct import Struct

from schemas.events import UserBehavior

_MASK = 0xFFFFFFFF
_SEED = 0x9747B28C
_M = 0x5BD1E995
# Frequent products and shoppers recur. 32,768 keys of about 30 bytes take about 6 MB.
_CACHED_KEYS = 1 << 15
# The length of the longest identifier's key in bytes. Longer keys name no product or shopper.
_LONGEST_KEY = 256 * 4
_WORDS = tuple(Struct(f"<{count}I").unpack_from for count in range(65))


def product_key(product_id: str) -> bytes:
    """Return the record key of a product: its id in UTF-8."""
    return product_id.encode()


def shopper_id(event: UserBehavior) -> str:
    """Return the shopper's id: `user_id`; for a guest `anonymous_id`, else `session_id`; else empty."""
    return event.user_id or event.anonymous_id or event.session_id or ""


def user_key(event: UserBehavior) -> bytes:
    """Return the record key of a behavior event: the shopper's id in UTF-8."""
    return shopper_id(event).encode()


def murmur2(data: bytes) -> int:
    """Hash `data` with 32-bit MurmurHash2 and Kafka's seed.

    Source: A. Appleby, MurmurHash2; seed and byte order as in Kafka's Java client.

    Args:
        data: Any bytes.

    Returns:
        The hash as an unsigned integer in [0, 2**32).
    """
    length = len(data)
    words = length >> 2
    unpacked = _WORDS[words](data) if words <= 64 else Struct(f"<{words}I").unpack_from(data)
    h = _SEED ^ length
    for k in unpacked:
        k = k * _M & _MASK
        h = (h * _M & _MASK) ^ ((k ^ k >> 24) * _M & _MASK)
    if length & 3:
        h = (h ^ int.from_bytes(data[words << 2 :], "little")) * _M & _MASK
    h = (h ^ h >> 13) * _M & _MASK
    return h ^ h >> 15


def partition_for(key: bytes, partitions: int) -> int:
    """Return the partition that Kafka's default partitioner assigns to `key`.

    Args:
        key: The record's key.
        partitions: The number of partitions of the topic, at least 1.

    Returns:
        A partition in [0, partitions).

    Raises:
        ValueError: `partitions` is below 1.
    """
    if len(key) > _LONGEST_KEY:
        return _partition_for(key, partitions)
    return _cached_partition_for(key, partitions)


def _partition_for(key: bytes, partitions: int) -> int:
    if partitions < 1:
        raise ValueError(f"a topic has at least 1 partition, not {partitions}")
    return (murmur2(key) & 0x7FFFFFFF) % partitions


_cached_partition_for = lru_cache(maxsize=_CACHED_KEYS)(_partition_for)
