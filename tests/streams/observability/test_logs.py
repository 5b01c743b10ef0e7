"""The logs: one format for this project and for all libraries."""

import io
import logging
import threading
import warnings

import orjson
import pytest
import structlog

from streams.observability.logs import configure_logs

pytestmark = pytest.mark.usefixtures("logging_as_before")


def _lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [orjson.loads(line) for line in stream.getvalue().splitlines()]


def test_our_lines_and_those_of_a_library_have_one_format() -> None:
    stream = io.StringIO()
    configure_logs("json", stream=stream, worker_id="w1")
    structlog.get_logger("streams.lanes.lane").info("batch committed", records=3)
    logging.getLogger("faust.app").warning("slow %s", "broker")
    ours, theirs = _lines(stream)
    assert (ours["event"], ours["records"], ours["logger"]) == ("batch committed", 3, "streams.lanes.lane")
    assert (theirs["event"], theirs["level"], theirs["logger"]) == ("slow broker", "warning", "faust.app")
    assert ours["worker_id"] == theirs["worker_id"] == "w1"
    assert str(ours["timestamp"]).endswith("Z")


def test_lines_of_other_threads_name_the_worker() -> None:
    stream = io.StringIO()
    configure_logs("json", stream=stream, worker_id="w1")
    thread = threading.Thread(target=structlog.get_logger("inference").info, args=("warm",))
    thread.start()
    thread.join()
    assert _lines(stream)[0]["worker_id"] == "w1"


def test_noisy_libraries_are_logged_at_debug_level_only() -> None:
    stream = io.StringIO()
    configure_logs("json", stream=stream)
    logging.getLogger("aiokafka.cluster").info("metadata")
    logging.getLogger("mode").info("starting")
    assert stream.getvalue() == ""
    configure_logs("json", "debug", stream=stream)
    logging.getLogger("mode").info("starting")
    assert _lines(stream)[0]["event"] == "starting"


def test_nothing_is_logged_below_the_level() -> None:
    stream = io.StringIO()
    configure_logs("json", "error", stream=stream)
    structlog.get_logger("streams").warning("not logged")
    assert stream.getvalue() == ""


def test_an_exception_is_one_json_line_with_its_type() -> None:
    stream = io.StringIO()
    configure_logs("json", stream=stream)
    try:
        int("odd")
    except ValueError:
        structlog.get_logger("streams").exception("failed")
    # Other tests' tasks, collected just now, may log an exception of their own through the root logger.
    (line,) = (line for line in _lines(stream) if line["event"] == "failed")
    assert "ValueError" in str(line["exception"])


@pytest.mark.parametrize("value", ["\ud800", 2**70, {1: "\ud800"}, object()])
def test_a_value_that_json_does_not_have_loses_no_line(value: object) -> None:
    stream = io.StringIO()
    configure_logs("json", stream=stream, worker_id="w1")
    structlog.get_logger("streams").info("odd", value=value)
    (line,) = _lines(stream)
    assert (line["event"], line["worker_id"]) == ("odd", "w1")
    assert line["value"]


@pytest.mark.parametrize("form", ["json", "console"])
def test_a_traceback_does_not_contain_the_values_of_variables(form: str) -> None:
    """Variables hold records, which can be personal data and make a line many times as long."""
    stream = io.StringIO()
    configure_logs(form, stream=stream)
    title = "a shopper's secret"
    try:
        int(title[:1])
    except ValueError:
        structlog.get_logger("streams").exception("failed")
    assert "ValueError" in stream.getvalue()
    assert title not in stream.getvalue()


def test_warnings_become_log_lines() -> None:
    stream = io.StringIO()
    configure_logs("json", stream=stream)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(True)
        warnings.warn("old way", UserWarning, stacklevel=1)
    assert "old way" in str(_lines(stream)[-1]["event"])


def test_auto_is_json_without_a_terminal() -> None:
    stream = io.StringIO()
    configure_logs(stream=stream)
    structlog.get_logger("streams").info("hello")
    assert _lines(stream)[0]["event"] == "hello"


def test_the_console_form_is_readable_text() -> None:
    stream = io.StringIO()
    configure_logs("console", stream=stream)
    structlog.get_logger("streams").info("hello", lane="enrich-0")
    assert "hello" in stream.getvalue()
    assert "lane=enrich-0" in stream.getvalue()
