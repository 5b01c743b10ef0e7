"""Spans become attributes if they are confident enough and do not overlap; values are normalized."""

import pytest

from models.attributes.attribute_match import AttributeMatch
from models.attributes.span_attributes import MAX_CONFIDENCE, MIN_CONFIDENCE, attributes_of_spans
from models.attributes.span_decoding import Span
from models.text.lexicon import shipped_lexicon

LEXICON = shipped_lexicon()


def attributes_in(text: str, *spans: tuple[str, str, float], head: str = "jd") -> list[tuple[str, str]]:
    spans_of_head = [
        Span(kind, text.index(part), text.index(part) + len(part), score) for kind, part, score in spans
    ]
    return [(item.name, item.value) for item in attributes_of_spans(text, {head: spans_of_head}, LEXICON)]


@pytest.mark.parametrize(
    ("kind", "part", "expected"),
    [
        ("product", "手机壳", [("product", "手机壳")]),
        ("colour", "酒红色", [("colour", "burgundy")]),
        ("colour", "曜石", [("colour", "曜石")]),
        ("colour", "纯棉", []),
        ("material", "纯棉", [("material", "cotton")]),
        ("specification", "a4", [("specification", "a4")]),
        ("specification", "500ml", []),
        ("theme", "学校", []),
    ],
)
def test_spans_give_attributes_by_kind(kind: str, part: str, expected: list[tuple[str, str]]) -> None:
    assert attributes_in(f"新 {part} 款", (kind, part, 0.9)) == expected


def test_a_span_of_low_confidence_is_left_out() -> None:
    assert attributes_in("手机壳", ("product", "手机壳", MIN_CONFIDENCE - 0.01)) == []


def test_the_first_head_has_priority() -> None:
    spans = {
        "taobao": [Span("product", 0, 2, 0.9), Span("brand", 3, 5, 0.85), Span("model", 5, 7, 0.9)],
        "jd": [Span("fits_brand", 0, 3, 0.8), Span("brand", 3, 5, 0.3), Span("fits_model", 5, 7, 0.3)],
    }
    assert attributes_of_spans("苹果机小米x8", spans, LEXICON) == [
        AttributeMatch("fits_brand", "苹果机", 0, 3, 0.8),
        AttributeMatch("brand", "小米", 3, 5, 0.85),
    ]


def test_confidence_is_bounded() -> None:
    (match,) = attributes_of_spans("手机壳", {"jd": [Span("product", 0, 3, 0.99)]}, LEXICON)
    assert match.confidence == MAX_CONFIDENCE
