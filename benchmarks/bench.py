"""Everything that `make bench` measures, in one run on one machine."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks import behavior, enrich, growth, latency, passthrough
from benchmarks.behavior import Worked
from benchmarks.cluster import Cluster, running_cluster
from benchmarks.enrich import Enriched
from benchmarks.events import Keyed
from benchmarks.growth import Point
from benchmarks.latency import Latency
from benchmarks.passthrough import Passed
from benchmarks.peers import shelfstream_lanes, stock_faust
from benchmarks.peers.all_peers import CONTESTANTS, OURS
from benchmarks.peers.contestant import COUNTER, PASSTHROUGH, Contestant

Tell = Callable[[str], None]

PASSING = (OURS, "faust", "quix", "bytewax", "kafka-streams")
COUNTING = (OURS, "faust", "quix", "kafka-streams")
TIMED = (OURS, "faust", "quix", "quix-quick", "bytewax", "kafka-streams")
_SLOW_LIMIT_S = 40.0
_MOST_LINES = 40


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is measured: `FULL` for the figures in the README, `SMALL` to see whether all of it works."""

    events: int
    rounds: int
    behaviour_events: int
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
    """What was measured; see the module of each part."""

    passthrough: Mapping[str, Passed]
    behaviour: Mapping[str, Worked]
    enrich: Mapping[str, Enriched]
    latency: list[Latency]
    partitions: list[Point]
    rows: list[Point]
    sizes: list[Point]
    recovery_s: Mapping[str, float]


def run(scale: Scale, tell: Tell) -> Results:
    """Measure everything, each part on a broker of its own."""
    with running_cluster() as cluster:
        tell("passthrough")
        passed = passthrough.measure(
            cluster,
            _of(PASSING, PASSTHROUGH),
            events=scale.events,
            rounds=scale.rounds,
            limit_s=_SLOW_LIMIT_S,
            tell=tell,
        )
    with running_cluster() as cluster:
        tell("behaviour")
        worked = behavior.measure(
            cluster,
            _of(COUNTING, COUNTER),
            events=scale.behaviour_events,
            most_lines=_MOST_LINES,
            limit_s=_SLOW_LIMIT_S,
            tell=tell,
        )
    enriched = measure_enrich(scale, tell)
    with running_cluster() as cluster:
        tell("latency at half of the highest load")
        latencies = [_latency(cluster, short, passed, scale, tell) for short in TIMED]
    partitions, rows, sizes, recovery_s = measure_growth(scale, tell)
    return Results(passed, worked, enriched, latencies, partitions, rows, sizes, recovery_s)


def measure_enrich(scale: Scale, tell: Tell) -> Mapping[str, Enriched]:
    """The agent beside the bare model."""
    with running_cluster() as cluster:
        tell("enrich")
        return enrich.measure(
            cluster, titles=scale.titles, rounds=scale.enrich_rounds, limit_s=120.0, tell=tell
        )


def measure_growth(
    scale: Scale, tell: Tell
) -> tuple[list[Point], list[Point], list[Point], dict[str, float]]:
    """By partitions, by rows, by record size; and the seconds that recoveries took."""
    with running_cluster() as cluster:
        tell("growth")
        return _growth(cluster, scale, tell)


def _grown(scale: Scale, tell: Tell) -> dict[str, Any]:
    return dict(zip(("partitions", "rows", "sizes", "recovery_s"), measure_growth(scale, tell), strict=True))


PARTS: dict[str, Callable[[Scale, Tell], dict[str, Any]]] = {
    "enrich": lambda scale, tell: {"enrich": measure_enrich(scale, tell)},
    "growth": _grown,
}
"""What can be measured anew by itself: the fields of `Results` that it gives."""


def _of(shorts: tuple[str, ...], job: str) -> dict[str, Contestant]:
    return {short: CONTESTANTS[short] for short in shorts if job in CONTESTANTS[short].jobs}


def _latency(cluster: Cluster, short: str, passed: Mapping[str, Passed], scale: Scale, tell: Tell) -> Latency:
    """At half of what it did at most; one that differs only in how often it commits gets its sibling's."""
    fastest = passed[short if short in passed else short.split("-")[0]]
    found = latency.measure(
        cluster, short, CONTESTANTS[short], per_s=fastest.median_per_s / 2, seconds=scale.latency_s
    )
    tell(f"{found.name}: p50 {found.p50_ms:,.0f} ms, p99 {found.p99_ms:,.0f} ms at {found.per_s:,.0f}/s")
    return found


def _growth(
    cluster: Cluster, scale: Scale, tell: Tell
) -> tuple[list[Point], list[Point], list[Point], dict[str, float]]:
    ours = CONTESTANTS[OURS]

    def told(what: str, points: Iterator[Point]) -> list[Point]:
        found = []
        for point in points:
            tell(f"{point.size:,} {what}: {point.per_s:,.0f} events/s, {point.peak_mib:,.0f} MiB")
            found.append(point)
        return found

    by_partitions = told(
        "partitions",
        (growth.partitions(cluster, ours, each, scale.growth_events) for each in scale.partitions),
    )
    by_rows = told("rows", (growth.rows(cluster, ours, each, scale.growth_events) for each in scale.rows))
    by_size = told(
        "bytes a record", (growth.record_size(cluster, ours, each, scale.volume) for each in scale.sizes)
    )
    return by_partitions, by_rows, by_size, _recoveries(cluster, scale.recovered_rows, tell)


def _recoveries(cluster: Cluster, rows: int, tell: Tell) -> dict[str, float]:
    found = {}
    for short, peer in ((OURS, shelfstream_lanes), ("faust", stock_faust), ("faust-rocksdb", stock_faust)):
        group = f"recovery-{short}"
        records: Iterator[Keyed] = (peer.changelog_record(b"key-%d" % number, 1) for number in range(rows))
        changelog = peer.changelog_topic(group)
        found[short] = growth.recovery_s(cluster, CONTESTANTS[short], changelog, group, records)
        tell(f"{CONTESTANTS[short].name}: {rows:,} rows recovered in {found[short]:.1f} s")
    return found
