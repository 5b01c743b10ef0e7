"""Tags by behavior in enriched products, and the records of product-signals that bring them."""

from collections.abc import Iterable, Sequence

import msgspec

from schemas.errors import InvalidEvent
from schemas.events import ProductEnriched, Tag, TagSource


class _Signals(msgspec.Struct):
    tags: list[str] = []


_DECODER = msgspec.json.Decoder(_Signals)


def encode_signals(tags: Iterable[str]) -> bytes:
    """Encode the tags of a product as a record of product-signals."""
    return msgspec.json.encode(_Signals(sorted(tags)))


def decode_signals(value: bytes | None) -> tuple[str, ...]:
    """Decode a record of product-signals. A tombstone takes all tags away.

    Raises:
        InvalidEvent: `malformed-json`: the value is no such record.
    """
    if value is None:
        return ()
    try:
        return tuple(sorted(_DECODER.decode(value).tags))
    except (msgspec.MsgspecError, RecursionError) as error:
        raise InvalidEvent("malformed-json", f"not a record of product-signals: {error}", "$") from error


def with_signals(event: ProductEnriched, names: Sequence[str]) -> ProductEnriched:
    """Return an event with these tags by behavior, after its other tags."""
    tags = [tag for tag in event.tags if tag.source is not TagSource.BEHAVIOR]
    taken = {tag.name for tag in tags}
    tags += [Tag(name=name, source=TagSource.BEHAVIOR, confidence=1.0) for name in names if name not in taken]
    return msgspec.structs.replace(event, tags=tags)
