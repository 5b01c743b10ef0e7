"""HTML to text: what is left, what separates words, and bounded time for hostile text."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.text.markup import MARKUP_CHARACTERS, plain_text


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ('<p><span style="color: black;">Soft linen.</span></p>', "Soft linen."),
        ('<p style="white-space: pre-wrap">Soft linen.</p>', "Soft linen."),
        ('<div class="dark:border-gray-900/50 xl:max-w-3xl">Soft linen.</div>', "Soft linen."),
        ("<!-- brand: Acme, colour: pink -->Soft linen.", "Soft linen."),
        ("<style>p { color: black; font-size: 0.875rem }</style>Soft linen.", "Soft linen."),
        ("<script>var colour = 'red' < 3;</script>Soft linen.", "Soft linen."),
        ('<a href="https://shop.example/red-dress">Soft</a> linen.', "Soft linen."),
        ('<img src="black.jpg" alt="black">Soft linen.', "Soft linen."),
        ("<html><head><title>Red</title></head><body>Soft linen.</body></html>", "Soft linen."),
        # Elements within a word do not separate, blocks do.
        ("<b>S</b>oft l<em>inen</em>, 2 m<sup>2</sup>", "Soft linen, 2 m2"),
        ("<p>Soft</p>linen<br>cover<ul><li>red<li>blue</ul>", "Soft\nlinen\ncover\nred\nblue"),
        ("<table><tr><td>Size</td><td>XL</td></tr></table>", "Size\nXL"),
        ("<p>Soft\n   linen&nbsp;cover</p>", "Soft linen cover"),
        # Escaped once, escaped twice, and as a CDATA section.
        ("&lt;p style=&quot;color:red&quot;&gt;Soft&nbsp;linen&lt;/p&gt;", "Soft linen"),
        ("&amp;lt;p&amp;gt;Soft linen&amp;lt;/p&amp;gt;", "Soft linen"),
        ("<![CDATA[<p>Soft</p>linen]]>", "Soft\nlinen"),
        ("Black &amp; Decker caf&#233;", "Black & Decker café"),
        # Malformed.
        ("<p>Soft <b>linen", "Soft linen"),
        ("Soft</p></div></b> linen", "Soft\nlinen"),
        ("<p>1 < 2 and <10 cm</p>", "1 < 2 and <10 cm"),
        ("<!-- never closed: black", ""),
        ("<p>Soft <span style='color:black", "Soft"),
        ("<br/>", ""),
        ("\x00<p>\ud800</p>", None),
    ],
)
def test_markup_is_left_out(text: str, plain: str | None) -> None:
    if plain is None:
        plain_text(text)
    else:
        assert plain_text(text) == plain


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Soft linen",
        "Tom & Jerry <3 you",
        "R&D, AT&T, M&Ms",
        "sizes >M and <XL",
        "a < b",
        "&copy",
        "  two\n\nlines ",
    ],
)
def test_plain_text_is_the_same_object(text: str) -> None:
    assert plain_text(text) is text


def test_addresses_are_blanked_without_moving_the_rest() -> None:
    text = "See https://shop.example/black-dress?size=xl or www.red.example, soft linen"
    plain = plain_text(text)
    assert "black" not in plain
    assert "red" not in plain
    assert len(plain) == len(text)
    assert plain.index("soft") == text.index("soft")


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "unit",
    ["<div>", "<ul><li>", "<a><b><i><u>x", "&lt;div&gt;", "&amp;", "<!--", "<a ", "<", "&#", "<svg><g>"],
)
def test_ten_megabytes_take_little_time(unit: str) -> None:
    """The square of ten megabytes of nested elements would be minutes of processor time."""
    assert len(plain_text(unit * (10_000_000 // len(unit)))) <= 10_000_000


def test_the_beginning_of_long_markup_is_read() -> None:
    assert plain_text("<p>linen</p>" + "<p>x</p>" * MARKUP_CHARACTERS).startswith("linen\nx")


@settings(deadline=None, max_examples=200)
@given(st.text(st.sampled_from("<>/!-&;#ab p\"'=\x00é\ud800[]"), max_size=60))
def test_no_text_raises_and_the_result_is_stable(text: str) -> None:
    plain = plain_text(text)
    assert len(plain) <= len(text)
