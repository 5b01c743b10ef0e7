"""Human feedback as training data: the JSON lines that `feedback export` writes and `train` reads."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import msgspec

from models.taxonomy.label_hierarchy import contradict
from models.taxonomy.tree import Taxonomy
from models.training.data.corpus import Example, split_of
from schemas.errors import StopWorker
from schemas.events import Source, Verdict

SHOP = "feedback"
"""Name of the data set of human feedback, beside the shops' names."""


class FeedbackLine(msgspec.Struct, frozen=True, kw_only=True):
    """The latest feedback on one product, with its provenance.

    Attributes:
        product_id: Id of the product.
        text: Cleaned title of the product, as of the time of the feedback if that is still known.
        category_id: Category that the person chose or accepted.
        taxonomy_version: Taxonomy that `category_id` belongs to.
        verdict: Whether the person accepted or corrected the published category.
        who: Pseudonym of the person, or the name if names were requested; empty if nobody was named.
        occurred_at: Time of the feedback in UTC; None if neither the event nor its record has one.
        source: Kafka record that holds the feedback.
        model_version: Model whose category was accepted or corrected; empty if it is no longer known.
        attributes: Cleaned attributes of a listing with that title; empty if there are none.
        language: `en` or `zh`.
        shop_id: Shop that listed the product, if the listing names one.
    """

    product_id: str
    text: str
    category_id: int
    taxonomy_version: str
    verdict: Verdict
    who: str
    occurred_at: datetime | None
    source: Source
    model_version: str = ""
    attributes: str = ""
    language: str = "en"
    shop_id: str | None = None


class Conflict(NamedTuple):
    """Contradictory feedback on one text: neither category is an ancestor of the other.

    Attributes:
        text: Cleaned title.
        category_ids: Chosen categories, each once, in the order of the lines.
        product_ids: Products of the lines, in their order.
    """

    text: str
    category_ids: tuple[int, ...]
    product_ids: tuple[str, ...]


def encode_line(line: FeedbackLine) -> bytes:
    """Encode a line as JSON, without a line break."""
    return msgspec.json.encode(line)


def read_feedback(path: Path, taxonomy: Taxonomy) -> list[FeedbackLine]:
    """Read a feedback file. If several lines are about one product, the last one counts.

    Args:
        path: File from `shelfstream feedback export`, or several of those concatenated.
        taxonomy: Category tree that the model is trained for.

    Raises:
        StopWorker: The file cannot be read, or a line is malformed or of another taxonomy. The message names
            the line.
    """
    decoder = msgspec.json.Decoder(FeedbackLine)
    latest: dict[str, FeedbackLine] = {}
    try:
        content = path.read_bytes()
    except OSError as error:
        raise StopWorker(f"Cannot read {path}: {error.strerror}.") from error
    for number, raw in enumerate(content.splitlines(), 1):
        if not raw.strip():
            continue
        try:
            line = decoder.decode(raw)
        except msgspec.DecodeError as error:
            raise StopWorker(f"{path}, line {number}: {error}. Export it again.") from error
        if line.taxonomy_version != taxonomy.version or line.category_id not in taxonomy:
            raise StopWorker(
                f"{path}, line {number}: category {line.category_id} of {line.taxonomy_version} is none of "
                f"{taxonomy.version}. Train for the taxonomy that people chose from."
            )
        latest.pop(line.product_id, None)
        latest[line.product_id] = line
    return list(latest.values())


def find_conflicts(lines: Iterable[FeedbackLine], taxonomy: Taxonomy) -> list[Conflict]:
    """Find the texts with contradictory feedback, in the order of their first lines."""
    return [
        Conflict(
            text,
            tuple(dict.fromkeys(line.category_id for line in same)),
            tuple(line.product_id for line in same),
        )
        for text, same in _by_text(lines).items()
        if _contradicts(same, taxonomy)
    ]


def feedback_examples(lines: Sequence[FeedbackLine], taxonomy: Taxonomy, weight: float) -> list[Example]:
    """Turn feedback into examples of the data set `feedback`, one per text.

    A text with contradictory feedback is left out. If the categories of a text differ only in depth, the
    deepest one is its label. A line with attributes gives a second example.

    Args:
        lines: Lines from `read_feedback`.
        taxonomy: Category tree of the lines.
        weight: Weight of each example in the training loss.
    """
    examples = []
    for text, same in _by_text(lines).items():
        if _contradicts(same, taxonomy):
            continue
        line = max(same, key=lambda each: taxonomy.node(each.category_id).level)
        category, split = taxonomy.node(line.category_id).index, split_of(text)
        examples.append(Example(text, category, SHOP, split, line.language, "title", weight))
        if line.attributes:
            longer = f"{text} {line.attributes}"
            examples.append(Example(longer, category, SHOP, split, line.language, "attributes", weight))
    return examples


def _by_text(lines: Iterable[FeedbackLine]) -> dict[str, list[FeedbackLine]]:
    groups: dict[str, list[FeedbackLine]] = {}
    for line in lines:
        groups.setdefault(line.text, []).append(line)
    return groups


def _contradicts(lines: Sequence[FeedbackLine], taxonomy: Taxonomy) -> bool:
    return contradict((taxonomy.node(line.category_id).index for line in lines), taxonomy)


def feedback_conflicts(path: Path | None, taxonomy: Taxonomy) -> list[Conflict]:
    """Find the texts with contradictory feedback in a file; none if `path` is None.

    Args:
        path: File from `shelfstream feedback export`, or None.
        taxonomy: Category tree that the model is trained for.

    Raises:
        StopWorker: The file cannot be read, or a line is malformed or of another taxonomy.
    """
    return [] if path is None else find_conflicts(read_feedback(path, taxonomy), taxonomy)
