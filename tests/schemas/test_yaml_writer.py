"""Written YAML parses to the same data."""

import math
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from schemas.yaml_writer import yaml_text

odd_text = st.text(st.characters(exclude_categories=["Cs"])) | st.sampled_from(
    [
        "",
        "yes",
        "No",
        "null",
        "~",
        "1e5",
        "0x1f",
        "1_000",
        "a: b",
        "a #b",
        "- a",
        "'",
        "a\nb",
        "a\n\nb",
        "a\n",
        " a\nb",
        "a\n  b",
        "2024-05-01",
        "=",
        "<<",
        "a\n\n\nb",
        "\ufeffa",
        "a\u2028b",
        "\x7f",
        "N",
        "on",
        "a \nb",
        "#a\nb",
        "---\na",
    ]
)
documents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | odd_text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(odd_text, inner, max_size=4),
    max_leaves=20,
)


@given(documents)
def test_any_document_parses_to_itself(document: Any) -> None:
    assert yaml.safe_load(yaml_text(document)) == document


def test_prose_is_a_literal_block_and_words_have_no_quotes() -> None:
    document = {"title": "Related products", "list": [{"a": 1, "b": []}], "text": "one: two\n\nthree"}
    assert yaml_text(document) == (
        "title: Related products\nlist:\n  - a: 1\n    b: []\ntext: |-\n  one: two\n\n  three\n"
    )


def test_unsupported_values_are_rejected() -> None:
    with pytest.raises(ValueError, match="inf"):
        yaml_text([math.inf])
    with pytest.raises(TypeError, match="set"):
        yaml_text([{1}])
