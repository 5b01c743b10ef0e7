"""Inference: one contract for thread and process, and the failures of a process."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import pytest_asyncio

from models.enrichment.enricher import Enricher
from models.serving_config import Hardware, ServingConfig
from schemas.dead_letters import EXCEPTION
from schemas.errors import InferenceFailed, InvalidEvent, RetryLater, StopWorker
from streams.agents.dead_letters import DeadLetterBuilder
from streams.agents.enrich import enrich_agent
from streams.agents.products import products_table
from streams.inference import watch
from streams.inference.messages import InvalidListing, Listing, Prediction, PredictorConfig
from streams.inference.predictor import Predictor, load_enricher
from streams.inference.process import ATTEMPTS, InferenceProcess
from streams.inference.protocol import Inference
from streams.inference.thread import InferenceThread
from streams.inference.wire import decode_config, encode_config
from streams.lanes.agent import AgentProcessor
from streams.lanes.bisection import Bisection
from streams.lanes.runtime import LaneLimits
from streams.topics import DEAD_LETTER, PRODUCT_CREATED, PRODUCT_ENRICHED
from tests.support import fatal_inference
from tests.support.processing import Source, header, tables_of, to

STUDENT = PredictorConfig(serving=ServingConfig(cascade=False))
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
def predictor() -> Predictor:
    """The student alone, in the test's process."""
    return Predictor(load_enricher(STUDENT.serving))


@pytest.fixture(scope="module", params=["thread", "process"])
def inference(request: pytest.FixtureRequest, predictor: Predictor) -> Iterator[Inference]:
    """Both implementations."""
    inference: Inference = (
        InferenceThread(predictor) if request.param == "thread" else InferenceProcess(STUDENT)
    )
    yield inference
    inference.close()


@pytest_asyncio.fixture
async def fatal() -> AsyncIterator[InferenceProcess]:
    """A process without a model, in which some listings are fatal."""
    process = InferenceProcess(STUDENT, FATAL)
    yield process
    process.close()


def gone(pid: int) -> bool:
    """Whether a process has ended. A zombie has ended too."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


async def eventually(holds: Callable[[], bool]) -> None:
    for _ in range(12_000):
        if holds():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("the condition never held")


# The contract


async def test_each_listing_is_predicted_in_order_as_by_the_model(inference: Inference) -> None:
    listings = [listing(number) for number in range(50)]
    predictor = Predictor(Enricher.load(ServingConfig(cascade=False)))
    assert await inference.predict(listings) == predictor.predict(listings)


async def test_an_invalid_listing_is_reported_and_a_withdrawal_needs_no_model(inference: Inference) -> None:
    found = await inference.predict([value(b"{"), value(b'{"product_id": "7", "change": "withdrawn"}')])
    invalid, withdrawn = found
    assert isinstance(invalid, InvalidListing)
    assert isinstance(invalid.error(), InvalidEvent)
    assert invalid.reason == "malformed-json"
    assert withdrawn == Prediction("7", None, None, inference.model_info.model_version)


async def test_each_caller_gets_the_predictions_of_its_own_batch(inference: Inference) -> None:
    batches = [[listing(number * 100 + each) for each in range(number)] for number in range(1, 9)]
    for batch, found in zip(
        batches, await asyncio.gather(*(inference.predict(batch) for batch in batches)), strict=True
    ):
        ids = [each.product_id for each in found if isinstance(each, Prediction)]
        assert ids == [f"{each.offset}" for each in batch]


async def test_a_cancelled_call_does_not_disturb_others(inference: Inference) -> None:
    calls = [asyncio.create_task(inference.predict([listing(number)])) for number in range(20)]
    await asyncio.sleep(0)
    for number, task in enumerate(calls):
        if number % 2:
            task.cancel()
    results = await asyncio.gather(*calls, return_exceptions=True)
    for number, result in enumerate(results):
        if number % 2:
            assert isinstance(result, asyncio.CancelledError)
        else:
            assert isinstance(result, list)
            (found,) = result
            assert isinstance(found, Prediction)
            assert found.product_id == f"{number}"


async def test_cache_requests_are_counted(inference: Inference) -> None:
    hits, misses = inference.cache_requests
    for _ in range(2):
        await inference.predict([listing(1, "never seen before"), listing(2, "never seen before")])
    assert inference.cache_requests == (hits + 2, misses + 2)


async def test_it_knows_the_versions_and_categories_of_the_model(
    inference: Inference, predictor: Predictor
) -> None:
    model_info = inference.model_info
    assert (model_info.model_version, model_info.taxonomy_version) == (
        predictor.enricher.model_version,
        predictor.enricher.taxonomy_version,
    )
    assert len(model_info.taxonomy) == len(predictor.enricher.taxonomy)


async def test_once_closed_it_takes_no_more(predictor: Predictor) -> None:
    for closed in (InferenceThread(predictor), InferenceProcess(STUDENT, FATAL)):
        closed.close()
        with pytest.raises(RetryLater):
            await closed.predict([listing(1)])


def test_the_configuration_reaches_the_process_unchanged(tmp_path: Path) -> None:
    serving = ServingConfig(
        model=tmp_path / "模型", taxonomy=tmp_path, threads=3, threshold=0.5, hardware=Hardware(device="auto")
    )
    config = PredictorConfig(serving=serving, drift_snapshot=tmp_path / "drift.json", drift_half_life_s=1.5)
    assert decode_config(encode_config(config).decode()) == config


# Failures of a process


async def test_a_process_that_is_killed_is_restarted_and_predicts_its_batches(
    fatal: InferenceProcess,
) -> None:
    first = fatal.pid
    assert first is not None
    calls = [asyncio.create_task(fatal.predict([value(b"%d" % number)])) for number in range(5)]
    await asyncio.sleep(0)
    os.kill(first, signal.SIGKILL)
    for number, task in enumerate(calls):
        assert await task == [Prediction("p", b"%d" % number, None, "fatal-1")]
    await eventually(lambda: fatal.pid not in (None, first))
    assert fatal.restarts == 1
    assert await fatal.predict([value(b"later")]) == [Prediction("p", b"later", None, "fatal-1")]


async def test_each_death_while_the_model_loads_is_counted(tmp_path: Path) -> None:
    """The second and third process die before they are ready."""
    starts = tmp_path / "starts"
    script = (
        "import os, pathlib, runpy, signal;"
        f"starts = pathlib.Path({str(starts)!r}); starts.open('a').write('x');"
        "dies = starts.stat().st_size in (2, 3);"
        "dies and os.kill(os.getpid(), signal.SIGKILL);"
        f"runpy.run_path({fatal_inference.__file__!r}, run_name='__main__')"
    )
    process = InferenceProcess(STUDENT, (sys.executable, "-c", script))
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    later = Prediction("p", b"later", None, "fatal-1")
    async with asyncio.timeout(60):
        while True:
            with suppress(RetryLater):
                assert await process.predict([value(b"later")]) == [later]
                break
    assert (process.restarts, process.hangs, starts.read_text()) == (3, 0, "xxxx")
    process.close()


async def test_a_process_that_dies_while_nothing_comes_is_started_again(fatal: InferenceProcess) -> None:
    first = fatal.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    await eventually(lambda: fatal.pid not in (None, first))
    assert fatal.unavailable_reason is None


async def test_a_process_that_stops_or_takes_too_long_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stopped process sends no heartbeat. One that waits forever sends heartbeats and no reply."""
    monkeypatch.setattr(watch, "SILENCE_S", 3.0)
    monkeypatch.setattr(watch, "_REPORT_AFTER_S", 1.0)
    process = InferenceProcess(STUDENT, FATAL, timeout_s=2.0)
    first = process.pid
    assert first is not None
    os.kill(first, signal.SIGSTOP)
    call = asyncio.create_task(process.predict([value(b"innocent")]))
    await eventually(lambda: "not answered" in (process.unavailable_reason or ""))
    assert len(await call) == 1
    assert (process.restarts, process.hangs) == (1, 1)
    with pytest.raises(InferenceFailed, match=r"2 times .* took longer than 2 s"):
        await process.predict([value(b"hanging")])
    assert len(await process.predict([value(b"innocent")])) == 1
    assert (process.restarts, process.hangs) == (3, 3)
    process.close()


