"""Directories that verify themselves: a manifest with the SHA-256 of each other file.

All artifacts of models use this format. A truncated, mixed-up or edited directory is refused when it is read.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol, TypeVar

import msgspec

from models.files.digests import sha256
from schemas.errors import StopWorker

MANIFEST = "manifest.json"
_VERSION_DIGITS = 8


class AnyManifest(Protocol):
    """The fields that each manifest has.

    Attributes:
        format: The version of the directory's format.
        files: SHA-256 in hexadecimal, by file name relative to the directory.
    """

    @property
    def format(self) -> int: ...  # noqa: D102

    @property
    def files(self) -> dict[str, str]: ...  # noqa: D102


M = TypeVar("M", bound=AnyManifest)


@dataclass(frozen=True)
class ManifestFolder(Generic[M]):
    """Reads, verifies and writes one kind of artifact.

    Attributes:
        manifest_type: The msgspec type of the manifest.
        kind: The artifact's name in error messages, such as `encoder`.
        format: The supported format.
        remedy: A sentence on how to get a directory of this format.
        required: Files that the manifest must list.
        version_field: The manifest field with a version derived from its other fields; None if there is none.
        version_prefix: The beginning of such a version.
    """

    manifest_type: type[M]
    kind: str
    format: int
    remedy: str
    required: tuple[str, ...] = ()
    version_field: str | None = None
    version_prefix: str = ""

    def read(self, folder: Path) -> M:
        """Read the manifest and verify each file that it lists.

        Raises:
            StopWorker: A file is missing, damaged or edited, or the format is another.
        """
        path = folder / MANIFEST
        try:
            manifest = msgspec.json.decode(self._content(path), type=self.manifest_type)
        except msgspec.DecodeError as error:
            raise StopWorker(f"{path} is not a manifest of a {self.kind}: {error}. Restore it.") from error
        if manifest.format != self.format:
            raise StopWorker(
                f"The {self.kind} {folder} has format {manifest.format}; this program reads {self.format}. "
                f"{self.remedy}"
            )
        if self.version_field is not None:
            version = getattr(manifest, self.version_field)
            if version != self.version_of(manifest):
                raise StopWorker(f"{path} was edited: its content is not {version}. Restore it.")
        missing = [name for name in self.required if name not in manifest.files]
        if missing:
            raise StopWorker(f"The {self.kind} {folder} lacks {', '.join(missing)}. {self.remedy}")
        for name, digest in manifest.files.items():
            if sha256(self._content(folder / name)) != digest:
                raise StopWorker(
                    f"{folder / name} is not the file that its manifest names: restore the {self.kind}."
                )
        return manifest

    def write(self, folder: Path, manifest: M, names: Sequence[str]) -> M:
        """Write the manifest with the digests of the named files and, if it has one, its version.

        Args:
            folder: The directory that holds the files.
            manifest: The manifest; its digests and its version are replaced.
            names: The files to list, in this order.

        Returns:
            The manifest as written.
        """
        files = {name: sha256((folder / name).read_bytes()) for name in names}
        manifest = msgspec.structs.replace(manifest, files=files)  # type: ignore[type-var]
        if self.version_field is not None:
            manifest = self._with_version(manifest, self.version_of(manifest))
        (folder / MANIFEST).write_bytes(msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n")
        return manifest

    def version_of(self, manifest: M) -> str:
        """The version that follows from a manifest's other fields: the prefix and eight hex digits."""
        unnamed = self._with_version(manifest, "")
        return f"{self.version_prefix}{sha256(msgspec.json.encode(unnamed))[:_VERSION_DIGITS]}"

    def digest(self, folder: Path) -> str:
        """Eight hexadecimal digits that identify the manifest file, for artifacts without a version field."""
        return sha256(self._content(folder / MANIFEST))[:_VERSION_DIGITS]

    def _with_version(self, manifest: M, version: str) -> M:
        if self.version_field is None:
            raise ValueError(f"the manifest of a {self.kind} has no version field")
        return msgspec.structs.replace(manifest, **{self.version_field: version})  # type: ignore[type-var]

    def _content(self, path: Path) -> bytes:
        try:
            return path.read_bytes()
        except OSError as error:
            raise StopWorker(f"Cannot read the {self.kind}'s {path}: {error.strerror}.") from error
