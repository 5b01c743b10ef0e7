"""Spans as attributes: only sure ones, in unified form, none overlapping another."""

import pytest

from models.attributes.quantities import Found
from models.attributes.span_attributes import LEAST_CONFIDENCE, MOST_CONFIDENCE, marked_attributes
from models.attributes.span_decoding import Span
from models.text.lexicon import shipped_lexicon

LEXICON = shipped_lexicon()


def marked(text: str, *spans: tuple[str, str, float], head: str = "jd") -> list[tuple[str, str]]:
    found = [Span(kind, text.index(part), text.index(part) + len(part), score) for kind, part, score in spans]
    return [(item.name, item.value) for item in marked_attributes(text, {head: found}, LEXICON)]


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
def test_a_span_by_its_kind(kind: str, part: str, expected: list[tuple[str, str]]) -> None:
    assert marked(f"新 {part} 款", (kind, part, 0.9)) == expected


def test_an_unsure_span_is_left_out() -> None:
    assert marked("手机壳", ("product", "手机壳", LEAST_CONFIDENCE - 0.01)) == []


def test_the_head_that_says_more_wins_where_both_say_something() -> None:
    spans = {
        "taobao": [Span("product", 0, 2, 0.9), Span("brand", 3, 5, 0.85), Span("model", 5, 7, 0.9)],
        "jd": [Span("fits_brand", 0, 3, 0.8), Span("brand", 3, 5, 0.3), Span("fits_model", 5, 7, 0.3)],
    }
    assert marked_attributes("苹果机小米x8", spans, LEXICON) == [
        Found("fits_brand", "苹果机", 0, 3, 0.8),
        Found("brand", "小米", 3, 5, 0.85),
    ]


def test_no_span_is_surer_than_its_source_allows() -> None:
    (found,) = marked_attributes("手机壳", {"jd": [Span("product", 0, 3, 0.99)]}, LEXICON)
    assert found.confidence == MOST_CONFIDENCE
