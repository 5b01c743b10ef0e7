"""A registry of models: a directory of trained models, and which of them are deployed.

    REGISTRY/
    ├── deployment.json                the `Deployment`
    ├── gate/                          the gate's decisions, see `gate_results`
    ├── student-1-d2029f49/            the directory of a model, as `Artifact` reads it
    └── student-1-0a3c5e71/

Each change is atomic: a model's directory gets its name when it is complete, and `deployment.json` is
replaced. The text encoders are not part of a model's directory; all versions use the worker's encoders.
"""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from models.files.atomic_writes import rename_atomically, write_atomically
from models.files.digests import sha256
from models.registry.deployment import Deployment, decode_deployment, encode_deployment
from models.student.artifact import MANIFEST, Artifact
from models.taxonomy.tree import Taxonomy
from schemas.errors import StopWorker

__all__ = ["DEPLOYMENT", "Deployment", "Registry"]

DEPLOYMENT = "deployment.json"
_LOCK = ".lock"


class Registry:
    """A registry of models. Several processes may use it at once; writers wait for each other.

    Args:
        folder: The registry's directory. Adding the first model creates it.
        taxonomy: The category tree of all its models; None is Google's.
    """

    def __init__(self, folder: Path, taxonomy: Taxonomy | None = None) -> None:
        self.folder = folder
        self._taxonomy = Taxonomy.google() if taxonomy is None else taxonomy

    def versions(self) -> list[str]:
        """The versions of all models, damaged ones too, in the order in which they were added."""
        return [path.parent.name for path in self._manifests()]

    def artifact(self, version: str) -> Artifact:
        """Read and verify a model, also against the digest of the deployment that names it.

        Raises:
            StopWorker: The version is unknown or damaged, is for another category tree, or is not the model
                that was deployed under this name.
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
                f"{self.folder / version} holds {artifact.manifest.model_version}: add that model again."
            )
        if self._deployed_digest(version) not in (None, self._digest(version)):
            raise StopWorker(
                f"{self.folder / version / MANIFEST} is not the one that {DEPLOYMENT} names: somebody "
                "changed the model since. Add the deployed model again, or deploy another one."
            )
        return artifact

    def add(self, source: Path) -> str:
        """Add a copy of a model's directory, unless the registry has that version undamaged.

        Args:
            source: The model's directory.

        Returns:
            The model's version.

        Raises:
            StopWorker: The model is missing, damaged or for another category tree, or cannot be copied.
        """
        version = Artifact.load(source, self._taxonomy).manifest.model_version
        with self._locked(create=True):
            if not self._is_valid(version):
                self._copy(source, version)
        return version

    def deployment(self) -> Deployment:
        """The current deployment; an empty one if nothing was ever deployed.

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
        """Make a version the serving model.

        Raises:
            StopWorker: The version is unknown or damaged.
        """
        with self._locked():
            self.artifact(version)
            return self._write(self.deployment().promoted(version), version)

    def rollback(self) -> Deployment:
        """Make the previous version the serving model and end all trials. A second rollback undoes the first.

        Raises:
            StopWorker: No version served before, or it is missing or damaged.
        """
        with self._locked():
            deployment = self.deployment().rolled_back()
            if deployment.serving is not None:
                self.artifact(deployment.serving)
            return self._write(deployment, deployment.serving)

    def set_shadow(self, version: str | None) -> Deployment:
        """Make a version the shadow; None ends the trial.

        Raises:
            StopWorker: The version is unknown, damaged or serving, or another candidate is on trial.
        """
        with self._locked():
            if version is not None:
                self.artifact(version)
            return self._write(self.deployment().with_shadow(version), version)

    def set_canary(self, version: str | None, share: float = 0.0) -> Deployment:
        """Make a version the canary.

        Args:
            version: The version; None ends the trial.
            share: The canary's share of the products, above 0 and at most 1.

        Raises:
            StopWorker: The version is unknown, damaged or serving, another candidate is on trial, or the
                share is out of range.
        """
        with self._locked():
            if version is not None:
                self.artifact(version)
            return self._write(self.deployment().with_canary(version, share), version)

    def _manifests(self) -> list[Path]:
        found = [path for path in self.folder.glob(f"*/{MANIFEST}") if not path.parent.name.startswith(".")]
        return sorted(found, key=lambda path: (path.stat().st_mtime_ns, path.parent.name))

    def _is_valid(self, version: str) -> bool:
        try:
            self.artifact(version)
        except StopWorker:
            return False
        return True

    def _copy(self, source: Path, version: str) -> None:
        """Copy a model's directory and rename it to its version when it is complete and verified."""
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
        """Give a manifest a later time than all others, because file times order the versions.

        Some file systems keep times with a coarse resolution, so that copying alone is not enough.
        """
        others = self._manifests()
        latest = others[-1].stat().st_mtime_ns if others else 0
        time_ns = max(manifest.stat().st_mtime_ns, latest + 1_000)
        os.utime(manifest, ns=(time_ns, time_ns))

    def _digest(self, version: str) -> str:
        return sha256((self.folder / version / MANIFEST).read_bytes())

    def _deployed_digest(self, version: str) -> str | None:
        """The digest that the deployment has of a version; None if it has none or cannot be read."""
        try:
            return self.deployment().digests.get(version)
        except StopWorker:
            return None

    def _write(self, deployment: Deployment, verified: str | None) -> Deployment:
        """Write a deployment with its digests and that of a version that was just verified."""
        digests = {
            version: digest
            for version, digest in deployment.digests.items()
            if version in deployment.versions
        }
        if verified is not None:
            digests[verified] = self._digest(verified)
        deployment = msgspec.structs.replace(deployment, digests=digests)
        write_atomically(self.folder / DEPLOYMENT, encode_deployment(deployment))
        return deployment

    @contextmanager
    def _locked(self, *, create: bool = False) -> Iterator[None]:
        """Lock the registry for a change.

        Args:
            create: Whether to create a missing registry.

        Raises:
            StopWorker: There is no registry, or the file system refuses the change.
        """
        try:
            if create:
                self.folder.mkdir(parents=True, exist_ok=True)
            elif not self.folder.is_dir():
                raise StopWorker(
                    f"There is no registry {self.folder}: create it with `shelfstream models add`."
                )
            with (self.folder / _LOCK).open("a") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield
        except OSError as error:
            raise StopWorker(f"Cannot change the registry {self.folder}: {error}.") from error
