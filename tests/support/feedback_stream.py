"""Writes listings, feedback and the enrich agent's outputs to a broker."""

import orjson

from streams.agents.enrich import enrich_agent
from streams.agents.products import products_table
from streams.inference.thread import InferenceThread
from streams.records import MemoryRecord, Output
from streams.settings import Settings
from streams.topics import CATEGORY_FEEDBACK, PRODUCT_CREATED
from tests.support.processing import Source, process_batch, processor_of, tables_of
from tests.support.topic import write


class FeedbackStream:
    """Writes to the embedded broker what a deployment with one partition would have written."""

    def __init__(self, settings: Settings, inference: InferenceThread) -> None:
        self._settings = settings
        self._agent = processor_of(enrich_agent(inference, 1), 1)
        self._tables = tables_of(products_table())
        self._sources = {topic: Source(topic) for topic in (PRODUCT_CREATED, CATEGORY_FEEDBACK)}
        self.version = inference.model_info.model_version

    async def send(self, topic: str, key: str, value: object) -> None:
        """Write one record, process it with the agent, and write the outputs."""
        raw = value if isinstance(value, bytes | None) else orjson.dumps(value)
        record = self._sources[topic].record(raw, key.encode())
        outputs = await process_batch(self._agent, [record], self._tables)
        write(self._settings, [_as_output(record), *outputs])

    async def send_listing(self, product_id: str, title: str, **fields: object) -> None:
        """Write a listing and the agent's outputs."""
        await self.send(PRODUCT_CREATED, product_id, {"product_id": product_id, "title": title} | fields)

    async def send_feedback(self, product_id: str, category_id: int | None, by: str) -> None:
        """Write feedback and the agent's outputs; without a category it accepts the published one."""
        feedback: dict[str, object] = {"product_id": product_id, "verdict": "accept", "by": by}
        feedback["comment"] = "call me: 555"
        if category_id is not None:
            feedback |= {"verdict": "correct", "category_id": category_id}
        await self.send(CATEGORY_FEEDBACK, product_id, feedback)


def _as_output(record: MemoryRecord) -> Output:
    return Output(record.topic, 0, record.key, record.value, record.headers, record.timestamp)
