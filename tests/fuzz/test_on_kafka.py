"""A real worker on a real Kafka processes the fuzzer's records. `make fuzz` does it with 100,000."""

from pathlib import Path
from random import Random

import pytest
from confluent_kafka import Producer

from schemas.dead_letters import LEFT_OUT, SOURCE_OFFSET, SOURCE_TOPIC
from streams.topics import DEAD_LETTER, PRODUCT_CREATED, PRODUCT_ENRICHED, USER_BEHAVIOR
from tests.fuzz.on_kafka import run
from tests.support.broker import StartableKafka
from tests.support.deployment import Deployment

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(1800)]

# Another seed than that of `make fuzz`, for more variety.
SEED, RECORDS = 11, 3_000


def test_every_record_has_one_outcome(own_broker: StartableKafka, tmp_path: Path) -> None:
    result = run(own_broker.bootstrap, tmp_path, SEED, RECORDS, within_s=600)
    assert result.faults() == []
    assert sum(result.consumed.values()) == RECORDS


def test_a_record_too_large_for_a_dead_letter_does_not_stop_its_lane(
    own_broker: StartableKafka, tmp_path: Path
) -> None:
    """The record has six megabytes. Only its producer's compression makes it small enough."""
    block = Random(SEED).randbytes(350_000).hex().encode()
    large = b'{"product_id": 1.5, "title": "' + block * 9 + b'"}'
    options = {"compression.type": "zstd", "compression.level": 12, "message.max.bytes": 2 * len(large)}
    producer = Producer({"bootstrap.servers": own_broker.bootstrap, **options})
    with Deployment(own_broker.bootstrap, tmp_path) as deployment:
        worker = deployment.worker()
        worker.wait_ready()
        for topic in (PRODUCT_CREATED, USER_BEHAVIOR):
            producer.produce(topic, large, b"p1", partition=0)
        assert producer.flush(120) == 0
        good = [
            (f"p{number}".encode(), b'{"product_id": "p%d", "title": "x"}' % number) for number in range(50)
        ]
        deployment.produce(PRODUCT_CREATED, good)
        deployment.wait_until_processed()
        letters = [dict(each.headers() or []) for each in deployment.read(DEAD_LETTER)]
        assert sorted(each[SOURCE_TOPIC].decode() for each in letters) == [PRODUCT_CREATED, USER_BEHAVIOR]
        assert {(each[LEFT_OUT], each[SOURCE_OFFSET]) for each in letters} == {(b"value", b"0")}
        assert len(deployment.read(PRODUCT_ENRICHED)) == len(good)
        assert worker.stop() == 0
