"""Administration of a broker: list, describe, create and configure topics."""

import time
from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from typing import Any

import structlog
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ConsumerGroupDescription,
    NewTopic,
    ResourceType,
)

from schemas.errors import RetryLater, ShelfstreamError, StopWorker
from streams.acls import Acl, Operation, Resource
from streams.clients import confluent_options
from streams.connection_check import verify_connection
from streams.connection_errors import NotAdmitted
from streams.permission_check import missing_on_topics, not_permitted
from streams.settings import Settings
from streams.topics import (
    SHOPPER_REPARTITION,
    ActualTopic,
    TopicSpec,
    describe_differences,
    desired,
    diff,
    diff_partitions,
)

log = structlog.get_logger()

TIMEOUT_S = 15.0


class BrokerAdmin:
    """A blocking admin client.

    Every method raises RetryLater or StopWorker; `translated_kafka_error` says which.

    Args:
        settings: Settings with the broker's address and credentials.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._connection_error: KafkaError | None = None
        self._verified = settings.embedded
        self._client = AdminClient(confluent_options(settings) | {"error_cb": self._record_error})

    def topics(self) -> dict[str, int]:
        """Return the number of partitions of every topic that this client may see, by topic name."""
        self._verify_connection()
        try:
            listed = self._client.list_topics(timeout=TIMEOUT_S).topics
        except KafkaException as error:
            raise self._translated(error) from error
        return {name: len(topic.partitions) for name, topic in listed.items() if topic.error is None}

    def describe(self, names: Iterable[str], with_config: bool = True) -> dict[str, ActualTopic]:
        """Describe the topics of `names` that exist.

        Args:
            names: Topic names.
            with_config: Whether to read the configuration too. Without it `config` is empty.
        """
        names = list(names)
        partitions = self.topics()
        if hidden := [name for name in names if name not in partitions]:
            self._verify_visible(hidden)
        names = [name for name in names if name in partitions]
        configs: Mapping[str, Mapping[str, str]] = self._configs(names) if with_config and names else {}
        return {name: ActualTopic(name, partitions[name], configs.get(name, {})) for name in names}

    def _verify_connection(self) -> None:
        """Ask once why Kafka lets nobody in: a request would only say after a while that it had no answer."""
        if self._verified:
            return
        # librdkafka waits for a broker that is starting.
        with suppress(RetryLater):
            verify_connection(self._settings)
        self._verified = True

    def _verify_visible(self, names: Iterable[str]) -> None:
        """Tell topics that do not exist from those that this client must not see."""
        if self._settings.embedded:
            return
        optional = {spec.name for spec in desired(self._settings) if spec.optional}
        needed = [Acl(Resource.TOPIC, name, Operation.DESCRIBE) for name in names if name not in optional]
        if missing := missing_on_topics(self._settings, needed):
            raise NotAdmitted(not_permitted(self._settings, missing))

    def create(self, specs: Iterable[TopicSpec]) -> None:
        """Create topics, and wait until the broker lists them. A topic that exists already stays as it is."""
        replication = self._settings.replication_factor
        new = [NewTopic(spec.name, spec.partitions, replication, config=spec.config) for spec in specs]
        if not new:
            return
        for name, future in self._client.create_topics(new, operation_timeout=TIMEOUT_S).items():
            needed = Acl(Resource.TOPIC, name, Operation.CREATE)
            self._result(future, needed, ignoring=KafkaError.TOPIC_ALREADY_EXISTS)
        self._wait_until_listed({topic.topic for topic in new})

    def _wait_until_listed(self, names: set[str]) -> None:
        """Wait for metadata: a busy broker answers the creation before it lists every topic."""
        deadline = time.monotonic() + TIMEOUT_S
        while missing := names - self.topics().keys():
            if time.monotonic() > deadline:
                raise RetryLater(
                    f"Kafka at {self._settings.bootstrap_servers} created {', '.join(sorted(missing))}, but"
                    f" does not list them after {TIMEOUT_S:.0f} s"
                )
            time.sleep(0.1)

    def configure(self, topic: str, config: Mapping[str, str]) -> None:
        """Set configuration entries of a topic. Its other entries stay."""
        entries = [
            ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
            for name, value in config.items()
        ]
        resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=entries)
        for future in self._client.incremental_alter_configs([resource]).values():
            self._result(future, Acl(Resource.TOPIC, topic, Operation.ALTER_CONFIGS))

    def describe_group(self, group: str) -> ConsumerGroupDescription:
        """Describe a consumer group: its state, and its members with their partitions."""
        futures = self._client.describe_consumer_groups([group], request_timeout=TIMEOUT_S)
        needed = Acl(Resource.GROUP, group, Operation.DESCRIBE)
        described: ConsumerGroupDescription = self._result(futures[group], needed)
        return described

    def _configs(self, names: Iterable[str]) -> dict[str, dict[str, str]]:
        resources = [ConfigResource(ResourceType.TOPIC, name) for name in names]
        described = self._client.describe_configs(resources, request_timeout=TIMEOUT_S)
        configs = {}
        for resource, future in described.items():
            needed = Acl(Resource.TOPIC, resource.name, Operation.DESCRIBE_CONFIGS)
            entries = self._result(future, needed).values()
            configs[resource.name] = {entry.name: str(entry.value) for entry in entries}
        return configs

    def _result(self, future: "Future[Any]", needed: Acl, ignoring: int | None = None) -> Any:
        try:
            return future.result(TIMEOUT_S + 5)
        except TimeoutError:
            raise RetryLater(
                f"Kafka at {self._settings.bootstrap_servers} did not answer within {TIMEOUT_S + 5:.0f} s"
            ) from None
        except KafkaException as error:
            if error.args[0].code() == ignoring:
                return None
            raise self._translated(error, needed) from error

    def _record_error(self, error: KafkaError) -> None:
        """Keep an authentication or TLS error: the request that it breaks only reports a timeout."""
        if error.code() in (KafkaError._AUTHENTICATION, KafkaError._SSL):
            self._connection_error = error

    def _translated(self, error: KafkaException, needed: Acl | None = None) -> ShelfstreamError:
        self._client.poll(0)
        return translated_kafka_error(
            KafkaException(self._connection_error) if self._connection_error is not None else error,
            self._settings,
            [] if needed is None else [needed],
        )


_TRANSIENT = {
    KafkaError._TRANSPORT,
    KafkaError._ALL_BROKERS_DOWN,
    KafkaError._TIMED_OUT,
    KafkaError._RESOLVE,
    KafkaError.REQUEST_TIMED_OUT,
    KafkaError.NOT_CONTROLLER,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.NOT_LEADER_FOR_PARTITION,
}


_NOT_AUTHORIZED = {
    KafkaError.TOPIC_AUTHORIZATION_FAILED: Resource.TOPIC,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED: Resource.TOPIC,
    KafkaError.GROUP_AUTHORIZATION_FAILED: Resource.GROUP,
    KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED: Resource.TRANSACTIONAL_ID,
}


def translated_kafka_error(
    error: KafkaException, settings: Settings, needed: Iterable[Acl] = ()
) -> ShelfstreamError:
    """Translate an error of librdkafka into one of the project's error kinds.

    Args:
        error: Error of librdkafka.
        settings: Settings with the broker's address, for the message.
        needed: The permissions that the request needs, for the message.

    Returns:
        RetryLater if the broker is unreachable or not ready. StopWorker if it rejects the request: wrong
        credentials, no permission, an impossible request.
    """
    reason = error.args[0]
    missing = [acl for acl in needed if acl.resource is _NOT_AUTHORIZED.get(reason.code())]
    if missing:
        return NotAdmitted(not_permitted(settings, missing))
    if reason.code() in _TRANSIENT:
        return RetryLater(
            f"Kafka at {settings.bootstrap_servers} does not answer ({reason.str()}): is it running, "
            "and is SHELFSTREAM_BOOTSTRAP_SERVERS right?"
        )
    return StopWorker(
        f"Kafka at {settings.bootstrap_servers} rejected the request: {reason.str()} ({reason.name()})"
    )


def verify_topics(settings: Settings) -> None:
    """Check that a worker can start on the broker's topics. Blocks.

    An embedded broker creates topics at first use, so only the number of partitions is compared there.

    Args:
        settings: Settings with the broker's address.

    Raises:
        StopWorker: Topics differ from what a worker needs. The message names each one and what to do.
        RetryLater: The broker is unreachable.
    """
    # A worker may not be permitted to look at the optional topics, and starts without them.
    wanted = [spec for spec in desired(settings) if not spec.optional]
    actual = BrokerAdmin(settings).describe((spec.name for spec in wanted), with_config=not settings.embedded)
    differences = diff_partitions(wanted, actual) if settings.embedded else diff(wanted, actual)
    refused = [each for each in differences if each.refused]
    if refused:
        raise StopWorker(f"The topics don't fit:\n{describe_differences(refused)}")


def can_move_shoppers(settings: Settings) -> bool:
    """Return whether workers may use the topic shopper-repartition, and log why not. Blocks.

    An earlier release had no such topic. Its workers and those without it read the same topics, so that they
    can take turns in one group.

    Raises:
        StopWorker: The broker rejects the request.
        RetryLater: The broker is unreachable.
    """
    if settings.embedded:
        return True
    name = SHOPPER_REPARTITION
    found = BrokerAdmin(settings).describe([name], with_config=False).get(name)
    operations = (Operation.READ, Operation.WRITE)
    needed = [Acl(Resource.TOPIC, name, operation) for operation in operations]
    if found is None:
        problem = "there is no such topic; run `shelfstream topics create`"
    elif found.partitions != settings.partitions:
        problem = f"it has {found.partitions} partitions and not {settings.partitions}; create it again"
    elif missing := missing_on_topics(settings, needed):
        problem = not_permitted(settings, missing)
    else:
        return True
    log.warning("guests who log in stay guests", topic=name, problem=f"{problem}, then restart the workers")
    return False
