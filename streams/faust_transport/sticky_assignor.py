"""An assignor that moves as few partitions as balance allows, and keeps the inputs of a lane together.

Topics that the same members subscribe to are assigned together: partition n of all of them goes to one
member. Lanes with several inputs need that. Each member reports what it owns, so that the leader can leave it
there.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
import structlog
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment, ConsumerProtocolMemberMetadata

log = structlog.get_logger()

NAME = "shelfstream-sticky"
_VERSION = 0


class Owned(msgspec.Struct, frozen=True, array_like=True):
    """What a member reports when it joins. Later versions may append fields.

    Attributes:
        generation: The group's generation in which it got its partitions; 0 for partitions whose state it has
            on disk from an earlier life.
        partitions: The partition numbers by topic.
    """

    generation: int = 0
    partitions: dict[str, list[int]] = {}


class Claim(NamedTuple):
    """A member that wants to keep a partition. Of several claims, the latest generation counts."""

    generation: int
    member: str


class StickyLaneAssignor:
    """Implements aiokafka's assignor. One instance belongs to one consumer, because it remembers.

    Args:
        generation: Returns the generation that the consumer has joined.
        partitions: Partition numbers from this one on have no lanes, and are not assigned.
        stored: Partition numbers whose state is on this worker's disk.
    """

    name = NAME

    def __init__(self, generation: Callable[[], int], partitions: int, stored: Collection[int] = ()) -> None:
        self._partitions = partitions
        self._generation = generation
        self._stored = sorted(stored)
        self._owned: Owned | None = None

    def metadata(self, topics: Iterable[str]) -> ConsumerProtocolMemberMetadata:
        """Return the topics of this member, and what it owns."""
        subscribed = sorted(topics)
        owned = self._owned or Owned(0, {topic: self._stored for topic in subscribed if self._stored})
        return ConsumerProtocolMemberMetadata(_VERSION, subscribed, msgspec.msgpack.encode(owned))

    def on_assignment(self, assignment: ConsumerProtocolMemberAssignment) -> None:
        """Remember what this member owns now."""
        partitions = {topic: sorted(numbers) for topic, numbers in assignment.assignment}
        self._owned = Owned(self._generation(), partitions)

    def assign(
        self, cluster: Any, members: Mapping[str, ConsumerProtocolMemberMetadata]
    ) -> dict[str, ConsumerProtocolMemberAssignment]:
        """Assign the partitions of all subscribed topics. The group's leader calls this.

        Args:
            cluster: aiokafka's metadata of the cluster.
            members: The metadata of each member.
        """
        subscriptions = {member: metadata.subscription for member, metadata in members.items()}
        counts = {
            topic: min(self._partitions, len(cluster.partitions_for_topic(topic) or ()))
            for topic in {topic for topics in subscriptions.values() for topic in topics}
        }
        owned = {member: _decoded(metadata.user_data) for member, metadata in members.items()}
        assigned = assign(subscriptions, counts, owned)
        return {
            member: ConsumerProtocolMemberAssignment(_VERSION, sorted(assigned[member].items()), b"")
            for member in members
        }


def assign(
    subscriptions: Mapping[str, Iterable[str]], counts: Mapping[str, int], owned: Mapping[str, Owned]
) -> dict[str, dict[str, list[int]]]:
    """Assign partitions to members.

    Args:
        subscriptions: The topics of each member.
        counts: The number of partitions of each topic. Topics with 0 are not known yet, and left out.
        owned: What each member reports.

    Returns:
        The partition numbers of each topic, by member. Of topics that are subscribed together, only the
        numbers that all of them have are assigned.
    """
    assigned: dict[str, dict[str, list[int]]] = {member: {} for member in subscriptions}
    load = dict.fromkeys(subscriptions, 0)
    for topics, members in _subscribed_together(subscriptions, counts):
        numbers = range(min(counts[topic] for topic in topics))
        if any(counts[topic] > len(numbers) for topic in topics):
            log.error(
                "topics that are read together have different numbers of partitions; the rest is not read",
                partitions={topic: counts[topic] for topic in topics},
            )
        claims = _claims(topics, members, owned, len(numbers))
        for member, given in _balanced(members, numbers, claims, load).items():
            load[member] += len(given)
            if given:
                assigned[member].update({topic: list(given) for topic in topics})
    return assigned


def _subscribed_together(
    subscriptions: Mapping[str, Iterable[str]], counts: Mapping[str, int]
) -> list[tuple[list[str], list[str]]]:
    """Return topics that have the same subscribers, with these members. Both are sorted."""
    members_of: dict[str, list[str]] = {}
    for member in sorted(subscriptions):
        for topic in set(subscriptions[member]):
            if counts.get(topic):
                members_of.setdefault(topic, []).append(member)
    together: dict[tuple[str, ...], list[str]] = {}
    for topic in sorted(members_of):
        together.setdefault(tuple(members_of[topic]), []).append(topic)
    return sorted((topics, list(members)) for members, topics in together.items())


def _claims(
    topics: Sequence[str], members: Sequence[str], owned: Mapping[str, Owned], count: int
) -> dict[int, list[Claim]]:
    """Return the claims on each partition number, the latest generation first."""
    claims: dict[int, list[Claim]] = {}
    for member in members:
        report = owned.get(member, Owned())
        for number in {number for topic in topics for number in report.partitions.get(topic, ())}:
            if 0 <= number < count:
                claims.setdefault(number, []).append(Claim(report.generation, member))
    for rivals in claims.values():
        rivals.sort(key=lambda claim: (-claim.generation, claim.member))
    return claims


def _balanced(
    members: Sequence[str],
    numbers: Sequence[int],
    claims: Mapping[int, Sequence[Claim]],
    load: Mapping[str, int],
) -> dict[str, list[int]]:
    """Give each member its part of the numbers, of what it claims where possible.

    Args:
        members: The members, sorted.
        numbers: All partition numbers.
        claims: The claims on each number, the first of which counts most.
        load: What each member has of other topics.

    Returns:
        The numbers of each member. Their counts differ by one at most.
    """
    keeps: dict[str, list[int]] = {member: [] for member in members}
    for number in numbers:
        if number in claims:
            keeps[claims[number][0].member].append(number)
    least, larger = divmod(len(numbers), len(members))
    # Who would have to give up more gets the larger parts; so as few partitions as possible move.
    by_claims = sorted(members, key=lambda member: (-len(keeps[member]), load[member], member))
    size = {member: least + (rank < larger) for rank, member in enumerate(by_claims)}
    for member, kept in keeps.items():
        # What another member has on disk is given up first, and then the last numbers.
        kept.sort(key=lambda number: (len(claims[number]) > 1, number))
        del kept[size[member] :]
    free = [number for number in numbers if number not in {n for kept in keeps.values() for n in kept}]
    for number in list(free):
        claimants = (claim.member for claim in claims.get(number, ()))
        taker = next((each for each in claimants if len(keeps[each]) < size[each]), None)
        if taker is not None:
            keeps[taker].append(number)
            free.remove(number)
    for member in members:
        while len(keeps[member]) < size[member]:
            keeps[member].append(free.pop(0))
    return {member: sorted(kept) for member, kept in keeps.items()}


def _decoded(user_data: bytes | None) -> Owned:
    """Decode a member's report. A member of another program has none."""
    try:
        return msgspec.msgpack.decode(user_data or b"", type=Owned)
    except msgspec.DecodeError:
        return Owned()
