"""Chinese titles with annotated phrases: product nouns, brands, models, colors and others."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

from models.text.cleaning import clean
from models.training.data.corpus import open_text

JD_KINDS = {
    "4": "product", "1": "brand", "16": "colour", "11": "function", "8": "audience", "37": "fits_brand",
    "38": "fits_model", "14": "style", "18": "specification", "13": "feature", "5": "usage", "7": "place",
    "40": "fits_product", "12": "material", "3": "model", "9": "theme", "10": "pattern", "22": "part",
    "54": "fits_size", "39": "fits_code", "36": "part_size", "29": "service",
}  # fmt: skip
"""Kind of each of JD's numbered types, named after the phrases with that type. Rare types are left out."""
TAOBAO_KINDS = {"HCCX": "product", "HPPX": "brand", "XH": "model", "MISC": "other"}
KINDS = {"jd": tuple(JD_KINDS.values()), "taobao": tuple(TAOBAO_KINDS.values())}

AnnotatedSpan = tuple[str, int, int]
"""Kind, start and end of a span. The span covers the characters [start, end)."""


@dataclass(frozen=True, slots=True)
class AnnotatedTitle:
    """A title with its annotated spans.

    Attributes:
        text: Title as published.
        spans: Annotated spans, in order.
        source: `jd` or `taobao`, which have different annotation schemes.
        split: `train`, `calibration` or `test`.
    """

    text: str
    spans: tuple[AnnotatedSpan, ...]
    source: str
    split: str


def read_annotated(data: Path) -> list[AnnotatedTitle]:
    """Read all annotated titles, each cleaned title of a source once.

    JD's titles are split 80 / 10 / 10 by the hash of the title. Of Taobao, the published development part is
    the test split. Nearly half of its titles are in the published training part too; they are used for the
    test only.

    Args:
        data: Folder with `ner/`.

    Raises:
        StopWorker: A file is missing.
    """
    jd = ((text, spans, "") for text, spans in _sentences(data, "jd_gaiic2022", JD_KINDS))
    dev = ((text, spans, "test") for text, spans in _sentences(data, "taobao_dev", TAOBAO_KINDS))
    train = ((text, spans, "train") for text, spans in _sentences(data, "taobao_train", TAOBAO_KINDS))
    return [*_once(jd, "jd"), *_once([*dev, *train], "taobao")]


def _once(titles: Iterable[tuple[str, list[AnnotatedSpan], str]], source: str) -> Iterator[AnnotatedTitle]:
    seen: set[str] = set()
    for text, spans, split in titles:
        if (cleaned := clean(text)) in seen:
            continue
        seen.add(cleaned)
        hashed = _split_of(cleaned)
        # Taobao's calibration titles are taken from its training part. Those that hash to `test` stay in it.
        if split == "train" and hashed == "calibration":
            split = hashed
        yield AnnotatedTitle(text, tuple(spans), source, split or hashed)


def _split_of(text: str) -> str:
    """The split of a cleaned title: 10% `test`, 10% `calibration`, the rest `train`, by its hash.

    Unlike for categories, the word order counts: the tagger learns the positions of phrases.
    """
    bucket = crc32(b"split-1 " + text.encode("utf-8", "replace")) % 10
    return {0: "test", 1: "calibration"}.get(bucket, "train")


def _sentences(data: Path, name: str, kinds: dict[str, str]) -> Iterator[tuple[str, list[AnnotatedSpan]]]:
    """Read texts and spans from lines `character tag`, with an empty line after each title."""
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


def _spans(tags: list[str], kinds: dict[str, str]) -> list[AnnotatedSpan]:
    spans: list[AnnotatedSpan] = []
    for start, tag in enumerate(tags):
        kind = kinds.get(tag[2:])
        if tag.startswith("B-") and kind is not None:
            end = start + 1
            while end < len(tags) and tags[end] == f"I-{tag[2:]}":
                end += 1
            spans.append((kind, start, end))
    return spans
