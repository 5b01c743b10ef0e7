"""Training of the span tagger: splits without leaks, scores, and export of the CRFs."""

import gzip
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.attributes.span_artifact import FORMAT, Head, KindMeasurement, SpanManifest
from models.attributes.span_features import SLOT_BITS, feature_slots, join_texts, match_gazetteers
from models.attributes.span_tagger import SpanTagger
from models.text.cleaning import fold
from models.training.spans.card import render_span_card
from models.training.spans.corpus import KINDS, AnnotatedSpan, AnnotatedTitle, read_annotated
from models.training.spans.crf import (
    labels_of,
    plain_features,
    slot_features,
    spans_of_labels,
    tag_with_crf,
    train_crf,
)
from models.training.spans.export import blend, plain_slots, read_rows_of, weights_of
from models.training.spans.scores import SpanScore, score_spans
from models.training.spans.training import confidence_steps
from schemas.errors import StopWorker

PRODUCTS, COLORS, BRANDS = ("手机壳", "中性笔", "台灯", "保温杯"), ("黑色", "白色", "红色"), ("晨光", "得力")


def annotated(*parts: tuple[str, str]) -> AnnotatedTitle:
    """A title made of texts with their kinds; '' means none."""
    text, spans = "", []
    for part, kind in parts:
        if kind:
            spans.append((kind, len(text), len(text) + len(part)))
        text += part
    return AnnotatedTitle(text, tuple(spans), "taobao", "train")


def bio(title: AnnotatedTitle) -> str:
    codes = {"product": "HCCX", "brand": "HPPX", "model": "XH", "other": "MISC"}
    tags = ["O"] * len(title.text)
    for kind, start, end in title.spans:
        tags[start:end] = [f"B-{codes[kind]}"] + [f"I-{codes[kind]}"] * (end - start - 1)
    lines = (f"{character} {tag}" for character, tag in zip(title.text, tags, strict=True))
    return "\n".join(lines) + "\n\n"


def write(data: Path, name: str, text: str) -> None:
    (data / "ner").mkdir(exist_ok=True)
    with gzip.open(data / "ner" / f"{name}.bio.gz", "wt", encoding="utf-8") as lines:
        lines.write(text)


def test_a_title_in_both_parts_is_in_the_test_split_only(tmp_path: Path) -> None:
    both = annotated(("晨光", "brand"), ("中性笔", "product"))
    other = annotated(("台灯", "product"), (" 包邮", ""))
    write(tmp_path, "taobao_dev", bio(both))
    write(tmp_path, "taobao_train", bio(both) + bio(other) + bio(other).rstrip("\n"))
    write(tmp_path, "jd_gaiic2022", "灯 B-4\n x\n".replace(" x", "  O") + "笔 B-99\n\n")
    titles = read_annotated(tmp_path)
    assert [(title.text, title.spans) for title in titles] == [
        ("灯 笔", (("product", 0, 1),)),
        (both.text, both.spans),
        (other.text, other.spans),
    ]
    assert [title.source for title in titles] == ["jd", "taobao", "taobao"]
    assert titles[1].split == "test"
    assert titles[2].split in {"train", "calibration"}


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(StopWorker, match="jd_gaiic2022"):
        read_annotated(tmp_path)


@given(st.lists(st.tuples(st.sampled_from(["笔", "红色", "a4"]), st.sampled_from(["", "product", "model"]))))
def test_labels_decode_to_the_encoded_spans(parts: list[tuple[str, str]]) -> None:
    title = annotated(*parts)
    assert spans_of_labels(labels_of(title, KINDS["taobao"])) == list(title.spans)
    assert spans_of_labels(labels_of(title, ("model",))) == [
        span for span in title.spans if span[0] == "model"
    ]


def test_only_exact_spans_are_right() -> None:
    theirs: list[list[AnnotatedSpan]] = [[("brand", 0, 2), ("product", 2, 5)], [("product", 0, 3)]]
    ours: list[list[AnnotatedSpan]] = [
        [("brand", 0, 2), ("product", 2, 4)],
        [("brand", 0, 3), ("other", 4, 5)],
    ]
    brand, product, total = score_spans(theirs, ours, ("brand", "product"))
    assert (brand.precision, brand.recall) == (0.5, 1.0)
    assert (product.right, product.f1) == (0, 0.0)
    assert total == SpanScore(kind="all", marked=3, found=3, right=1)
    assert total.f1 == pytest.approx(1 / 3)


