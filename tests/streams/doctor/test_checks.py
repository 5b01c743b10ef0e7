"""Each check of the doctor on facts: what is well gives nothing to do, what is broken says what to do."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from streams.doctor.checks import examine, worst
from streams.doctor.facts import (
    BrokerFacts,
    Facts,
    Finding,
    GroupFacts,
    MachineFacts,
    MemberFacts,
    ModelFacts,
    Offsets,
    PartitionFacts,
    ReadRate,
    Severity,
    TopicFacts,
    WorkerFacts,
)
from streams.doctor.flow_checks import INPUTS, input_topics
from streams.doctor.gathering import release_of
from streams.records import Partition
from streams.settings import Settings
from streams.topics import desired

NOW = 1_790_000_000_000
SETTINGS = Settings(model_registry=Path("registry"))
AT = Partition("user-behavior", 1)


def topic(name: str, **changes: Any) -> TopicFacts:
    spec = next(each for each in desired(SETTINGS) if each.name == name)
    fields: dict[str, Any] = {
        "name": name,
        "partitions": spec.partitions,
        "replicas": 3,
        "in_sync": 3,
        "config": spec.config | {"min.insync.replicas": "2"},
        "topic_id": "id",
        "newest_ms": NOW,
    }
    return TopicFacts(**fields | changes)


def healthy(**changes: Any) -> Facts:
    still = Offsets(0, 10, 10, 10)
    names = [spec.name for spec in desired(SETTINGS)]
    partitions = {
        Partition(name, number): PartitionFacts(still, still) for name in names for number in range(4)
    }
    inputs = tuple(Partition(name, number) for name in input_topics(SETTINGS) for number in range(4))
    fields: dict[str, Any] = {
        "settings": SETTINGS,
        "now_ms": NOW,
        "seconds": 5.0,
        "machine": MachineFacts(65_536, 10**6, 10**11, 2 * 10**11),
        "release": "4.0 or newer",
        "brokers": [BrokerFacts(number, f"kafka-{number}:9092") for number in range(3)],
        "topics": {name: topic(name) for name in names},
        "partitions": partitions,
        "group": GroupFacts("STABLE", "range", (MemberFacts("shelfstream", "/10.0.0.1", inputs),)),
        "restoring": ReadRate(10_000, 10**6, 1.0),
        "models": ModelFacts("student-2", "student-3", {}),
        "workers": [WorkerFacts("http://a", "", "1.0", "student-2", True, (), 0.0)],
    }
    return Facts(**fields | changes)


def urgent(facts: Facts) -> list[Finding]:
    return [each for each in examine(facts) if each.severity]


def only(facts: Facts) -> Finding:
    (finding,) = urgent(facts)
    assert finding.remedy
    return finding


def with_partition(before: Offsets, after: Offsets, at: Partition = AT, **more: Any) -> Facts:
    facts = healthy()
    return replace(facts, partitions={**facts.partitions, at: PartitionFacts(before, after, **more)})


def with_topic(name: str, **changes: Any) -> Facts:
    facts = healthy()
    return replace(facts, topics={**facts.topics, name: topic(name, **changes)})


def test_a_healthy_deployment_has_nothing_to_do() -> None:
    findings = examine(healthy())
    assert {each.severity for each in findings} == {Severity.OK}
    assert worst(findings) == 0
    assert {each.check for each in findings} == {
        "brokers", "topics", "replication", "clocks", "group", "lag", "transactions", "dead letters", "state",
        "models", "workers", "machine",
    }  # fmt: skip
    assert not any(each.remedy for each in findings)


def test_an_unreachable_cluster_is_one_finding_and_this_machine_is_examined_all_the_same() -> None:
    facts = Facts(SETTINGS, NOW, 5.0, MachineFacts(10, 0, 1, 10**9), unreachable="no route")
    findings = examine(facts)
    assert [(each.severity, each.check) for each in findings] == [
        (Severity.BAD, "brokers"),
        (Severity.WARN, "machine"),
        (Severity.WARN, "machine"),
    ]
    assert worst(findings) == 2


@pytest.mark.parametrize(
    ("config", "severity", "words"),
    [
        ({"transaction.max.timeout.ms": "30000"}, Severity.BAD, "transaction_timeout_s is 60"),
        ({"group.max.session.timeout.ms": "10000"}, Severity.BAD, "session_timeout_s is 15"),
        ({"group.min.session.timeout.ms": "30000"}, Severity.BAD, "no worker can join"),
        ({"offsets.retention.minutes": "60"}, Severity.WARN, "removed after 1.0 hours"),
    ],
)
def test_settings_that_the_brokers_refuse_are_found(
    config: dict[str, str], severity: Severity, words: str
) -> None:
    finding = only(healthy(brokers=[BrokerFacts(1, "a:1", config)]))
    assert (finding.severity, finding.check) == (severity, "settings")
    assert words in finding.what


def test_what_is_not_allowed_is_said_and_hides_no_missing_topic() -> None:
    facts = healthy()
    left = {name: each for name, each in facts.topics.items() if name != "co-behavior"}
    sentence = "may not describe the topic co-behavior (TOPIC_AUTHORIZATION_FAILED)"
    finding = only(replace(facts, topics=left, denied=[sentence], hidden=frozenset({"co-behavior"})))
    assert (finding.check, finding.what) == ("rights", sentence)
    missing = only(replace(facts, topics=left))
    assert (missing.severity, missing.check, missing.where) == (Severity.BAD, "topics", "co-behavior")


def test_topics_that_differ_are_found() -> None:
    assert "partitions should be 4, is 3" in only(with_topic("co-behavior", partitions=3)).what
    config = topic("user-behavior").config
    short = only(with_topic("user-behavior", config={**config, "retention.ms": "3600000"}))
    assert (short.severity, "retention.ms should be" in short.what) == (Severity.WARN, True)
    kept = only(with_topic("user-behavior", config={**config, "cleanup.policy": "compact"}))
    assert kept.severity == Severity.BAD


@pytest.mark.parametrize(
    ("changes", "severity", "words"),
    [
        ({"leaderless": (2,)}, Severity.BAD, "without a leader: 2"),
        ({"in_sync": 1}, Severity.BAD, "no writes"),
        ({"in_sync": 2}, Severity.WARN, "2 of 3 replicas"),
        ({"replicas": 2, "in_sync": 2}, Severity.WARN, "writes stop with any broker"),
        ({"replicas": 1, "in_sync": 1, "config": {**topic("co-behavior").config, "min.insync.replicas": "1"}},
         Severity.WARN, "a broken disk loses"),
    ],
)  # fmt: skip
def test_replicas_that_are_too_few_are_found(changes: dict[str, Any], severity: Severity, words: str) -> None:
    finding = only(with_topic("co-behavior", **changes))
    assert (finding.severity, finding.check) == (severity, "replication")
    assert words in finding.what


def test_clocks_that_differ_are_found() -> None:
    assert "60 s in the future" in only(with_topic("user-behavior", newest_ms=NOW + 60_000)).what
    ahead = WorkerFacts("http://a", "", "1.0", "student-2", True, (), -90.0)
    assert "differs from this machine's by -90 s" in only(healthy(workers=[ahead])).what


@pytest.mark.parametrize(
    ("group", "words"),
    [
        (GroupFacts("EMPTY", "", ()), "no worker is in the group"),
        (GroupFacts("PREPARING_REBALANCING", "range", (MemberFacts("a", "h", ()),)), "preparing rebalancing"),
        (
            GroupFacts("STABLE", "range", (MemberFacts("a", "h", ()),)),
            "without an owner: category-feedback-0",
        ),
    ],
)
def test_a_group_that_does_not_own_everything_is_found(group: GroupFacts, words: str) -> None:
    finding = only(healthy(group=group))
    assert finding.check == "group"
    assert words in finding.what


@pytest.mark.parametrize(
    ("before", "after", "more", "severity", "words"),
    [
        (Offsets(0, 50, 50, 10), Offsets(0, 50, 50, 10), {}, Severity.BAD, "40 behind, steady; no commit"),
        (Offsets(0, 50, 50, None), Offsets(0, 50, 50, None), {}, Severity.BAD, "50 behind"),
        (Offsets(0, 50, 50, 10), Offsets(0, 90, 90, 20), {}, Severity.WARN, "70 behind, growing by 6/s"),
        (Offsets(0, 50, 50, 10), Offsets(0, 50, 50, 30), {}, Severity.OK, "20 behind, falling by 4/s"),
        (Offsets(0, 50, 50, 10), Offsets(0, 50, 50, 10), {"waiting": False}, Severity.OK, "0 behind"),
        (Offsets(0, 50, 50, 50), Offsets(60, 90, 90, 50), {}, Severity.BAD, "removed 10 offsets"),
    ],
)
def test_lag_is_rated_by_what_moves(
    before: Offsets, after: Offsets, more: dict[str, Any], severity: Severity, words: str
) -> None:
    found = [each for each in examine(with_partition(before, after, **more)) if each.where == AT.topic]
    first = max(found, key=lambda each: each.severity)
    assert (first.check, first.severity) == ("lag", severity)
    assert any(words in each.what for each in found)


def test_lag_without_workers_needs_a_worker_and_with_them_says_why() -> None:
    held = Offsets(0, 50, 50, 10)
    alone = replace(with_partition(held, held), group=GroupFacts("EMPTY", "", ()))
    assert [each.remedy for each in urgent(alone) if each.check == "lag"] == ["Start a worker: nobody reads."]
    worker = WorkerFacts("http://a", "", "1.0", "student-2", False, ("lane is backoff",), 0.0)
    advice = [
        each for each in urgent(replace(with_partition(held, held), workers=[worker])) if each.check == "lag"
    ]
    assert "lane is backoff" in advice[0].remedy


@pytest.mark.parametrize(
    ("open_s", "severity"), [(10, None), (45, Severity.WARN), (600, Severity.BAD), (None, Severity.WARN)]
)
def test_open_transactions_are_rated_by_their_age(open_s: int | None, severity: Severity | None) -> None:
    held = Offsets(0, 10, 15, 10)
    since = None if open_s is None else NOW - open_s * 1000
    found = urgent(with_partition(held, held, open_since_ms=since))
    assert [each.severity for each in found if each.check == "transactions"] == (
        [severity] if severity else []
    )
    if severity is Severity.BAD:
        assert "abort --topic user-behavior --partition 1 --start-offset 10" in found[0].remedy
    moved = with_partition(held, Offsets(0, 12, 15, 12), open_since_ms=since)
    assert not [each for each in urgent(moved) if each.check == "transactions"]


def test_dead_letters_are_rated_by_their_rate() -> None:
    at = Partition("dead-letter", 0)
    few, many = Offsets(0, 15, 15), Offsets(0, 1000, 1000)
    assert only(with_partition(Offsets(0, 10, 10), few, at)).severity == Severity.WARN
    assert only(with_partition(Offsets(0, 10, 10), many, at)).severity == Severity.BAD


def test_a_long_restoration_is_foretold() -> None:
    at = Partition("shelfstream-shoppers-changelog", 0)
    large = Offsets(0, 10_000_000, 10_000_000)
    finding = only(with_partition(large, large, at))
    assert finding.check == "state"
    assert "16.7 minutes (10,000 records/s" in finding.what
    assert "954 MiB" in finding.what


def test_models_that_are_damaged_or_not_served_are_found() -> None:
    damaged = only(healthy(models=ModelFacts("student-2", None, {"student-2": "a digest differs"})))
    assert (damaged.severity, damaged.where) == (Severity.BAD, "registry student-2")
    assert (
        "serves student-2, not the deployed student-9"
        in only(healthy(models=ModelFacts("student-9", None, {}))).what
    )


def test_workers_that_do_not_answer_or_differ_are_found() -> None:
    well = healthy().workers[0]
    assert "refused" in only(healthy(workers=[well, WorkerFacts("http://b", "refused")])).what
    assert only(healthy(workers=[replace(well, ready=False, reasons=("is restoring",))])).severity == 2
    assert only(healthy(workers=[replace(well, reasons=("has drifted",))])).severity == 1
    assert "different versions: 1.0, 1.1" in only(healthy(workers=[well, replace(well, version="1.1")])).what


def test_a_machine_that_is_too_small_is_found() -> None:
    machine = healthy().machine
    assert "ulimit -n 416" in only(healthy(machine=replace(machine, open_files=256))).remedy
    assert only(healthy(machine=replace(machine, free_bytes=10**9))).severity == 1
    assert only(healthy(machine=replace(machine, writable=False))).severity == 2


def test_the_inputs_are_those_of_the_agents() -> None:
    from streams.agents.factory import AGENTS

    assert set(INPUTS) == set(AGENTS)
    assert input_topics(Settings(agents=("sessions",))) == ("shopper-repartition", "user-behavior")


@pytest.mark.parametrize(
    ("versions", "release"),
    [
        ({}, ""),
        ({1: (4, 17), 75: (0, 0)}, "4.0 or newer"),
        ({1: (0, 17), 75: (0, 0)}, "3.7 to 3.9"),
        ({1: (0, 13), 65: (0, 0)}, "3.0 to 3.6"),
        ({1: (0, 11)}, "older than 3.0"),
    ],
)
def test_the_release_is_known_by_the_requests(versions: dict[int, tuple[int, int]], release: str) -> None:
    assert release_of(versions) == release
