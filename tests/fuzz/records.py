"""The seeded fuzzer: one seed gives one endless stream of records for the three input topics.

There are three kinds of records: valid events, so that there is state to damage; events with wrong fields;
and either of them with corrupted bytes. Most keys and headers are valid, some are not.
"""

from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Any, NamedTuple

from schemas.keys import partition_for
from streams.topics import CATEGORY_FEEDBACK, PRODUCT_CREATED, USER_BEHAVIOR
from tests.fuzz import events, values

Headers = list[tuple[str, bytes | None]]

# The size limit of the input topics, less that of keys, headers and framing.
_LARGEST = 950_000


class Fuzzed(NamedTuple):
    """A record to write, and the partition to write it to."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes | None
    headers: Headers


def records(seed: int, partitions: int = 4) -> Iterator[Fuzzed]:
    """Generate records without end. The same seed and number of partitions give the same records."""
    rng = Random(seed)
    while True:
        (topic,) = rng.choices((PRODUCT_CREATED, USER_BEHAVIOR, CATEGORY_FEEDBACK), (45, 47, 8))
        yield _record(topic, rng, partitions)


def _record(topic: str, rng: Random, partitions: int) -> Fuzzed:
    fields = events.valid(topic, rng)
    chance = rng.random()
    if chance < 0.5:
        fields = events.corrupted(topic, fields, rng)
    value: bytes | None = values.dumped(fields, rng)
    if chance > 0.8:
        value = rng.choice(_CORRUPTIONS)(value or b"", rng)
    if rng.random() < 0.02:
        value = None
    key = _key(_key_value(topic, fields), rng)
    if value is not None:
        value = value[: _LARGEST - len(key or b"")]
    home = partition_for(key, partitions) if key is not None else rng.randrange(partitions)
    at = rng.randrange(partitions) if rng.random() < 0.1 else home
    return Fuzzed(topic, at, key, value, _headers(rng) if rng.random() < 0.2 else [])


def _key_value(topic: str, fields: events.Fields) -> Any:
    """The value that an event's key should have."""
    if topic == USER_BEHAVIOR:
        return fields.get("user_id") or fields.get("session_id")
    return fields.get("product_id")


def _key(key_value: Any, rng: Random) -> bytes | None:
    chance = rng.random()
    if chance < 0.05:
        return None
    if chance < 0.07:
        return rng.choice((b"", b"\xff\xfe", b"other", b"\x00", b"k" * 5_000, b"\xed\xa0\x80", b"p1\n"))
    return str(key_value).encode("utf-8", "replace")[:_LARGEST]


def _headers(rng: Random) -> Headers:
    return [rng.choice(_HEADERS)(rng) for _ in range(rng.randrange(1, 6))]


_HEADERS: Sequence[Callable[[Random], tuple[str, bytes | None]]] = (
    lambda rng: ("traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
    lambda rng: ("traceparent", rng.randbytes(55)),
    lambda rng: ("traceparent", None),
    lambda rng: ("tracestate", "ключ=значение".encode()),
    lambda rng: ("ce_id", rng.choice((b"", None, rng.randbytes(9), b"x" * 3_000))),
    lambda rng: ("ce_time", b"9999-99-99"),
    lambda rng: ("content-type", b"text/html"),
    lambda rng: ("", b""),
    lambda rng: ("\U0001f600", None),
    lambda rng: ("x" * 1_000, rng.randbytes(rng.randrange(2_000))),
    lambda rng: ("shelfstream.attempt", rng.choice((b"3", b"-1", b"9" * 30, "٣".encode(), None))),
    lambda rng: ("shelfstream.replay", rng.choice((b"", b"{}", None))),
    lambda rng: ("shelfstream.origin", rng.choice((b"", b"a:b:c", b"x:1", b"\xff:0:0", None))),
    lambda rng: ("__streams.errors.offset", rng.choice((b"7", b"x", None))),
    # The offset is unique, as in the records of a replay.
    lambda rng: ("shelfstream.origin", b"product-created:9:%d" % rng.randrange(10**12)),
    lambda rng: ("shelfstream.moved-from", rng.choice((b"product-created", b"category-feedback", b"\xff"))),
)


def _flipped(value: bytes, rng: Random) -> bytes:
    flipped = bytearray(value)
    for _ in range(rng.randrange(1, 6)):
        flipped[rng.randrange(len(flipped))] ^= 1 << rng.randrange(8)
    return bytes(flipped)


def _inserted(value: bytes, rng: Random) -> bytes:
    at = rng.randrange(len(value) + 1)
    return value[:at] + rng.choice(_FRAGMENTS) + value[at:]


def _spliced(value: bytes, rng: Random) -> bytes:
    other = values.dumped(events.valid(rng.choice((PRODUCT_CREATED, USER_BEHAVIOR)), rng), rng)
    return value[: rng.randrange(len(value) + 1)] + other[rng.randrange(len(other)) :]


def _doubled(value: bytes, rng: Random) -> bytes:
    """Add a field for the second time. The last value of a name counts."""
    name = rng.choice(("product_id", "title", "user_id", "occurred_at", "schema_version"))
    return value[:-1] + b', "%s": %s}' % (name.encode(), values.dumped(values.tree(rng), rng))


def _padded(value: bytes, rng: Random) -> bytes:
    """Add unknown fields: many of them, deeply nested ones, or too large numbers."""
    many = b",".join(b'"f%d": %d' % (number, number) for number in range(2_000))
    deep = rng.choice((50, 900, 5_000, 50_000))
    more = (many, b'"d": ' + b"[" * deep + b"]" * deep, b'"n": ' + b"9" * 5_000, b'"n": 1e999', b'"n": -')
    return value[:-1] + b", " + rng.choice(more) + b"}"


_FRAGMENTS = (
    b"\x00", b"\xff", b"\xc3", b"\xed\xa0\x80", b"\\ud800", b"\\udc00\\ud800", b"\\u0000", b"\xef\xbb\xbf",
    b"\x1b", b'"', b"{", b"}", b"[", b",", b":", b"\\", b"//", b"/**/", b"NaN", b"1e999", b"0x1",
    b"'", b"\xe2\x80\xa8",
)  # fmt: skip
_CORRUPTIONS: Sequence[Callable[[bytes, Random], bytes]] = (
    lambda value, rng: value[: rng.randrange(len(value))],
    lambda value, rng: value[rng.randrange(1, len(value)) :],
    _flipped,
    _inserted,
    _spliced,
    _doubled,
    _padded,
    lambda value, rng: b"\xef\xbb\xbf" + value,
    lambda value, rng: value.decode("utf-8", "replace").encode("utf-16"),
    lambda value, rng: value + value,
    lambda value, rng: b"[" + value + b"]",
    lambda value, rng: values.dumped(value.decode("utf-8", "replace"), rng),
    lambda value, rng: values.dumped(values.tree(rng), rng),
    lambda value, rng: rng.randbytes(rng.randrange(300)),
    lambda value, rng: b"[" * rng.choice((1, 1_000, 100_000)),
    lambda value, rng: rng.choice((b"", b" ", b"null", b"{}", b"0", b'""', b"\x00" * 100, b"<xml/>")),
)
