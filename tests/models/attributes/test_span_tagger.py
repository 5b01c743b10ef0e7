"""The span tagger: spans lie in their titles and do not depend on the batch; damage is detected."""

import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.attributes.span_artifact import CARD, SHIPPED_SPANS, WEIGHTS, SpanManifest, read_spans
from models.attributes.span_features import (
    GAP,
    SLOT_BITS,
    entry_slots,
    feature_slots,
    join_texts,
    match_gazetteers,
)
from models.attributes.span_tagger import SpanTagger
from models.files.manifest_folder import MANIFEST
from models.text.cleaning import fold
from schemas.errors import StopWorker

TAGGER = SpanTagger.load()
PIECES = st.sampled_from(
    ["手机壳", "美的", "iphone6s", " ", "红色", "😀", "\x00", "防水", "𠀀", "A4", "Ｘ", "（", "男"]
)
TITLES = st.one_of(
    st.text(st.characters(codec=None, exclude_categories=()), max_size=30),
    st.lists(PIECES, max_size=10).map("".join),
)


@given(st.lists(TITLES, max_size=5))
def test_spans_lie_in_their_titles_in_order(titles: list[str]) -> None:
    folded = [fold(title) for title in titles]
    for text, heads in zip(folded, TAGGER.tag(folded), strict=True):
        for spans in heads.values():
            bounds = [bound for span in spans for bound in (span.start, span.end)]
            assert bounds == sorted(bounds)
            assert all(0 <= span.start < span.end <= len(text) for span in spans)
            assert all(0.0 <= span.score < 1.0 for span in spans)


@given(st.lists(TITLES, min_size=1, max_size=5))
def test_spans_do_not_depend_on_the_batch(titles: list[str]) -> None:
    folded = [fold(title) for title in titles]
    assert TAGGER.tag(folded) == [TAGGER.tag([text])[0] for text in folded]


def test_a_title_without_chinese_is_not_tagged() -> None:
    assert TAGGER.tag(["nike air max 90", ""]) == [{}, {}]


def test_spans_of_a_plain_title() -> None:
    title = "晨光中性笔0.5mm黑色学生用"
    (heads,) = TAGGER.tag([title])
    assert {(span.kind, title[span.start : span.end]) for span in heads["jd"]} >= {
        ("product", "中性笔"),
        ("colour", "黑色"),
    }
    assert "中性笔" in {title[span.start : span.end] for span in heads["taobao"] if span.kind == "product"}


@given(st.lists(TITLES, min_size=2, max_size=3))
def test_features_do_not_depend_on_the_batch(titles: list[str]) -> None:
    folded = [fold(title) for title in titles]
    masks = np.zeros(1 << SLOT_BITS, dtype=np.uint16)
    masks[entry_slots(["手机壳", "手机", "红色"])] = [1, 2, 3]
    line, alone = join_texts(folded), join_texts(folded[-1:])
    own = feature_slots(alone, match_gazetteers(alone, masks, 2))[GAP : GAP + len(folded[-1])]
    start = int(line.starts[-1])
    together = feature_slots(line, match_gazetteers(line, masks, 2))[start : start + len(folded[-1])]
    np.testing.assert_array_equal(own, together)


def test_the_longest_entry_counts_and_no_entry_matches_its_only_source() -> None:
    line = join_texts(["买手机壳"])
    masks = np.zeros(1 << SLOT_BITS, dtype=np.uint16)
    masks[entry_slots(["手机壳", "手机"])] = [1, 2]
    found = match_gazetteers(line, masks, 2)[GAP : GAP + 4]
    assert found.tolist() == [[0, 0], [4, 1], [5, 3], [6, 0]]
    single_source = np.full(1 << SLOT_BITS, -1, dtype=np.int64)
    single_source[entry_slots(["手机壳"])] = 0
    assert match_gazetteers(line, masks, 2, single_source)[GAP : GAP + 4, 0].tolist() == [0, 0, 0, 0]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    shutil.copytree(SHIPPED_SPANS, tmp_path / "spans")
    return tmp_path / "spans"


def test_the_shipped_tagger_is_small_and_its_card_has_the_metrics() -> None:
    manifest, _ = read_spans(SHIPPED_SPANS)
    card = (SHIPPED_SPANS / CARD).read_text(encoding="utf-8")
    assert manifest.version in card
    assert sum(path.stat().st_size for path in SHIPPED_SPANS.iterdir()) < 3_000_000
    for head in manifest.heads:
        assert [item.kind for item in head.measurements] == [*head.kinds, "all"]
        assert head.measurements[-1].f1 > head.measurements[-1].baseline_f1
        assert f"| all | {head.measurements[-1].marked:,} |" in card
        for steps in head.confidences.values():
            assert steps == sorted(steps)


@pytest.mark.parametrize(
    "damage", [lambda content: content[:-1], lambda content: content[:-9] + b"x" + content[-8:]]
)
@pytest.mark.parametrize("name", [WEIGHTS, MANIFEST])
def test_a_damaged_file_is_rejected(copy: Path, name: str, damage: Callable[[bytes], bytes]) -> None:
    path = copy / name
    path.write_bytes(damage(path.read_bytes().rstrip(b"\n")))
    with pytest.raises(StopWorker, match=name):
        SpanTagger.load(copy)


def test_a_missing_file_or_another_format_is_rejected(copy: Path) -> None:
    manifest = msgspec.json.decode((copy / MANIFEST).read_bytes(), type=SpanManifest)
    newer = msgspec.structs.replace(manifest, format=2)
    (copy / MANIFEST).write_bytes(msgspec.json.encode(newer))
    with pytest.raises(StopWorker, match="format 2"):
        SpanTagger.load(copy)
    (copy / MANIFEST).unlink()
    with pytest.raises(StopWorker, match="Cannot read"):
        SpanTagger.load(copy)
