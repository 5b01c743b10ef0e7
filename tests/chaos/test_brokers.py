"""Three brokers: a leader is killed under load, and a topic is created again; nothing is lost in silence."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import TypeVar

import pytest

from schemas.errors import RetryLater
from streams.faust_transport.group_offsets import GroupOffsets
from streams.records import Partition
from tests.chaos.audit import AuditResult
from tests.chaos.brokers import difference
from tests.chaos.fault_result import FaultResult, cells
from tests.chaos.log_faults import play, recreated_read_from_start
from tests.chaos.readiness_log import kind_of
from tests.conftest import unavailable
from tests.support.broker import KafkaUnavailable
from tests.support.kafka_cluster import KafkaCluster, java_hash

T = TypeVar("T")


@pytest.fixture(scope="module")
def cluster() -> Iterator[KafkaCluster]:
    try:
        three = KafkaCluster()
        three.start()
    except KafkaUnavailable as error:
        unavailable(error)
        raise
    try:
        yield three
    finally:
        three.remove()


@pytest.mark.kafka
@pytest.mark.timeout(1200)
async def test_a_leader_is_killed_and_a_topic_is_created_again(cluster: KafkaCluster) -> None:
    """A new leader is asked at once, and the topic's records are read once, after the operator's choice."""
    result = play(recreated_read_from_start, cluster)
    assert result.clean, result
    assert any("was deleted and created again" in line for line in result.reported)
    assert result.audit.events > 3_000
    options = {"bootstrap.servers": cluster.bootstrap, "log_level": 0}
    offsets = GroupOffsets("shelfstream", lambda: (options, None), 10)
    at = Partition("user-behavior", 0)
    before = await offsets.log(at)
    killed = cluster.leader(*at)
    cluster.kill([killed])
    while cluster.leader(*at) is killed:
        pass
    # The client remembers the old leader, and has to ask who leads now.
    assert await retried(lambda: offsets.log(at)) == before
    assert await retried(lambda: offsets.committed(at)) is not None


async def retried(question: Callable[[], Awaitable[T]]) -> T:
    """Ask again after RetryLater, as a lane does, but for less than the client remembers a leader."""
    deadline = time.monotonic() + 120
    while True:
        try:
            return await question()
        except RetryLater:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.5)


def test_what_a_round_added_is_the_difference_of_two_audits() -> None:
    before, after = AuditResult(10, lost=1, examples=["a"]), AuditResult(30, lost=3, examples=["a", "b"])
    assert difference(before, after) == AuditResult(20, lost=2, examples=["b"])


def test_a_fault_is_clean_if_nothing_differs_and_what_kafka_removed_was_reported() -> None:
    assert FaultResult("x").clean
    assert not FaultResult("x", AuditResult(duplicated=1)).clean
    assert not FaultResult("x", processed=False).clean
    assert not FaultResult("x", removed=7).clean
    assert FaultResult("x", removed=7, reported=["they are lost"]).clean


def test_the_table_shows_what_is_about_the_fault() -> None:
    ordinary, telling = "sessions user-behavior-0 is opening", "its log was truncated"
    row = cells(FaultResult("x", removed=7, reported=[ordinary, telling]))
    assert row[-1] == telling
    assert row[2] == "0; 7 gone"
    stopped = f"{ordinary}: InputReset: {telling}"
    assert cells(FaultResult("x", reported=[ordinary, stopped]))[-1] == stopped
    assert cells(FaultResult("x", reported=[ordinary]))[-1] == ordinary
    assert cells(FaultResult("x"))[-1] == "nothing"


def test_reasons_of_all_lanes_are_alike() -> None:
    one = "sessions user-behavior-0 is restoring its state: 3,812 records left, ready in about 4 s"
    other = "sessions user-behavior-3 is restoring its state: 5 records left, ready in about 0 s"
    assert kind_of(one) == kind_of(other)
    assert kind_of(one) != kind_of("sessions user-behavior-0 is opening")


def test_the_coordinator_is_chosen_by_java_s_hash_without_its_sign() -> None:
    assert java_hash("hello") == 99_162_322
    assert java_hash("polygenelubricants") == 0, "Kafka takes the least integer, which has no opposite, as 0"
