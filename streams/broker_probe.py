"""Asks Kafka every few seconds whether it answers, so that an idle worker notices an outage too."""

import re
import threading
import time
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException

from schemas.errors import RetryLater
from streams.clients import current_confluent_options
from streams.observability.reachability import Reachability
from streams.replay.broker_admin import translated_kafka_error
from streams.settings import Settings
from streams.topics import DEAD_LETTER

_INTERVAL_S = 2.0
_TIMEOUT_S = 4.0
# Two unanswered questions, or one that hangs: /ready must say so within 15 seconds.
LIMIT_S = 9.0
# librdkafka's "127.0.0.1:9092/bootstrap: " before a message, and "(after 0ms in state CONNECT)" behind it.
_AROUND_MESSAGE = re.compile(r"^\S+/\S+: | \(after [^)]*?\d+ms in state .*\)$")


class BrokerProbe:
    """A thread that requests metadata of one topic from any broker.

    A client of its own finds the brokers again after they got other addresses, and does not wait behind the
    requests of lanes. The thread asks while the event loop is busy, too.

    Args:
        settings: Settings with the broker's address and credentials.
    """

    def __init__(self, settings: Settings) -> None:
        self.reachability = Reachability(LIMIT_S, time.monotonic())
        self._settings = settings
        self._ended = threading.Event()
        self._error: KafkaError | None = None
        self._thread = threading.Thread(target=self._run, name="broker-probe", daemon=True)

    def start(self) -> None:
        """Start to ask."""
        self._thread.start()

    def stop(self) -> None:
        """Stop to ask. A question that waits for its answer is left behind."""
        self._ended.set()

    def _run(self) -> None:
        client, version = None, None
        while not self._ended.wait(_INTERVAL_S):
            try:
                options, current = current_confluent_options(self._settings)
            except RetryLater as error:
                self.reachability.failed(str(error))
                continue
            if client is None or current != version:
                client, version = self._client(options), current
            self._ask(client)

    def _client(self, options: dict[str, Any]) -> Consumer:
        own = {
            "group.id": self._settings.app_id,  # Never joined: a consumer creates no topic by asking for it.
            "enable.auto.commit": False,
            "reconnect.backoff.ms": 500,
            "reconnect.backoff.max.ms": 2_000,
            "socket.connection.setup.timeout.ms": int(_TIMEOUT_S * 1000),
            "error_cb": self._record_error,
        }
        return Consumer(options | own)

    def _ask(self, client: Consumer) -> None:
        self._error = None
        try:
            client.list_topics(DEAD_LETTER, timeout=_TIMEOUT_S)
        except KafkaException as error:
            client.poll(0)  # Calls `_record_error`, which knows more than the request.
            cause = error if self._error is None else KafkaException(self._error)
            self.reachability.failed(str(translated_kafka_error(cause, self._settings)))
        else:
            self.reachability.answered(time.monotonic())

    def _record_error(self, error: KafkaError) -> None:
        if error.code() != KafkaError._ALL_BROKERS_DOWN:
            self._error = KafkaError(error.code(), _AROUND_MESSAGE.sub("", error.str()))
