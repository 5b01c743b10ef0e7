"""The internals of Faust and aiokafka that the lanes override and use still exist.

An upgrade that renames any of it would not raise: the stock method would run again, one event at a time, and
commit by itself. So the shape is checked here, name by name, and each name is used in `streams`.
"""

import inspect
from collections.abc import Callable
from typing import Any

import aiokafka
import faust
import pytest
from aiokafka.consumer import subscription_state
from aiokafka.consumer.fetcher import Fetcher as AiokafkaFetcher
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.producer.sender import Sender
from aiokafka.structs import TopicPartition
from faust import transport
from faust.transport.consumer import Fetcher
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage
from yarl import URL

from streams.app import LaneApp
from streams.faust_transport.transport import (
    Delivery,
    LaneConsumer,
    LaneConsumerThread,
    LaneTopic,
    LaneTransport,
)

OVERRIDES: list[tuple[Any, Any, str]] = [
    (LaneTransport, driver.Transport, "Consumer"),
    (LaneConsumer, driver.Consumer, "_new_consumer_thread"),
    (LaneConsumer, driver.Consumer, "on_partitions_assigned"),
    (LaneConsumer, driver.Consumer, "perform_seek"),
    (LaneConsumer, driver.Consumer, "_drain_messages"),
    (LaneConsumerThread, driver.AIOKafkaConsumerThread, "_create_worker_consumer"),
    (LaneConsumerThread, driver.AIOKafkaConsumerThread, "on_start"),
    (LaneTopic, faust.Topic, "_compile_decode"),
    (LaneTopic, faust.Topic, "decode"),
    (LaneApp, faust.App, "on_stop"),
]

TOUCHED: list[tuple[Any, tuple[str, ...]]] = [
    (driver.Consumer, ("_get_active_partitions", "flow_active", "consumer_stopped_errors", "callback")),
    (driver.Consumer, ("should_stop",)),
    (driver.AIOKafkaConsumerThread, ("_ensure_consumer", "_fetch_records", "call_thread")),
    (driver.AIOKafkaConsumerThread, ("_create_consumer", "_consumer", "should_stop")),
    (faust.Topic, ("_create_event",)),
    (faust.App, ("consumer_generation_id", "crash", "should_stop")),
    (aiokafka.AIOKafkaConsumer, ("committed", "beginning_offsets", "end_offsets", "seek", "getmany")),
    (subscription_state.SubscriptionState, ("fetch_context", "subscription")),
    (subscription_state.Subscription, ("assignment",)),
    (subscription_state.Assignment, ("state_value",)),
    (subscription_state.TopicPartitionState, ("has_valid_position", "position", "lso")),
    (aiokafka.AIOKafkaProducer, ("create_batch", "send_batch", "send_offsets_to_transaction")),
    (aiokafka.AIOKafkaProducer, ("begin_transaction", "abort_transaction", "commit_transaction")),
    (aiokafka.AIOKafkaProducer, ("_sender", "client", "start", "stop")),
    (BatchBuilder, ("append", "close", "record_count")),
    (Sender, ("sender_task",)),
]

_MADE_BY_METACLASSES = {"_abc_impl", "abstract", "logger"}


@pytest.mark.parametrize(
    ("ours", "theirs", "name"), OVERRIDES, ids=lambda part: part if isinstance(part, str) else part.__name__
)
def test_each_override_overrides_something(ours: Any, theirs: Any, name: str) -> None:
    """The override has the name and the parameters of the original."""
    assert hasattr(theirs, name)
    assert name in vars(ours)
    if inspect.isfunction(original := getattr(theirs, name)):
        mine = getattr(ours, name)
        assert list(inspect.signature(mine).parameters) == list(inspect.signature(original).parameters)
        assert inspect.iscoroutinefunction(mine) == inspect.iscoroutinefunction(original)


def test_the_lanes_override_nothing_by_accident() -> None:
    """A new method of Faust could have the name of one of these. Each override is in the list above."""
    for ours in (LaneConsumer, LaneConsumerThread, LaneTopic, LaneTransport):
        inherited = {name for base in ours.__mro__[1:] for name in vars(base)}
        replaced = {
            name for name in vars(ours) if name in inherited and not (name[:2] == "__" == name[-2:])
        } - _MADE_BY_METACLASSES
        assert replaced <= {name for mine, _, name in OVERRIDES if mine is ours}


def _has(owner: Any, name: str) -> bool:
    """Return whether instances have the attribute, from their class or their `__init__`."""
    makers = (base.__init__ for base in owner.__mro__ if "__init__" in vars(base) and base is not object)
    return hasattr(owner, name) or any(f"self.{name}" in inspect.getsource(maker) for maker in makers)


@pytest.mark.parametrize(
    ("owner", "name"),
    [pytest.param(owner, name, id=f"{owner.__name__}.{name}") for owner, names in TOUCHED for name in names],
)
def test_each_attribute_that_we_touch_is_there(owner: Any, name: str) -> None:
    assert _has(owner, name)


async def test_a_partitions_state_has_its_last_stable_offset() -> None:
    """The lag ends there."""
    at = TopicPartition("t", 0)
    subscriptions = subscription_state.SubscriptionState()
    subscriptions.assign_from_user({at})
    state = subscriptions.subscription.assignment.state_value(at)
    assert state.lso is None
    assert state.has_valid_position is False
    state.seek(5)
    assert (state.has_valid_position, state.position) == (True, 5)
    with subscriptions.fetch_context():
        pass


@pytest.mark.parametrize(
    ("caller", "called"),
    [
        (Fetcher._fetcher.fun, "consumer._drain_messages(self)"),
        (driver.AIOKafkaConsumerThread._create_consumer, "self._create_worker_consumer(transport)"),
        (driver.AIOKafkaConsumerThread._fetch_records, "fetch_context()"),
        (faust.Topic.__init__, "self._compile_decode()"),
    ],
    ids=["drain", "consumer", "poll", "decode"],
)
def test_what_we_override_is_what_is_called(caller: Callable[..., Any], called: str) -> None:
    """An overridden method must still be called."""
    assert called in inspect.getsource(caller)


def test_a_fetch_awaits_nothing_between_its_records_and_its_return() -> None:
    """The lanes read the epoch right afterwards: a seek in between would give old records the new epoch."""
    source = inspect.getsource(driver.AIOKafkaConsumerThread._fetch_records)
    assert source.count("await ") == 1
    assert "return await fetcher.fetched_records(" in source
    taken = inspect.getsource(AiokafkaFetcher.fetched_records)
    assert "await" not in taken[taken.index("drained = {}") : taken.index("if drained or not timeout")]


def test_the_transport_is_found_by_its_scheme() -> None:
    """`lane://` addresses get it, by the entry point that the project installs."""
    assert transport.by_url(URL("lane://localhost:9092")) is LaneTransport
    assert LaneTransport.Consumer is LaneConsumer


def test_a_message_may_carry_a_delivery() -> None:
    """Faust's message has these arguments in this order."""
    delivery = Delivery([], 7)
    message = ConsumerMessage("t", 1, 5, 0.0, 0, None, None, delivery, None, tp=TP("t", 1), generation_id=3)
    assert (message.topic, message.partition, message.offset) == ("t", 1, 5)
    assert (message.value, message.generation_id, message.tp) == (delivery, 3, TP("t", 1))
