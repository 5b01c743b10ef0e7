"""Access control lists: the least that workers, operators, producers and consumers need on a secured Kafka.

Read and Write include Describe on the same resource. A transactional id needs Write. Nothing here needs a
right on the cluster: transactional producers need no IdempotentWrite, and Create is granted on the topics.
"""

import shlex
from collections.abc import Container, Iterable, Iterator
from enum import StrEnum
from typing import Literal, NamedTuple

from streams import topics
from streams.settings import Settings

Role = Literal["worker", "operator", "producer", "consumer"]


class Resource(StrEnum):
    """Kinds of resources. The values are options of `kafka-acls.sh`."""

    TOPIC = "topic"
    GROUP = "group"
    TRANSACTIONAL_ID = "transactional-id"


class Operation(StrEnum):
    """Operations on resources, as `kafka-acls.sh` spells them."""

    READ = "Read"
    WRITE = "Write"
    CREATE = "Create"
    DESCRIBE = "Describe"
    DESCRIBE_CONFIGS = "DescribeConfigs"
    ALTER_CONFIGS = "AlterConfigs"
    DELETE = "Delete"


class Pattern(StrEnum):
    """Whether an ACL is for one name or for all names with a prefix."""

    LITERAL = "literal"
    PREFIXED = "prefixed"


class Acl(NamedTuple):
    """The permission of one operation on one resource."""

    resource: Resource
    name: str
    operation: Operation
    pattern: Pattern = Pattern.LITERAL

    @property
    def kind(self) -> str:
        """What the name is, such as `transactional id prefix`."""
        kind = self.resource.value.replace("-", " ")
        return f"{kind} prefix" if self.pattern is Pattern.PREFIXED else kind


INPUTS = (topics.PRODUCT_CREATED, topics.USER_BEHAVIOR, topics.CATEGORY_FEEDBACK)
_OUTPUTS = (
    topics.PRODUCT_ENRICHED,
    topics.ENRICHMENT_REVIEW,
    topics.AFFINITY_UPDATED,
    topics.SHOPPER_UPDATED,
    topics.DEAD_LETTER,
)


def agent_reads(settings: Settings, agent: str) -> tuple[str, ...]:
    """Return the topics that an agent reads, with its changelogs and those of the views."""
    view = (topics.AFFINITY_UPDATED,) if settings.affinity_view_products else ()
    signals = (topics.PRODUCT_SIGNALS,) if settings.signals else ()
    counts = (topics.changelog(settings, "signals"),) if settings.signals else ()
    mixes = (topics.changelog(settings, "shop-mixes"),) if settings.shop_mix else ()
    return {
        "enrich": (
            topics.CATEGORY_FEEDBACK,
            topics.PRODUCT_REPARTITION,
            topics.PRODUCT_CREATED,
            topics.PRODUCT_ENRICHED,
            *mixes,
            *signals,
        ),
        "sessions": (
            topics.SHOPPER_REPARTITION,
            topics.USER_BEHAVIOR,
            topics.PRODUCT_ENRICHED,
            topics.changelog(settings, "shoppers"),
            *view,
        ),
        "affinity": (
            topics.PRODUCT_ENRICHED,
            topics.CO_BEHAVIOR,
            topics.changelog(settings, "affinities"),
            *counts,
            *view,
        ),
    }[agent]


def agent_writes(settings: Settings, agent: str) -> tuple[str, ...]:
    """Return the topics that an agent writes, with its changelogs."""
    own = {
        "enrich": (
            topics.PRODUCT_ENRICHED,
            topics.ENRICHMENT_REVIEW,
            topics.PRODUCT_REPARTITION,
            *((topics.changelog(settings, "shop-mixes"),) if settings.shop_mix else ()),
        ),
        "sessions": (
            topics.SHOPPER_UPDATED,
            topics.CO_BEHAVIOR,
            topics.SHOPPER_REPARTITION,
            topics.changelog(settings, "shoppers"),
        ),
        "affinity": (
            topics.AFFINITY_UPDATED,
            topics.changelog(settings, "affinities"),
            *((topics.PRODUCT_SIGNALS, topics.changelog(settings, "signals")) if settings.signals else ()),
        ),
    }[agent]
    return (*own, topics.DEAD_LETTER)


def least_acls(settings: Settings, role: Role) -> list[Acl]:
    """Return the ACLs of a role, each once.

    Args:
        settings: Settings with the app id and the agents of the worker.
        role: "worker" runs `settings.agents`; "operator" runs all commands that connect to Kafka; "producer"
            writes the input topics; "consumer" reads the output topics, and needs Read on its own group too.
    """
    acls: Iterable[Acl]
    match role:
        case "worker":
            acls = _worker(settings)
        case "operator":
            acls = _operator(settings)
        case "producer":
            acls = _on_topics(Operation.WRITE, INPUTS)
        case "consumer":
            acls = _on_topics(Operation.READ, _OUTPUTS)
    once = dict.fromkeys(acls)
    return [acl for acl in once if not _implied(acl, once)]


