"""What a format is: it recognizes a file by its beginning, reads rows, and turns each row into events."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from enum import StrEnum
from typing import BinaryIO, ClassVar

from schemas.events import ProductCreated, UserBehavior
from schemas.formats.head import Head
from schemas.formats.row import Fields, ImportOptions, Row


class Kind(StrEnum):
    """What a format holds."""

    PRODUCTS = "products"
    BEHAVIOR = "behavior"


class Format(ABC):
    """A file format. Its modules import libraries of the extra `import` only when they need them.

    Attributes:
        name: Its name on the command line.
        kind: Products or behavior.
        title: One line for people.
        reads_twice: Whether `rows` needs a stream that it can seek in.
    """

    name: ClassVar[str]
    kind: ClassVar[Kind]
    title: ClassVar[str]
    reads_twice: ClassVar[bool] = False

    @property
    def topic(self) -> str:
        """The topic of most of its events."""
        return ProductCreated.topic if self.kind is Kind.PRODUCTS else UserBehavior.topic

    @abstractmethod
    def matches(self, head: Head) -> float:
        """Return how surely a file with this beginning has this format, from 0 (not) to 1 (surely)."""

    @abstractmethod
    def rows(self, stream: BinaryIO, options: ImportOptions) -> Iterator[Row]:
        """Read rows in bounded memory.

        Args:
            stream: The file in UTF-8 without a byte order mark. Invalid bytes are possible.
            options: What the file may not say.

        Yields:
            Rows in file order. A row that cannot be read has a `fault`, and reading goes on.

        Raises:
            InvalidFile: Nothing more can be read.
        """

    @abstractmethod
    def events(self, row: Row, options: ImportOptions) -> Iterator[tuple[str, Fields]]:
        """Turn a row without a fault into events.

        Yields:
            Topic and event. A row that says nothing of interest yields none.

        Raises:
            InvalidEvent: The row has no valid event; use `invalid_row`.
        """
