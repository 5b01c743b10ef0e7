"""Listings, people's words and what the enrich agent makes of them, on a broker."""

import json

from streams.agents.dead_letters import DeadLetterBuilder
from streams.agents.enrich import EnrichProcessor, products_table
from streams.inference.thread import InferenceThread
from streams.records import MemoryRecord, Output
from streams.settings import Settings
from streams.topics import CATEGORY_FEEDBACK, PRODUCT_CREATED
from tests.support.processing import Source, settled, tables_of
from tests.support.topic import write


class FeedbackStream:
    """What a deployment of one partition would have written, on the embedded broker."""

    def __init__(self, settings: Settings, inference: InferenceThread) -> None:
        self._settings = settings
        self._agent = EnrichProcessor(products_table(), 1, inference, DeadLetterBuilder("group", 1))
        self._tables = tables_of(products_table())
        self._sources = {topic: Source(topic) for topic in (PRODUCT_CREATED, CATEGORY_FEEDBACK)}
        self.version = inference.model_info.model_version

    async def say(self, topic: str, key: str, value: object) -> None:
        """One record, and what the agent makes of it."""
        raw = value if isinstance(value, bytes | None) else json.dumps(value).encode()
        record = self._sources[topic].record(raw, key.encode())
        outputs = await settled(self._agent, [record], self._tables)
        write(self._settings, [_as_output(record), *outputs])

    async def listed(self, product_id: str, title: str, **fields: object) -> None:
        """A listing."""
        await self.say(PRODUCT_CREATED, product_id, {"product_id": product_id, "title": title} | fields)

    async def judged(self, product_id: str, category_id: int | None, by: str) -> None:
        """A person's word; without a category it accepts."""
        word: dict[str, object] = {"product_id": product_id, "verdict": "accept", "by": by}
        word["comment"] = "call me: 555"
        if category_id is not None:
            word |= {"verdict": "correct", "category_id": category_id}
        await self.say(CATEGORY_FEEDBACK, product_id, word)


def _as_output(record: MemoryRecord) -> Output:
    return Output(record.topic, 0, record.key, record.value, record.headers, record.timestamp)
