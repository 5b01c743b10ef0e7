"""Gathers the facts: from the brokers, the registry, the workers and this machine."""

import asyncio
import os
import resource
import shutil
import time
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import orjson

from schemas.errors import RetryLater, StopWorker
from streams.clients import aiokafka_options
from streams.doctor.cluster import Cluster
from streams.doctor.facts import Facts, MachineFacts, ModelFacts, WorkerFacts
from streams.settings import Settings
from streams.topics import PRODUCT_ENRICHED, changelog, desired

_HTTP_TIMEOUT_S = 5.0
_FETCH, _DESCRIBE_TOPIC_PARTITIONS, _DESCRIBE_TRANSACTIONS = 1, 75, 65


def gather(
    settings: Settings, seconds: float, urls: Sequence[str], wait: Callable[[float], None] = time.sleep
) -> Facts:
    """Gather all facts.

    Args:
        settings: The settings of the deployment's workers.
        seconds: Seconds between two samples of the offsets.
        urls: Addresses of workers' status pages.
        wait: Waits for seconds.
    """
    facts = Facts(
        settings=settings,
        now_ms=int(time.time() * 1000),
        seconds=seconds,
        machine=machine_facts(settings),
        models=model_facts(settings),
        workers=[worker_facts(url) for url in urls],
    )
    try:
        return _with_cluster(facts, wait)
    except (RetryLater, StopWorker) as error:
        return replace(facts, unreachable=str(error))


def _with_cluster(facts: Facts, wait: Callable[[float], None]) -> Facts:
    settings, cluster = facts.settings, Cluster(facts.settings)
    brokers = cluster.brokers()
    topics = cluster.topics(spec.name for spec in desired(settings))
    group = cluster.group()
    began = time.monotonic()
    before = cluster.sample(topics)
    tables = (PRODUCT_ENRICHED, changelog(settings, "shoppers"), changelog(settings, "affinities"))
    restoring = cluster.read_rate(tables, before)
    wait(max(0.0, facts.seconds - (time.monotonic() - began)))
    after, elapsed = cluster.sample(topics), time.monotonic() - began
    return replace(
        facts,
        now_ms=int(time.time() * 1000),
        seconds=elapsed,
        denied=cluster.denied,
        hidden=frozenset(cluster.hidden),
        release=asyncio.run(broker_release(settings)),
        brokers=brokers,
        topics=topics,
        partitions=cluster.pair(before, after),
        group=group,
        restoring=restoring,
    )


async def broker_release(settings: Settings) -> str:
    """Return the versions of Kafka that support a broker's requests; empty if they are not known."""
    from aiokafka.client import AIOKafkaClient

    client = AIOKafkaClient(**aiokafka_options(settings))
    try:
        await client.bootstrap()
        connection = await client._get_conn(client.get_random_node())
        return "" if connection is None else release_of(connection._versions)
    except Exception:
        # It is a matter of information: what matters of a broken connection is found by other means.
        return ""
    finally:
        await client.close()


def release_of(versions: dict[int, tuple[int, int]]) -> str:
    """Return the versions of Kafka that support these requests.

    Args:
        versions: By request key: the oldest and the newest supported version of the request.
    """
    if not versions:
        return ""
    # Kafka 4 dropped old fetches. It also dropped old produce requests, but goes on to list those.
    if versions.get(_FETCH, (0, 0))[0] >= 4:
        return "4.0 or newer"
    if _DESCRIBE_TOPIC_PARTITIONS in versions:
        return "3.7 to 3.9"
    return "3.0 to 3.6" if _DESCRIBE_TRANSACTIONS in versions else "older than 3.0"


def worker_facts(url: str) -> WorkerFacts:
    """Ask a worker for its status."""
    page = url.rstrip("/")
    try:
        with urllib.request.urlopen(f"{page}/status.json", timeout=_HTTP_TIMEOUT_S) as answer:
            fields: dict[str, Any] = orjson.loads(answer.read())
            dated = answer.headers["Date"]
    except (OSError, ValueError) as error:
        return WorkerFacts(page, error=f"does not answer: {getattr(error, 'reason', error)}")
    ahead = None if dated is None else (parsedate_to_datetime(dated) - datetime.now(UTC)).total_seconds()
    return WorkerFacts(
        url=page,
        version=str(fields["version"]),
        model=str(fields["model_version"]),
        ready=bool(fields["ready"]),
        reasons=(*fields["reasons"], *fields["warnings"]),
        clock_ahead_s=ahead,
    )


def model_facts(settings: Settings) -> ModelFacts | None:
    """Verify the models in use of the registry; None without one."""
    from models.registry.registry import Registry
    from models.taxonomy.tree import Taxonomy

    if settings.model_registry is None:
        return None
    try:
        registry = Registry(settings.model_registry, Taxonomy.of(settings.taxonomy))
        deployment = registry.deployment()
    except StopWorker as error:
        return ModelFacts("", None, {"": str(error)})
    errors = {}
    for version in (deployment.serving, deployment.candidate):
        try:
            if version is not None:
                registry.artifact(version)
        except StopWorker as error:
            errors[version or ""] = str(error)
    return ModelFacts(deployment.serving or "", deployment.candidate, errors)


def machine_facts(settings: Settings) -> MachineFacts:
    """Look at this machine's limits and disk."""
    folder = settings.data_dir
    existing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    disk = shutil.disk_usage(existing)
    return MachineFacts(
        open_files=resource.getrlimit(resource.RLIMIT_NOFILE)[0],
        state_bytes=sum(map(_size, folder.rglob("*"))) if folder.exists() else 0,
        free_bytes=disk.free,
        total_bytes=disk.total,
        writable=os.access(existing, os.W_OK),
    )


def _size(path: Path) -> int:
    """Return a file's size; 0 of what a running worker has just removed."""
    try:
        return path.stat().st_size if path.is_file() else 0
    except OSError:
        return 0
