"""Reads the events of an evaluation from files, plain or compressed."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import msgspec

from models.behavior.taste_mean import ProductLabels
from schemas.codec import decode_behavior
from schemas.errors import InvalidEvent, InvalidFile
from schemas.events import DecisionOutcome, Embedding, UserBehavior
from streams.commands.jsonl_io import print_to_stderr
from streams.commands.progress import byte_bar
from streams.importing.opening import opened_files

T = TypeVar("T")

_REPORTED = 5


class _Path(msgspec.Struct):
    path: str


class _Decision(msgspec.Struct):
    outcome: DecisionOutcome


class _Product(msgspec.Struct):
    """The fields of product-enriched that are read."""

    product_id: str
    embedding: Embedding | None = None
    category: _Path | None = None
    decision: _Decision | None = None


_PRODUCTS = msgspec.json.Decoder(_Product)


def read_behavior(path: str) -> list[UserBehavior]:
    """Read user-behavior events, with a progress bar. Invalid lines are reported and skipped.

    Raises:
        InvalidFile: The file cannot be read, or has no events.
    """
    events = _read(path, lambda line: decode_behavior(line)[0])
    if not events:
        raise InvalidFile(
            f"{path} has no user-behavior events, one JSON object per line: "
            f"`shelfstream import auto {path}` makes them from the files of other systems"
        )
    return events


def read_embeddings(path: str) -> dict[str, Embedding]:
    """Read the embeddings of product-enriched events by product; the last event of a product holds.

    Raises:
        InvalidFile: The file cannot be read, or has no embeddings.
    """
    found = {each.product_id: each.embedding for each in _read(path, _product) if each.embedding is not None}
    if not found:
        raise InvalidFile(
            f"{path} has no product-enriched events with an embedding: `shelfstream enrich` writes them"
        )
    return found


def read_categories(path: str) -> dict[str, ProductLabels]:
    """Read the categories of product-enriched events by product, but for those that are only a guess.

    Raises:
        InvalidFile: The file cannot be read, or has no categories.
    """
    found = {
        each.product_id: ProductLabels((), each.category.path)
        for each in _read(path, _product)
        if each.category is not None
        and each.decision is not None
        and each.decision.outcome is not DecisionOutcome.ABSTAINED
    }
    if not found:
        raise InvalidFile(
            f"{path} has no product-enriched events with a sure category: `shelfstream enrich` writes them"
        )
    return found


def _product(line: bytes) -> _Product:
    try:
        return _PRODUCTS.decode(line)
    except msgspec.MsgspecError as error:
        raise InvalidEvent("invalid-json", str(error)) from error


def _read(path: str, decode: Callable[[bytes], T]) -> list[T]:
    found: list[T] = []
    rejected = 0
    size = Path(path).stat().st_size if Path(path).is_file() else None
    with byte_bar("reading", size) as advance, opened_files(path, None, advance) as files:
        for file in files:
            for number, line in enumerate(file.stream, start=1):
                if line.isspace():
                    continue
                try:
                    found.append(decode(line))
                except InvalidEvent as error:
                    rejected += 1
                    if rejected <= _REPORTED:
                        print_to_stderr(f"{file.name}, line {number}: {error.reason}: {error.problem}")
    if rejected:
        print_to_stderr(f"{rejected:,} invalid lines were left out")
    return found
