"""Repairs XML that people and templates wrote: bare ampersands, HTML's entities, HTML within texts.

libxml2 recovers from such faults by leaving text out, and after the first fault it leaves out all entities.
"""

import html
import re
from codecs import getincrementaldecoder
from typing import Protocol

_INLINE = (
    "a|abbr|b|big|blockquote|br|center|code|dd|div|dl|dt|em|font|h[1-6]|hr|i|iframe|img|li|ol|p|pre|q|s|small|"
    "span|strike|strong|sub|sup|table|tbody|td|th|thead|tr|u|ul"
)
_TOKEN = re.compile(
    rf"<!\[CDATA\[|\]\]>|&(?:(#\d+|#x[0-9a-fA-F]+|[A-Za-z][A-Za-z0-9]*);)?|<(?=/?(?:{_INLINE})(?:\s[^<>]*)?/?>)"
)
_LONGEST = 2048
"""Longest token that may begin in one block and end in the next."""

_LONGEST_ENTITY = 40

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_END_TAG = re.compile(r"</\s*([^\s>]+)\s*>\s*(?:<!--.*?-->\s*)*$", re.DOTALL)


class Readable(Protocol):
    """What a parser reads from."""

    def read(self, size: int = -1, /) -> bytes:
        """Return at most `size` bytes; none at the end."""
        ...


class RepairedXml:
    """A stream of XML in UTF-8 in which each entity is a character reference and HTML's tags are text.

    Within CDATA nothing is changed. Bytes that are no UTF-8 are replaced, and characters that XML does not
    allow are left out.

    Args:
        stream: The file in UTF-8.
    """

    def __init__(self, stream: Readable) -> None:
        self._stream = stream
        self._decoder = getincrementaldecoder("utf-8")("replace")
        self._rest = ""
        self._in_cdata = False
        self._tail = ""

    def read(self, size: int = -1) -> bytes:
        """Return a repaired block; none at the end. Its size may differ from `size`."""
        while True:
            block = self._stream.read(size)
            text = self._rest + self._decoder.decode(block, final=not block)
            self._rest = ""
            if block:
                cut = self._open_token(text)
                text, self._rest = text[:cut], text[cut:]
            if text or not block:
                self._tail = (self._tail + text)[-_LONGEST:]
                return self._repair(text).encode()

    def last_end_tag(self) -> str:
        """Return the name of the end tag at the end of what was read; empty if it does not end in one."""
        found = _END_TAG.search(self._tail)
        return found[1] if found else ""

    @staticmethod
    def _open_token(text: str) -> int:
        """The position of a token at the end that may go on in the next block."""
        found = len(text)
        tag = text.rfind("<")
        if tag > text.rfind(">") and found - tag < _LONGEST:
            found = tag
        entity = text.rfind("&")
        if entity > text.rfind(";") and len(text) - entity < _LONGEST_ENTITY:
            found = min(found, entity)
        ends = text.endswith("]") + text.endswith("]]")
        return min(found, len(text) - ends)

    def _repair(self, text: str) -> str:
        return _TOKEN.sub(self._replace, _CONTROL.sub("", text))

    def _replace(self, match: re.Match[str]) -> str:
        token, entity = match[0], match[1]
        if token == "]]>":
            self._in_cdata = False
            return token
        if self._in_cdata:
            return token
        if token == "<![CDATA[":
            self._in_cdata = True
            return token
        if token == "<":
            return "&#60;"
        if entity is None:
            return "&#38;"
        if entity.startswith("#"):
            return _reference(html.unescape(token))
        character = html.unescape(token)
        return "".join(map(_code, character)) if character != token else f"&#38;{entity};"


def _reference(text: str) -> str:
    """A character as a reference; nothing for one that XML does not allow."""
    return "".join(map(_code, _CONTROL.sub("", text)))


def _code(character: str) -> str:
    return f"&#{ord(character)};"
