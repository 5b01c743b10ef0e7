"""Features of texts, and the cached path's agreement with the plain definition."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.text.cleaning import clean
from models.text.features import (
    MAX_ROWS,
    Featurizer,
    feature_hash,
    pad,
    stem,
    text_features,
    tokens,
    word_features,
)

ANY_TEXT = st.text(st.characters(codec=None, exclude_categories=()), max_size=60)
TITLES = ["red running shoes", "running shoe red", "女士跑步鞋 shoes 42", "men's shirts", ""]


def featurizer() -> tuple[Featurizer, dict[int, int]]:
    hashes = sorted({feature_hash(feature) for title in TITLES for feature in text_features(title)})
    return Featurizer(np.array(hashes, dtype=np.uint32)), {value: row for row, value in enumerate(hashes, 1)}


def test_words_plurals_pieces_and_pairs() -> None:
    features = text_features("women's dog beds")
    assert {"=women", "=dog", "=beds", "~bed", "<do", "beds>", "women dog", "dog bed", "bed$"} <= set(
        features
    )


def test_chinese_runs_become_pieces_of_one_to_three() -> None:
    assert word_features("跑步鞋") == ["跑", "步", "鞋", "跑步", "步鞋", "跑步鞋"]


def test_stems() -> None:
    assert [stem(word) for word in ("shoes", "dresses", "boxes", "berries", "glass", "bus", "tv")] == [
        "shoe", "dress", "box", "berry", "glass", "bus", "tv",
    ]  # fmt: skip


def test_codes_split_at_digits() -> None:
    assert tokens("wh-1000xm4") == ["wh", "1000", "xm", "4"]


@given(st.one_of(ANY_TEXT, st.sampled_from(TITLES)))
def test_rows_are_those_of_the_plain_definition(text: str) -> None:
    """The cached path finds the same rows as hashing every feature, whatever the text, also twice."""
    fast, row_of = featurizer()
    cleaned = clean(text)
    plain = [
        row_of[value] for feature in text_features(cleaned) if (value := feature_hash(feature)) in row_of
    ]
    assert sorted(fast.rows(cleaned)) == sorted(plain) == sorted(fast.rows(cleaned))


def test_rows_are_bounded_and_empty_for_unknown_words() -> None:
    fast, _ = featurizer()
    assert len(fast.rows("red shoes " * 500)) == MAX_ROWS
    assert fast.rows("qqq zzz") == []


def test_padding() -> None:
    assert pad([[1, 2], [], [3]]).tolist() == [[1, 2], [0, 0], [3, 0]]
    assert pad([]).shape == (0, 1)
