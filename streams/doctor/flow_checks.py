"""Checks of the consumer group, lag, stuck lanes, transactions and dead letters."""

from collections.abc import Iterator, Mapping

from streams.doctor.facts import Facts, Finding, PartitionFacts, Severity
from streams.records import Partition
from streams.settings import AgentName, Settings
from streams.topics import (
    CATEGORY_FEEDBACK,
    CO_BEHAVIOR,
    DEAD_LETTER,
    PRODUCT_CREATED,
    PRODUCT_ENRICHED,
    PRODUCT_REPARTITION,
    SHOPPER_REPARTITION,
    USER_BEHAVIOR,
)

INPUTS: Mapping[AgentName, tuple[str, ...]] = {
    "enrich": (CATEGORY_FEEDBACK, PRODUCT_REPARTITION, PRODUCT_CREATED),
    "sessions": (SHOPPER_REPARTITION, USER_BEHAVIOR),
    "affinity": (PRODUCT_ENRICHED, CO_BEHAVIOR),
}
"""The input topics of each agent."""
_STEADY = ("STABLE",)


def input_topics(settings: Settings) -> tuple[str, ...]:
    """Return the topics that the agents of the settings read."""
    return tuple(topic for agent in settings.agents for topic in INPUTS[agent])


def check_group(facts: Facts) -> Iterator[Finding]:
    """Whether the group is stable, and each input partition has an owner."""
    group, name = facts.group, facts.settings.app_id
    if group is None:
        return
    if not group.members:
        yield Finding(
            Severity.BAD,
            "group",
            name,
            f"no worker is in the group ({group.state.lower()})",
            "Start a worker: `shelfstream worker`. If one runs, compare its SHELFSTREAM_APP_ID and brokers.",
        )
        return
    if group.state not in _STEADY:
        yield Finding(
            Severity.WARN,
            "group",
            name,
            f"the group is {group.state.lower().replace('_', ' ')} with {len(group.members)} members",
            "Run the doctor again in a minute; if it stays so, see the workers' logs for why they rejoin.",
        )
        return
    owned = {partition for member in group.members for partition in member.partitions}
    orphans = [
        str(partition)
        for partition in _inputs(facts)
        if partition not in owned and partition in facts.partitions
    ]
    if orphans:
        yield Finding(
            Severity.BAD,
            "group",
            name,
            f"partitions without an owner: {_some(orphans)}",
            "Start workers with the agents that read them (SHELFSTREAM_AGENTS), or restart those that run.",
        )
        return
    hosts = ", ".join(sorted({member.host for member in group.members}))
    members = "1 member owns" if len(group.members) == 1 else f"{len(group.members)} members own"
    yield Finding(
        Severity.OK,
        "group",
        name,
        f"{members} all partitions, on {hosts}; assignor {group.assignor or 'unknown'}",
    )


def check_lag(facts: Facts) -> Iterator[Finding]:
    """Whether lanes move, and whether their lag grows."""
    for topic in input_topics(facts.settings):
        samples = {at: each for at, each in facts.partitions.items() if at.topic == topic}
        if not samples:
            continue
        lag = sum(each.lag for each in samples.values())
        stuck = [str(at) for at, each in samples.items() if each.stuck]
        lost = sum(_expired(each) for each in samples.values())
        change = lag - sum(each.before.lag for each in samples.values() if each.waiting)
        trend = f"{lag:,} behind, {_per_second(change, facts.seconds)}"
        if lost:
            yield Finding(
                Severity.BAD,
                "lag",
                topic,
                f"retention removed {lost:,} offsets that were not read",
                "Raise retention.ms, and add workers; producers must send these records again.",
            )
        if stuck:
            yield Finding(
                Severity.BAD,
                "lag",
                topic,
                f"{trend}; no commit in {facts.seconds:.0f} s: {_some(stuck)}",
                _advice_for_stuck(facts),
            )
        elif lag and change > 0:
            yield Finding(
                Severity.WARN,
                "lag",
                topic,
                trend,
                f"Add workers, up to {facts.settings.partitions}; or wait if a burst is being written.",
            )
        else:
            yield Finding(Severity.OK, "lag", topic, trend)


