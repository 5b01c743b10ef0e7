"""Measures the cost of the pipeline around the model: enrich agent and bare model on the same titles."""

import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field

from benchmarks.behavior import PARTITIONS, settings_of
from benchmarks.cluster import Cluster
from benchmarks.events import listings, produce
from benchmarks.peer_process import running, wait_until_done
from streams.topics import PRODUCT_CREATED

MODELS = {
    "the cascade": {"cascade": True, "inference": "process"},
    "the student alone": {"cascade": False, "inference": "process"},
    "the student alone, sharing the worker's interpreter": {"cascade": False, "inference": "thread"},
}
"""The settings of each variant: as shipped, without the text encoder, and without it on a thread."""


@dataclass(frozen=True, slots=True)
class EnrichResult:
    """Titles per second of one model, one figure for each turn. Bare model and agent take turns.

    Attributes:
        bare: The model alone.
        agent: The agent, from Kafka to a committed transaction.
    """

    bare: list[float] = field(default_factory=list)
    agent: list[float] = field(default_factory=list)

    @property
    def ratio(self) -> float:
        """The agent's median divided by the bare model's."""
        return statistics.median(self.agent) / statistics.median(self.bare)


def measure(
    cluster: Cluster, *, titles: int, rounds: int, limit_s: float, on_progress: Callable[[str], None]
) -> dict[str, EnrichResult]:
    """Let the bare model and the agent take turns, for each of `MODELS`.

    Args:
        cluster: The broker.
        titles: The number of titles.
        rounds: The number of turns.
        limit_s: The maximum duration of an agent's turn in seconds.
        on_progress: Receives a line of text for each step.

    Returns:
        The results by model.
    """
    results = {model: EnrichResult() for model in MODELS}
    environment = settings_of(cluster)
    subprocess.run(_shelfstream("topics", "create"), env=environment, check=True, capture_output=True)
    produce(cluster.bootstrap, PRODUCT_CREATED, listings(titles))
    for number in range(rounds):
        for model, result in results.items():
            chosen = MODELS[model]
            result.bare.append(_bare(titles, bool(chosen["cascade"])))
            app_id = "-".join(map(str, ("enrich", number, *chosen.values())))
            settings = settings_of(cluster, app_id=app_id, **chosen)
            result.agent.append(_agent(cluster, settings, titles, limit_s))
            on_progress(f"{model}: bare {result.bare[-1]:,.0f}, agent {result.agent[-1]:,.0f} titles/s")
    return results


def _shelfstream(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "streams", *arguments]


def _bare(titles: int, cascade: bool) -> float:
    model = "--cascade" if cascade else "--no-cascade"
    command = [sys.executable, "-m", "benchmarks.bare_model", "--titles", str(titles), model]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def _agent(cluster: Cluster, environment: dict[str, str], titles: int, limit_s: float) -> float:
    """Measure a worker that runs only this agent, with a new group and an empty cache."""
    app_id = environment["SHELFSTREAM_APP_ID"]
    subprocess.run(_shelfstream("topics", "create"), env=environment, check=True, capture_output=True)

    def progress() -> int:
        return cluster.consumed(app_id, PRODUCT_CREATED, PARTITIONS)

    with tempfile.TemporaryDirectory(prefix="shelfstream-bench-") as state:
        command = _shelfstream("worker", "--agents", "enrich")
        with running(command, {**environment, "SHELFSTREAM_DATA_DIR": state}) as process:
            return wait_until_done(process, progress, lambda: progress() >= titles, limit_s).rate()
