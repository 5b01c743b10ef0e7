"""The seeded fuzzer: one seed gives one endless stream of records for the three input topics.

Three kinds take turns: events that are right, so that there is state to damage; events with wrong fields; and
the bytes of either, broken. Keys and headers are mostly as they should be, and now and then as they are not.
"""

from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Any, NamedTuple

from schemas.keys import partition_for
from streams.topics import CATEGORY_FEEDBACK, PRODUCT_CREATED, USER_BEHAVIOR
from tests.fuzz import events, values

Headers = list[tuple[str, bytes | None]]

# What the input topics take, less what key, headers and framing may take.
_LARGEST = 950_000


class Fuzzed(NamedTuple):
    """A record to write, and the partition to write it to."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes | None
    headers: Headers


def records(seed: int, partitions: int = 4) -> Iterator[Fuzzed]:
    """The records of `seed`, without end; the same for the same seed and number of partitions."""
    dice = Random(seed)
    while True:
        (topic,) = dice.choices((PRODUCT_CREATED, USER_BEHAVIOR, CATEGORY_FEEDBACK), (45, 47, 8))
        yield _record(topic, dice, partitions)


def _record(topic: str, dice: Random, partitions: int) -> Fuzzed:
    fields = events.right(topic, dice)
    luck = dice.random()
    if luck < 0.5:
        fields = events.wronged(topic, fields, dice)
    value: bytes | None = values.dumped(fields, dice)
    if luck > 0.8:
        value = dice.choice(_BREAKS)(value or b"", dice)
    if dice.random() < 0.02:
        value = None
    key = _key(_named(topic, fields), dice)
    if value is not None:
        value = value[: _LARGEST - len(key or b"")]
    home = partition_for(key, partitions) if key is not None else dice.randrange(partitions)
    at = dice.randrange(partitions) if dice.random() < 0.1 else home
    return Fuzzed(topic, at, key, value, _headers(dice) if dice.random() < 0.2 else [])


def _named(topic: str, fields: events.Fields) -> Any:
    """What the key of an event should say."""
    if topic == USER_BEHAVIOR:
        return fields.get("user_id") or fields.get("session_id")
    return fields.get("product_id")


def _key(named: Any, dice: Random) -> bytes | None:
    luck = dice.random()
    if luck < 0.05:
        return None
    if luck < 0.07:
        return dice.choice((b"", b"\xff\xfe", b"other", b"\x00", b"k" * 5_000, b"\xed\xa0\x80", b"p1\n"))
    return str(named).encode("utf-8", "replace")[:_LARGEST]


def _headers(dice: Random) -> Headers:
    return [dice.choice(_HEADERS)(dice) for _ in range(dice.randrange(1, 6))]


_HEADERS: Sequence[Callable[[Random], tuple[str, bytes | None]]] = (
    lambda dice: ("traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
    lambda dice: ("traceparent", dice.randbytes(55)),
    lambda dice: ("traceparent", None),
    lambda dice: ("tracestate", "ключ=значение".encode()),
    lambda dice: ("ce_id", dice.choice((b"", None, dice.randbytes(9), b"x" * 3_000))),
    lambda dice: ("ce_time", b"9999-99-99"),
    lambda dice: ("content-type", b"text/html"),
    lambda dice: ("", b""),
    lambda dice: ("\U0001f600", None),
    lambda dice: ("x" * 1_000, dice.randbytes(dice.randrange(2_000))),
    lambda dice: ("shelfstream.attempt", dice.choice((b"3", b"-1", b"9" * 30, "٣".encode(), None))),
    lambda dice: ("shelfstream.replay", dice.choice((b"", b"{}", None))),
    lambda dice: ("shelfstream.origin", dice.choice((b"", b"a:b:c", b"x:1", b"\xff:0:0", None))),
    lambda dice: ("__streams.errors.offset", dice.choice((b"7", b"x", None))),
    # Told apart by its offset, as the records of a replay are.
    lambda dice: ("shelfstream.origin", b"product-created:9:%d" % dice.randrange(10**12)),
    lambda dice: ("shelfstream.moved-from", dice.choice((b"product-created", b"category-feedback", b"\xff"))),
)


def _flipped(value: bytes, dice: Random) -> bytes:
    flipped = bytearray(value)
    for _ in range(dice.randrange(1, 6)):
        flipped[dice.randrange(len(flipped))] ^= 1 << dice.randrange(8)
    return bytes(flipped)


def _inserted(value: bytes, dice: Random) -> bytes:
    at = dice.randrange(len(value) + 1)
    return value[:at] + dice.choice(_SPLINTERS) + value[at:]


def _spliced(value: bytes, dice: Random) -> bytes:
    other = values.dumped(events.right(dice.choice((PRODUCT_CREATED, USER_BEHAVIOR)), dice), dice)
    return value[: dice.randrange(len(value) + 1)] + other[dice.randrange(len(other)) :]


def _doubled(value: bytes, dice: Random) -> bytes:
    """A field for the second time: of two equal names the last one counts."""
    name = dice.choice(("product_id", "title", "user_id", "occurred_at", "schema_version"))
    return value[:-1] + b', "%s": %s}' % (name.encode(), values.dumped(values.tree(dice), dice))


def _padded(value: bytes, dice: Random) -> bytes:
    """Fields that nobody knows: many, deep, or with numbers beyond all bounds."""
    many = b",".join(b'"f%d": %d' % (number, number) for number in range(2_000))
    deep = dice.choice((50, 900, 5_000, 50_000))
    more = (many, b'"d": ' + b"[" * deep + b"]" * deep, b'"n": ' + b"9" * 5_000, b'"n": 1e999', b'"n": -')
    return value[:-1] + b", " + dice.choice(more) + b"}"


_SPLINTERS = (
    b"\x00", b"\xff", b"\xc3", b"\xed\xa0\x80", b"\\ud800", b"\\udc00\\ud800", b"\\u0000", b"\xef\xbb\xbf",
    b"\x1b", b'"', b"{", b"}", b"[", b",", b":", b"\\", b"//", b"/**/", b"NaN", b"1e999", b"0x1",
    b"'", b"\xe2\x80\xa8",
)  # fmt: skip
_BREAKS: Sequence[Callable[[bytes, Random], bytes]] = (
    lambda value, dice: value[: dice.randrange(len(value))],
    lambda value, dice: value[dice.randrange(1, len(value)) :],
    _flipped,
    _inserted,
    _spliced,
    _doubled,
    _padded,
    lambda value, dice: b"\xef\xbb\xbf" + value,
    lambda value, dice: value.decode("utf-8", "replace").encode("utf-16"),
    lambda value, dice: value + value,
    lambda value, dice: b"[" + value + b"]",
    lambda value, dice: values.dumped(value.decode("utf-8", "replace"), dice),
    lambda value, dice: values.dumped(values.tree(dice), dice),
    lambda value, dice: dice.randbytes(dice.randrange(300)),
    lambda value, dice: b"[" * dice.choice((1, 1_000, 100_000)),
    lambda value, dice: dice.choice((b"", b" ", b"null", b"{}", b"0", b'""', b"\x00" * 100, b"<xml/>")),
)
