"""Topics and tables whose values are JSON of one type."""

from typing import Any, Generic, TypeVar

import msgspec

from schemas.errors import InvalidEvent
from streams.state.tables import TableSpec

T = TypeVar("T")


class Topic(Generic[T]):
    """A topic whose values are JSON of one type.

    Args:
        name: The topic's name.
        value_type: A type that msgspec knows: a `Struct`, a dataclass, a builtin type.
    """

    def __init__(self, name: str, value_type: type[T]) -> None:
        self.name = name
        self._decoder = msgspec.json.Decoder(value_type)
        self._encoder = msgspec.json.Encoder()

    def __repr__(self) -> str:
        return f"Topic({self.name!r})"

    def decode(self, value: bytes | None) -> T:
        """Decode a record's value.

        Raises:
            InvalidEvent: The value is missing, is no JSON, or is of another type.
        """
        if value is None:
            raise InvalidEvent("null-value", f"a record of {self.name} has no value")
        try:
            return self._decoder.decode(value)
        except msgspec.ValidationError as error:
            raise InvalidEvent("invalid-field", str(error)) from error
        except (ValueError, RecursionError) as error:
            raise InvalidEvent("malformed-json", str(error)) from error

    def encode(self, value: T) -> bytes:
        """Encode a value."""
        return self._encoder.encode(value)


def json_table(name: str, changelog: str, row_type: type[T]) -> TableSpec[T]:
    """Describe a table whose rows are JSON of one type.

    Args:
        name: The table's name.
        changelog: The compacted topic that keeps its rows.
        row_type: A type that msgspec knows. Rows are not changed in place: use a frozen type.
    """
    decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(row_type)
    return TableSpec(name, changelog, msgspec.json.Encoder().encode, decoder.decode)
