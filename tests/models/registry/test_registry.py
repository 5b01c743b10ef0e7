"""The registry: its models are valid, and a crash leaves the old or the new deployment."""

import fcntl
import os
import shutil
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from msgspec.structs import replace

from models.files.digests import sha256
from models.registry.deployment import Deployment, encode_deployment
from models.registry.registry import DEPLOYMENT, Registry
from models.taxonomy.tree import Taxonomy
from schemas.errors import StopWorker
from tests.support.crashes import Crash, crashing_after
from tests.support.model_folders import FILES, TREE, tiny_model


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path / "registry", TREE)


@pytest.fixture
def versions(registry: Registry, tmp_path: Path) -> list[str]:
    """Add three models; return their versions in that order."""
    for number in (2, 0, 1):
        tiny_model(tmp_path / f"model-{number}", number)
    return [registry.add(tmp_path / f"model-{number}") for number in (2, 0, 1)]


def manifest_digest(registry: Registry, version: str) -> str:
    return sha256((registry.folder / version / "manifest.json").read_bytes())


def without_digests(deployment: Deployment) -> Deployment:
    return replace(deployment, digests={})


def flip(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(bytes([content[0] ^ 1]) + content[1:])


def test_a_missing_directory_is_an_empty_registry(registry: Registry) -> None:
    assert registry.versions() == []
    assert registry.deployment() == Deployment()
    assert not registry.folder.exists()


def test_versions_are_in_the_order_in_which_they_were_added(registry: Registry, versions: list[str]) -> None:
    assert registry.versions() == versions
    assert len(set(versions)) == 3


def test_adding_copies_the_whole_folder_and_again_changes_nothing(registry: Registry, tmp_path: Path) -> None:
    source = tmp_path / "model"
    version = tiny_model(source, 1)
    (source / "MODEL_CARD.md").write_text("# A card")
    assert registry.add(source) == version
    before = {path: path.stat().st_mtime_ns for path in (registry.folder / version).iterdir()}
    assert {path.name for path in before} == {*FILES, "manifest.json", "MODEL_CARD.md"}
    (source / "MODEL_CARD.md").unlink()
    assert registry.add(source) == version
    assert before == {path: path.stat().st_mtime_ns for path in (registry.folder / version).iterdir()}
    shutil.rmtree(source)
    assert registry.artifact(version).manifest.model_version == version


@pytest.mark.parametrize("name", [*FILES, "manifest.json"])
def test_a_damaged_folder_is_refused_and_leaves_nothing(
    registry: Registry, tmp_path: Path, name: str
) -> None:
    tiny_model(tmp_path / "model", 1)
    flip(tmp_path / "model" / name)
    with pytest.raises(StopWorker):
        registry.add(tmp_path / "model")
    assert registry.versions() == []


def test_a_model_of_another_tree_is_refused(registry: Registry, tmp_path: Path) -> None:
    tiny_model(tmp_path / "model", 1, Taxonomy("tiny-2", {1: ("Wear",)}, {}))
    with pytest.raises(StopWorker, match="category tree tiny-2"):
        registry.add(tmp_path / "model")


def test_adding_a_model_again_replaces_a_damaged_copy(
    registry: Registry, versions: list[str], tmp_path: Path
) -> None:
    flip(registry.folder / versions[0] / "student.bin")
    with pytest.raises(StopWorker, match=r"student\.bin"):
        registry.artifact(versions[0])
    assert registry.add(tmp_path / "model-2") == versions[0]
    assert registry.artifact(versions[0]).manifest.model_version == versions[0]
    assert sorted(registry.versions()) == sorted(versions)


def changes_to(registry: Registry, version: str) -> list[Callable[[], Deployment]]:
    """The changes that take a version."""
    return [
        lambda: registry.promote(version),
        lambda: registry.set_shadow(version),
        lambda: registry.set_canary(version, 0.5),
    ]


@pytest.mark.parametrize("version", ["student-1-00000000", "", ".", "..", "../model-1", ".lock"])
def test_unknown_versions_are_refused(registry: Registry, versions: list[str], version: str) -> None:
    for change in changes_to(registry, version):
        with pytest.raises(StopWorker, match="has no model"):
            change()
    assert registry.deployment() == Deployment()


def test_damaged_versions_are_refused_with_the_file_s_name(registry: Registry, versions: list[str]) -> None:
    flip(registry.folder / versions[1] / "student.onnx")
    for change in changes_to(registry, versions[1]):
        with pytest.raises(StopWorker, match=r"student\.onnx is not the file"):
            change()
    assert registry.deployment() == Deployment()


def test_a_renamed_folder_is_refused(registry: Registry, versions: list[str]) -> None:
    (registry.folder / versions[0]).rename(registry.folder / "stable")
    with pytest.raises(StopWorker, match=f"holds {versions[0]}"):
        registry.promote("stable")


def test_a_rollback_to_a_damaged_version_is_refused(registry: Registry, versions: list[str]) -> None:
    registry.promote(versions[0])
    serving = registry.promote(versions[1])
    flip(registry.folder / versions[0] / "student.bin")
    with pytest.raises(StopWorker, match=r"student\.bin"):
        registry.rollback()
    assert registry.deployment() == serving


def test_the_deployment_file_is_readable_json(registry: Registry, versions: list[str]) -> None:
    registry.promote(versions[0])
    registry.promote(versions[1])
    registry.set_shadow(versions[2])
    registry.set_canary(versions[2], 0.05)
    assert orjson.loads((registry.folder / DEPLOYMENT).read_bytes()) == {
        "serving": versions[1],
        "previous": versions[0],
        "shadow": versions[2],
        "canary": {"version": versions[2], "share": 0.05},
        "digests": {version: manifest_digest(registry, version) for version in versions},
    }


def test_a_model_that_was_replaced_after_its_promotion_is_refused(
    registry: Registry, versions: list[str]
) -> None:
    """Its files fit its manifest, but the manifest is not the one that was deployed."""
    registry.promote(versions[0])
    manifest = registry.folder / versions[0] / "manifest.json"
    deployed = manifest.read_bytes()
    manifest.write_bytes(deployed + b"\n")
    with pytest.raises(StopWorker, match=r"manifest\.json is not the one that deployment\.json names"):
        registry.artifact(versions[0])
    registry.promote(versions[1])
    with pytest.raises(StopWorker, match="is not the one"):
        registry.rollback()
    manifest.write_bytes(deployed)
    assert registry.rollback().serving == versions[0]


def test_a_deployment_of_an_older_version_has_no_digests(registry: Registry, versions: list[str]) -> None:
    old = {"serving": versions[0], "previous": None, "shadow": None, "canary": None}
    (registry.folder / DEPLOYMENT).write_bytes(orjson.dumps(old))
    assert registry.deployment() == Deployment(serving=versions[0])
    assert registry.artifact(versions[0]).manifest.model_version == versions[0]
    assert registry.promote(versions[1]).digests == {versions[1]: manifest_digest(registry, versions[1])}


def test_a_damaged_deployment_is_refused_with_the_remedy(registry: Registry, versions: list[str]) -> None:
    (registry.folder / DEPLOYMENT).write_text('{"serving": ')
    with pytest.raises(StopWorker, match=r"cannot be followed.*Remove it"):
        registry.deployment()
    with pytest.raises(StopWorker, match="cannot be followed"):
        registry.promote(versions[0])


def test_an_unwritable_registry_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    tiny_model(tmp_path / "model", 1)
    with pytest.raises(StopWorker, match="Cannot change the registry"):
        Registry(tmp_path / "file" / "registry", TREE).add(tmp_path / "model")


def test_content_is_synced_before_the_rename(
    registry: Registry, versions: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rename that reaches the disk before the content would leave an empty file after a power failure."""
    happened: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def noted_sync(file: int) -> None:
        happened.append("sync")
        fsync(file)

    def noted_replace(path: Path, target: Path) -> Path:
        happened.append("replace")
        return replace(path, target)

    monkeypatch.setattr(os, "fsync", noted_sync)
    monkeypatch.setattr(Path, "replace", noted_replace)
    registry.promote(versions[0])
    assert happened == ["sync", "replace", "sync"]


def test_a_writer_waits_for_another(registry: Registry, versions: list[str]) -> None:
    """A writer reads the deployment that the other writer wrote."""
    writer = threading.Thread(target=registry.promote, args=(versions[2],))
    with (registry.folder / ".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        writer.start()
        writer.join(0.2)
        assert writer.is_alive()
        other = Deployment(serving=versions[1], previous=versions[0])
        (registry.folder / DEPLOYMENT).write_bytes(encode_deployment(other))
    writer.join()
    assert without_digests(registry.deployment()) == Deployment(serving=versions[2], previous=versions[1])


MODELS = 4
numbers = st.integers(0, MODELS - 1)
crashes = st.none() | st.integers(0, 20)


class RegistryMachine(RuleBasedStateMachine):
    """Runs operators' commands in any order; each may crash after any of its changes on disk."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp(prefix="shelfstream-registry-"))
        self.folder = self.root / "registry"
        self.expected = Deployment()
        self.there: set[str] = set()
        self.damaged: set[str] = set()

    @initialize()
    def train(self) -> None:
        """Write models beside the registry."""
        self.names = [tiny_model(self.root / f"model-{number}", number) for number in range(MODELS)]

    @rule(number=numbers, crash=crashes)
    def add(self, number: int, crash: int | None) -> None:
        """A new model is added or not; a valid one stays."""
        version = self.names[number]
        try:
            with crashing_after(crash, self.folder):
                assert Registry(self.folder, TREE).add(self.root / f"model-{number}") == version
        except Crash:
            self.there -= self.damaged & {version}
            self.there |= {version} & set(Registry(self.folder, TREE).versions())
            if version in self.there and self._is_valid(version):
                self.damaged.discard(version)
        else:
            self.there.add(version)
            self.damaged.discard(version)

    @rule(number=numbers, name=st.sampled_from(FILES))
    def damage(self, number: int, name: str) -> None:
        """Flip a bit of a file."""
        version = self.names[number]
        if version in self.there and version not in self.damaged:
            flip(self.folder / version / name)
            self.damaged.add(version)

    @rule(number=numbers, crash=crashes)
    def promote(self, number: int, crash: int | None) -> None:
        """Promote a valid version."""
        version = self.names[number]
        self._change(
            crash,
            lambda registry: registry.promote(version),
            lambda: self.expected.promoted(version),
            version,
        )

    @rule(number=numbers, crash=crashes)
    def shadow(self, number: int, crash: int | None) -> None:
        """Make a valid version the shadow."""
        version = self.names[number]
        self._change(
            crash,
            lambda registry: registry.set_shadow(version),
            lambda: self.expected.with_shadow(version),
            version,
        )

    @rule(number=numbers, share=st.sampled_from([0.0, 0.05, 1.0]), crash=crashes)
    def canary(self, number: int, share: float, crash: int | None) -> None:
        """Make a valid version the canary."""
        version = self.names[number]
        self._change(
            crash,
            lambda registry: registry.set_canary(version, share),
            lambda: self.expected.with_canary(version, share),
            version,
        )

    @rule(crash=crashes)
    def end_trials(self, crash: int | None) -> None:
        """Run two commands; each may crash."""
        self._change(
            crash, lambda registry: registry.set_shadow(None), lambda: self.expected.with_shadow(None), None
        )
        self._change(
            crash,
            lambda registry: registry.set_canary(None),
            lambda: self.expected.with_canary(None, 0.0),
            None,
        )

    @rule(crash=crashes)
    def roll_back(self, crash: int | None) -> None:
        """Roll back to the previous version, if it is valid."""
        self._change(
            crash,
            lambda registry: registry.rollback(),
            lambda: self.expected.rolled_back(),
            self.expected.previous,
        )

    def _change(
        self,
        crash: int | None,
        change: Callable[[Registry], Deployment],
        expect: Callable[[], Deployment],
        version: str | None,
    ) -> None:
        """Run a command: it is refused if it must be, and a crash leaves it done or not done."""
        allowed = version is None or version in self.there - self.damaged
        try:
            wanted = expect()
        except StopWorker:
            wanted, allowed = self.expected, False
        try:
            with crashing_after(crash, self.folder):
                returned = change(Registry(self.folder, TREE))
        except StopWorker:
            assert not allowed or not self.folder.exists()
        except Crash:
            found = Registry(self.folder, TREE).deployment()
            assert without_digests(found) in (self.expected, wanted)
            self.expected = without_digests(found)
        else:
            assert allowed
            assert without_digests(returned) == wanted
            self.expected = wanted

    @invariant()
    def deployment_and_models_are_as_expected(self) -> None:
        """The deployment and the versions are as expected, and valid unless a bit was flipped."""
        registry = Registry(self.folder, TREE)
        deployment = registry.deployment()
        assert without_digests(deployment) == self.expected
        assert deployment.digests.keys() == deployment.versions
        assert set(registry.versions()) == self.there
        for version in self.there:
            assert self._is_valid(version) == (version not in self.damaged)

    def _is_valid(self, version: str) -> bool:
        try:
            Registry(self.folder, TREE).artifact(version)
        except StopWorker:
            return False
        return True

    def teardown(self) -> None:
        """Remove the directory."""
        shutil.rmtree(self.root)


TestRegistryMachine = RegistryMachine.TestCase
TestRegistryMachine.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
