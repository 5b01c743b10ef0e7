"""The last values of keys: found in their partitions, from the end backwards, as a full read finds them."""

from collections.abc import Iterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import msgspec
import orjson
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from schemas.codec import encode
from schemas.errors import StopWorker
from schemas.events import AffinityUpdated, Recommended, Related, Relation, ShopperUpdated
from schemas.examples import EXAMPLES
from schemas.keys import partition_for
from schemas.product_identity import ProductIdentity
from schemas.pseudonyms import Pseudonyms
from streams.agents.affinity_events import titled_affinity
from streams.cli import main
from streams.records import MemoryRecord
from streams.replay import latest_values
from streams.replay.latest_values import LatestValues
from streams.replay.publications import published_shopper, related_products
from streams.replay.ranges import OffsetRange
from streams.settings import Settings
from streams.topics import AFFINITY_UPDATED, PRODUCT_ENRICHED, SHOPPER_UPDATED

PARTITIONS = 3
AS_OF = datetime(2026, 3, 1, tzinfo=UTC)
SHOPPER = next(each for each in EXAMPLES if isinstance(each, ShopperUpdated))
Log = dict[str, list[list[MemoryRecord]]]


class MemoryTopics:
    """Stands for the broker: partitions of records, some of whose offsets were compacted away."""

    def __init__(self, log: Log) -> None:
        self.log = log
        self.read: list[OffsetRange] = []

    def list_topics(self, timeout: float) -> Any:
        return SimpleNamespace(topics=self.log)

    def close(self) -> None:
        """Nothing is open."""

    def ranges(self, topic: str) -> list[OffsetRange]:
        return [
            OffsetRange(number, 0, records[-1].offset + 1 if records else 0)
            for number, records in enumerate(self.log[topic])
        ]

    def read_ranges(self, topic: str, ranges: list[OffsetRange]) -> Iterator[list[MemoryRecord]]:
        self.read += ranges
        for partition, start, end in ranges:
            records = [each for each in self.log[topic][partition] if start <= each.offset < end]
            if records:
                yield records


@pytest.fixture
def topics(monkeypatch: pytest.MonkeyPatch) -> MemoryTopics:
    memory = MemoryTopics({})
    monkeypatch.setattr(latest_values, "open_consumer", lambda settings, group: memory)
    monkeypatch.setattr(
        latest_values, "resolve_ranges", lambda consumer, settings, topic, *_: memory.ranges(topic)
    )
    monkeypatch.setattr(
        latest_values,
        "read_ranges",
        lambda consumer, settings, topic, ranges: memory.read_ranges(topic, ranges),
    )
    return memory


def partitioned(
    topic: str, values: list[tuple[str, bytes | None]], step: int = 1
) -> list[list[MemoryRecord]]:
    """Records in the partitions of their keys, with gaps between the offsets."""
    partitions: list[list[MemoryRecord]] = [[] for _ in range(PARTITIONS)]
    for key, value in values:
        number = partition_for(key.encode(), PARTITIONS)
        offset = len(partitions[number]) * step
        partitions[number].append(MemoryRecord(topic, number, offset, key=key.encode(), value=value))
    return partitions