def test_confidences_are_precisions_of_steps_with_enough_spans() -> None:
    sure = [(0.96, True)] * 29 + [(0.99, False)]
    unsure = [(0.3, True)] * 10 + [(0.75, False)] * 10
    assert confidence_steps([*sure, *unsure]) == [(0.0, 0.5), (0.95, 0.9375)]
    assert confidence_steps([(0.9, True)] * 19) == []


def test_an_exported_tagger_finds_what_its_crf_finds(tmp_path: Path) -> None:
    """A tiny CRF learns its titles. Hashing and int8 weights do not change its output."""
    titles = [
        annotated((brand, "brand"), ("新款", ""), (color, "other"), (product, "product"))
        for brand in BRANDS
        for color in COLORS
        for product in PRODUCTS
    ]
    kinds = KINDS["taobao"]
    masks = np.zeros(1 << SLOT_BITS, dtype=np.uint16)
    line = join_texts([fold(title.text) for title in titles])
    slots = feature_slots(line, match_gazetteers(line, masks, 1))
    features = [
        slot_features(slots[start : start + length])
        for start, length in zip(line.starts, line.lengths, strict=True)
    ]
    train_crf(zip(features, (labels_of(title, kinds) for title in titles), strict=True), tmp_path / "rich")
    plain = [plain_features(title.text) for title in titles]
    train_crf(zip(plain, (labels_of(title, kinds) for title in titles), strict=True), tmp_path / "plain")
    parts = (slots[start : start + length] for start, length in zip(line.starts, line.lengths, strict=True))
    texts = [title.text for title in titles]
    same = plain_slots(zip(texts, parts, strict=True))
    chains = read_rows_of(tmp_path / "rich", kinds), read_rows_of(tmp_path / "plain", kinds, same)
    weights = weights_of({"taobao": blend(*chains, 0.5)}, masks)
    head = Head(
        name="taobao",
        kinds=list(kinds),
        confidences={"brand": [(0.0, 0.5), (0.5, 0.75)]},
        measurements=[
            KindMeasurement(kind="all", marked=1234, precision=0.5, recall=0.25, f1=0.3333, baseline_f1=0.25)
        ],
    )
    manifest = SpanManifest(
        format=FORMAT, version="spans-1-x", heads=[head], gazetteers=1, titles={"taobao train": 24},
        command="command", files={},
    )  # fmt: skip
    tagger = SpanTagger(manifest, weights)
    found = [[span[:3] for span in heads["taobao"]] for heads in tagger.tag_uncalibrated(texts)]
    assert found == tag_with_crf(tmp_path / "rich", features) == [list(title.spans) for title in titles]
    assert {span.score for heads in tagger.tag(texts) for span in heads["taobao"]} == {0.0, 0.75}
    assert "| all | 1,234 | 50.0% | 25.0% | 33.3% | 25.0% |" in render_span_card(manifest)


def test_plain_features_describe_the_neighboring_tokens() -> None:
    first, _, last = plain_features("a4笔")
    assert {"-1:#", "0:a", "1:4", "0,1:a4", "s:a", "s5:a9c"} <= set(first)
    assert {"0:笔", "-1:4", "1:#", "3-2:a4笔"} <= set(last)


def test_a_blend_is_a_weighted_mean() -> None:
    zeros, ones = np.zeros((3, 3), dtype=np.float32), np.ones((3, 3), dtype=np.float32)
    rows, transitions = blend(({1: {0: 4.0}}, zeros), ({1: {0: 8.0, 2: 4.0}, 7: {1: 4.0}}, ones), 0.75)
    assert rows == {1: {0: 5.0, 2: 1.0}, 7: {1: 1.0}}
    assert (transitions == 0.25).all()
    assert blend(({1: {0: 4.0}}, zeros), ({7: {1: 4.0}}, ones), 1.0)[0] == {1: {0: 4.0}}
