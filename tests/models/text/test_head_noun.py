"""Head nouns end the first phrase of an English title."""

import pytest

from models.text.head_noun import head_nouns


@pytest.mark.parametrize(
    ("title", "nouns"),
    [
        ("toothpaste tube pen", ["toothpaste tube pen", "tube pen", "pen"]),
        ("pen for tablets", []),
        ("wooden signs with rope", ["wooden sign", "sign"]),
        ("glass mug, 300 ml", ["glass mug", "mug"]),
        ("english notebook a6 size", ["english notebook", "notebook"]),
        ("salt & pepper mill", ["salt pepper mill", "pepper mill", "mill"]),
        ("strawberry keyring red small", ["strawberry keyring", "keyring"]),
        ("mug", []),
        ("红色 手机壳", []),
        ("", []),
    ],
)
def test_head_nouns(title: str, nouns: list[str]) -> None:
    assert head_nouns(title) == nouns
