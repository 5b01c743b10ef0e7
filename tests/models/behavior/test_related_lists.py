"""Lists of related products are those of a dictionary, within stated bounds and without unused ids."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.behavior.related_lists import RELATIONS, RelatedList, RelatedLists
from schemas.events import Relation

NAMES = "abcdef"
lists = st.dictionaries(
    st.sampled_from(RELATIONS),
    st.lists(st.tuples(st.sampled_from(NAMES), st.integers(0, 9).map(float)), max_size=4),
)
steps = st.lists(st.tuples(st.sampled_from(NAMES), st.none() | lists), max_size=30)


def related(*names: str, as_of: float = 0.0) -> RelatedList:
    return RelatedList(as_of, {Relation.VIEWED: [(name, 1.0) for name in names]})


@given(steps)
def test_the_lists_are_those_of_a_dictionary(
    steps: list[tuple[str, dict[Relation, list[tuple[str, float]]] | None]],
) -> None:
    stored = RelatedLists(bound=len(NAMES), kept=3)
    known: dict[str, RelatedList] = {}
    withdrawn: set[str] = set()
    for time, (name, listed) in enumerate(steps):
        if listed is None:
            stored.withdraw(name)
            known.pop(name, None)
            withdrawn.add(name)
        else:
            stored.put(name, RelatedList(time, listed))
            known[name] = RelatedList(time, {kind: best[:3] for kind, best in listed.items() if best})
            withdrawn.discard(name)
        # What no list names any more is forgotten, with its withdrawal.
        used = set(known) | {
            each for at in known.values() for best in at.related.values() for each, _ in best
        }
        withdrawn &= used
        assert stored.ids == len(used)
        assert len(stored) == len(known)
    for name in NAMES:
        if name not in known:
            assert stored.of(name) is None
            continue
        as_of, kept, _ = known[name]
        shown = {kind: [each for each in best if each[0] not in withdrawn] for kind, best in kept.items()}
        assert stored.of(name) == RelatedList(as_of, shown)


def test_what_was_put_longest_ago_is_dropped_beyond_the_bound() -> None:
    stored = RelatedLists(bound=2)
    for name in ("a", "b", "a", "c"):
        stored.put(name, related("x"))
    assert [name for name in "abc" if stored.of(name) is not None] == ["a", "c"]


def test_there_are_at_most_twice_as_many_ids_as_lists_may_be() -> None:
    stored = RelatedLists(bound=4)
    for name in ("a", "b", "c"):
        stored.put(name, related(*(f"{name}{each}" for each in range(3))))
        assert stored.ids <= 8
    assert stored.of("a") is None
    assert stored.of("c") is not None
    stored.put("wide", related(*(f"w{each}" for each in range(20))))
    assert (len(stored), stored.ids) == (1, 21)  # one list stays, whatever it names


def test_scores_are_kept_as_32_bits() -> None:
    stored = RelatedLists(bound=1)
    stored.put("a", RelatedList(5.0, {Relation.BOUGHT: [("b", 1 / 3)]}))
    found = stored.of("a")
    assert found is not None
    assert found.related[Relation.BOUGHT][0][1] == pytest.approx(1 / 3, rel=1e-7)
