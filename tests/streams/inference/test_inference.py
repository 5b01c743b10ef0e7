"""What runs the model: one contract for the thread and the process, and what only the process must stand."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from models.enrichment.enricher import Enricher
from models.serving_config import ServingConfig
from schemas.dead_letters import EXCEPTION
from schemas.errors import InferenceFailed, InvalidEvent, RetryLater, StopWorker
from streams.agents.dead_letters import DeadLetterBuilder
from streams.agents.enrich import enrich_agent
from streams.agents.products import products_table
from streams.inference.messages import InvalidListing, Listing, ModelChoice, Prediction
from streams.inference.predictor import Predictor, load_enricher
from streams.inference.process import ATTEMPTS, InferenceProcess
from streams.inference.thread import Inference, InferenceThread
from streams.lanes.agent import AgentProcessor
from streams.lanes.bisection import Bisection
from streams.lanes.runtime import LaneLimits
from streams.topics import DEAD_LETTER, PRODUCT_CREATED, PRODUCT_ENRICHED
from tests.support import fatal_inference
from tests.support.processing import Source, header, tables_of, to

STUDENT = ModelChoice(cascade=False)
FATAL = (sys.executable, str(Path(fatal_inference.__file__)))


def listing(number: int, title: str = "Ceramic strawberry mug") -> Listing:
    return Listing(
        b'{"product_id": "%d", "title": "%s %d"}' % (number, title.encode(), number),
        b"%d" % number,
        PRODUCT_CREATED,
        0,
        number,
    )


def value(text: bytes) -> Listing:
    return Listing(text, None, PRODUCT_CREATED, 0, 0)


@pytest.fixture(scope="module")
def judge() -> Predictor:
    """The student alone, in this process."""
    return Predictor(load_enricher(STUDENT))


@pytest.fixture(scope="module", params=["thread", "process"])
def inference(request: pytest.FixtureRequest, judge: Predictor) -> Iterator[Inference]:
    """Each of the two."""
    made: Inference = InferenceThread(judge) if request.param == "thread" else InferenceProcess(STUDENT)
    yield made
    made.close()


@pytest_asyncio.fixture
async def fatal() -> AsyncIterator[InferenceProcess]:
    """A process without a model, which some listings kill."""
    process = InferenceProcess(STUDENT, FATAL)
    yield process
    process.close()


def gone(pid: int) -> bool:
    """Whether a process has ended; one that nobody has asked for its exit code has."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


async def eventually(holds: Callable[[], bool]) -> None:
    for _ in range(12_000):
        if holds():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it never came to be")


# The contract


async def test_each_listing_is_judged_in_order_as_the_model_does(inference: Inference) -> None:
    listings = [listing(number) for number in range(50)]
    assert await inference.judge(listings) == Predictor(Enricher.load(ServingConfig(cascade=False)))(listings)


async def test_what_cannot_be_read_is_refused_and_a_withdrawal_needs_no_model(inference: Inference) -> None:
    found = await inference.judge([value(b"{"), value(b'{"product_id": "7", "change": "withdrawn"}')])
    refusal, withdrawn = found
    assert isinstance(refusal, InvalidListing)
    assert isinstance(refusal.error(), InvalidEvent)
    assert refusal.reason == "malformed-json"
    assert withdrawn == Prediction("7", None, None, inference.model_info.model_version)


async def test_batches_that_overlap_go_each_to_who_asked(inference: Inference) -> None:
    batches = [[listing(number * 100 + each) for each in range(number)] for number in range(1, 9)]
    for batch, found in zip(
        batches, await asyncio.gather(*(inference.judge(batch) for batch in batches)), strict=True
    ):
        ids = [each.product_id for each in found if isinstance(each, Prediction)]
        assert ids == [f"{each.offset}" for each in batch]


async def test_who_gives_up_waiting_disturbs_nobody(inference: Inference) -> None:
    asked = [asyncio.create_task(inference.judge([listing(number)])) for number in range(20)]
    await asyncio.sleep(0)
    for number, task in enumerate(asked):
        if number % 2:
            task.cancel()
    results = await asyncio.gather(*asked, return_exceptions=True)
    for number, result in enumerate(results):
        if number % 2:
            assert isinstance(result, asyncio.CancelledError)
        else:
            assert isinstance(result, list)
            (found,) = result
            assert isinstance(found, Prediction)
            assert found.product_id == f"{number}"


async def test_cache_requests_are_told(inference: Inference) -> None:
    hits, misses = inference.cache_requests
    for _ in range(2):
        await inference.judge([listing(1, "never seen before"), listing(2, "never seen before")])
    assert inference.cache_requests == (hits + 2, misses + 2)


async def test_it_knows_the_versions_and_categories_of_the_model(
    inference: Inference, judge: Predictor
) -> None:
    model_info = inference.model_info
    assert (model_info.model_version, model_info.taxonomy_version) == (
        judge.enricher.model_version,
        judge.enricher.taxonomy_version,
    )
    assert len(model_info.taxonomy) == len(judge.enricher.taxonomy)


