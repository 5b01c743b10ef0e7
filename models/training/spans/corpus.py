"""Chinese titles in which people marked phrases: product nouns, brands, models, colours and others."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

from models.text.cleaning import clean
from models.training.data.corpus import open_text, read_rows

JD_KINDS = {
    "4": "product", "1": "brand", "16": "colour", "11": "function", "8": "audience", "37": "fits_brand",
    "38": "fits_model", "14": "style", "18": "specification", "13": "feature", "5": "usage", "7": "place",
    "40": "fits_product", "12": "material", "3": "model", "9": "theme", "10": "pattern", "22": "part",
    "54": "fits_size", "39": "fits_code", "36": "part_size", "29": "service",
}  # fmt: skip
"""Names for JD's numbered types, given by what is marked with them; rarer types are left out."""
TAOBAO_KINDS = {"HCCX": "product", "HPPX": "brand", "XH": "model", "MISC": "other"}
KINDS = {"jd": tuple(JD_KINDS.values()), "taobao": tuple(TAOBAO_KINDS.values())}

Marked = tuple[str, int, int]
"""A kind, and the characters [start, end) that are one."""


@dataclass(frozen=True, slots=True)
class MarkedTitle:
    """A title and its phrases.

    Attributes:
        text: As published.
        spans: Its phrases, in order.
        source: `jd` or `taobao`, which mark by different rules.
        split: `train`, `calibration` or `test`; the same for all marks of one title.
    """

    text: str
    spans: tuple[Marked, ...]
    source: str
    split: str


def read_marked(data: Path) -> list[MarkedTitle]:
    """All marked titles, each cleaned title of a source once.

    JD's are split by the hash of the title, 80 / 10 / 10. Of Taobao, the published development part is the
    test; nearly half of its titles stand in the published training part too, and count as test alone.

    Args:
        data: The folder with `ner/`.

    Raises:
        StopWorker: A file is missing; says which.
    """
    jd = ((text, spans, "") for text, spans in _sentences(data, "jd_gaiic2022", JD_KINDS))
    dev = ((text, spans, "test") for text, spans in _sentences(data, "taobao_dev", TAOBAO_KINDS))
    train = ((text, spans, "train") for text, spans in _sentences(data, "taobao_train", TAOBAO_KINDS))
    return [*_once(jd, "jd"), *_once([*dev, *train], "taobao")]


def read_unmarked(data: Path) -> list[str]:
    """Chinese titles in which nobody marked anything, each once."""
    rows = (row["title"] for source in ("openbg", "openbg_attributes") for row in read_rows(data, source))
    return list(dict.fromkeys(rows))


def _once(
    titles: Iterator[tuple[str, list[Marked], str]] | list[tuple[str, list[Marked], str]], source: str
) -> Iterator[MarkedTitle]:
    seen: set[str] = set()
    for text, spans, split in titles:
        if (cleaned := clean(text)) in seen:
            continue
        seen.add(cleaned)
        hashed = _split_of(cleaned)
        # Taobao's training part gives up its own calibration titles; what hashes to `test` stays in training.
        if split == "train" and hashed == "calibration":
            split = hashed
        yield MarkedTitle(text, tuple(spans), source, split or hashed)


def _split_of(text: str) -> str:
    """10% `test`, 10% `calibration`, the rest `train`, by the hash of the whole cleaned title.

    Not by its words as for categories: where a phrase stands is what is learnt, so another order is news.
    """
    bucket = crc32(b"split-1 " + text.encode("utf-8", "replace")) % 10
    return {0: "test", 1: "calibration"}.get(bucket, "train")


def _sentences(data: Path, name: str, kinds: dict[str, str]) -> Iterator[tuple[str, list[Marked]]]:
    """Titles of lines `character tag`, with an empty line after each title."""
    with open_text(data / "ner" / f"{name}.bio.gz") as lines:
        characters: list[str] = []
        tags: list[str] = []
        for line in lines:
            content = line.rstrip("\n")
            if content:
                characters.append(content[0])
                tags.append(content[2:])
            elif characters:
                yield "".join(characters), _spans(tags, kinds)
                characters, tags = [], []
        if characters:
            yield "".join(characters), _spans(tags, kinds)


def _spans(tags: list[str], kinds: dict[str, str]) -> list[Marked]:
    spans: list[Marked] = []
    for start, tag in enumerate(tags):
        kind = kinds.get(tag[2:])
        if tag.startswith("B-") and kind is not None:
            end = start + 1
            while end < len(tags) and tags[end] == f"I-{tag[2:]}":
                end += 1
            spans.append((kind, start, end))
    return spans
