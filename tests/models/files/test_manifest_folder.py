"""Manifest folders: the shipped artifacts are written as they are read, and damaged ones are refused."""

import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from models.attributes.span_artifact import SHIPPED_SPANS, read_spans, write_spans
from models.encoder.artifact import SHIPPED_ENCODERS, read_encoder_manifest, write_encoder_manifest
from models.files.manifest_folder import MANIFEST, ManifestFolder
from models.student.artifact import SHIPPED, Artifact, write_manifest
from models.taxonomy.tree import Taxonomy
from schemas.errors import StopWorker


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """A manifest."""

    format: int
    version: str
    files: dict[str, str]


FOLDER = ManifestFolder(
    Note, "note", 3, "Write it again.", required=("a",), version_field="version", version_prefix="note-"
)


def rewrite_student(folder: Path) -> None:
    manifest = Artifact.load(folder, Taxonomy.google()).manifest
    write_manifest(folder, manifest, list(manifest.files))


def rewrite_encoder(folder: Path) -> None:
    manifest, _ = read_encoder_manifest(folder, Taxonomy.google())
    write_encoder_manifest(folder, manifest)


def rewrite_spans(folder: Path) -> None:
    manifest, weights = read_spans(folder)
    write_spans(folder, weights, manifest)


@pytest.mark.parametrize(
    ("shipped", "rewrite"),
    [
        (SHIPPED, rewrite_student),
        (SHIPPED_ENCODERS / "en", rewrite_encoder),
        (SHIPPED_ENCODERS / "zh", rewrite_encoder),
        (SHIPPED_SPANS, rewrite_spans),
    ],
    ids=["student", "en", "zh", "spans"],
)
def test_a_shipped_manifest_is_rewritten_byte_for_byte(
    tmp_path: Path, shipped: Path, rewrite: Callable[[Path], None]
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(shipped, copy)
    (copy / MANIFEST).touch()
    rewrite(copy)
    assert (copy / MANIFEST).read_bytes() == (shipped / MANIFEST).read_bytes()


@pytest.fixture
def note(tmp_path: Path) -> Note:
    (tmp_path / "a").write_bytes(b"one")
    (tmp_path / "b").write_bytes(b"two")
    return FOLDER.write(tmp_path, Note(format=3, version="", files={}), ["a", "b"])


def test_what_is_written_is_read(tmp_path: Path, note: Note) -> None:
    assert FOLDER.read(tmp_path) == note
    assert note.version == FOLDER.version_of(note)
    assert note.version.startswith("note-")
    assert list(note.files) == ["a", "b"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 4}, "The note .* has format 4; this program reads 3. Write it again."),
        ({"version": "note-00000000"}, "was edited: its content is not note-00000000"),
        ({"files": {}}, "The note .* lacks a. Write it again."),
    ],
)
def test_an_unsuitable_manifest_is_refused(
    tmp_path: Path, note: Note, change: dict[str, object], message: str
) -> None:
    changed = msgspec.structs.replace(note, **change)
    if "version" not in change:
        changed = msgspec.structs.replace(changed, version=FOLDER.version_of(changed))
    (tmp_path / MANIFEST).write_bytes(msgspec.json.encode(changed))
    with pytest.raises(StopWorker, match=message):
        FOLDER.read(tmp_path)


@pytest.mark.usefixtures("note")
def test_damaged_and_missing_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "b").write_bytes(b"three")
    with pytest.raises(StopWorker, match="b is not the file that its manifest names: restore the note"):
        FOLDER.read(tmp_path)
    (tmp_path / "b").unlink()
    with pytest.raises(StopWorker, match=r"Cannot read the note's .*b: No such file"):
        FOLDER.read(tmp_path)
    (tmp_path / MANIFEST).write_bytes(b"{")
    with pytest.raises(StopWorker, match="is not a manifest of a note"):
        FOLDER.read(tmp_path)
