"""The index returns the results of brute force after any additions, replacements and removals."""

from base64 import b64encode
from math import sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.behavior import similarity
from models.behavior.similarity import SimilarityIndex
from schemas.errors import InvalidEvent
from schemas.events import Embedding

Vector = tuple[int, ...]
vectors = st.tuples(*[st.integers(-128, 127)] * 3)
changes = st.lists(st.tuples(st.sampled_from("abcdefgh"), st.none() | vectors), max_size=30)


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


@given(changes, vectors, st.integers(1, 10))
def test_nearest_equals_brute_force(history: list[tuple[str, Vector | None]], query: Vector, k: int) -> None:
    index, oracle = SimilarityIndex(), dict[str, Vector]()
    for name, vector in history:
        if vector is None:
            index.remove(name)
            oracle.pop(name, None)
        else:
            index.add(name, embedding(vector))
            oracle[name] = vector
    assert len(index) == len(oracle)
    found = index.nearest(embedding(query), k)
    expected = sorted((cosine(query, vector) for vector in oracle.values()), reverse=True)[:k]
    assert [score for _, score in found] == pytest.approx(expected, abs=1e-12)
    assert all(score == pytest.approx(cosine(query, oracle[name]), abs=1e-12) for name, score in found)
    many = index.nearest_many([*oracle, "unknown", *oracle], k, exclude=["a"])
    assert [rounded(one) for one in many] == [
        rounded(index.nearest(name, k, exclude=["a"])) for name in [*oracle, "unknown", *oracle]
    ]
    for name in oracle:
        mine = index.nearest(name, k)
        assert name not in dict(mine)
        rest = sorted(
            (cosine(oracle[name], oracle[other]) for other in oracle if other != name), reverse=True
        )
        assert [score for _, score in mine] == pytest.approx(rest[:k], abs=1e-12)


def test_many_products_span_blocks_and_grow_the_matrix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(similarity, "_BLOCK", 100)
    monkeypatch.setattr(similarity, "_CELLS", 3000)
    rng = np.random.default_rng(7)
    matrix = rng.integers(-127, 128, (1000, 16), dtype=np.int8)
    index = SimilarityIndex()
    for number, row in enumerate(matrix):
        index.add(f"p{number:04}", embedding(tuple(row.tolist())))
    unit = matrix / np.linalg.norm(matrix.astype(np.float64), axis=1, keepdims=True)
    order = np.argsort(-(unit @ unit[500]), kind="stable")[1:6]
    expected = [f"p{number:04}" for number in order]
    assert [name for name, _ in index.nearest("p0500", 5)] == expected
    many = index.nearest_many([f"p{number:04}" for number in range(495, 505)], 5)
    assert [name for name, _ in many[5]] == expected


def test_ties_are_ordered_by_id_and_excluded_products_are_left_out() -> None:
    index = SimilarityIndex()
    for name in ("c", "b", "d", "a"):
        index.add(name, embedding((5, 5)))
    assert rounded(index.nearest("a", 2)) == [("b", 1.0), ("c", 1.0)]
    assert [name for name, _ in index.nearest("a", 9, exclude=["c", "unknown"])] == ["b", "d"]


@given(
    st.lists(
        st.tuples(st.text(max_size=3), st.sampled_from([(5, 5), (10, 10), (5, 4), (0, 0)])), max_size=40
    ),
    st.integers(1, 12),
)
def test_among_any_number_of_ties_the_smallest_ids_are_returned(
    products: list[tuple[str, Vector]], k: int
) -> None:
    index, oracle = SimilarityIndex(), dict[str, Vector]()
    for name, vector in products:
        index.add(name, embedding(vector))
        oracle[name] = vector
    found = rounded(index.nearest(embedding((5, 5)), k))
    scores = {name: round(cosine((5, 5), vector), 12) for name, vector in oracle.items()}
    assert found == sorted(scores.items(), key=lambda entry: (-entry[1], entry[0]))[:k]


def test_embeddings_of_different_models_are_never_compared() -> None:
    index = SimilarityIndex()
    index.add("a", embedding((1, 0), "old"))
    index.add("b", embedding((1, 0), "old"))
    index.add("b", embedding((1, 0, 0), "new"))
    assert index.nearest("a", 5) == index.nearest("b", 5) == []
    assert rounded(index.nearest(embedding((1, 0), "old"), 5)) == [("a", 1.0)]
    index.remove("a")
    assert index.nearest(embedding((1, 0), "old"), 5) == index.nearest("a", 5) == []
    assert ("a" in index, "b" in index, len(index)) == (False, True, 1)


def test_a_zero_vector_has_cosine_zero() -> None:
    index = SimilarityIndex()
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
    index = SimilarityIndex()
    index.add("a", embedding((1, 2)))
    with pytest.raises(InvalidEvent, match="invalid-embedding"):
        index.add("a", broken)
    assert rounded(index.nearest(embedding((1, 2)), 1)) == [("a", 1.0)]
