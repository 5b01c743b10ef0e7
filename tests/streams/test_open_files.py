"""The limit of open files is raised, and what it lacks is said."""

import subprocess
import sys

import pytest

from streams.open_files import BASE, PER_LANE, files_needed, shortage
from streams.settings import Settings


def test_all_lanes_of_all_agents_count() -> None:
    settings = Settings(partitions=48, agents=("enrich", "sessions"))
    assert files_needed(settings) == BASE + 96 * PER_LANE


@pytest.mark.parametrize(("limit", "is_short"), [(1_024, True), (2_020, False), (1 << 20, False)])
def test_a_low_limit_is_reported_with_what_to_do(limit: int, is_short: bool) -> None:
    sentence = shortage(limit, 2_020)
    assert (sentence is not None) == is_short
    if sentence is not None:
        assert "1,024" in sentence
        assert "ulimit -n 2020" in sentence


@pytest.mark.parametrize(("soft", "hard", "raised"), [(64, 96, 96), (96, 96, 96)])
def test_the_soft_limit_is_raised_to_the_hard_one(soft: int, hard: int, raised: int) -> None:
    """In a process of its own: a hard limit that was lowered stays low."""
    script = (
        "import resource; from streams.open_files import raise_limit;"
        f"resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}));"
        "print(raise_limit(), *resource.getrlimit(resource.RLIMIT_NOFILE))"
    )
    printed = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert printed.stdout.split() == [str(raised), str(raised), str(hard)]
