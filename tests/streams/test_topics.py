"""The specification of topics, its comparison with a broker, and the command that applies it."""

import time
from collections.abc import Callable

import orjson
import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from schemas.all_events import EVENTS
from schemas.errors import RetryLater, StopWorker
from streams.commands.operate.topics import topics
from streams.embedded import EMBEDDED_PARTITIONS, EmbeddedBroker
from streams.replay.broker_admin import BrokerAdmin, verify_topics
from streams.settings import Settings
from streams.topics import ActualTopic, Cleanup, TopicSpec, desired, diff
from tests.support.broker import Kafka

SPECS = desired(Settings())
BY_NAME = {spec.name: spec for spec in SPECS}


def as_wanted(spec: TopicSpec) -> ActualTopic:
    return ActualTopic(spec.name, spec.partitions, spec.config | {"segment.ms": "604800000"})


def test_every_event_of_the_contract_has_a_public_topic() -> None:
    assert {event.topic for event in EVENTS} <= {spec.name for spec in SPECS if not spec.internal}


def test_all_topics_are_co_partitioned_and_named_once() -> None:
    specs = desired(Settings(partitions=7))
    assert {spec.partitions for spec in specs} == {7}
    assert len({spec.name for spec in specs}) == len(specs)


def test_two_deployments_have_different_changelogs() -> None:
    ours, theirs = ({s.name for s in desired(Settings(app_id=app)) if "changelog" in s.name} for app in "ab")
    assert len(ours) == 3
    assert ours.isdisjoint(theirs)


def test_a_dead_letter_may_be_larger_than_any_input() -> None:
    inputs = [BY_NAME[name] for name in ("product-created", "user-behavior", "category-feedback")]
    assert BY_NAME["dead-letter"].max_message_bytes > 2 * max(spec.max_message_bytes for spec in inputs)


def test_topics_that_are_read_from_the_start_are_compacted() -> None:
    compacted = {spec.name for spec in SPECS if spec.cleanup is Cleanup.COMPACT and not spec.internal}
    assert compacted == {"product-enriched", "affinity-updated", "shopper-updated"}


def test_a_broker_with_the_specified_topics_has_no_differences() -> None:
    assert diff(SPECS, {spec.name: as_wanted(spec) for spec in SPECS}) == []


def test_an_empty_broker_misses_each_topic_once_in_order() -> None:
    assert [each.topic for each in diff(SPECS, {})] == [spec.name for spec in SPECS]


@given(st.sampled_from(SPECS), st.integers(1, 100))
def test_another_number_of_partitions_is_refused_with_both_numbers(spec: TopicSpec, partitions: int) -> None:
    found = diff([spec], {spec.name: as_wanted(spec)._replace(partitions=partitions)})
    if partitions == spec.partitions:
        assert found == []
    else:
        assert [(each.kind, each.have, each.refused) for each in found] == [
            ("partitions", str(partitions), True)
        ]
        assert f"SHELFSTREAM_PARTITIONS={partitions}" in found[0].remedy


@given(st.sampled_from(SPECS), st.data())
def test_exactly_the_changed_entries_are_reported(spec: TopicSpec, data: st.DataObject) -> None:
    """A larger maximum message size is no difference."""
    changed = data.draw(st.sets(st.sampled_from(sorted(spec.config))))
    config = {name: "1" if name in changed else value for name, value in spec.config.items()}
    found = diff([spec], {spec.name: ActualTopic(spec.name, spec.partitions, config)})
    assert {each.kind for each in found} == changed
    assert {each.kind for each in found if not each.refused} == changed & {"retention.ms"}
    larger = spec.config | {"max.message.bytes": str(spec.max_message_bytes + 1)}
    assert diff([spec], {spec.name: ActualTopic(spec.name, spec.partitions, larger)}) == []


def test_workers_start_on_an_embedded_broker_whose_topics_do_not_exist_yet(embedded: EmbeddedBroker) -> None:
    verify_topics(
        Settings(bootstrap_servers=embedded.bootstrap, embedded=True, partitions=EMBEDDED_PARTITIONS)
    )


def test_an_unreachable_broker_raises_retry_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.replay.broker_admin.TIMEOUT_S", 0.3)
    with pytest.raises(RetryLater, match=r"127\.0\.0\.1:1 does not answer"):
        verify_topics(Settings(bootstrap_servers="127.0.0.1:1"))


def _command(kafka: Kafka, app: str, *arguments: str) -> Result:
    environ = {"SHELFSTREAM_APP_ID": app, "SHELFSTREAM_BOOTSTRAP_SERVERS": kafka.bootstrap}
    return CliRunner(env=environ).invoke(topics, arguments)


def _check(kafka: Kafka, app: str) -> list[tuple[str, str, str]]:
    """The topic, kind and actual value of each difference that `check` reports."""
    reported = orjson.loads(_command(kafka, app, "check", "--json").stdout)
    return [(each["topic"], each["kind"], each["have"]) for each in reported]


def _wait_for(holds: Callable[[], bool]) -> None:
    """Wait for the broker's metadata: a busy broker answers a change of configuration before it shows it."""
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.mark.kafka
def test_create_makes_the_topics_that_workers_require(kafka: Kafka, unique: Callable[[str], str]) -> None:
    """Only the changelogs belong to this app. The other topics may exist already."""
    app = unique("app")
    settings = Settings(app_id=app, bootstrap_servers=kafka.bootstrap)
    before = _command(kafka, app, "check")
    assert before.exit_code == 1
    assert f"{app}-shoppers-changelog" in before.stdout
    with pytest.raises(StopWorker, match="shelfstream topics create"):
        verify_topics(settings)
    assert f"{app}-shoppers-changelog would be created" in _command(kafka, app, "create", "--dry-run").stdout
    assert f"{app}-shoppers-changelog was created with 4 partitions" in _command(kafka, app, "create").stdout
    after = _command(kafka, app, "check")
    assert (after.exit_code, after.stdout) == (0, "All topics are as required.\n")
    verify_topics(settings)


@pytest.mark.kafka
def test_fix_sets_configuration_and_never_partitions(kafka: Kafka, unique: Callable[[str], str]) -> None:
    app = unique("app")
    settings = Settings(app_id=app, bootstrap_servers=kafka.bootstrap)
    _command(kafka, app, "create")
    changelog = f"{app}-affinities-changelog"
    BrokerAdmin(settings).configure(changelog, {"cleanup.policy": "delete"})
    _wait_for(lambda: _check(kafka, app) == [(changelog, "cleanup.policy", "delete")])
    fixed = _command(kafka, app, "create", "--fix")
    assert f"{changelog}: cleanup.policy was set from delete to compact" in fixed.stdout
    _wait_for(lambda: _command(kafka, app, "check").exit_code == 0)
    with pytest.raises(StopWorker, match="SHELFSTREAM_PARTITIONS=4"):
        verify_topics(replace(settings, partitions=5))
