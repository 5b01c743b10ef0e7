"""Cleaning and folding never raise, and folding keeps each character's position."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.text.cleaning import MAX_CHARACTERS, clean, fold

ANY_TEXT = st.text(st.characters(codec=None, exclude_categories=()), max_size=80)


@pytest.mark.parametrize(
    ("raw", "cleaned"),
    [
        ("  Ｎｉｋｅ\tShoes\u00a0&amp; <b>Socks</b> ", "nike shoes & socks"),
        ("a\x00b\ud800c\u200bd", "a b cd"),
        ("run\u200bning sho\u200c\u00ades", "running shoes"),
        ("Sharpie\u2122 Marker\u00ae", "sharpie marker"),
        ("3 < 5 and 7 > 2", "3 < 5 and 7 > 2"),
        ("<script>x</script>", "x"),
        ("😀", "😀"),
        ("\x00\ufeff ", ""),
    ],
)
def test_cleaning(raw: str, cleaned: str) -> None:
    assert clean(raw) == cleaned


@given(ANY_TEXT)
def test_cleaning_never_raises_and_is_idempotent(text: str) -> None:
    cleaned = clean(text)
    assert cleaned == cleaned.strip()
    assert not any("\ud800" <= character <= "\udfff" or character < " " for character in cleaned)


def test_long_text_is_truncated() -> None:
    assert len(clean("shoe " * 100_000)) <= MAX_CHARACTERS


@given(ANY_TEXT)
def test_folding_keeps_positions(text: str) -> None:
    """Each character of the folded text comes from the same position of the text."""
    folded = fold(text)
    assert len(folded) == len(text)
    assert all(fold(character) == after for character, after in zip(text, folded, strict=True))


def test_folding_lowers_and_narrows() -> None:
    assert fold("İＡＢ Ｎavy　5０") == "İab navy 50"
