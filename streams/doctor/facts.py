"""What the doctor knows about a deployment. The checks read nothing else."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple

from streams.records import Partition
from streams.settings import Settings


class Severity(IntEnum):
    """How urgent a finding is. The number is the exit code of the command."""

    OK = 0
    WARN = 1
    BAD = 2


class Finding(NamedTuple):
    """What a check found.

    Attributes:
        severity: How urgent it is.
        check: The name of the check.
        where: The topic, partition, group, file or host.
        what: The state, as a sentence.
        remedy: What to do, as a sentence; empty if there is nothing to do.
    """

    severity: Severity
    check: str
    where: str
    what: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class BrokerFacts:
    """A broker: its address, and its configuration, which is empty if it may not be read."""

    number: int
    address: str
    config: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TopicFacts:
    """A topic as the broker describes it.

    Attributes:
        name: Name of the topic.
        partitions: Number of partitions.
        replicas: The smallest number of replicas of a partition.
        in_sync: The smallest number of replicas in sync.
        leaderless: The partitions without a leader.
        config: The configuration; empty if it may not be read.
        topic_id: The id; empty where the broker tells none.
        newest_ms: The newest timestamp of a record, in milliseconds since 1970; None if there is none.
    """

    name: str
    partitions: int
    replicas: int
    in_sync: int
    leaderless: tuple[int, ...] = ()
    config: Mapping[str, str] = field(default_factory=dict)
    topic_id: str = ""
    newest_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Offsets:
    """Offsets of a partition at one time.

    Attributes:
        first: The first offset.
        stable: The last stable offset: where the oldest open transaction begins, or the end.
        end: The offset of the next record.
        committed: The group's committed offset; None if there is none.
    """

    first: int
    stable: int
    end: int
    committed: int | None = None

    @property
    def lag(self) -> int:
        """The offsets between the committed and the last stable one."""
        return max(0, self.stable - max(self.first, self.committed or 0))


@dataclass(frozen=True, slots=True)
class PartitionFacts:
    """Two samples of a partition's offsets.

    Attributes:
        before: The first sample.
        after: The second sample.
        waiting: Whether records wait behind the committed offset. Otherwise there are only marks of
            transactions, which nobody reads.
        open_since_ms: The timestamp of the first record of an open transaction; None if there is none.
    """

    before: Offsets
    after: Offsets
    waiting: bool = True
    open_since_ms: int | None = None

    @property
    def lag(self) -> int:
        """The lag of the second sample; 0 if no record waits."""
        return self.after.lag if self.waiting else 0

    @property
    def stuck(self) -> bool:
        """Whether records wait, and nothing was committed between the samples."""
        return min(self.before.lag, self.lag) > 0 and self.before.committed == self.after.committed


@dataclass(frozen=True, slots=True)
class MemberFacts:
    """A member of the consumer group."""

    client_id: str
    host: str
    partitions: tuple[Partition, ...]


@dataclass(frozen=True, slots=True)
class GroupFacts:
    """The consumer group: its state and assignor as the broker names them, and its members."""

    state: str
    assignor: str
    members: tuple[MemberFacts, ...]


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """The models of a registry.

    Attributes:
        deployed: Version of the serving model; empty if none is deployed.
        candidate: Version of the candidate; None without one.
        errors: By version: why the model cannot be used; versions in use that are sound are absent.
    """

    deployed: str
    candidate: str | None
    errors: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class WorkerFacts:
    """A worker's answer to /status.json.

    Attributes:
        url: Address of the status page.
        error: Why there is no answer; empty if there is one.
        version: The worker's version.
        model: The version of the model that it serves; empty without one.
        ready: Whether it is ready.
        reasons: Why it is not ready, and its warnings.
        clock_ahead_s: How far its clock is ahead of this machine's, to the second; None if it is not known.
    """

    url: str
    error: str = ""
    version: str = ""
    model: str = ""
    ready: bool = False
    reasons: tuple[str, ...] = ()
    clock_ahead_s: float | None = None


@dataclass(frozen=True, slots=True)
class MachineFacts:
    """This machine.

    Attributes:
        open_files: The soft limit of open files.
        state_bytes: Bytes of local state in data_dir.
        free_bytes: Free bytes on the disk of data_dir.
        total_bytes: Size of that disk.
        writable: Whether data_dir can be written.
    """

    open_files: int
    state_bytes: int
    free_bytes: int
    total_bytes: int
    writable: bool = True


@dataclass(frozen=True, slots=True)
class ReadRate:
    """How fast changelogs are read here: records, their bytes and the seconds that it took."""

    records: int
    bytes: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Facts:
    """All facts about a deployment.

    Attributes:
        settings: The settings of the worker.
        now_ms: The time on this machine, in milliseconds since 1970.
        seconds: Seconds between the two samples.
        unreachable: Why the cluster cannot be reached; None if it can.
        denied: What the user may not do, as sentences.
        hidden: Topics that the user may not describe: they may exist.
        release: What the broker's protocol says about its version; empty if it says nothing.
        brokers: The brokers of the cluster.
        topics: The topics by name: those of the deployment that exist.
        partitions: Samples of the partitions of these topics.
        group: The consumer group; None if it cannot be read.
        restoring: How fast changelogs are read here; None if there was nothing to read.
        models: The models of the registry; None without one.
        workers: The workers whose addresses are known.
        machine: This machine.
    """

    settings: Settings
    now_ms: int
    seconds: float
    machine: MachineFacts
    unreachable: str | None = None
    denied: Sequence[str] = ()
    hidden: frozenset[str] = frozenset()
    release: str = ""
    brokers: Sequence[BrokerFacts] = ()
    topics: Mapping[str, TopicFacts] = field(default_factory=dict)
    partitions: Mapping[Partition, PartitionFacts] = field(default_factory=dict)
    group: GroupFacts | None = None
    restoring: ReadRate | None = None
    models: ModelFacts | None = None
    workers: Sequence[WorkerFacts] = ()
