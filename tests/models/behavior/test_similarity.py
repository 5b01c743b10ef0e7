"""The index returns the results of brute force after any additions, replacements and removals."""

from base64 import b64encode
from collections.abc import Sequence
from math import sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.behavior import vector_cells
from models.behavior.product_numbers import ProductNumbers
from models.behavior.similarity import SimilarityIndex
from models.behavior.text_changes import MAX_CHANGES
from schemas.errors import InvalidEvent
from schemas.events import Embedding

Vector = tuple[int, ...]
vectors = st.tuples(*[st.integers(-128, 127)] * 3)
changes = st.lists(st.tuples(st.sampled_from("abcdefgh"), st.none() | vectors), max_size=30)


class NamedIndex:
    """An index of product ids."""

    def __init__(self) -> None:
        self.products = ProductNumbers()
        self.index = SimilarityIndex(self.products)

    def add(self, name: str, embedding: Embedding) -> None:
        self.index.put({self.products.add(name): embedding})

    def add_many(self, embeddings: dict[str, Embedding]) -> None:
        self.index.put({self.products.add(name): each for name, each in embeddings.items()})

    def remove(self, name: str) -> None:
        number = self.products.find(name)
        if number is not None:
            self.index.remove([number])
            self.products.remove(name)

    def nearest(self, name: str, k: int) -> list[tuple[str, float]]:
        return self.nearest_many([name], k).get(name, [])

    def nearest_many(self, names: Sequence[str], k: int) -> dict[str, list[tuple[str, float]]]:
        numbers = [number for name in names if (number := self.products.find(name)) is not None]
        found = self.index.nearest(numbers, k)
        return {self.products.id_of(number): near for number, near in found.items()}


def embedding(vector: Vector, model: str = "m") -> Embedding:
    data = np.array(vector, dtype=np.int8).tobytes()
    return Embedding(dimensions=len(vector), int8=b64encode(data).decode(), model_version=model)


def cosine(one: Vector, other: Vector) -> float:
    dot = sum(x * y for x, y in zip(one, other, strict=True))
    length = sqrt(sum(x * x for x in one)) * sqrt(sum(y * y for y in other))
    return dot / length if length else 0.0


def rounded_pair(entry: tuple[str, float]) -> tuple[str, float]:
    return entry[0], round(entry[1], 12)


def rounded(found: list[tuple[str, float]]) -> list[tuple[str, float]]:
    return list(map(rounded_pair, found))


