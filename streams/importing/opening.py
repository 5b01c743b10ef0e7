"""Opens files as UTF-8: decompressed by their content, decoded by byte order mark, declaration or option."""

import bz2
import codecs
import gzip
import lzma
import re
import shutil
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader, RawIOBase
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

from schemas.errors import InvalidFile
from schemas.formats.extras import required_extra
from schemas.formats.head import HEAD_BYTES, Head
from schemas.formats.joined import joined

_BLOCK = 128 * 1024
_IN_MEMORY = 8 * 1024 * 1024
"""What must be read twice is kept in memory up to this size, and beyond it in a temporary file."""

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_DECLARATION = re.compile(rb"^\s*<\?xml[^>]*?encoding\s*=\s*[\"']([A-Za-z0-9._-]+)[\"']")
_META = re.compile(rb"<meta[^>]+charset\s*=\s*[\"']?([A-Za-z0-9._-]+)", re.IGNORECASE)
_ZSTD = b"\x28\xb5\x2f\xfd"

DAMAGED = (EOFError, OSError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, UnicodeError)
"""What reading a damaged file raises."""


@dataclass(frozen=True, slots=True)
class OpenedFile:
    """A file, or a file of an archive.

    Args:
        name: Its name, for messages.
        stream: Its content in UTF-8, from the beginning.
        head: Its beginning.
        encoding: The encoding that it is read in.
    """

    name: str
    stream: BinaryIO
    head: Head
    encoding: str


@contextmanager
def opened_files(
    path: str, encoding: str | None, advance: Callable[[int], None] = lambda count: None
) -> Iterator[Iterator[OpenedFile]]:
    """Open a file; `-` is standard input.

    gzip, bzip2, xz and zstd are decompressed, recognized by their content, and each file of a zip archive is
    one file.

    Args:
        path: The file.
        encoding: Its encoding; None for that of its byte order mark or declaration, or else UTF-8.
        advance: Called with the number of bytes of each read of the file on disk.

    Yields:
        The files, each to be read before the next.

    Raises:
        InvalidFile: The file cannot be opened, or is damaged.
    """
    name = "standard input" if path == "-" else path
    try:
        file = sys.stdin.buffer if path == "-" else Path(path).open("rb")  # noqa: SIM115 - closed below
    except OSError as error:
        raise InvalidFile(f"{name}: {error.strerror or error}") from error
    try:
        yield _files(name, BufferedReader(_Counted(file, advance), _BLOCK), encoding)
    except DAMAGED as error:
        if isinstance(error, BrokenPipeError):
            raise
        raise InvalidFile(f"{name}: cannot be read to its end ({error})") from error
    finally:
        if path != "-":
            file.close()


def seekable(stream: BinaryIO) -> BinaryIO:
    """Return a stream with the same content that can be read twice: in memory, or in a temporary file."""
    copy = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 - as long as the file
    shutil.copyfileobj(stream, copy, _BLOCK)
    copy.seek(0)
    return cast(BinaryIO, copy)


def _files(name: str, file: BufferedReader, encoding: str | None) -> Iterator[OpenedFile]:
    magic = file.peek(8)[:8]
    if magic[:4] == b"PK\x03\x04":
        yield from _zip_members(name, file, encoding)
        return
    if magic[:2] == b"\x1f\x8b":
        stream: BinaryIO = cast(BinaryIO, gzip.GzipFile(fileobj=file))
    elif magic[:3] == b"BZh":
        stream = cast(BinaryIO, bz2.BZ2File(file))
    elif magic[:6] == b"\xfd7zXZ\x00":
        stream = cast(BinaryIO, lzma.LZMAFile(file))  # noqa: SIM115 - as long as the file
    elif magic[:4] == _ZSTD:
        stream = BufferedReader(_Zstd(file), _BLOCK)
    else:
        stream = file
    yield _decoded(name, stream, encoding)


def _zip_members(name: str, file: BinaryIO, encoding: str | None) -> Iterator[OpenedFile]:
    # The directory of an archive is at its end, and standard input cannot be read from its end.
    with tempfile.SpooledTemporaryFile(_IN_MEMORY) as copy:
        shutil.copyfileobj(file, copy, _BLOCK)
        copy.seek(0)
        with zipfile.ZipFile(copy) as archive:
            members = [each for each in archive.infolist() if not each.is_dir() and _is_content(each)]
            if not members:
                raise InvalidFile(f"{name}: the archive has no file")
            if any(each.flag_bits & 1 for each in members):
                raise InvalidFile(f"{name}: the archive is encrypted; unpack it first")
            for member in members:
                with archive.open(member) as stream:
                    yield _decoded(f"{name}:{member.filename}", cast(BinaryIO, stream), encoding)


