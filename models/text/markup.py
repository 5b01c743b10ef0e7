"""Markup to text: what a browser would show of a seller's HTML, and the words around links.

Text without markup passes unchanged, so that spans in it are spans of the seller's text. Of text with markup,
everything downstream reads the result of `plain_text`, and spans refer to that result.
"""

import html
import re

from selectolax.lexbor import LexborHTMLParser, LexborNode

MARKUP_CHARACTERS = 32_000
"""The most characters of a text with markup that are read. Nested elements take quadratic time."""
_ROUNDS = 3
"""The most times that text is parsed. Feeds escape markup once (`&lt;p&gt;`), some twice."""
_MARKUP = re.compile(r"<!--|<!\[CDATA\[|<[!/?]?[a-zA-Z][^<>]*>")
_CDATA = re.compile(r"<!\[CDATA\[|\]\]>")
_REFERENCE = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,31});")
_LINK = re.compile(r"(?:https?://|www\.)[^\s<>\"']+", re.IGNORECASE)
_SPACES = re.compile(r"[^\S\n]+")
_BREAKS = re.compile(r" ?\n[ \n]*")
_SKIPPED = frozenset(
    {
        "head",
        "iframe",
        "math",
        "noscript",
        "object",
        "script",
        "style",
        "svg",
        "template",
        "textarea",
        "title",
    }
)
"""Elements whose content is no text of the page."""
_INLINE = frozenset(
    ("a", "abbr", "acronym", "b", "bdi", "bdo", "big", "cite", "code", "data", "del", "dfn", "em", "font",
     "i", "ins", "kbd", "label", "mark", "nobr", "q", "s", "samp", "small", "span", "strike", "strong",
     "sub", "sup", "time", "tt", "u", "var", "wbr")
)  # fmt: skip
"""Elements that do not separate words; every other element does."""


def plain_text(text: str) -> str:
    """The text of HTML, without elements, styles, scripts, comments and addresses of links.

    Args:
        text: Text as a seller wrote it: HTML, escaped HTML, or plain text.

    Returns:
        Text without markup as it is, with the characters of web addresses replaced by spaces. Of HTML, the
        text of the first `MARKUP_CHARACTERS` characters, with one line for each block.
    """
    if "<" in text or "&" in text:
        text = _parsed(text)
    if "://" in text or "www." in text or "WWW." in text:
        text = _LINK.sub(_blank, text)
    return text


def _parsed(text: str) -> str:
    for _ in range(_ROUNDS):
        if "<" in text and _MARKUP.search(text):
            text = _visible_text(text[:MARKUP_CHARACTERS])
        elif "&" in text and _REFERENCE.search(text):
            text = _REFERENCE.sub(_character, text[:MARKUP_CHARACTERS])
        else:
            break
    return text


def _visible_text(markup: str) -> str:
    """The text of HTML. Malformed HTML is read as browsers read it; no text raises."""
    # HTML ends a CDATA section at the first `>`, feeds at the first `]]>`.
    markup = _CDATA.sub(" ", markup) if "]]>" in markup or "<![" in markup else markup
    root = LexborHTMLParser(markup).root
    parts: list[str] = []
    if root is not None:
        _collect(root, parts)
    return _BREAKS.sub("\n", _SPACES.sub(" ", "".join(parts))).strip()


def _collect(root: LexborNode, parts: list[str]) -> None:
    """Append the text below an element to `parts`. There is no recursion: elements can be nested deeply."""
    opened: list[LexborNode] = []
    node: LexborNode | None = root
    while node is not None:
        tag = node.tag
        if tag == "-text":
            parts.append((node.text_content or "").replace("\n", " "))
        elif tag not in _INLINE:
            parts.append("\n")
        child = None if tag in _SKIPPED else node.child
        if child is not None:
            opened.append(node)
            node = child
            continue
        while node.next is None and opened:
            node = opened.pop()
            if node.tag not in _INLINE:
                parts.append("\n")
        node = node.next if opened else None


def _character(match: re.Match[str]) -> str:
    return html.unescape(match.group())


def _blank(match: re.Match[str]) -> str:
    return " " * len(match.group())
