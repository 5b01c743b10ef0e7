"""What an import reads: files, their format, and what they may not say."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

from schemas.errors import InvalidFile
from schemas.formats.custom import Custom
from schemas.formats.format import Format
from schemas.formats.head import Head
from schemas.formats.mapping import Mapping
from schemas.formats.registry import FORMATS
from schemas.formats.row import ImportOptions
from streams.importing.conversion import AUTO, Converted, convert, detect
from streams.importing.kafka_import import import_id
from streams.importing.opening import opened_files
from streams.importing.report import ImportReport

STDIN = "-"


@dataclass(frozen=True, slots=True)
class ImportRequest:
    """The input of an import.

    Attributes:
        format: A format's name, or `AUTO`, or that of `Custom`.
        files: Paths; `STDIN` is standard input.
        options: What the files may not say.
        mapping: The mapping file of `Custom`.
        encoding: Encoding of the files; None if they say it.
    """

    format: str
    files: tuple[str, ...]
    options: ImportOptions
    mapping: Path | None = None
    encoding: str | None = None

    def size(self) -> int | None:
        """The bytes of all files, or None if one of them has no end that is known."""
        paths = self._paths()
        return None if paths is None else sum(path.stat().st_size for path in paths)

    def identity(self) -> str | None:
        """The id of the import, by which another run continues it; None if a file cannot be read twice."""
        paths = self._paths()
        if paths is None:
            return None
        mapping = "" if self.mapping is None else self.mapping.read_text(encoding="utf-8")
        # The time of the import differs from run to run.
        options = repr(replace(self.options, now=None))
        # Another release may make other events of the same file, and the position counts events.
        release = version("shelfstream")
        return import_id((release, self.format, options, mapping, str(self.encoding)), paths)

    def events(self, report: ImportReport, advance: Callable[[int], None]) -> Iterator[Converted]:
        """Read all events.

        Args:
            report: Counts what happens.
            advance: Called with the number of bytes that were read.

        Raises:
            InvalidFile: A file cannot be read, or not to its end.
        """
        choose = self._chooser()
        for path in self.files:
            with opened_files(path, self.encoding, advance) as opened:
                for file in opened:
                    try:
                        file_format = choose(file.head)
                    except InvalidFile as error:
                        raise InvalidFile(f"{file.name}: {error}") from error
                    report.formats.add(file_format.name)
                    yield from convert(file, file_format, self.options, report)

    def _paths(self) -> list[Path] | None:
        paths = [Path(file) for file in self.files]
        return paths if all(path.is_file() for path in paths) else None

    def _chooser(self) -> Callable[[Head], Format]:
        """Return the function that says which format a file with a given beginning has."""
        if self.mapping is None:
            return detect if self.format == AUTO else lambda head: FORMATS[self.format]
        try:
            custom = Custom(Mapping.read(self.mapping.read_text(encoding="utf-8")))
        except (InvalidFile, UnicodeDecodeError) as error:
            raise InvalidFile(f"{self.mapping}: {error}") from error
        return lambda head: custom
