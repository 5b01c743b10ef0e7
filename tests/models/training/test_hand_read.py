"""The hand-read sample: what is published of it has the precision that its attributes claim."""

from pathlib import Path

from click.testing import CliRunner

from models.attributes.brands import read_brands
from models.attributes.extractor import AttributeExtractor
from models.shipped import PRETRAINED
from models.training.attributes.hand_read import Verdict, digest_of, main, precisions, read_verdicts

EXTRACTOR = AttributeExtractor.shipped(read_brands(PRETRAINED / "student" / "brands.tsv"), 0.99)
BAR = 0.95
ENOUGH = 20


def verdict(text: str, value: str, right: bool) -> Verdict:
    return Verdict(1, "title", "weight", value, right, digest_of(text), "", text)


def test_verdicts_count_as_read_and_as_still_published() -> None:
    verdicts = [
        verdict("Rice 500 g", "500 g", right=True),
        verdict("Shelf, holds 20 kg", "20000 g", right=False),
        Verdict(1, "title", "weight", "1000 g", True, digest_of("Rice 1 kg"), "", ""),
    ]
    without = precisions(verdicts, EXTRACTOR, {})["title", "weight", 1]
    assert (without.read, without.right, without.kept, without.kept_right) == (3, 2, 1, 1)
    texts = {digest_of("Rice 1 kg"): "Rice 1 kg"}
    assert precisions(verdicts, EXTRACTOR, texts)["title", "weight", 1].kept == 2


def test_attributes_of_the_sample_that_are_still_published_are_right() -> None:
    """Of the texts that the project may keep. The others need the data folder."""
    counts = precisions(read_verdicts(), EXTRACTOR, {})
    missed = {
        key: (count.kept_right, count.kept)
        for key, count in counts.items()
        if count.kept >= ENOUGH and count.kept_right < BAR * count.kept
    }
    assert missed == {}
    assert sum(count.kept for count in counts.values()) > 200


def test_the_command_prints_each_attribute(tmp_path: Path) -> None:
    listings = tmp_path / "shop.jsonl"
    listings.write_text('{"product_id": "p", "title": "Rice 1 kg"}\n', encoding="utf-8")
    result = CliRunner().invoke(main, ["--listings", str(listings)])
    assert result.exit_code == 0, result.output
    assert all(name in result.output for name in ("colour", "dimensions", "precision"))
