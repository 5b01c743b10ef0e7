"""The assignor: balanced, inputs of a lane together, and no move that a balanced assignment does not need."""

from collections.abc import Mapping, Sequence
from itertools import combinations, product

import pytest
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment
from hypothesis import given
from hypothesis import strategies as st

from streams.faust_transport.sticky_assignor import Owned, StickyLaneAssignor, assign

TOPICS = ("clicks", "products")
Assigned = Mapping[str, Mapping[str, Sequence[int]]]


class Cluster:
    """The number of partitions of each topic, as aiokafka's cluster metadata tells it."""

    def __init__(self, **counts: int) -> None:
        self.counts = counts

    def partitions_for_topic(self, topic: str) -> set[int] | None:
        return set(range(self.counts[topic])) if topic in self.counts else None


def numbers(assigned: Assigned, member: str) -> list[int]:
    """A member's partition numbers, which are the same of all its topics."""
    given = [list(assigned[member].get(topic, [])) for topic in TOPICS]
    assert given[0] == given[1]
    return given[0]


def owned(given: Mapping[str, Sequence[int]], generation: int = 1) -> dict[str, Owned]:
    return {
        member: Owned(generation, {topic: list(part) for topic in TOPICS}) for member, part in given.items()
    }


def kept(before: Mapping[str, Sequence[int]], after: Mapping[str, Sequence[int]]) -> int:
    return sum(len(set(part) & set(before.get(member, ()))) for member, part in after.items())


def most_that_can_be_kept(before: Mapping[str, Sequence[int]], members: Sequence[str], count: int) -> int:
    """Try all balanced assignments of `count` partitions."""
    least, larger = divmod(count, len(members))
    return max(
        sum(min(len(before.get(member, ())), least + (member in favored)) for member in members)
        for favored in combinations(members, larger)
    )


def test_the_bound_equals_the_best_of_all_assignments() -> None:
    """The bound that the next test uses, against each balanced assignment of four partitions."""
    before = {"a": [0, 1, 2], "b": [3]}
    for members in (["a"], ["a", "b"], ["b", "c"], ["a", "b", "c"], ["c", "d"]):
        best = 0
        for owners in product(members, repeat=4):
            given = {each: [n for n, owner in enumerate(owners) if owner == each] for each in members}
            sizes = [len(part) for part in given.values()]
            if max(sizes) - min(sizes) <= 1:
                best = max(best, kept(before, given))
        assert most_that_can_be_kept(before, members, 4) == best


@given(
    st.integers(1, 12),
    st.lists(st.sampled_from("abcdef"), min_size=0, max_size=12),
    st.sets(st.sampled_from("abcdef"), min_size=1),
)
def test_it_is_balanced_complete_and_moves_as_little_as_possible(
    count: int, owners: list[str], present: set[str]
) -> None:
    before: dict[str, list[int]] = {}
    for number, member in enumerate(owners[:count]):
        before.setdefault(member, []).append(number)
    members = sorted(present)
    found = assign(
        dict.fromkeys(members, TOPICS),
        dict.fromkeys(TOPICS, count),
        owned({member: part for member, part in before.items() if member in present}),
    )
    after = {member: numbers(found, member) for member in members}
    assert sorted(number for part in after.values() for number in part) == list(range(count))
    sizes = [len(part) for part in after.values()]
    assert max(sizes) - min(sizes) <= 1
    assert kept(before, after) == most_that_can_be_kept(before, members, count)


def test_a_second_worker_takes_half_and_the_rest_stays() -> None:
    one = assign({"z": TOPICS}, dict.fromkeys(TOPICS, 4), {})
    two = assign({"a": TOPICS, "z": TOPICS}, dict.fromkeys(TOPICS, 4), owned({"z": numbers(one, "z")}))
    assert numbers(two, "z") == [0, 1]
    assert numbers(two, "a") == [2, 3]