@given(
    st.lists(st.tuples(st.sampled_from("abcdefgh"), st.none() | st.binary(max_size=3)), max_size=60),
    st.sets(st.sampled_from("abcdefghxyz")),
    st.integers(1, 3),
)
def test_the_last_record_of_each_key_is_found_and_nothing_is_read_twice(
    values: list[tuple[str, bytes | None]], wanted: set[str], step: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        memory = MemoryTopics({"t": partitioned("t", values, step)})
        patch.setattr(latest_values, "open_consumer", lambda settings, group: memory)
        patch.setattr(
            latest_values, "resolve_ranges", lambda consumer, settings, topic, *_: memory.ranges(topic)
        )
        patch.setattr(
            latest_values,
            "read_ranges",
            lambda consumer, settings, topic, ranges: memory.read_ranges(topic, ranges),
        )
        patch.setattr(latest_values, "_FIRST_PART", 2)
        with LatestValues(Settings()) as reader:
            found = reader.find("t", {key.encode() for key in wanted})
    expected = {key: value for key, value in values if key in wanted}
    assert {key.decode(): record.value for key, record in found.items()} == expected
    offsets = [(part.partition, offset) for part in memory.read for offset in range(part.start, part.end)]
    assert len(offsets) == len(set(offsets))
    assert {part.partition for part in memory.read} <= {
        partition_for(key.encode(), PARTITIONS) for key in wanted
    }


def related(product: str, *others: str) -> bytes:
    event = AffinityUpdated(
        product_id=product,
        related=[
            Related(product_id=other, relation=Relation.BOUGHT, score=2.5, support=3) for other in others
        ],
        recommended=[Recommended(product_id=other, score=0.5) for other in others],
        as_of=AS_OF,
        half_life_days=60.0,
    )
    return encode(event)


def listed(title: str) -> bytes:
    return orjson.dumps({"product_id": "p", "title": title, "embedding": None})


@pytest.fixture
def shop(topics: MemoryTopics) -> MemoryTopics:
    affinities = [("mug", related("mug", "tin")), ("gone", None), ("mug", related("mug", "tin", "lamp"))]
    listings = [
        ("mug", listed("RED MUG")),
        ("tin", listed("[bold]TIN")),
        ("gone", None),
        ("new", listed("NEW")),
    ]
    topics.log = {
        AFFINITY_UPDATED: partitioned(AFFINITY_UPDATED, [*affinities, ("alone", related("alone"))]),
        PRODUCT_ENRICHED: partitioned(
            PRODUCT_ENRICHED, [*listings, ("old", None), ("alone", listed("ALONE"))]
        ),
        SHOPPER_UPDATED: partitioned(SHOPPER_UPDATED, [("u", encode(SHOPPER)), ("left", None)]),
    }
    return topics


def test_the_command_shows_the_last_list_with_titles(shop: MemoryTopics) -> None:
    result = CliRunner().invoke(main, ["affinity", "--of", "mug"], catch_exceptions=False)
    assert result.exit_code == 0
    assert "mug  RED MUG" in result.stdout
    rows = [line.split() for line in result.stdout.splitlines()[3:]]
    assert rows == [
        ["bought", "2.5", "3", "tin", "[bold]TIN"],
        ["bought", "2.5", "3", "lamp", "not", "listed"],
        [],
        ["recommended,", "by", "all", "that", "is", "known", "score"],
        ["tin", "[bold]TIN", "0.500"],
        ["lamp", "0.500"],
    ]


def test_the_command_prints_json_with_titles(shop: MemoryTopics) -> None:
    result = CliRunner().invoke(main, ["affinity", "--of", "mug", "--json"], catch_exceptions=False)
    event = orjson.loads(result.stdout)
    assert event["title"] == "RED MUG"
    assert [each["title"] for each in event["related"]] == ["[bold]TIN", None]
    assert [each["title"] for each in event["recommended"]] == ["[bold]TIN", None]


def test_no_related_products_are_no_error(shop: MemoryTopics) -> None:
    result = CliRunner().invoke(main, ["affinity", "--of", "alone"])
    assert (result.exit_code, "No related products" in result.stdout) == (0, True)


@pytest.mark.parametrize(
    ("product", "says"),
    [
        ("nothing", "there is no product nothing"),
        ("gone", "gone is withdrawn: affinity-updated"),
        ("old", "old is withdrawn: product-enriched"),
        ("new", "new is listed, but the agent affinity has published nothing"),
    ],
)
def test_a_product_without_a_list_is_explained(shop: MemoryTopics, product: str, says: str) -> None:
    result = CliRunner().invoke(main, ["affinity", "--of", product])
    assert result.exit_code == 1
    assert says in result.output


def test_either_a_product_or_a_file_must_be_named() -> None:
    for arguments in ([], ["--of", "mug", "-"]):
        result = CliRunner().invoke(main, ["affinity", *arguments])
        assert result.exit_code == 2
        assert "--of PRODUCT or a file" in result.output


def test_a_key_of_a_shop_with_ids_of_its_own_names_the_shop(shop: MemoryTopics) -> None:
    identity = ProductIdentity("own-ids")
    with LatestValues(Settings()) as values, pytest.raises(StopWorker, match="write it as SHOP/ID"):
        related_products(values, "nothing", identity)
    event = AffinityUpdated(
        product_id="1",
        shop_id="s",
        related=[Related(product_id="2", relation=Relation.BOUGHT, score=1.0, support=1)],
        as_of=AS_OF,
        half_life_days=60.0,
    )
    fields = orjson.loads(titled_affinity(event, {"s/1": "one", "s/2": "two"}.get, identity))
    assert (fields["title"], fields["related"][0]["title"]) == ("one", "two")


def test_the_shopper_command_shows_the_last_state(shop: MemoryTopics) -> None:
    result = CliRunner().invoke(main, ["shopper", "u"], catch_exceptions=False)
    assert result.exit_code == 0
    assert "next action" in result.stdout
    printed = CliRunner().invoke(main, ["shopper", "u", "--json"], catch_exceptions=False).stdout_bytes
    assert printed.strip() == encode(SHOPPER)


@pytest.mark.parametrize(
    ("shopper", "says"), [("nobody", "has no shopper nobody"), ("left", "no state any more")]
)
def test_a_shopper_without_state_is_explained(shop: MemoryTopics, shopper: str, says: str) -> None:
    with LatestValues(Settings()) as values, pytest.raises(StopWorker, match=says):
        published_shopper(values, shopper)


def test_a_shopper_is_found_under_the_pseudonym_in_use_or_a_former_one(topics: MemoryTopics) -> None:
    pseudonyms = Pseudonyms.parse(f"k2:{'2' * 32},k1:{'1' * 32}")
    (former,) = pseudonyms.former("moved")
    values = [
        (pseudonyms.of("moved"), encode(msgspec.structs.replace(SHOPPER, user_id="now"))),
        (former, None),
        (pseudonyms.former("quiet")[0], encode(SHOPPER)),
    ]
    topics.log = {SHOPPER_UPDATED: partitioned(SHOPPER_UPDATED, values)}
    with LatestValues(Settings()) as reader:
        assert published_shopper(reader, "moved", pseudonyms).user_id == "now"
        assert published_shopper(reader, "quiet", pseudonyms) == SHOPPER
        with pytest.raises(StopWorker, match="has no shopper moved"):
            published_shopper(reader, "moved")


def test_a_record_of_another_program_is_named(topics: MemoryTopics) -> None:
    topics.log = {
        AFFINITY_UPDATED: partitioned(AFFINITY_UPDATED, [("mug", b"{}")]),
        PRODUCT_ENRICHED: [[]] * 3,
    }
    with LatestValues(Settings()) as values, pytest.raises(StopWorker, match=r"offset 0 of affinity-updated"):
        related_products(values, "mug", ProductIdentity())


def test_a_missing_topic_is_named(topics: MemoryTopics, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latest_values, "why_not_listed", lambda settings, topic: f"there is no topic {topic}")
    with LatestValues(Settings()) as values, pytest.raises(StopWorker, match="no topic affinity-updated"):
        values.find(AFFINITY_UPDATED, [b"mug"])
