"""What each worker says about itself in the topic of workers, and whether all of them serve a model."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import msgspec

UNKNOWN_HOST = "an unknown host"


class WorkerRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A record of the topic of workers. Its key is the member id.

    Attributes:
        worker_id: Id of the worker in its logs and on its status page.
        member_id: Its id in the consumer group.
        agents: Its agents.
        model_version: The model that serves; empty for a worker without the agent `enrich`.
        candidate_version: The model on trial; empty without one.
        trouble: Why it serves another model than the deployed one; None if it serves that.
        partitions: The partitions that it has, by agent. Empty without the read API.
        url: Where other workers reach its HTTP server; empty if it does not say.
    """

    worker_id: str
    member_id: str
    agents: tuple[str, ...]
    model_version: str
    candidate_version: str = ""
    trouble: str | None = None
    partitions: dict[str, list[int]] = {}
    url: str = ""


class GroupMember(NamedTuple):
    """A member of the consumer group.

    Attributes:
        member_id: Its id in the group.
        host: Its address.
        partitions: Its partitions of the listings' topic.
    """

    member_id: str
    host: str
    partitions: frozenset[int]


class Group(NamedTuple):
    """The consumer group of the workers.

    Attributes:
        stable: Whether it does not rebalance.
        members: Its members.
    """

    stable: bool
    members: tuple[GroupMember, ...]


class WantedModel(NamedTuple):
    """The model that all workers are to serve.

    Attributes:
        version: Its version; None for any other than `replaced`.
        replaced: The version that served before. Needed only without `version`.
    """

    version: str | None
    replaced: str = ""

    def __str__(self) -> str:
        return self.version or f"another model than {self.replaced}"

    def is_served_by(self, record: WorkerRecord) -> bool:
        """Return whether a worker serves it."""
        if self.version is None:
            return record.model_version != self.replaced
        return record.model_version == self.version


def decode_worker_record(value: bytes | None) -> WorkerRecord | None:
    """Decode a record's value; None if it is no worker's record."""
    try:
        return msgspec.json.decode(value or b"", type=WorkerRecord)
    except msgspec.MsgspecError:
        return None


def unmet_conditions(
    wanted: WantedModel, group: Group, records: Mapping[str, WorkerRecord], partitions: int
) -> list[str]:
    """Return why not all workers serve a model, one sentence for each. Empty if they do.

    Every partition of the listings must belong to a worker that serves the model. A worker without such a
    partition must serve it too, unless it has no model: it can get one in the next rebalance.

    Args:
        wanted: The model.
        group: The consumer group now.
        records: The newest record of each worker, by member id.
        partitions: Number of partitions of the listings' topic.
    """
    if not group.members:
        return ["no worker is in the consumer group"]
    unmet = [] if group.stable else ["the consumer group rebalances"]
    for member in group.members:
        record = records.get(member.member_id)
        if record is None:
            if member.partitions:
                unmet.append(f"the worker at {member.host} has not said which model it serves")
        elif (record.model_version or member.partitions) and not wanted.is_served_by(record):
            because = f": {record.trouble}" if record.trouble else ""
            unmet.append(f"{record.worker_id} serves {record.model_version or 'no model'}{because}")
    unowned = _unowned(group.members, partitions)
    if unowned:
        unmet.append(f"no worker has partition {', '.join(map(str, unowned))} of the listings")
    return unmet


def _unowned(members: Iterable[GroupMember], partitions: int) -> list[int]:
    owned = {partition for member in members for partition in member.partitions}
    return [partition for partition in range(partitions) if partition not in owned]
