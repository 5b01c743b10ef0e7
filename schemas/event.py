"""The base class of all events, and the position of a record."""

from typing import Annotated, ClassVar

from msgspec import Meta, Struct

from schemas.fields import Version


class Event(Struct, frozen=True, kw_only=True, omit_defaults=False, gc=False):
    """The base class of all events. `topic` is the event's topic and part of its CloudEvents type."""

    topic: ClassVar[str] = ""
    schema_version: Annotated[Version, Meta(description="version of the contract")] = 1


class Source(Struct, frozen=True, kw_only=True, gc=False):
    """The position of the record that an output was computed from."""

    topic: Annotated[str, Meta(description="topic of the record")]
    partition: Annotated[int, Meta(description="partition of the topic")]
    offset: Annotated[int, Meta(description="offset in the partition")]