@pytest.mark.parametrize("limit", [2, 1024])
@given(history=changes, k=st.integers(1, 10))
def test_nearest_equals_brute_force(limit: int, history: list[tuple[str, Vector | None]], k: int) -> None:
    """Also in cells of two, which split and dissolve with nearly every change."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vector_cells, "CELL_LIMIT", limit)
        index, oracle = NamedIndex(), dict[str, Vector]()
        for name, vector in history:
            if vector is None:
                index.remove(name)
                oracle.pop(name, None)
            else:
                index.add(name, embedding(vector))
                oracle[name] = vector
        assert len(index.index) == len(oracle)
        assert index.index.exact
        many = index.nearest_many([*oracle, "unknown"], k)
        assert many.keys() == oracle.keys()
    for name, found in many.items():
        scores = {other: cosine(oracle[name], oracle[other]) for other in oracle if other != name}
        assert [score for _, score in found] == pytest.approx(
            sorted(scores.values(), reverse=True)[:k], abs=1e-12
        )
        assert all(score == pytest.approx(scores[other], abs=1e-12) for other, score in found)


def test_ties_are_ordered_by_id() -> None:
    index = NamedIndex()
    for name in ("c", "b", "d", "a"):
        index.add(name, embedding((5, 5)))
    assert rounded(index.nearest("a", 2)) == [("b", 1.0), ("c", 1.0)]


@given(
    st.lists(
        st.tuples(st.text(max_size=3), st.sampled_from([(5, 5), (10, 10), (5, 4), (0, 0)])), max_size=40
    ),
    st.integers(1, 12),
)
def test_among_any_number_of_ties_the_smallest_ids_are_returned(
    products: list[tuple[str, Vector]], k: int
) -> None:
    index, oracle = NamedIndex(), dict[str, Vector]()
    for name, vector in [*products, ("query", (5, 5))]:
        index.add(name, embedding(vector))
        oracle[name] = vector
    del oracle["query"]
    found = rounded(index.nearest("query", k))
    scores = {name: round(cosine((5, 5), vector), 12) for name, vector in oracle.items()}
    assert found == sorted(scores.items(), key=lambda entry: (-entry[1], entry[0]))[:k]


def test_embeddings_of_different_models_are_never_compared() -> None:
    index = NamedIndex()
    index.add("a", embedding((1, 0), "old"))
    index.add("b", embedding((1, 0), "old"))
    index.add("b", embedding((1, 0, 0), "new"))
    assert index.nearest("a", 5) == index.nearest("b", 5) == []
    index.add("c", embedding((1, 0), "old"))
    assert rounded(index.nearest("c", 5)) == [("a", 1.0)]
    index.remove("a")
    assert index.nearest("c", 5) == index.nearest("a", 5) == []
    assert len(index.index) == 2


def test_a_zero_vector_has_cosine_zero() -> None:
    index = NamedIndex()
    index.add("zero", embedding((0, 0)))
    index.add("one", embedding((1, 0)))
    assert index.nearest("zero", 1) == [("one", 0.0)]
    assert index.nearest("one", 0) == []


@pytest.mark.parametrize(
    "broken",
    [
        Embedding(dimensions=2, int8="????", model_version="m"),
        Embedding(dimensions=2, int8="é", model_version="m"),
        Embedding(dimensions=2, int8="AQ==", model_version="m"),
        Embedding(dimensions=0, int8="", model_version="m"),
        Embedding(dimensions=1025, int8=b64encode(bytes(1025)).decode(), model_version="m"),
    ],
)
def test_an_invalid_embedding_is_rejected_and_changes_nothing(broken: Embedding) -> None:
    index = NamedIndex()
    index.add("a", embedding((1, 2)))
    index.add("b", embedding((1, 2)))
    with pytest.raises(InvalidEvent, match="invalid-embedding"):
        index.add_many({"b": embedding((2, 1)), "a": broken})
    assert rounded(index.nearest("a", 1)) == [("b", 1.0)]


def test_a_large_index_finds_nearly_all_neighbors_whatever_their_number() -> None:
    """Products come in groups of similar texts, as shops' catalogs do."""
    rng = np.random.default_rng(7)
    themes = rng.normal(size=(400, 32))
    rows = themes[rng.integers(400, size=60_000)] + 0.5 * rng.normal(size=(60_000, 32))
    matrix = np.rint(127 * rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.int8)
    cells = vector_cells.VectorCells(32)
    for start in range(0, len(matrix), 500):
        cells.put(range(start, start + 500), matrix[start : start + 500])
    gone = range(0, 60_000, 3)
    cells.discard(gone)
    assert not cells.exact
    assert len(cells) == 40_000
    queries = rng.choice(np.setdiff1d(np.arange(60_000), gone), 100, replace=False)
    unit = matrix / np.linalg.norm(matrix.astype(np.float64), axis=1, keepdims=True)
    expected = unit[queries] @ unit.T
    expected[:, list(gone)] = -2
    least = np.partition(expected, -20, axis=1)[:, -20]
    found = cells.nearest(matrix[queries], 20)
    recall = [
        np.count_nonzero(hits.cosines >= floor - 1e-9) / 20 for hits, floor in zip(found, least, strict=True)
    ]
    assert np.minimum(recall, 1).mean() > 0.95


