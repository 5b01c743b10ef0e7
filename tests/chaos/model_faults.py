"""A model process that hangs, while listings arrive."""

import os
import signal
from pathlib import Path

import msgspec
import orjson
from confluent_kafka import Message

from schemas.events import Source
from streams.demo.sample_shop import iter_products
from streams.topics import PRODUCT_CREATED, PRODUCT_ENRICHED
from tests.chaos.audit import Audit, AuditResult
from tests.chaos.cluster_scene import ClusterScene
from tests.chaos.fault_result import FaultResult
from tests.support.kafka_cluster import KafkaCluster

_LISTINGS = 600


class _Origin(msgspec.Struct):
    """The part of an enriched product that is decoded."""

    source: Source


_ORIGIN = msgspec.json.Decoder(_Origin)


def hung_model(cluster: KafkaCluster, folder: Path) -> FaultResult:
    """A worker's model process is stopped (SIGSTOP), as by a deadlock or a lost device."""
    with ClusterScene(cluster, folder, "enrich") as scene:
        worker = scene.start_worker()
        _list(scene, 0, _LISTINGS)
        scene.wait_processed()
        scene.fault_begins()
        for child in children(worker.process.pid):
            os.kill(child, signal.SIGSTOP)
        _list(scene, _LISTINGS, 2 * _LISTINGS)
        result = scene.result("model process hangs (SIGSTOP)")
        result.audit = _audit(scene.deployment.read(PRODUCT_ENRICHED), scene.deployment.read(PRODUCT_CREATED))
        return result


def children(pid: int) -> list[int]:
    """Return the ids of the child processes of a process."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = stat.read_text().rpartition(")")[2].split()[:2]
        except OSError:
            continue  # It has just ended.
        if int(parent) == pid and state != "Z":
            found.append(int(stat.parent.name))
    return found


def _list(scene: ClusterScene, first: int, end: int) -> None:
    titles = [product.title for product in iter_products()]
    listings = [
        (f"p{number}".encode(), orjson.dumps({"product_id": f"p{number}", "title": titles[number]}))
        for number in range(first, end)
    ]
    scene.deployment.produce(PRODUCT_CREATED, listings)


def _audit(enriched: list[Message], listed: list[Message]) -> AuditResult:
    """Compare: each listing is enriched once, and those of a key are in order."""
    audit = Audit(_source_of)
    audit.add(enriched)
    expected = {(message.partition(), message.offset()) for message in listed}
    result = AuditResult(events=len(expected))
    result.lost = result.count("lost", audit.missing(expected))
    result.duplicated = result.count("duplicated", [*audit.repeated, *audit.unexpected(expected)])
    result.disordered = result.count("disordered", audit.late)
    return result


def _source_of(message: Message) -> tuple[int, int]:
    source = _ORIGIN.decode(message.value() or b"").source
    return source.partition, source.offset
