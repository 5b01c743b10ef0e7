"""All contestants, by their short name on command lines."""

from collections.abc import Mapping
from functools import partial

from benchmarks.peers import kafka_streams
from benchmarks.peers.contestant import (
    COUNTER,
    PASSTHROUGH,
    RECOVER,
    Contestant,
    installed,
    python_command,
)

EXACTLY_ONCE = "exactly once"
AT_LEAST_ONCE = "at least once"

_FAUST_JOBS = frozenset({PASSTHROUGH, COUNTER, RECOVER})

OURS = "shelfstream"

CONTESTANTS: Mapping[str, Contestant] = {
    OURS: Contestant(
        "shelfstream's lanes, exactly once",
        EXACTLY_ONCE,
        partial(installed, "shelfstream"),
        frozenset({PASSTHROUGH, COUNTER, RECOVER}),
        python_command("shelfstream_lanes"),
    ),
    "faust": Contestant(
        "stock Faust take, exactly once",
        EXACTLY_ONCE,
        partial(installed, "faust-streaming"),
        _FAUST_JOBS,
        python_command("stock_faust", "--guarantee", "exactly_once"),
    ),
    "faust-at-least-once": Contestant(
        "stock Faust take, at least once",
        AT_LEAST_ONCE,
        partial(installed, "faust-streaming"),
        _FAUST_JOBS,
        python_command("stock_faust", "--guarantee", "at_least_once"),
    ),
    "faust-rocksdb": Contestant(
        "stock Faust on RocksDB, exactly once",
        EXACTLY_ONCE,
        partial(installed, "faust-streaming"),
        frozenset({COUNTER, RECOVER}),
        python_command("stock_faust", "--guarantee", "exactly_once", "--store", "rocksdb://"),
    ),
    "quix": Contestant(
        "Quix Streams, exactly once",
        EXACTLY_ONCE,
        partial(installed, "quixstreams"),
        frozenset({PASSTHROUGH, COUNTER}),
        python_command("quix"),
    ),
    "quix-quick": Contestant(
        "Quix Streams, exactly once, committing every 0.1 s",
        EXACTLY_ONCE,
        partial(installed, "quixstreams"),
        frozenset({PASSTHROUGH, COUNTER}),
        python_command("quix", "--commit-interval", "0.1"),
    ),
    "bytewax": Contestant(
        "Bytewax, at least once",
        AT_LEAST_ONCE,
        partial(installed, "bytewax"),
        frozenset({PASSTHROUGH}),
        python_command("bytewax_flow"),
        elastic=False,
    ),
    "kafka-streams": Contestant(
        "Kafka Streams, exactly_once_v2",
        EXACTLY_ONCE,
        kafka_streams.version,
        frozenset({PASSTHROUGH, COUNTER}),
        kafka_streams.command,
    ),
}