def check_transactions(facts: Facts) -> Iterator[Finding]:
    """Whether an open transaction holds readers of committed records back."""
    held = False
    limit_s = facts.settings.transaction_timeout_s
    for at, each in facts.partitions.items():
        if each.before.stable != each.after.stable or each.after.stable >= each.after.end:
            continue
        open_s = None if each.open_since_ms is None else (facts.now_ms - each.open_since_ms) / 1000
        if open_s is not None and open_s < limit_s / 2:
            continue
        held = True
        since = "some time" if open_s is None else f"{open_s:,.0f} s"
        hangs = open_s is not None and open_s > limit_s + 60
        yield Finding(
            Severity.BAD if hangs else Severity.WARN,
            "transactions",
            str(at),
            f"a transaction has been open at offset {each.after.stable} for {since}, and holds back "
            f"{each.after.end - each.after.stable:,} offsets",
            _abort(facts.settings, at, each.after.stable)
            if hangs
            else "Stop the producer that holds it, or wait: the broker aborts it after its timeout "
            f"({limit_s:g} s for workers).",
        )
    if facts.partitions and not held:
        yield Finding(Severity.OK, "transactions", f"{len(facts.partitions)} partitions", "none hangs")


def check_dead_letters(facts: Facts) -> Iterator[Finding]:
    """Whether dead letters are being written."""
    samples = [each for at, each in facts.partitions.items() if at.topic == DEAD_LETTER]
    if not samples:
        return
    kept = sum(each.after.end - each.after.first for each in samples)
    rate = sum(each.after.end - each.before.end for each in samples) / max(facts.seconds, 1e-3)
    if rate <= 0:
        yield Finding(Severity.OK, "dead letters", DEAD_LETTER, f"none now; {kept:,} offsets are kept")
        return
    limit = facts.settings.dead_letter_rate_per_s
    yield Finding(
        Severity.BAD if rate > limit / 2 else Severity.WARN,
        "dead letters",
        DEAD_LETTER,
        f"{rate:,.1f} offsets/s are written now; workers slow down at {limit:g} dead letters/s",
        "See which producer and why: `shelfstream dead-letters list`.",
    )


def _inputs(facts: Facts) -> Iterator[Partition]:
    for topic in input_topics(facts.settings):
        for number in range(facts.settings.partitions):
            yield Partition(topic, number)


def _expired(each: PartitionFacts) -> int:
    """Return the number of offsets that are gone and were not committed."""
    return 0 if each.after.committed is None else max(0, each.after.first - each.after.committed)


def _abort(settings: Settings, at: Partition, offset: int) -> str:
    return (
        f"It hangs. Abort it: `kafka-transactions.sh --bootstrap-server {settings.bootstrap_servers} abort "
        f"--topic {at.topic} --partition {at.partition} --start-offset {offset}`."
    )


def _advice_for_stuck(facts: Facts) -> str:
    if facts.group is not None and not facts.group.members:
        return "Start a worker: nobody reads."
    reasons = [f"{worker.url}: {reason}" for worker in facts.workers for reason in worker.reasons]
    if reasons:
        return f"The worker says: {_some(reasons)}."
    return (
        "Give the doctor the workers' --url, or see the lane's state and last error in `shelfstream status "
        "--url` of the owner. A long batch looks the same: look again with a longer --seconds."
    )


def _per_second(change: int, seconds: float) -> str:
    rate = change / max(seconds, 1e-3)
    if abs(rate) < 0.1:
        return "steady"
    return f"{'growing' if rate > 0 else 'falling'} by {abs(rate):,.0f}/s"


def _some(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