def test_cells_that_split_several_times_at_once_lose_no_vector() -> None:
    rng = np.random.default_rng(3)
    matrix = rng.integers(-20, 20, (6000, 8), dtype=np.int8)
    matrix[:5000] += np.array([100, 0, 0, 0, 0, 0, 0, 0], dtype=np.int8)
    cells = vector_cells.VectorCells(8)
    cells.put(range(6000), matrix)
    assert (cells.vectors(range(6000)) == matrix).all()
    hits = cells.nearest(matrix[:1], 6000)[0]
    assert sorted(hits.numbers.tolist()) == list(range(6000))


def test_a_search_of_equal_texts_reads_no_more_than_of_others() -> None:
    """Cells of equal vectors are cut too."""
    cells = vector_cells.VectorCells(2)
    cells.put(range(40_000), np.full((40_000, 2), 5, dtype=np.int8))
    (hits,) = cells.nearest(np.array([[5, 5]], dtype=np.int8), 3)
    assert 3 <= len(hits.numbers) <= vector_cells.CELL_LIMIT * vector_cells.PROBES


@given(changes, st.lists(st.tuples(st.sampled_from("abcdefgh"), st.none() | vectors), max_size=6))
def test_all_whose_nearest_change_are_affected(
    first: list[tuple[str, Vector | None]], then: list[tuple[str, Vector | None]]
) -> None:
    """By comparison with a search for everybody. The same text again affects nobody."""
    named = NamedIndex()

    def search() -> dict[str, list[tuple[str, float]]]:
        numbers = [number for name in "abcdefgh" if (number := named.products.find(name)) is not None]
        found = named.index.nearest(numbers, 2, 0.5)
        return {named.products.id_of(number): rounded(near) for number, near in found.items()}

    def change(some: list[tuple[str, Vector | None]]) -> None:
        for name, vector in some:
            if vector is None:
                named.remove(name)
            else:
                named.add(name, embedding(vector))

    change(first)
    before = search()
    named.index.affected(100, 0.5)
    change(then)
    affected = set(named.index.affected(100, 0.5))
    after = search()
    assert {name for name, near in after.items() if before.get(name, []) != near} <= affected
    named.add_many({name: embedding(vector) for name, vector in dict(first).items() if vector is not None})
    named.index.affected(100, 0.5)
    named.add_many({name: embedding(vector) for name, vector in dict(first).items() if vector is not None})
    assert named.index.affected(100, 0.5) == []


def test_a_flood_of_changes_is_counted_instead() -> None:
    named = NamedIndex()
    named.add_many({str(number): embedding((1, 2, 3)) for number in range(MAX_CHANGES)})
    assert named.index.floods == 0
    named.add("one more", embedding((1, 2, 3)))
    assert (named.index.floods, named.index.affected(1, 0.0)) == (1, [])


def test_changes_are_taken_some_at_a_time() -> None:
    named = NamedIndex()
    named.add_many({"a": embedding((1, 0, 0)), "b": embedding((0, 1, 0)), "c": embedding((0, 0, 1))})
    assert [named.index.affected(1, 0.5) for _ in range(4)] == [["a"], ["b"], ["c"], []]


@given(
    st.lists(st.sampled_from([(1, 2, 3), (1, 2, 4), (9, 0, 0)]), min_size=1, max_size=8), st.integers(1, 4)
)
def test_products_with_the_same_text_are_found_as_any_others(texts: list[Vector], k: int) -> None:
    """They share a search, and each leaves itself out."""
    named = NamedIndex()
    names = {str(number): vector for number, vector in enumerate(texts)}
    named.add_many({name: embedding(vector) for name, vector in names.items()})
    for name, near in named.nearest_many(list(names), k).items():
        others = [(-cosine(names[name], vector), other) for other, vector in names.items() if other != name]
        expected = [(other, -negative) for negative, other in sorted((round(c, 9), o) for c, o in others)]
        assert [(other, round(each, 9)) for other, each in near] == expected[:k]