def required_acls(settings: Settings) -> list[Acl]:
    """Return the ACLs without which a worker cannot work: it works without its optional topics."""
    optional = {spec.name for spec in topics.desired(settings) if spec.optional}
    return [acl for acl in least_acls(settings, "worker") if acl.name not in optional]


def _implied(acl: Acl, others: Container[Acl]) -> bool:
    """Return whether an ACL for Read or Write on the same resource includes this one."""
    return acl.operation is Operation.DESCRIBE and any(
        acl._replace(operation=operation) in others for operation in (Operation.READ, Operation.WRITE)
    )


def _worker(settings: Settings) -> Iterator[Acl]:
    # A worker compares these topics with their specification when it starts.
    names = [spec.name for spec in topics.desired(settings) if not spec.optional]
    yield from _on_topics(Operation.DESCRIBE, names)
    yield from _on_topics(Operation.DESCRIBE_CONFIGS, names)
    for agent in settings.agents:
        yield from _on_topics(Operation.READ, agent_reads(settings, agent))
        yield from _on_topics(Operation.WRITE, agent_writes(settings, agent))
        lanes = f"{settings.app_id}-{agent}-"
        yield Acl(Resource.TRANSACTIONAL_ID, lanes, Operation.WRITE, Pattern.PREFIXED)
    yield from _on_topics(Operation.WRITE, [topics.workers(settings)])
    if settings.has_read_api:
        yield from _on_topics(Operation.READ, [topics.workers(settings)])
    yield Acl(Resource.GROUP, settings.app_id, Operation.READ)


def _operator(settings: Settings) -> Iterator[Acl]:
    names = [spec.name for spec in topics.desired(settings)]
    for operation in (
        Operation.CREATE,
        Operation.DESCRIBE,
        Operation.DESCRIBE_CONFIGS,
        Operation.ALTER_CONFIGS,
    ):
        yield from _on_topics(operation, names)
    receipts = topics.redriven(settings)
    yield from _on_topics(
        Operation.READ, [*INPUTS, *_OUTPUTS, receipts, topics.AUDIT, topics.workers(settings)]
    )
    # A dead letter goes back to the topic that it came from, which any agent may have read.
    sources = (
        topics.PRODUCT_ENRICHED,
        topics.PRODUCT_REPARTITION,
        topics.SHOPPER_REPARTITION,
        topics.CO_BEHAVIOR,
    )
    yield from _on_topics(Operation.WRITE, [*INPUTS, *sources, receipts, topics.AUDIT])
    # `erase` looks into the state, deletes dead letters, and waits for the workers' group.
    yield from _on_topics(Operation.READ, [topics.changelog(settings, "shoppers")])
    yield from _on_topics(Operation.WRITE, [topics.DEAD_LETTER])
    yield from _on_topics(Operation.DELETE, [topics.DEAD_LETTER])
    yield Acl(Resource.GROUP, settings.app_id, Operation.DESCRIBE)
    for resource, operation in (
        (Resource.GROUP, Operation.READ),
        (Resource.TRANSACTIONAL_ID, Operation.WRITE),
    ):
        yield Acl(resource, f"{settings.app_id}-", operation, Pattern.PREFIXED)


def _on_topics(operation: Operation, names: Iterable[str]) -> Iterator[Acl]:
    for name in names:
        yield Acl(Resource.TOPIC, name, operation)


def as_commands(acls: Iterable[Acl], principal: str, options: Iterable[str]) -> list[str]:
    """Return the commands that grant ACLs: one for each resource.

    Args:
        acls: The ACLs.
        principal: Who is granted them, such as `User:shop`.
        options: Options of `kafka-acls.sh` that say where Kafka is.
    """
    operations: dict[tuple[Resource, Pattern, str], list[Operation]] = {}
    for acl in acls:
        operations.setdefault((acl.resource, acl.pattern, acl.name), []).append(acl.operation)
    commands = []
    for (resource, pattern, name), allowed in operations.items():
        words = ["kafka-acls.sh", *options, "--add", "--allow-principal", principal]
        words += [
            word
            for operation in sorted(allowed, key=list(Operation).index)
            for word in ("--operation", operation.value)
        ]
        words += [f"--{resource.value}", name]
        if pattern is Pattern.PREFIXED:
            words += ["--resource-pattern-type", pattern.value]
        commands.append(shlex.join(words))
    return commands
