"""The topics of a deployment: their specification, and the comparison with the topics of a broker."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

from schemas import audit, dead_letters
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
AUDIT = audit.TOPIC
CO_BEHAVIOR = "co-behavior"
PRODUCT_REPARTITION = "product-repartition"
SHOPPER_REPARTITION = "shopper-repartition"
PRODUCT_SIGNALS = "product-signals"


class Cleanup(StrEnum):
    """The broker's cleanup policy: delete old records, or keep the last record of each key."""

    DELETE = "delete"
    COMPACT = "compact"


class TopicSpec(NamedTuple):
    """The specification of a topic.

    Attributes:
        name: Name of the topic.
        key: What the key of its records is.
        carries: What its records say.
        partitions: Number of partitions.
        cleanup: Cleanup policy.
        retention_ms: Retention time. None for compacted topics, `FOREVER_MS` for unlimited retention.
        max_message_bytes: Maximum size of a record batch.
        internal: Whether the topic is no interface to other systems.
        optional: Whether workers start without it.
    """

    name: str
    key: str
    carries: str
    partitions: int
    cleanup: Cleanup
    retention_ms: int | None
    max_message_bytes: int
    internal: bool = False
    optional: bool = False

    @property
    def config(self) -> dict[str, str]:
        """The configuration entries of the topic."""
        config = {"cleanup.policy": self.cleanup.value, "max.message.bytes": str(self.max_message_bytes)}
        if self.retention_ms is not None:
            config["retention.ms"] = str(self.retention_ms)
        return config


class ActualTopic(NamedTuple):
    """A topic as the broker describes it."""

    name: str
    partitions: int
    config: Mapping[str, str]


class Difference(NamedTuple):
    """A difference between a topic and its specification.

    Attributes:
        kind: "existence", "partitions", or the name of a configuration entry.
        topic: Name of the topic.
        want: The specified value.
        have: The actual value.
        remedy: What the operator can do, as sentences.
        refused: Whether workers refuse to start. They tolerate other differences.
    """

    kind: str
    topic: str
    want: str
    have: str
    remedy: str
    refused: bool


def changelog(settings: Settings, table: str) -> str:
    """Return the name of the changelog topic of `table`."""
    return f"{settings.app_id}-{table}-changelog"


def redriven(settings: Settings) -> str:
    """Return the name of the topic of redriven dead letters. Its retention is longer than theirs."""
    return f"{settings.app_id}-redriven"


def workers(settings: Settings) -> str:
    """Return the name of the topic in which each worker says which model it serves."""
    return f"{settings.app_id}-workers"


def desired(settings: Settings) -> tuple[TopicSpec, ...]:
    """Return the specification of every topic of a deployment.

    All topics have the same number of partitions, because an agent's state is partitioned like its input.
    The dead-letter topic takes larger records than the inputs, because a dead letter is an input with more
    headers. Feedback is retained forever, because it cannot be computed again. The shopper's id is `user_id`;
    for a guest `anonymous_id`, else `session_id`.
    """
    delete, compact = Cleanup.DELETE, Cleanup.COMPACT
    rows: tuple[tuple[str, str, str, Cleanup, int | None, int, bool], ...] = (
        (PRODUCT_CREATED, "product_id", "a listing was created, changed or withdrawn", delete, 30, 1, False),
        (USER_BEHAVIOR, "the shopper's id", "an action of a shopper", delete, 30, 1, False),
        (CATEGORY_FEEDBACK, "product_id", "a person's decision on a category", delete, FOREVER_MS, 1, False),
        (PRODUCT_ENRICHED, "product_id", "a product's category, tags, attributes", compact, None, 2, False),
        (ENRICHMENT_REVIEW, "product_id", "a category for a person to decide", delete, 30, 2, False),
        (AFFINITY_UPDATED, "product_id", "a product's related products", compact, None, 2, False),
        (SHOPPER_UPDATED, "the shopper's id", "a shopper's preferences", compact, None, 2, False),
        (DEAD_LETTER, "the source's", "a record that could not be processed", delete, 30, 4, False),
        (AUDIT, "the action", "what operators did", delete, FOREVER_MS, 1, False),
        (CO_BEHAVIOR, "none", "product pairs of a batch, as columns", delete, 3, 4, True),
        (PRODUCT_REPARTITION, "product_id", "listings moved to their partition", delete, 3, 2, True),
        (SHOPPER_REPARTITION, "the shopper's id", "what a shopper did elsewhere", delete, 3, 4, True),
        (changelog(settings, "shoppers"), "the shopper's id", "sessions' table", compact, None, 2, True),
        (redriven(settings), "none", "which dead letters were redriven", delete, 31, 1, True),
        (changelog(settings, "affinities"), "product_id", "affinity's table", compact, None, 2, True),
        (workers(settings), "the group's member id", "the model that a worker serves", delete, 1, 1, True),
    )
    if settings.signals:
        counts = changelog(settings, "signals")
        rows += (
            (PRODUCT_SIGNALS, "product_id", "a product's tags by behavior", compact, None, 1, True),
            (counts, "product_id", "affinity's table of sessions", compact, None, 1, True),
        )
    if settings.shop_mix:
        rows += ((changelog(settings, "shop-mixes"), "shop_id", "enrich's table", compact, None, 1, True),)
    optional = (AUDIT, SHOPPER_REPARTITION, workers(settings))
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
            optional=name in optional,
        )
        for name, key, carries, cleanup, days, mebibytes, internal in rows
    )


def diff(wanted: Sequence[TopicSpec], actual: Mapping[str, ActualTopic]) -> list[Difference]:
    """Compare topics with their specification.

    Args:
        wanted: The specifications.
        actual: The broker's topics by name. Topics without a specification are ignored.

    Returns:
        The differences, in the order of `wanted`.
    """
    return [
        difference
        for spec in wanted
        for difference in (_differences(spec, actual[spec.name]) if spec.name in actual else [_missing(spec)])
    ]


def diff_partitions(wanted: Sequence[TopicSpec], actual: Mapping[str, ActualTopic]) -> list[Difference]:
    """Compare only the number of partitions of existing topics, as for the embedded broker."""
    return [each for each in diff(wanted, actual) if each.kind == "partitions"]


def describe_differences(differences: Sequence[Difference]) -> str:
    """Return one line per difference: the topic, the specified and the actual value, and the remedy."""
    return "\n".join(
        f"  - {each.topic}: {each.kind} should be {each.want}, is {each.have}. {each.remedy}"
        for each in differences
    )


def _missing(spec: TopicSpec) -> Difference:
    remedy = "Run `shelfstream topics create`."
    return Difference("existence", spec.name, "there", "missing", remedy, refused=not spec.optional)


def _differences(spec: TopicSpec, actual: ActualTopic) -> list[Difference]:
    found = []
    if actual.partitions != spec.partitions:
        remedy = (
            f"Set SHELFSTREAM_PARTITIONS={actual.partitions} if all topics have as many; else create the"
            " topic again and replay into it: partitions that are added later split the records of a key."
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
        remedy = "Run `shelfstream topics create --fix` to set it."
        found.append(Difference(entry, spec.name, want, have, remedy, refused=entry != "retention.ms"))
    return found
