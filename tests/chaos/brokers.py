"""The three-broker mode: elections under load, then faults of logs, offsets, state and models."""

import tempfile
from collections.abc import Callable, Collection, Sequence
from dataclasses import fields
from pathlib import Path

from tests.chaos.audit import AuditResult
from tests.chaos.campaign import Campaign, Injection
from tests.chaos.elections import Election, ElectionFaults
from tests.chaos.fault_result import FaultResult
from tests.chaos.log_faults import SCENES, play
from tests.chaos.readiness_log import ReadinessLog
from tests.chaos.shelfstream import Shelfstream
from tests.support.kafka_cluster import SIZE, KafkaCluster

Report = Callable[[FaultResult], None]
_PROCESSED_WITHIN_S = 600.0
ELECTIONS = {each.name.lower().replace("_", "-"): each for each in Election}
LOG_FAULTS = {scene.__name__.replace("_", "-"): scene for scene in SCENES}
NAMES = (*ELECTIONS, *LOG_FAULTS)
"""The faults that can be chosen, in the order in which they are injected."""


def run(seed: int, report: Report, names: Collection[str] = NAMES) -> list[FaultResult]:
    """Inject faults into a new cluster of three brokers and its workers.

    Each fault of brokers is a round of its own on one deployment. Each other fault has new topics.

    Args:
        seed: The seed of the inputs and of the brokers and workers that are struck.
        report: Receives each result.
        names: The faults, of `NAMES`.
    """
    cluster = KafkaCluster()
    try:
        cluster.start()
        chosen = [name for name in ELECTIONS if name in names]
        results = _elections(cluster, seed, report, chosen) if chosen else []
        for name, scene in LOG_FAULTS.items():
            if name in names:
                results.append(play(scene, cluster))
                results[-1].name = name
                report(results[-1])
        return results
    finally:
        cluster.remove()


def _elections(cluster: KafkaCluster, seed: int, report: Report, names: Sequence[str]) -> list[FaultResult]:
    with tempfile.TemporaryDirectory(prefix="shelfstream-elections-", ignore_cleanup_errors=True) as folder:
        system = Shelfstream(
            cluster, Path(folder), seed, listings_per_s=30, behavior_per_s=60, replication_factor=SIZE
        )
        readiness = ReadinessLog(lambda: system.fleet.workers)
        results: list[FaultResult] = []

        def add(before: AuditResult, after: AuditResult, injected: Sequence[Injection]) -> None:
            (only,) = injected
            result = FaultResult(only.fault, difference(before, after), reported=readiness.lines())
            readiness.clear()
            result.name = next(name for name, fault in ELECTIONS.items() if fault == only.fault)
            result.recovery_s = only.recovery_s
            result.processed = campaign.result.processed
            report(result)
            results.append(result)

        campaign = Campaign(
            system,
            cluster.bootstrap,
            seed=seed,
            rounds=1,
            log=lambda line: None,
            plan=[[ELECTIONS[name]] for name in names],
            injector=ElectionFaults(cluster),
            processed_within_s=_PROCESSED_WITHIN_S,
            on_round=add,
        )
        readiness.start()
        try:
            campaign.run()
        finally:
            readiness.finish()
            system.close()
        return results


def difference(before: AuditResult, after: AuditResult) -> AuditResult:
    """What a round added to an audit that covers all rounds."""
    counts = {
        each.name: getattr(after, each.name) - getattr(before, each.name)
        for each in fields(AuditResult)
        if each.name != "examples"
    }
    return AuditResult(**counts, examples=[line for line in after.examples if line not in before.examples])
