"""Batch agents: a coroutine that loops over batches, in the shape of a Faust agent.

An agent is a function that takes `Batches` and iterates over them:

    @batch_agent("views", tables=[counts])
    async def count(batches: Batches) -> None:
        async for batch in batches:
            ...

When the loop asks for the next batch, the lane commits the outputs, the state changes and the consumed offset
of the current batch in one transaction. When the body raises, the lane rolls the batch back and bisects it: a
new call of the function gets a part of the batch, until the poison record stands alone.

`AgentProcessor` adapts an agent to `Processor`. It runs the coroutine inside the lane's own task: what the
coroutine awaits goes to the event loop, and where it asks for the next batch it is suspended. There is no
task, queue or future between the two, so that errors, cancellation and tracebacks pass through.
"""

import asyncio
from collections.abc import Callable, Coroutine, Generator, Sequence
from dataclasses import dataclass
from types import coroutine
from typing import Any, Self
from weakref import WeakKeyDictionary

from schemas.errors import StopWorker
from streams.lanes.batch import Batch, DeadLetters
from streams.lanes.typed_topic import Topic
from streams.records import Output, Record
from streams.state.tables import Tables, TableSpec

_NEXT_BATCH = object()
"""Yielded by the agent's coroutine, and received by `_advance`, when the loop asks for the next batch."""


class Batches:
    """The batches of one lane. Asking for the next one ends the current one."""

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Batch:
        """Return the next batch when there is one. The current one commits first."""
        return await _request()


AgentFunction = Callable[[Batches], Coroutine[Any, Any, None]]


@dataclass(frozen=True, slots=True)
class BatchAgent:
    """An agent: a function over batches, with its input topics and tables. Use `batch_agent` to make one.

    Attributes:
        name: The agent's name; a part of the transactional ids.
        topics: The input topics in the order of their priority.
        tables: The tables that its batches may use.
        function: Iterates over batches.
        catch_up: Does a part of the work that was put off, in a thread, between two batches.
    """

    name: str
    topics: tuple[str, ...]
    tables: tuple[TableSpec[Any], ...]
    function: AgentFunction
    catch_up: Callable[[Tables], list[Output]] | None = None


def batch_agent(
    *topics: str | Topic[Any],
    tables: Sequence[TableSpec[Any]] = (),
    name: str | None = None,
    catch_up: Callable[[Tables], list[Output]] | None = None,
) -> Callable[[AgentFunction], BatchAgent]:
    """Make an agent of a function.

    Args:
        topics: The input topics. When several have records, the first of them goes first.
        tables: The tables that the agent's batches may use.
        name: The agent's name; None takes the function's.
        catch_up: Does a part of the work that was put off, in a thread, between two batches.

    Returns:
        A decorator.
    """

    def decorate(function: AgentFunction) -> BatchAgent:
        names = tuple(topic if isinstance(topic, str) else topic.name for topic in topics)
        return BatchAgent(name or function.__name__, names, tuple(tables), function, catch_up)

    return decorate


class AgentProcessor:
    """The `Processor` of an agent.

    The agent's function is called once for each opening of a lane, and again after a failure.

    Args:
        agent: The agent.
        partitions: The number of partitions of every topic.
        dead_letters: Builds dead letters.
    """

    def __init__(self, agent: BatchAgent, partitions: int, dead_letters: DeadLetters) -> None:
        self.name = agent.name
        self.topics = agent.topics
        self._agent = agent
        self._partitions = partitions
        self._dead_letters = dead_letters
        self._runs: WeakKeyDictionary[Tables, _AgentRun] = WeakKeyDictionary()

    async def process(self, records: Sequence[Record], tables: Tables) -> list[Output]:
        """Let the agent's loop run over one batch; see `Processor.process`."""
        run = self._runs.pop(tables, None)
        if run is None or run.task is not asyncio.current_task():
            run = _AgentRun(self._agent)
        batch = Batch(records, tables, self._partitions, self._dead_letters)
        try:
            if await run.process(batch):
                self._runs[tables] = run
        finally:
            outputs = batch.end()
        return outputs

    async def catch_up(self, tables: Tables) -> list[Output]:
        """Let the agent do some of the work that it put off; see `CatchingUp`."""
        return [] if self._agent.catch_up is None else await asyncio.to_thread(self._agent.catch_up, tables)


class _AgentRun:
    """One call of an agent's function.

    It is used by one task only, so that the function may hold a timeout or a task group around its loop.
    """

    def __init__(self, agent: BatchAgent) -> None:
        self.task = asyncio.current_task()
        self._agent = agent
        self._coroutine = agent.function(Batches())
        self._started = False

    async def process(self, batch: Batch) -> bool:
        """Run the body of the loop over a batch.

        Returns:
            Whether the function asks for another batch. Otherwise it has returned.

        Raises:
            StopWorker: The function returned without asking for a batch.
            Exception: What the function raises.
        """
        if not self._started:
            self._started = True
            if not await _advance(self._coroutine, None):
                raise StopWorker(f"the agent {self._agent.name} returned without asking for a batch")
        return await _advance(self._coroutine, batch)


@coroutine
def _request() -> Generator[Any, Batch, Batch]:
    """Suspend the agent until `_advance` sends it a batch."""
    batch: Batch = yield _NEXT_BATCH
    return batch


@coroutine
def _advance(agent: Coroutine[Any, Any, None], batch: Batch | None) -> Generator[Any, Any, bool]:
    """Resume the agent with a batch, and await for it whatever it awaits, until it asks for the next batch.

    Returns:
        True if the agent asks for a batch, False if it has returned.
    """
    try:
        awaited = agent.send(batch)
        while awaited is not _NEXT_BATCH:
            try:
                result = yield awaited
            except BaseException as error:
                awaited = agent.throw(error)
            else:
                awaited = agent.send(result)
    except StopIteration:
        return False
    return True
