"""A worker runs with the tested versions of Faust and aiokafka only."""

import tomllib
from pathlib import Path

import pytest

from schemas.errors import StopWorker
from streams.faust_transport.versions import TESTED, check_versions


def test_this_environment_has_the_tested_versions() -> None:
    check_versions()


@pytest.mark.parametrize("name", TESTED)
@pytest.mark.parametrize("installed", ["0.0.1", None])
def test_another_version_stops_the_worker_and_says_what_to_install(name: str, installed: str | None) -> None:
    """The message names the installed version, and the command that installs the tested one."""
    found = dict(TESTED)
    if installed is None:
        del found[name]
    else:
        found[name] = installed
    with pytest.raises(StopWorker) as stopped:
        check_versions(found)
    assert f"{name} {installed}" in str(stopped.value)
    assert f"pip install faust-streaming=={TESTED['faust-streaming']}" in str(stopped.value)


def test_what_the_project_installs_is_what_was_tested() -> None:
    """The dependency and the check name the same versions."""
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())
    pinned = project["project"]["dependencies"]
    assert {f"{name}=={tested}" for name, tested in TESTED.items()} <= set(pinned)
