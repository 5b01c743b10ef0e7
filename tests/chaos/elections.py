"""Faults of a cluster of three brokers: elections, stalls and outages, while workers work."""

import random
import time
from collections.abc import Callable, Collection
from enum import StrEnum

from streams.topics import PRODUCT_CREATED, PRODUCT_ENRICHED, USER_BEHAVIOR
from tests.chaos.fleet import Fleet
from tests.support.deployment import PARTITIONS
from tests.support.kafka_cluster import ClusterBroker, KafkaCluster

GROUP = "shelfstream"
_AWAY_S = 10.0
_STALL_S = 15.0


class Election(StrEnum):
    """The kinds of faults. The values are names in the report."""

    LEADER = "a leader killed"
    CONTROLLER = "the controller killed"
    GROUP_COORDINATOR = "the group's coordinator killed"
    TRANSACTION_COORDINATOR = "a transaction coordinator killed"
    ROLLING_RESTART = "brokers restarted one by one"
    STALL = "a leader stalled (SIGSTOP)"
    LEADER_AND_WORKER = "a leader and a worker killed at once"
    TWO = "two brokers killed: no writes"
    ALL = "all brokers killed"


class ElectionFaults:
    """Injects the faults.

    Args:
        cluster: The workers' cluster.
    """

    def __init__(self, cluster: KafkaCluster) -> None:
        self._cluster = cluster
        self._injections: dict[Election, Callable[[Fleet, random.Random], float]] = {
            Election.LEADER: lambda fleet, rng: self._kill([self._some_leader(rng)], fleet),
            Election.CONTROLLER: lambda fleet, rng: self._kill([cluster.controller()], fleet),
            Election.GROUP_COORDINATOR: lambda fleet, rng: self._kill(
                [cluster.group_coordinator(GROUP)], fleet
            ),
            Election.TRANSACTION_COORDINATOR: lambda fleet, rng: self._kill(
                [cluster.transaction_coordinator(f"{GROUP}-sessions-{rng.randrange(PARTITIONS)}")], fleet
            ),
            Election.ROLLING_RESTART: self._restart_one_by_one,
            Election.STALL: self._stall,
            Election.LEADER_AND_WORKER: self._kill_leader_and_worker,
            Election.TWO: lambda fleet, rng: self._interrupt(rng.sample(cluster.brokers, 2), fleet),
            Election.ALL: lambda fleet, rng: self._interrupt(cluster.brokers, fleet),
        }

    def __call__(self, fault: StrEnum, fleet: Fleet, rng: random.Random) -> float:
        """Inject a fault and end it: all brokers are back and in sync.

        Returns:
            The moment from which recovery is measured, in monotonic seconds: of the fault where two brokers
            are left to work with, else of the end of the outage.
        """
        since = self._injections[Election(fault)](fleet, rng)
        self._cluster.start()
        return since

    def _some_leader(self, rng: random.Random) -> ClusterBroker:
        topic = rng.choice((PRODUCT_CREATED, USER_BEHAVIOR, PRODUCT_ENRICHED))
        return self._cluster.leader(topic, rng.randrange(PARTITIONS))

    def _kill(self, brokers: Collection[ClusterBroker], fleet: Fleet) -> float:
        """Kill brokers, and leave the others alone for a while."""
        since = time.monotonic()
        self._cluster.kill(brokers)
        fleet.wait(_AWAY_S)
        return since

    def _kill_leader_and_worker(self, fleet: Fleet, rng: random.Random) -> float:
        fleet.kill(fleet.choose(rng))
        return self._kill([self._some_leader(rng)], fleet)

    def _restart_one_by_one(self, fleet: Fleet, rng: random.Random) -> float:
        since = time.monotonic()
        for broker in self._cluster.brokers:
            self._cluster.stop([broker])
            self._cluster.start()
            fleet.supervise()
        return since

    def _stall(self, fleet: Fleet, rng: random.Random) -> float:
        """Stop a leader for longer than its session: others take over while its connections stay open."""
        since = time.monotonic()
        broker = self._some_leader(rng)
        broker.stall()
        fleet.wait(_STALL_S)
        broker.resume()
        return since

    def _interrupt(self, brokers: Collection[ClusterBroker], fleet: Fleet) -> float:
        """Kill so many brokers that nothing can be written, and start them after a while."""
        self._kill(brokers, fleet)
        self._cluster.start()
        return time.monotonic()
