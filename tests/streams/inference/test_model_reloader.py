"""A worker follows its registry's deployment between batches, and never serves a model that does not load."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from models.registry.registry import DEPLOYMENT, Registry
from schemas.errors import StopWorker
from streams.inference import model_reloader
from streams.inference.messages import Prediction
from streams.inference.model_reloader import RETRY_AFTER_S, ModelReloader
from streams.inference.protocol import Inference
from tests.support.inferences import FakeInference, listings
from tests.support.model_folders import TREE, tiny_model

Follow = Callable[[], ModelReloader]


class Loader:
    """Loads a fake model for each version.

    Attributes:
        loads: The requested versions, in order.
        broken: The versions that cannot be loaded, and the error of each.
        breaks_at: Title at which the loaded models fail. None for no failure.
        most: Maximum number of models that were in memory at once.
    """

    def __init__(self) -> None:
        self.loads: list[str | None] = []
        self.broken: dict[str | None, Exception] = {}
        self.breaks_at: str | None = None
        self.most = 0

    def __call__(self, version: str | None) -> Inference:
        self.loads.append(version)
        if version in self.broken:
            raise self.broken[version]
        model = FakeInference(version or "shipped", breaks_at=self.breaks_at)
        self.most = max(self.most, len(FakeInference.alive))
        return model


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path / "registry", TREE)


@pytest.fixture
def versions(registry: Registry, tmp_path: Path) -> list[str]:
    for number in range(4):
        tiny_model(tmp_path / f"model-{number}", number)
    return [registry.add(tmp_path / f"model-{number}") for number in range(4)]


@pytest.fixture
def load() -> Loader:
    FakeInference.alive.clear()
    return Loader()


@pytest.fixture
def follow(registry: Registry, load: Loader) -> Follow:
    """Starts a reloader at time 0."""
    return lambda: ModelReloader(registry, load, 0.0)


def running(follower: ModelReloader) -> tuple[str, str, float, bool]:
    """Serving version, candidate version, canary share, and whether there is a shadow."""
    report = follower.report()
    return report.model_version, report.candidate_version, report.canary_share, report.shadow is not None


async def test_a_registry_that_names_nothing_serves_the_worker_s_own_model(
    follow: Follow, load: Loader
) -> None:
    follower = follow()
    await follower.check(1.0)
    assert running(follower) == ("shipped", "", 0.0, False)
    assert load.loads == [None]


async def test_a_promoted_model_serves_and_a_rollback_takes_it_back(
    follow: Follow, registry: Registry, versions: list[str]
) -> None:
    follower = follow()
    seen = []
    for turn, change in enumerate(
        (
            lambda: registry.promote(versions[0]),
            lambda: registry.promote(versions[1]),
            registry.rollback,
            registry.rollback,
        )
    ):
        change()
        await follower.check(float(turn))
        seen.append(follower.report().model_version)
    assert seen == [versions[0], versions[1], versions[0], versions[1]]
    assert follower.report().swaps == 4
    assert follower.report().trouble is None


async def test_the_first_promotion_can_be_rolled_back(
    follow: Follow, registry: Registry, versions: list[str]
) -> None:
    registry.promote(versions[0])
    follower = follow()
    assert running(follower)[0] == versions[0]
    registry.rollback()
    await follower.check(1.0)
    assert running(follower)[0] == "shipped"


async def test_nothing_is_loaded_while_nothing_changes(
    follow: Follow, registry: Registry, versions: list[str], load: Loader
) -> None:
    registry.promote(versions[0])
    registry.set_shadow(versions[1])
    follower = follow()
    for second in range(5):
        await follower.check(float(second))
    assert load.loads == [versions[0], versions[1]]


async def test_a_share_changes_without_loading_again(
    follow: Follow, registry: Registry, versions: list[str], load: Loader
) -> None:
    follower = follow()
    for share, shadow in ((0.1, False), (0.5, False), (0.5, True)):
        registry.set_canary(versions[0], share)
        registry.set_shadow(versions[0] if shadow else None)
        await follower.check(1.0)
        assert running(follower) == ("shipped", versions[0], share, shadow)
    registry.set_canary(None)
    registry.set_shadow(None)
    await follower.check(2.0)
    assert running(follower) == ("shipped", "", 0.0, False)
    assert load.loads == [None, versions[0]]


async def test_a_promoted_candidate_is_not_loaded_again(
    follow: Follow, registry: Registry, versions: list[str], load: Loader
) -> None:
    registry.set_canary(versions[0], 0.1)
    follower = follow()
    await follower.check(1.0)
    candidate = follower.inference.models.candidate
    registry.promote(versions[0])
    await follower.check(2.0)
    assert follower.inference.models.model is candidate
    assert running(follower) == (versions[0], "", 0.0, False)
    assert load.loads == [None, versions[0]]


async def test_there_are_never_more_than_two_models_in_memory(
    follow: Follow, registry: Registry, versions: list[str], load: Loader
) -> None:
    """Also if another model than the candidate is promoted, and the candidate stays on trial."""
    registry.promote(versions[0])
    registry.set_canary(versions[1], 0.5)
    follower = follow()
    await follower.check(1.0)
    await follower.inference.predict(listings(50))
    registry.promote(versions[2])
    await follower.check(2.0)
    assert running(follower) == (versions[2], versions[1], 0.5, False)
    registry.set_canary(None)
    registry.set_shadow(versions[3])
    await follower.check(3.0)
    await follower.inference.predict(listings(50))
    registry.rollback()
    await follower.check(4.0)
    assert running(follower) == (versions[0], "", 0.0, False)
    assert load.most == 2


@pytest.mark.parametrize("error", [StopWorker("its file is torn"), MemoryError(), ValueError("a bug")])
async def test_a_model_that_cannot_be_loaded_changes_nothing_and_is_reported(
    follow: Follow, registry: Registry, versions: list[str], load: Loader, error: Exception
) -> None:
    registry.promote(versions[0])
    follower = follow()
    load.broken[versions[1]] = error
    registry.promote(versions[1])
    with capture_logs() as logs:
        await follower.check(1.0)
    assert running(follower)[0] == versions[0]
    report = follower.report()
    assert report.failures == 1
    assert report.trouble is not None
    assert versions[1] in report.trouble
    assert (str(error) or "MemoryError") in report.trouble
    assert [(entry["log_level"], entry["model"]) for entry in logs] == [("error", versions[1])]
    (prediction,) = await follower.inference.predict(listings(1))
    assert isinstance(prediction, Prediction)
    assert prediction.model_version == versions[0]


async def test_a_model_that_cannot_be_loaded_is_tried_again_later(
    follow: Follow, registry: Registry, versions: list[str], load: Loader
) -> None:
    follower = follow()
    load.broken[versions[0]] = StopWorker("its file is torn")
    registry.promote(versions[0])
    for second in range(5):
        await follower.check(float(second))
    assert load.loads == [None, versions[0]]
    del load.broken[versions[0]]
    await follower.check(RETRY_AFTER_S + 1.0)
    assert running(follower)[0] == versions[0]
    assert follower.report().trouble is None


async def test_trouble_ends_when_another_model_is_promoted(
    follow: Follow, registry: Registry, versions: list[str], load: Loader
) -> None:
    follower = follow()
    load.broken[versions[0]] = StopWorker("its file is torn")
    registry.promote(versions[0])
    await follower.check(1.0)
    registry.promote(versions[1])
    await follower.check(2.0)
    assert running(follower)[0] == versions[1]
    assert follower.report().trouble is None


async def test_a_candidate_that_fails_at_work_is_taken_out_and_tried_again_later(
    follow: Follow, registry: Registry, versions: list[str], load: Loader
) -> None:
    follower = follow()
    load.breaks_at = "poison"
    registry.set_canary(versions[0], 1.0)
    await follower.check(1.0)
    await follower.inference.predict(listings(3, "poison"))
    await follower.check(2.0)
    assert running(follower) == ("shipped", "", 0.0, False)
    assert f"{versions[0]} breaks" in (follower.report().trouble or "")
    load.breaks_at = None
    await follower.check(2.0 + RETRY_AFTER_S)
    assert running(follower) == ("shipped", versions[0], 1.0, False)


async def test_a_damaged_deployment_changes_nothing_and_is_reported_once(
    follow: Follow, registry: Registry, versions: list[str]
) -> None:
    registry.promote(versions[0])
    follower = follow()
    good = (registry.folder / DEPLOYMENT).read_bytes()
    (registry.folder / DEPLOYMENT).write_bytes(b"{")
    with capture_logs() as logs:
        for second in range(3):
            await follower.check(float(second))
    assert len(logs) == 1
    assert running(follower)[0] == versions[0]
    assert "cannot be followed" in (follower.report().trouble or "")
    assert follower.report().failures == 1
    (registry.folder / DEPLOYMENT).write_bytes(good)
    await follower.check(3.0)
    assert follower.report().trouble is None


async def test_a_worker_starts_with_what_served_before_if_what_serves_is_broken(
    follow: Follow, registry: Registry, versions: list[str], load: Loader
) -> None:
    registry.promote(versions[0])
    registry.promote(versions[1])
    load.broken[versions[1]] = StopWorker("its file is torn")
    follower = follow()
    assert running(follower)[0] == versions[0]
    assert versions[1] in (follower.report().trouble or "")
    await follower.check(1.0)
    assert load.loads == [versions[1], versions[0]]
    del load.broken[versions[1]]
    await follower.check(RETRY_AFTER_S)
    assert running(follower)[0] == versions[1]


async def test_a_worker_starts_with_its_own_model_if_all_of_the_registry_are_broken(
    follow: Follow, registry: Registry, versions: list[str], load: Loader
) -> None:
    registry.promote(versions[0])
    registry.promote(versions[1])
    for version in versions:
        load.broken[version] = StopWorker("its file is torn")
    follower = follow()
    await follower.check(1.0)
    assert running(follower)[0] == "shipped"
    assert versions[1] in (follower.report().trouble or "")


async def test_an_unforeseen_error_does_not_end_the_following(
    follow: Follow, registry: Registry, versions: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    follower = follow()
    registry.promote(versions[0])
    errors = iter([KeyError("a bug"), OSError("a disk")])
    monkeypatch.setattr(model_reloader, "POLL_INTERVAL_S", 0.0)
    check, checked = follower.check, asyncio.Event()

    async def stumbling(now: float) -> None:
        if (error := next(errors, None)) is not None:
            raise error
        await check(now)
        checked.set()

    monkeypatch.setattr(follower, "check", stumbling)
    task = asyncio.create_task(follower.run())
    await checked.wait()
    assert running(follower)[0] == versions[0]
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_a_worker_without_any_model_stops(registry: Registry, load: Loader) -> None:
    load.broken[None] = StopWorker("there is none")
    with pytest.raises(StopWorker, match="there is none"):
        ModelReloader(registry, load, 0.0)
