"""A folder of trained models, and which of them serve.

    REGISTRY/
    ├── deployment.json                what serves, what is tried: `Deployment`
    ├── student-1-d2029f49/            a model's folder, named by its version, as `Artifact` reads it
    └── student-1-0a3c5e71/

Every change is whole or not there at all: a model's folder gets its name when it is complete, and
`deployment.json` is replaced, never written into. The cascade's encoder is no part of a model's folder; all
versions share the one that workers have.
"""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from models.files.atomic_writes import rename_atomically, write_atomically
from models.registry.deployment import Deployment, decode_deployment, encode_deployment
from models.student.artifact import MANIFEST, Artifact
from models.taxonomy.tree import Taxonomy
from schemas.errors import StopWorker

__all__ = ["DEPLOYMENT", "Deployment", "Registry"]

DEPLOYMENT = "deployment.json"
_LOCK = ".lock"


class Registry:
    """The models of a folder. Many processes may use it at once: writers wait for each other.

    Args:
        folder: Where it is, or will be once a model is added.
        taxonomy: The category tree that all its models must be for; None is Google's.
    """

    def __init__(self, folder: Path, taxonomy: Taxonomy | None = None) -> None:
        self.folder = folder
        self._taxonomy = Taxonomy.google() if taxonomy is None else taxonomy

    def versions(self) -> list[str]:
        """The versions in it, sound or not, in the order in which they were added."""
        return [path.parent.name for path in self._manifests()]

    def artifact(self, version: str) -> Artifact:
        """The verified model of a version.

        Raises:
            StopWorker: It is not there, is damaged, or is for another category tree.
        """
        known = self.versions()
        if version not in known:
            raise StopWorker(
                f"The registry {self.folder} has no model {version}; it has {', '.join(known) or 'none'}. "
                "Add it with `shelfstream models add`."
            )
        artifact = Artifact.load(self.folder / version, self._taxonomy)
        if artifact.manifest.model_version != version:
            raise StopWorker(
                f"{self.folder / version} holds {artifact.manifest.model_version}: add that model anew."
            )
        return artifact

    def add(self, source: Path) -> str:
        """Take in a copy of a model's folder; one that is there already, and sound, stays as it is.

        Returns:
            Its version.

        Raises:
            StopWorker: It is missing, damaged or for another category tree, or cannot be copied.
        """
        version = Artifact.load(source, self._taxonomy).manifest.model_version
        with self._changing(create=True):
            if not self._sound(version):
                self._copy(source, version)
        return version

    def deployment(self) -> Deployment:
        """Which versions serve and are tried; nothing chosen where nobody ever chose.

        Raises:
            StopWorker: `deployment.json` cannot be read or is damaged.
        """
        path = self.folder / DEPLOYMENT
        try:
            return decode_deployment(path.read_bytes())
        except FileNotFoundError:
            return Deployment()
        except OSError as error:
            raise StopWorker(f"Cannot read {path}: {error.strerror}.") from error
        except StopWorker as error:
            raise StopWorker(
                f"{path} cannot be followed: {error} Remove it, and promote what should serve."
            ) from error

    def promote(self, version: str) -> Deployment:
        """Let a version serve.

        Raises:
            StopWorker: It is unknown or damaged.
        """
        with self._changing():
            self.artifact(version)
            return self._write(self.deployment().promoted(version))

    def rollback(self) -> Deployment:
        """Let serve again what served before, and end all trials; a second rollback goes forward again.

        Raises:
            StopWorker: Nothing served before, or what did is gone or damaged.
        """
        with self._changing():
            deployment = self.deployment().rolled_back()
            if deployment.serving is not None:
                self.artifact(deployment.serving)
            return self._write(deployment)

    def set_shadow(self, version: str | None) -> Deployment:
        """Let a version judge beside what serves, without publishing; None ends it.

        Raises:
            StopWorker: It is unknown, damaged or serving, or another candidate is on trial.
        """
        with self._changing():
            if version is not None:
                self.artifact(version)
            return self._write(self.deployment().with_shadow(version))

    def set_canary(self, version: str | None, share: float = 0.0) -> Deployment:
        """Let a version publish for a share of the products, above 0 and at most 1; None ends it.

        Raises:
            StopWorker: It is unknown, damaged or serving, another is on trial, or the share is none.
        """
        with self._changing():
            if version is not None:
                self.artifact(version)
            return self._write(self.deployment().with_canary(version, share))

    def _manifests(self) -> list[Path]:
        found = [path for path in self.folder.glob(f"*/{MANIFEST}") if not path.parent.name.startswith(".")]
        return sorted(found, key=lambda path: (path.stat().st_mtime_ns, path.parent.name))

    def _sound(self, version: str) -> bool:
        try:
            self.artifact(version)
        except StopWorker:
            return False
        return True

    def _copy(self, source: Path, version: str) -> None:
        """Copy a model beside the others, and name it once it is whole and verified."""
        staged, damaged = self.folder / f".{version}", self.folder / f".{version}.damaged"
        for leftover in (staged, damaged):
            if leftover.exists():
                shutil.rmtree(leftover)
        shutil.copytree(source, staged, copy_function=shutil.copyfile)
        Artifact.load(staged, self._taxonomy)
        self._make_newest(staged / MANIFEST)
        target = self.folder / version
        if target.exists():
            target.rename(damaged)
        rename_atomically(staged, target)
        shutil.rmtree(damaged, ignore_errors=True)

    def _make_newest(self, manifest: Path) -> None:
        """Versions are in the order of their manifests' times, which some file systems tell only coarsely."""
        others = self._manifests()
        latest = others[-1].stat().st_mtime_ns if others else 0
        time_ns = max(manifest.stat().st_mtime_ns, latest + 1_000)
        os.utime(manifest, ns=(time_ns, time_ns))

    def _write(self, deployment: Deployment) -> Deployment:
        write_atomically(self.folder / DEPLOYMENT, encode_deployment(deployment))
        return deployment

    @contextmanager
    def _changing(self, *, create: bool = False) -> Iterator[None]:
        """Change the registry alone, with what the file system refuses told to people."""
        try:
            if create:
                self.folder.mkdir(parents=True, exist_ok=True)
            elif not self.folder.is_dir():
                raise StopWorker(
                    f"There is no registry {self.folder}: begin it with `shelfstream models add`."
                )
            with (self.folder / _LOCK).open("a") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield
        except OSError as error:
            raise StopWorker(f"Cannot change the registry {self.folder}: {error}.") from error
