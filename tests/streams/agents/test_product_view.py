"""The product view has the last record of each product, and ignores invalid records."""

from base64 import b64encode
from collections.abc import Mapping

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from models.behavior.taste_mean import ProductLabels
from schemas.codec import encode
from schemas.events import (
    Category,
    Decision,
    DecisionOutcome,
    Embedding,
    ProductEnriched,
    Tag,
    TagSource,
)
from streams.agents.product_view import ProductView
from streams.records import MemoryRecord
from streams.topics import PRODUCT_ENRICHED


def embedding(vector: tuple[int, int], model: str = "m") -> Embedding:
    data = b64encode(bytes(vector)).decode()
    return Embedding(dimensions=2, int8=data, model_version=model)


def product(
    product_id: str = "p",
    vector: tuple[int, int] | None = None,
    tags: tuple[str, ...] = (),
    path: str | None = None,
    model: str = "m",
    shop_id: str | None = None,
) -> bytes:
    event = ProductEnriched(
        product_id=product_id,
        shop_id=shop_id,
        decision=Decision(outcome=DecisionOutcome.MODEL, why=""),
        model_version=model,
        taxonomy_version="t",
        tags=[Tag(name=name, source=TagSource.PHRASE, confidence=0.5) for name in tags],
        category=None if path is None else Category(id=1, path=path, confidence=0.5),
        embedding=None if vector is None else embedding(vector, model),
    )
    return encode(event)


def learned(*values: tuple[str | None, bytes | None]) -> ProductView:
    """A product view after records with these keys and values."""
    product_view = ProductView()
    product_view.update(
        MemoryRecord(PRODUCT_ENRICHED, 0, offset, key=None if key is None else key.encode(), value=value)
        for offset, (key, value) in enumerate(values)
    )
    return product_view


def test_a_product_is_described_by_its_tags_and_category() -> None:
    product_view = learned(("p", product(tags=("red", "wool"), path="Apparel > Shoes")))
    assert product_view.describe("p") == ProductLabels(("red", "wool"), "Apparel > Shoes")
    assert product_view.describe("unknown") is None
    assert len(product_view) == 1


def test_a_category_that_waits_for_a_person_is_no_label() -> None:
    """Neither is its tag. What the text says stays."""
    guess = msgspec.structs.replace(
        msgspec.json.decode(product(path="Apparel"), type=ProductEnriched),
        decision=Decision(outcome=DecisionOutcome.ABSTAINED, why=""),
        tags=[
            Tag(name="apparel", source=TagSource.CATEGORY, confidence=0.3),
            Tag(name="red", source=TagSource.PHRASE, confidence=0.9),
        ],
    )
    assert learned(("p", encode(guess))).describe("p") == ProductLabels(("red",), None)
    decided = msgspec.structs.replace(guess, decision=Decision(outcome=DecisionOutcome.PERSON, why=""))
    assert learned(("p", encode(decided))).describe("p") == ProductLabels(("apparel", "red"), "Apparel")


def test_the_last_record_of_a_product_counts() -> None:
    """Tags, category and embedding are those of the last record."""
    texts = [("p", product(vector=(1, 0), tags=("old",))), ("q", product("q", (1, 0)))]
    assert learned(*texts).similar(["q"], 5) == {"q": [("p", 1.0)]}
    product_view = learned(*texts, ("p", product(tags=("new",))))
    assert product_view.describe("p") == ProductLabels(("new",), None)
    assert product_view.similar(["p", "q"], 5) == {"q": []}


def test_a_withdrawn_product_is_removed() -> None:
    """Its labels and its embedding are removed. An unknown product may be withdrawn too."""
    product_view = learned(
        ("p", product(vector=(1, 0))), ("q", product("q", (1, 1))), ("p", None), ("never", None)
    )
    assert product_view.describe("p") is None
    assert product_view.similar(["p", "q"], 5) == {"q": []}
    assert len(product_view) == 1


def test_similar_products_come_nearest_first_and_no_more_than_asked_for() -> None:
    product_view = learned(
        *[(name, product(name, vector)) for name, vector in [("a", (9, 0)), ("b", (9, 3)), ("c", (9, 1))]],
        ("textless", product("textless")),
    )
    found = product_view.similar(["a", "textless", "unknown"], 2)
    assert {name: [other for other, _ in near] for name, near in found.items()} == {"a": ["c", "b"]}
    assert found["a"][0][1] == pytest.approx(9 / 82**0.5)
    assert [len(near) for near in product_view.similar(["a"], 1).values()] == [1]
    assert product_view.similar([], 5) == {}


def test_texts_of_two_models_are_never_compared() -> None:
    product_view = learned(("a", product("a", (1, 0))), ("b", product("b", (1, 0), model="newer")))
    assert product_view.similar(["a", "b"], 5) == {"a": [], "b": []}


@pytest.mark.parametrize(
    "bad",
    [
        b"",
        b"{",
        b"[]",
        b"\xff",
        b'{"product_id": 5}',
        b'{"product_id": "x", "tags": "none"}',
        b'{"product_id": "\xff"}',
        b'{"a":' * 100_000,
        encode(
            ProductEnriched(
                product_id="x",
                decision=Decision(outcome=DecisionOutcome.MODEL, why=""),
                model_version="m",
                taxonomy_version="t",
                embedding=Embedding(dimensions=3, int8="not base64", model_version="m"),
            )
        ),
    ],
)
def test_an_invalid_record_is_logged_and_ignored(bad: bytes) -> None:
    """The records after it are applied."""
    with capture_logs() as logs:
        product_view = learned(("a", product("a", (1, 0))), ("x", bad), ("b", product("b", (1, 0))))
    assert [entry["offset"] for entry in logs] == [1]
    assert product_view.similar(["a"], 5) == {"a": [("b", 1.0)]}


def test_a_record_without_a_valid_key_is_ignored() -> None:
    product_view = learned((None, product("p")))
    with capture_logs() as logs:
        product_view.update([MemoryRecord(PRODUCT_ENRICHED, 0, 3, key=b"\xff")])
    assert [entry["offset"] for entry in logs] == [3]
    assert len(product_view) == 0


steps = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "c"]),
        st.none()
        | st.tuples(st.none() | st.tuples(st.integers(0, 9), st.integers(0, 9)), st.sampled_from("xy")),
    ),
    max_size=20,
)


@given(steps, st.integers(1, 5))
def test_the_view_is_that_of_a_dictionary(
    steps: list[tuple[str, tuple[tuple[int, int] | None, str] | None]], chunk: int
) -> None:
    """After any records, in chunks of any size, it has the last one of each listed product."""
    state: dict[str, tuple[tuple[int, int] | None, str]] = {}
    product_view, records = ProductView(), []
    for offset, (name, what) in enumerate(steps):
        state.pop(name, None)
        if what is not None:
            state[name] = what
        value = None if what is None else product(name, what[0], (what[1],))
        records.append(MemoryRecord(PRODUCT_ENRICHED, 0, offset, key=name.encode(), value=value))
    for start in range(0, len(records), chunk):
        product_view.update(records[start : start + chunk])
    assert {name: product_view.describe(name) for name in "abc"} == {
        name: ProductLabels((state[name][1],), None) if name in state else None for name in "abc"
    }
    with_text = {name for name, (vector, _) in state.items() if vector is not None}
    found: Mapping[str, list[tuple[str, float]]] = product_view.similar(["a", "b", "c"], 5)
    assert {name: {other for other, _ in near} for name, near in found.items()} == {
        name: with_text - {name} for name in with_text
    }
