"""Runs all measurements of `make bench` in one run on one machine."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks import behavior, enrich, growth, latency, passthrough
from benchmarks.behavior import BehaviorResult
from benchmarks.cluster import Cluster, running_cluster
from benchmarks.enrich import EnrichResult
from benchmarks.events import Keyed
from benchmarks.growth import GrowthPoint
from benchmarks.latency import LatencyResult
from benchmarks.passthrough import PassthroughResult
from benchmarks.peers import shelfstream_lanes, stock_faust
from benchmarks.peers.all_peers import CONTESTANTS, OURS
from benchmarks.peers.contestant import COUNTER, PASSTHROUGH, Contestant

ProgressCallback = Callable[[str], None]

PASSING = (OURS, "faust", "quix", "bytewax", "kafka-streams")
COUNTING = (OURS, "faust", "quix", "kafka-streams")
TIMED = (OURS, "faust", "quix", "quix-quick", "bytewax", "kafka-streams")
_SLOW_LIMIT_S = 40.0
_MAX_LINES = 40


@dataclass(frozen=True, slots=True)
class Scale:
    """The size of each measurement: `FULL` for published figures, `SMALL` to see whether everything works."""

    events: int
    rounds: int
    behavior_events: int
    titles: int
    enrich_rounds: int
    latency_s: float
    partitions: tuple[int, ...]
    rows: tuple[int, ...]
    sizes: tuple[int, ...]
    growth_events: int
    volume: int
    recovered_rows: int


FULL = Scale(
    1_000_000, 2, 500_000, 40_000, 2, 10.0, (1, 4, 16, 64), (10_000, 100_000, 1_000_000),
    (100, 1_000, 10_000, 100_000), 1_000_000, 400_000_000, 1_000_000,
)  # fmt: skip
SMALL = Scale(
    40_000, 1, 20_000, 8_000, 1, 3.0, (1, 4), (1_000, 10_000), (100, 10_000), 20_000, 4_000_000, 10_000
)


@dataclass(frozen=True, slots=True)
class Results:
    """The results of all measurements, which the module of each part describes."""

    passthrough: Mapping[str, PassthroughResult]
    behavior: Mapping[str, BehaviorResult]
    enrich: Mapping[str, EnrichResult]
    latency: list[LatencyResult]
    partitions: list[GrowthPoint]
    rows: list[GrowthPoint]
    sizes: list[GrowthPoint]
    recovery_s: Mapping[str, float]


def run(scale: Scale, on_progress: ProgressCallback) -> Results:
    """Run all measurements, each part on a new broker."""
    with running_cluster() as cluster:
        on_progress("passthrough")
        passed = passthrough.measure(
            cluster,
            _of(PASSING, PASSTHROUGH),
            events=scale.events,
            rounds=scale.rounds,
            limit_s=_SLOW_LIMIT_S,
            on_progress=on_progress,
        )
    with running_cluster() as cluster:
        on_progress("behavior")
        worked = behavior.measure(
            cluster,
            _of(COUNTING, COUNTER),
            events=scale.behavior_events,
            max_lines=_MAX_LINES,
            limit_s=_SLOW_LIMIT_S,
            on_progress=on_progress,
        )
    enriched = measure_enrich(scale, on_progress)
    with running_cluster() as cluster:
        on_progress("latency at half of the highest load")
        latencies = [_latency(cluster, short_name, passed, scale, on_progress) for short_name in TIMED]
    partitions, rows, sizes, recovery_s = measure_growth(scale, on_progress)
    return Results(passed, worked, enriched, latencies, partitions, rows, sizes, recovery_s)


def measure_enrich(scale: Scale, on_progress: ProgressCallback) -> Mapping[str, EnrichResult]:
    """Measure the enrich agent and the bare model."""
    with running_cluster() as cluster:
        on_progress("enrich")
        return enrich.measure(
            cluster, titles=scale.titles, rounds=scale.enrich_rounds, limit_s=120.0, on_progress=on_progress
        )


def measure_growth(
    scale: Scale, on_progress: ProgressCallback
) -> tuple[list[GrowthPoint], list[GrowthPoint], list[GrowthPoint], dict[str, float]]:
    """Measure growth by partitions, rows and record size, and recovery times in seconds."""
    with running_cluster() as cluster:
        on_progress("growth")
        return _growth(cluster, scale, on_progress)


def _measure_growth_part(scale: Scale, on_progress: ProgressCallback) -> dict[str, Any]:
    return dict(
        zip(("partitions", "rows", "sizes", "recovery_s"), measure_growth(scale, on_progress), strict=True)
    )


PARTS: dict[str, Callable[[Scale, ProgressCallback], dict[str, Any]]] = {
    "enrich": lambda scale, on_progress: {"enrich": measure_enrich(scale, on_progress)},
    "growth": _measure_growth_part,
}
"""The parts that can be measured alone; each returns fields of `Results`."""


def _of(shorts: tuple[str, ...], job: str) -> dict[str, Contestant]:
    return {
        short_name: CONTESTANTS[short_name] for short_name in shorts if job in CONTESTANTS[short_name].jobs
    }


def _latency(
    cluster: Cluster,
    short_name: str,
    passed: Mapping[str, PassthroughResult],
    scale: Scale,
    on_progress: ProgressCallback,
) -> LatencyResult:
    """Measure at half of the highest throughput; variants use that of their contestant."""
    fastest = passed[short_name if short_name in passed else short_name.split("-")[0]]
    result = latency.measure(
        cluster, short_name, CONTESTANTS[short_name], per_s=fastest.median_per_s / 2, seconds=scale.latency_s
    )
    on_progress(
        f"{result.name}: p50 {result.p50_ms:,.0f} ms, p99 {result.p99_ms:,.0f} ms at {result.per_s:,.0f}/s"
    )
    return result


def _growth(
    cluster: Cluster, scale: Scale, on_progress: ProgressCallback
) -> tuple[list[GrowthPoint], list[GrowthPoint], list[GrowthPoint], dict[str, float]]:
    ours = CONTESTANTS[OURS]

    def collect(what: str, points: Iterator[GrowthPoint]) -> list[GrowthPoint]:
        collected = []
        for point in points:
            on_progress(f"{point.size:,} {what}: {point.per_s:,.0f} events/s, {point.peak_mib:,.0f} MiB")
            collected.append(point)
        return collected

    by_partitions = collect(
        "partitions",
        (growth.partitions(cluster, ours, each, scale.growth_events) for each in scale.partitions),
    )
    by_rows = collect("rows", (growth.rows(cluster, ours, each, scale.growth_events) for each in scale.rows))
    by_size = collect(
        "bytes a record", (growth.record_size(cluster, ours, each, scale.volume) for each in scale.sizes)
    )
    return by_partitions, by_rows, by_size, _recoveries(cluster, scale.recovered_rows, on_progress)


def _recoveries(cluster: Cluster, rows: int, on_progress: ProgressCallback) -> dict[str, float]:
    seconds = {}
    for short_name, peer in (
        (OURS, shelfstream_lanes),
        ("faust", stock_faust),
        ("faust-rocksdb", stock_faust),
    ):
        group = f"recovery-{short_name}"
        records: Iterator[Keyed] = (peer.changelog_record(b"key-%d" % number, 1) for number in range(rows))
        changelog = peer.changelog_topic(group)
        seconds[short_name] = growth.recovery_s(cluster, CONTESTANTS[short_name], changelog, group, records)
        on_progress(f"{CONTESTANTS[short_name].name}: {rows:,} rows recovered in {seconds[short_name]:.1f} s")
    return seconds