def test_of_two_claims_the_later_generation_counts() -> None:
    """A member that was away claims what others own by now."""
    members = {"away": TOPICS, "here": TOPICS}
    claims = owned({"away": [0, 1]}, generation=3) | owned({"here": [0, 1]}, generation=7)
    found = assign(members, dict.fromkeys(TOPICS, 4), claims)
    assert numbers(found, "here") == [0, 1]


def test_a_worker_that_comes_back_gets_the_partitions_whose_state_it_has() -> None:
    members = {"back": TOPICS, "other": TOPICS}
    claims = owned({"other": [0, 1, 2, 3]}, generation=9) | owned({"back": [0, 3]}, generation=0)
    found = assign(members, dict.fromkeys(TOPICS, 4), claims)
    assert numbers(found, "back") == [0, 3]


def test_workers_of_different_agents_share_a_group() -> None:
    """Each topic goes to its subscribers only. The larger part goes to who has less of other topics."""
    found = assign({"both": ["clicks", "products"], "one": ["products"]}, {"clicks": 3, "products": 3}, {})
    assert found["both"]["clicks"] == [0, 1, 2]
    assert len(found["both"]["products"]) == 1
    assert len(found["one"]["products"]) == 2


def test_partitions_that_only_one_topic_has_are_not_assigned() -> None:
    """Partitions that were added to one input have no lane; the others go on."""
    found = assign({"a": TOPICS}, {"clicks": 6, "products": 4}, {})
    assert numbers(found, "a") == [0, 1, 2, 3]


@pytest.mark.parametrize("unknown", [0, None])
def test_a_topic_without_metadata_is_left_out(unknown: int | None) -> None:
    counts = {"clicks": 2} | ({} if unknown is None else {"products": unknown})
    assert assign({"a": TOPICS}, counts, {})["a"] == {"clicks": [0, 1]}


def test_members_tell_each_other_what_they_own_through_the_broker() -> None:
    """What the leader assigns comes back in the next join, as bytes, with the generation."""
    generation = 5
    first, second = (StickyLaneAssignor(lambda: generation, 4) for _ in range(2))
    cluster = Cluster(clicks=4, products=4)
    alone = first.assign(cluster, {"m2": first.metadata(TOPICS)})
    first.on_assignment(ConsumerProtocolMemberAssignment.decode(alone["m2"].encode()))
    generation = 6
    members = {"m1": second.metadata(TOPICS), "m2": first.metadata(TOPICS)}
    found = second.assign(cluster, {name: type(each).decode(each.encode()) for name, each in members.items()})
    assert dict(found["m2"].assignment) == {topic: [0, 1] for topic in TOPICS}
    assert dict(found["m1"].assignment) == {topic: [2, 3] for topic in TOPICS}


def test_state_on_disk_is_claimed_until_the_first_assignment() -> None:
    other, back = StickyLaneAssignor(lambda: 4, 4), StickyLaneAssignor(lambda: 0, 4, stored=[0, 2])
    cluster = Cluster(clicks=4, products=4)
    other.on_assignment(other.assign(cluster, {"o": other.metadata(TOPICS)})["o"])
    found = other.assign(cluster, {"o": other.metadata(TOPICS), "b": back.metadata(TOPICS)})
    assert dict(found["b"].assignment)["clicks"] == [0, 2]


def test_the_report_of_another_program_is_ignored() -> None:
    assignor = StickyLaneAssignor(lambda: 1, 4)
    foreign = assignor.metadata(TOPICS)
    foreign.user_data = b"\xc1 no report"
    found = assignor.assign(Cluster(clicks=1, products=1), {"a": foreign})
    assert dict(found["a"].assignment) == {topic: [0] for topic in TOPICS}


def test_partitions_without_lanes_are_not_assigned() -> None:
    """They were added under running workers."""
    assignor = StickyLaneAssignor(lambda: 1, 4)
    found = assignor.assign(Cluster(clicks=6, products=6), {"a": assignor.metadata(TOPICS)})
    assert dict(found["a"].assignment) == {topic: [0, 1, 2, 3] for topic in TOPICS}
