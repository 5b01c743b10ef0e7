"""People's words on categories as texts to learn from: the lines between `feedback export` and `train`."""

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
"""What people's words are called among the shops."""


class FeedbackLine(msgspec.Struct, frozen=True, kw_only=True):
    """The last word of a person on one product, and where it comes from.

    Attributes:
        product_id: The product.
        text: Its cleaned title, as it was when the person spoke if that is still known.
        category_id: The category that the person chose or accepted.
        taxonomy_version: The tree that the id is of.
        verdict: Whether the person accepted what was published, or corrected it.
        who: A pseudonym of the person, or the name if names were asked for; empty where nobody was named.
        occurred_at: When, in UTC; None where neither the event nor its record says.
        source: The record that holds the word.
        model_version: Which model was accepted or overruled; empty where that is not known any more.
        attributes: The cleaned attributes of a listing with that title; empty where none is known.
        language: `en` or `zh`.
        shop_id: The shop that listed it, where it says.
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
    """People put products with one text into categories of which neither lies below the other."""

    text: str
    category_ids: tuple[int, ...]
    product_ids: tuple[str, ...]


def encode_line(line: FeedbackLine) -> bytes:
    """The line as JSON, without its end."""
    return msgspec.json.encode(line)


def read_feedback(path: Path, taxonomy: Taxonomy) -> list[FeedbackLine]:
    """The lines of a file; of several on one product the last.

    Args:
        path: What `shelfstream feedback export` wrote, or several of those one after the other.
        taxonomy: The tree that training is for.

    Raises:
        StopWorker: The file cannot be read, or is not of this form or tree; says the line.
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
                f"{taxonomy.version}. Train for the tree that people chose from."
            )
        latest.pop(line.product_id, None)
        latest[line.product_id] = line
    return list(latest.values())


def find_conflicts(lines: Iterable[FeedbackLine], taxonomy: Taxonomy) -> list[Conflict]:
    """The texts on which people contradict each other, in the order of their first lines."""
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
    """What people agree on, each text once, as examples of a shop of its own.

    Where people contradict each other on a text nobody's word is taken. Where one is only more exact than
    another, the more exact one is.

    Args:
        lines: As `read_feedback` gives them.
        taxonomy: Their tree.
        weight: How much each counts in training.
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