async def test_once_closed_it_takes_no_more(judge: Predictor) -> None:
    for closed in (InferenceThread(judge), InferenceProcess(STUDENT, FATAL)):
        closed.close()
        with pytest.raises(RetryLater):
            await closed.judge([listing(1)])


# What only a process must stand


async def test_a_process_that_is_killed_is_started_again_and_its_batches_are_judged(
    fatal: InferenceProcess,
) -> None:
    first = fatal.pid
    assert first is not None
    asked = [asyncio.create_task(fatal.judge([value(b"%d" % number)])) for number in range(5)]
    await asyncio.sleep(0)
    os.kill(first, signal.SIGKILL)
    for number, task in enumerate(asked):
        assert await task == [Prediction("p", b"%d" % number, None, "fatal-1")]
    await eventually(lambda: fatal.pid not in (None, first))
    assert fatal.restarts == 1
    assert await fatal.judge([value(b"later")]) == [Prediction("p", b"later", None, "fatal-1")]


async def test_a_batch_that_kills_its_process_again_and_again_fails_and_no_other_does(
    fatal: InferenceProcess,
) -> None:
    culprit = asyncio.create_task(fatal.judge([value(b"fatal")]))
    await asyncio.sleep(0)
    assert len(await fatal.judge([value(b"innocent")])) == 1
    with pytest.raises(InferenceFailed, match=f"{ATTEMPTS} times"):
        await culprit


async def test_what_the_model_raises_comes_back_and_the_process_lives_on(fatal: InferenceProcess) -> None:
    pid = fatal.pid
    with pytest.raises(InferenceFailed, match="ArithmeticError"):
        await fatal.judge([value(b"failing")])
    assert len(await fatal.judge([value(b"innocent")])) == 1
    assert fatal.pid == pid


@pytest.mark.parametrize("poison", [b"fatal", b"failing"])
async def test_the_listing_of_which_the_model_dies_is_buried_alone(
    fatal: InferenceProcess, poison: bytes
) -> None:
    dead_letters, source = DeadLetterBuilder("group", 1), Source(PRODUCT_CREATED)
    processor = AgentProcessor(enrich_agent(fatal, 1), 1, dead_letters)
    bisection = Bisection(
        processor, LaneLimits(), lambda record, error: dead_letters(record, error, "enrich")
    )
    records = [source.record(text, b"p") for text in (b"one", poison, b"three")]
    outputs, _ = await bisection.process(records, tables_of(products_table()))
    (letter,) = to(DEAD_LETTER, outputs)
    assert letter.value == poison
    assert "InferenceFailed" in header(letter, EXCEPTION)
    assert [output.value for output in to(PRODUCT_ENRICHED, outputs)] == [b"one", b"three"]


async def test_the_signals_that_stop_a_worker_do_not_stop_its_model(fatal: InferenceProcess) -> None:
    pid = fatal.pid
    assert pid is not None
    for number in (signal.SIGTERM, signal.SIGINT):
        os.kill(pid, number)
    assert len(await fatal.judge([value(b"innocent")])) == 1
    assert fatal.pid == pid


async def test_what_was_asked_before_the_end_is_answered_and_then_the_process_ends(
    fatal: InferenceProcess,
) -> None:
    pid = fatal.pid
    assert pid is not None
    asked = asyncio.create_task(fatal.judge([value(b"last")]))
    await asyncio.sleep(0)
    fatal.close()
    assert await asked == [Prediction("p", b"last", None, "fatal-1")]
    await eventually(lambda: gone(pid))


def test_no_model_is_left_when_its_worker_is_killed() -> None:
    """The worker has no chance to say goodbye."""
    script = (
        "import sys, time; from streams.inference.process import InferenceProcess as P;"
        f"from streams.inference.messages import ModelChoice; p = P(ModelChoice(), {FATAL!r});"
        "print(p.pid, flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as worker:
        assert worker.stdout is not None
        pid = int(worker.stdout.readline())
        assert not gone(pid)
        worker.kill()
    asyncio.run(eventually(lambda: gone(pid)))


def test_a_model_that_cannot_be_loaded_stops_the_worker_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(StopWorker, match="manifest"):
        InferenceProcess(ModelChoice(path=str(tmp_path)))


def test_a_process_that_does_not_start_is_tried_later() -> None:
    with pytest.raises(RetryLater, match="ended with 3"):
        InferenceProcess(STUDENT, (sys.executable, "-c", "raise SystemExit(3)"))


def test_a_worker_whose_model_has_a_process_does_not_load_the_model_s_runtime() -> None:
    script = (
        "import sys, streams.agents.enrich, streams.inference.process;sys.exit('onnxruntime' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
