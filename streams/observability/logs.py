"""Structured logs on standard error, in one format for this project and all libraries."""

import logging
import sys
from collections.abc import Callable
from typing import Any, TextIO

import orjson
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from streams.observability.limited_handler import LimitedHandler

# Minimum levels of noisy libraries. Our own logs and metrics report the same events better.
_QUIET: dict[str, int] = {
    "aiohttp.access": logging.WARNING,
    "aiokafka": logging.WARNING,
    "aiokafka.consumer.group_coordinator": logging.ERROR,
    "asyncio": logging.WARNING,
    "faust": logging.WARNING,
    "mode": logging.WARNING,
    "kafka": logging.WARNING,
}
_DEBUGGED = {"aiokafka": logging.INFO, "faust": logging.INFO, "mode": logging.INFO}


def configure_logs(
    form: str = "auto", level: str = "info", stream: TextIO | None = None, **context: Any
) -> None:
    """Configure all logs of this process. A later call replaces the configuration.

    Equal lines are written a few times a minute and then counted, except at level "debug".

    Args:
        form: "console" (colored on a terminal), "json" (one object per line), or "auto" ("console" on a
            terminal, "json" elsewhere).
        level: Minimum severity of our own logs: "debug", "info", "warning" or "error".
        stream: Where the logs are written. None means standard error.
        context: Fields of every line, such as `worker_id`.
    """
    stream = sys.stderr if stream is None else stream
    as_json = form == "json" or (form == "auto" and not stream.isatty())
    shared: list[Processor] = [
        _with_context(context),
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.UnicodeDecoder(),
    ]
    _route(shared, as_json, stream, level)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def flush_repeated(*, everything: bool = False) -> None:
    """Write how often lines were repeated.

    Args:
        everything: Whether to include minutes that have not ended: the process ends, or is replaced.
    """
    for handler in logging.getLogger().handlers:
        if isinstance(handler, LimitedHandler):
            if everything:
                handler.write_all()
            else:
                handler.write_ended()


def _with_context(context: dict[str, Any]) -> Processor:
    """Return a processor that adds `context` to each line. Context variables do not reach other threads."""

    def add(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
        return {**context, **event}

    return add


def _route(shared: list[Processor], as_json: bool, stream: TextIO, level: str) -> None:
    """Install one handler for structlog and for the standard library's loggers."""
    renderers: list[Processor]
    if as_json:
        # structlog's `dict_tracebacks` would add the variables of every frame, and with them whole records.
        tracebacks = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
        renderers = [
            structlog.processors.ExceptionRenderer(tracebacks),
            structlog.processors.JSONRenderer(_to_json),
        ]
    else:
        plain = structlog.dev.plain_traceback
        renderers = [structlog.dev.ConsoleRenderer(colors=stream.isatty(), exception_formatter=plain)]
    handler = logging.StreamHandler(stream) if level == "debug" else LimitedHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderers],
        )
    )
    root = logging.getLogger()
    flush_repeated(everything=True)
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name, least in (_QUIET | _DEBUGGED if level == "debug" else _QUIET).items():
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
        logger.setLevel(max(least, logging.getLevelNamesMapping()[level.upper()]))
    logging.captureWarnings(True)


def _to_json(event: EventDict, default: Callable[[Any], Any]) -> str:
    """Serialize a line. `default` converts objects that JSON has no type for."""
    try:
        return orjson.dumps(event, default=default, option=orjson.OPT_NON_STR_KEYS).decode()
    except TypeError:
        # orjson rejects lone surrogates and integers beyond 64 bits. The line is logged as text instead.
        return orjson.dumps({_escaped(name): _escaped(value) for name, value in event.items()}).decode()


def _escaped(value: Any) -> str:
    return str(value).encode("utf-8", "backslashreplace").decode()