def _is_content(member: zipfile.ZipInfo) -> bool:
    """Whether a member of an archive is a file, and none that an operating system added."""
    filename = member.filename
    return (
        not member.is_dir()
        and not filename.startswith("__MACOSX/")
        and not filename.rpartition("/")[2].startswith(".")
    )


def _decoded(name: str, stream: BinaryIO, encoding: str | None) -> OpenedFile:
    """Decode a stream to UTF-8 without a byte order mark."""
    head = _read(stream, HEAD_BYTES)
    found, skipped = _encoding(head, encoding)
    try:
        codec = codecs.lookup(found)
    except LookupError:
        raise InvalidFile(f"{name}: there is no encoding {found}; name one with --encoding") from None
    stream = joined(head[skipped:], stream)
    if codec.name not in ("utf-8", "ascii"):
        stream = BufferedReader(_Transcoded(stream, codec), _BLOCK)
    head = _read(stream, HEAD_BYTES)
    return OpenedFile(name, joined(head, stream), Head(head), codec.name)


def _read(stream: IO[bytes], size: int) -> bytes:
    """Read `size` bytes, or all if there are less."""
    parts, missing = [], size
    while missing and (part := stream.read(missing)):
        parts.append(part)
        missing -= len(part)
    return b"".join(parts)


def _encoding(head: bytes, given: str | None) -> tuple[str, int]:
    """The encoding of a file with this beginning, and the length of its byte order mark."""
    for mark, name in _MARKS:
        if head.startswith(mark):
            return name, len(mark)
    if given is not None:
        return given, 0
    if head[:2].isascii() and b"\0" in head[:2]:
        return ("utf-16-be" if head[:1] == b"\0" else "utf-16-le"), 0
    declared = _DECLARATION.match(head[:1000])
    if declared is None and head.lstrip()[:1] == b"<":
        declared = _META.search(head[:4096])
    name = declared[1].decode() if declared is not None else "utf-8"
    # Bytes that can be read this far are not in UTF-16 or UTF-32, whatever they declare.
    return ("utf-8" if name.lower().startswith(("utf-16", "utf16", "utf-32", "ucs")) else name), 0


class _Counted(RawIOBase):
    """A file that reports how many bytes were read."""

    def __init__(self, file: IO[bytes], advance: Callable[[int], None]) -> None:
        self._file = file
        self._advance = advance

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        content = self._file.read(len(view))
        view[: len(content)] = content
        self._advance(len(content))
        return len(content)


class _Converted(RawIOBase):
    """A stream whose blocks are converted as they are read."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._ready = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        while not self._ready:
            block = self._stream.read(_BLOCK)
            self._ready = self._convert(block)
            if not block:
                break
        content = self._ready[: len(view)]
        self._ready = self._ready[len(content) :]
        view[: len(content)] = content
        return len(content)

    def _convert(self, block: bytes) -> bytes:
        """Convert a block; an empty one is the end."""
        raise NotImplementedError


class _Transcoded(_Converted):
    """A stream in another encoding, as UTF-8. What the encoding does not have becomes U+FFFD."""

    def __init__(self, stream: IO[bytes], codec: codecs.CodecInfo) -> None:
        super().__init__(stream)
        assert codec.incrementaldecoder is not None
        self._decoder = codec.incrementaldecoder("replace")

    def _convert(self, block: bytes) -> bytes:
        return self._decoder.decode(block, final=not block).encode("utf-8", "replace")


class _Zstd(_Converted):
    """A stream that is decompressed from zstd, of one frame or several."""

    def __init__(self, stream: IO[bytes]) -> None:
        super().__init__(stream)
        with required_extra("Reading zstd"):
            import zstandard
        self._library = zstandard
        self._frame: Any = None

    def _convert(self, block: bytes) -> bytes:
        if not block and self._frame is not None:
            raise EOFError("the last zstd frame is cut off")
        parts = []
        while block:
            if self._frame is None:
                self._frame = self._library.ZstdDecompressor().decompressobj()
            try:
                parts.append(self._frame.decompress(block))
            except self._library.ZstdError as error:
                raise EOFError(str(error)) from error
            block = b""
            if self._frame.eof:
                block, self._frame = self._frame.unused_data, None
        return b"".join(parts)