async def test_a_batch_that_kills_its_process_again_and_again_fails_and_no_other_does(
    fatal: InferenceProcess,
) -> None:
    poison = asyncio.create_task(fatal.predict([value(b"fatal")]))
    await asyncio.sleep(0)
    assert len(await fatal.predict([value(b"innocent")])) == 1
    with pytest.raises(InferenceFailed, match=f"{ATTEMPTS} times"):
        await poison


async def test_what_the_model_raises_comes_back_and_the_process_lives_on(fatal: InferenceProcess) -> None:
    pid = fatal.pid
    with pytest.raises(InferenceFailed, match="ArithmeticError"):
        await fatal.predict([value(b"failing")])
    assert len(await fatal.predict([value(b"innocent")])) == 1
    assert fatal.pid == pid


@pytest.mark.parametrize("poison", [b"fatal", b"failing"])
async def test_a_listing_that_kills_the_model_is_dead_lettered_alone(
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
    assert len(await fatal.predict([value(b"innocent")])) == 1
    assert fatal.pid == pid


async def test_batches_before_close_are_predicted_and_then_the_process_ends(
    fatal: InferenceProcess,
) -> None:
    pid = fatal.pid
    assert pid is not None
    last = asyncio.create_task(fatal.predict([value(b"last")]))
    await asyncio.sleep(0)
    fatal.close()
    assert await last == [Prediction("p", b"last", None, "fatal-1")]
    await eventually(lambda: gone(pid))


def test_no_model_is_left_when_its_worker_is_killed() -> None:
    """A killed worker cannot stop its child."""
    script = (
        "import sys, time; from streams.inference.process import InferenceProcess as P;"
        f"from streams.inference.messages import PredictorConfig; p = P(PredictorConfig(), {FATAL!r});"
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
        InferenceProcess(PredictorConfig(serving=ServingConfig(model=tmp_path)))


def test_a_process_that_does_not_start_is_tried_later() -> None:
    with pytest.raises(RetryLater, match="exited with code 3"):
        InferenceProcess(STUDENT, (sys.executable, "-c", "raise SystemExit(3)"))


def test_a_worker_whose_model_has_a_process_does_not_load_the_model_s_runtime() -> None:
    script = (
        "import sys, streams.agents.enrich, streams.inference.process;sys.exit('onnxruntime' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
