"""The topics: one table of what each must be, and the pure comparison with what a broker has."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

from schemas import dead_letters
from streams.settings import Settings

MIB = 1024 * 1024
DAY_MS = 24 * 60 * 60 * 1000
FOREVER_MS = -1

PRODUCT_CREATED = "product-created"
USER_BEHAVIOR = "user-behavior"
CATEGORY_FEEDBACK = "category-feedback"
PRODUCT_ENRICHED = "product-enriched"
ENRICHMENT_REVIEW = "enrichment-review"
AFFINITY_UPDATED = "affinity-updated"
SHOPPER_UPDATED = "shopper-updated"
DEAD_LETTER = dead_letters.TOPIC
CO_BEHAVIOR = "co-behavior"
PRODUCT_REPARTITION = "product-repartition"


class Cleanup(StrEnum):
    """What the broker does with old records: delete them, or keep the last of each key."""

    DELETE = "delete"
    COMPACT = "compact"


class TopicSpec(NamedTuple):
    """What a topic must be. `retention_ms` is None for compacted topics, FOREVER_MS for unlimited."""

    name: str
    key: str
    carries: str
    partitions: int
    cleanup: Cleanup
    retention_ms: int | None
    max_message_bytes: int
    internal: bool = False

    @property
    def config(self) -> dict[str, str]:
        """The broker's configuration entries of the topic."""
        config = {"cleanup.policy": self.cleanup.value, "max.message.bytes": str(self.max_message_bytes)}
        if self.retention_ms is not None:
            config["retention.ms"] = str(self.retention_ms)
        return config


class ActualTopic(NamedTuple):
    """What the broker has."""

    name: str
    partitions: int
    config: Mapping[str, str]


class Difference(NamedTuple):
    """A topic is not what it must be. Workers refuse to start on a `refused` one; others are told."""

    kind: str
    topic: str
    want: str
    have: str
    remedy: str
    refused: bool


def changelog(settings: Settings, table: str) -> str:
    """The name of the topic that keeps the rows of `table`."""
    return f"{settings.app_id}-{table}-changelog"


def redriven(settings: Settings) -> str:
    """The name of the topic that remembers which dead letters were redriven, longer than they are kept."""
    return f"{settings.app_id}-redriven"


def desired(settings: Settings) -> tuple[TopicSpec, ...]:
    """The table: every topic of a deployment.

    All have the same number of partitions, because an agent's state lies in the partition of its input.
    Only the topic of dead letters takes larger records than the inputs do: a dead letter is an input and
    its headers. Feedback is kept for ever, because a person's word cannot be computed again.
    """
    delete, compact = Cleanup.DELETE, Cleanup.COMPACT
    rows: tuple[tuple[str, str, str, Cleanup, int | None, int, bool], ...] = (
        (PRODUCT_CREATED, "product_id", "a listing was created, changed or withdrawn", delete, 30, 1, False),
        (USER_BEHAVIOR, "user_id or session_id", "what a shopper did", delete, 30, 1, False),
        (CATEGORY_FEEDBACK, "product_id", "a person's word on a category", delete, FOREVER_MS, 1, False),
        (PRODUCT_ENRICHED, "product_id", "what is known of a product", compact, None, 2, False),
        (ENRICHMENT_REVIEW, "product_id", "what a person must decide", delete, 30, 2, False),
        (AFFINITY_UPDATED, "product_id", "a product's related products", compact, None, 2, False),
        (SHOPPER_UPDATED, "user_id or session_id", "what a shopper likes", compact, None, 2, False),
        (DEAD_LETTER, "that of the source", "what could not be processed, and why", delete, 30, 4, False),
        (CO_BEHAVIOR, "none", "pairs of products of one batch, as columns", delete, 3, 4, True),
        (PRODUCT_REPARTITION, "product_id", "listings written to a wrong partition", delete, 3, 2, True),
        (changelog(settings, "shoppers"), "user_id or session_id", "sessions' state", compact, None, 2, True),
        (redriven(settings), "none", "which dead letters were redriven", delete, 31, 1, True),
        (changelog(settings, "affinities"), "product_id", "affinity's state", compact, None, 2, True),
    )
    return tuple(
        TopicSpec(
            name=name,
            key=key,
            carries=carries,
            partitions=settings.partitions,
            cleanup=cleanup,
            retention_ms=days * DAY_MS if days is not None and days > 0 else days,
            max_message_bytes=mebibytes * MIB,
            internal=internal,
        )
        for name, key, carries, cleanup, days, mebibytes, internal in rows
    )


def diff(wanted: Sequence[TopicSpec], actual: Mapping[str, ActualTopic]) -> list[Difference]:
    """Compare what must be with what is, topic by topic in the table's order.

    Args:
        wanted: the table.
        actual: what the broker has, by name; topics beyond the table are ignored.
    """
    return [
        difference
        for spec in wanted
        for difference in (_differences(spec, actual[spec.name]) if spec.name in actual else [_missing(spec)])
    ]


def diff_partitions(wanted: Sequence[TopicSpec], actual: Mapping[str, ActualTopic]) -> list[Difference]:
    """Compare only the partitions of topics that are there: an embedded broker has no more to it."""
    return [each for each in diff(wanted, actual) if each.kind == "partitions"]


def describe_differences(differences: Sequence[Difference]) -> str:
    """The differences as lines for people: which topic, what it should be, what it is, what to do."""
    return "\n".join(
        f"  - {each.topic}: {each.kind} should be {each.want}, is {each.have}. {each.remedy}"
        for each in differences
    )


def _missing(spec: TopicSpec) -> Difference:
    remedy = "Run `shelfstream topics create`."
    return Difference("existence", spec.name, "there", "missing", remedy, refused=True)


def _differences(spec: TopicSpec, actual: ActualTopic) -> list[Difference]:
    found = []
    if actual.partitions != spec.partitions:
        remedy = (
            f"Set SHELFSTREAM_PARTITIONS={actual.partitions} if all topics have as many; else make the"
            " topic anew and replay into it: partitions added later split a key's records."
        )
        found.append(
            Difference(
                "partitions", spec.name, str(spec.partitions), str(actual.partitions), remedy, refused=True
            )
        )
    for entry, want in spec.config.items():
        have = actual.config.get(entry, "unknown")
        if have == want or (entry == "max.message.bytes" and have.isdigit() and int(have) > int(want)):
            continue
        remedy = "Run `shelfstream topics create --fix`, which sets it."
        found.append(Difference(entry, spec.name, want, have, remedy, refused=entry != "retention.ms"))
    return found
