"""Checks of the brokers, topics, rights and clocks."""

from collections.abc import Iterator, Mapping

from streams.doctor.facts import Facts, Finding, Severity, TopicFacts
from streams.settings import variable
from streams.topics import ActualTopic, desired, diff, diff_partitions

_SKEW_MS = 5_000
_OFFSETS_MINUTES = 7 * 24 * 60


def check_brokers(facts: Facts) -> Iterator[Finding]:
    """Whether the cluster answers, and its brokers' limits admit these settings."""
    if facts.unreachable is not None:
        yield Finding(
            Severity.BAD,
            "brokers",
            facts.settings.bootstrap_servers,
            facts.unreachable,
            f"Correct {variable('bootstrap_servers')} and the security settings, or start Kafka.",
        )
        return
    release = f", Kafka {facts.release}" if facts.release else ""
    named = ", ".join(broker.address for broker in facts.brokers)
    limits = [
        finding for broker in facts.brokers for finding in _limits(facts, broker.config, broker.address)
    ]
    yield Finding(Severity.OK, "brokers", named, f"reachable{release}")
    yield from dict.fromkeys(limits)


def check_rights(facts: Facts) -> Iterator[Finding]:
    """Whether the user may read what the doctor asked for."""
    user = facts.settings.sasl_username or "this user"
    for denied in facts.denied:
        yield Finding(
            Severity.WARN,
            "rights",
            user,
            denied,
            "Allow it. What it would have shown is not checked.",
        )


def check_topics(facts: Facts) -> Iterator[Finding]:
    """Whether topics exist, with the partitions, cleanup and retention that workers need."""
    if facts.unreachable is not None:
        return
    wanted = [spec for spec in desired(facts.settings) if spec.name not in facts.hidden]
    # The configuration of a topic that may not be read is a matter of rights.
    actual = {name: ActualTopic(name, topic.partitions, topic.config) for name, topic in facts.topics.items()}
    unread = {name for name, topic in facts.topics.items() if not topic.config}
    compare = diff_partitions if facts.settings.embedded else diff
    differences = [
        each for each in compare(wanted, actual) if each.topic not in unread or "." not in each.kind
    ]
    for each in differences:
        yield Finding(
            Severity.BAD if each.refused else Severity.WARN,
            "topics",
            each.topic,
            f"{each.kind} should be {each.want}, is {each.have}",
            each.remedy,
        )
    if not differences:
        ids = sum(bool(topic.topic_id) for topic in facts.topics.values())
        yield Finding(
            Severity.OK,
            "topics",
            f"{len(facts.topics)} topics",
            f"{facts.settings.partitions} partitions each, as required; {ids} have an id",
        )


def check_replication(facts: Facts) -> Iterator[Finding]:
    """Whether each partition has a leader, replicas in sync, and as many as writes need."""
    found = [finding for topic in facts.topics.values() for finding in _replication(facts, topic)]
    yield from found
    if facts.topics and not found:
        replicas = min(topic.replicas for topic in facts.topics.values())
        yield Finding(
            Severity.OK,
            "replication",
            f"{len(facts.topics)} topics",
            f"{replicas} or more replicas, all in sync",
        )


def check_clocks(facts: Facts) -> Iterator[Finding]:
    """Whether records or workers are ahead of this machine's clock."""
    skewed = False
    for topic in facts.topics.values():
        ahead = 0 if topic.newest_ms is None else topic.newest_ms - facts.now_ms
        if ahead > _SKEW_MS:
            skewed = True
            yield Finding(
                Severity.WARN,
                "clocks",
                topic.name,
                f"its newest record is dated {ahead / 1000:,.0f} s in the future",
                "Set the clock of its producer or of this machine by NTP: retention and event time go by it.",
            )
    for worker in facts.workers:
        if worker.clock_ahead_s is not None and abs(worker.clock_ahead_s) * 1000 > _SKEW_MS:
            skewed = True
            yield Finding(
                Severity.WARN,
                "clocks",
                worker.url,
                f"the worker's clock differs from this machine's by {worker.clock_ahead_s:,.0f} s",
                "Set both clocks by NTP.",
            )
    if not skewed and facts.unreachable is None:
        yield Finding(Severity.OK, "clocks", "this machine", "no record is dated in the future")


def _limits(facts: Facts, values: Mapping[str, str], address: str) -> Iterator[Finding]:
    """Compare a broker's configuration with the settings."""
    transaction_ms = int(values.get("transaction.max.timeout.ms", 2**31))
    if facts.settings.transaction_timeout_s * 1000 > transaction_ms:
        yield Finding(
            Severity.BAD,
            "settings",
            address,
            f"transaction_timeout_s is {facts.settings.transaction_timeout_s:g}, but the broker allows "
            f"{transaction_ms / 1000:g}: no lane can open",
            f"Lower {variable('transaction_timeout_s')}, or raise transaction.max.timeout.ms.",
        )
    least = int(values.get("group.min.session.timeout.ms", 0))
    most = int(values.get("group.max.session.timeout.ms", 2**31))
    if not least <= facts.settings.session_timeout_s * 1000 <= most:
        yield Finding(
            Severity.BAD,
            "settings",
            address,
            f"session_timeout_s is {facts.settings.session_timeout_s:g}, but the broker allows "
            f"{least / 1000:g} to {most / 1000:g}: no worker can join",
            f"Change {variable('session_timeout_s')}, or the broker's group.*.session.timeout.ms.",
        )
    minutes = int(values.get("offsets.retention.minutes", _OFFSETS_MINUTES))
    if minutes < _OFFSETS_MINUTES:
        yield Finding(
            Severity.WARN,
            "settings",
            address,
            f"the offsets of a group without members are removed after {minutes / 60:,.1f} hours",
            "Raise offsets.retention.minutes to 10080: a longer stop would begin at the oldest records.",
        )


def _replication(facts: Facts, topic: TopicFacts) -> Iterator[Finding]:
    needed = int(topic.config.get("min.insync.replicas", 1))
    if topic.leaderless:
        yield Finding(
            Severity.BAD,
            "replication",
            topic.name,
            f"partitions without a leader: {', '.join(map(str, topic.leaderless))}",
            "Start the brokers that hold them.",
        )
    elif topic.in_sync < needed:
        yield Finding(
            Severity.BAD,
            "replication",
            topic.name,
            f"{topic.in_sync} replicas are in sync, but min.insync.replicas is {needed}: no writes",
            "Start the missing brokers, or lower min.insync.replicas.",
        )
    elif topic.in_sync < topic.replicas:
        yield Finding(
            Severity.WARN,
            "replication",
            topic.name,
            f"{topic.in_sync} of {topic.replicas} replicas are in sync",
            "Start the missing brokers, or see why they lag behind.",
        )
    elif topic.replicas > 1 and needed >= topic.replicas:
        yield Finding(
            Severity.WARN,
            "replication",
            topic.name,
            f"min.insync.replicas is {needed} of {topic.replicas} replicas: writes stop with any broker",
            f"Set min.insync.replicas to {topic.replicas - 1}.",
        )
    elif topic.replicas == 1 and len(facts.brokers) > 1:
        yield Finding(
            Severity.WARN,
            "replication",
            topic.name,
            f"1 replica in a cluster of {len(facts.brokers)} brokers: a broken disk loses its records",
            f"Reassign it with more replicas; set {variable('replication_factor')} for new topics.",
        )
