"""Structured logs: ours and those of every library, in one form, on standard error."""

import logging
import sys
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

# What they tell at their usual levels, our own logs and metrics tell better.
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
    """Send all logs of this process to `stream`, once for all; call again to change them.

    Args:
        form: "console" (colours on a terminal), "json" (an object a line), or "auto": console on a terminal.
        level: the least severity of our own logs: "debug", "info", "warning" or "error".
        stream: where to; None: standard error.
        context: what every line says, such as `worker_id`.
    """
    stream = sys.stderr if stream is None else stream
    as_json = form == "json" or (form == "auto" and not stream.isatty())
    shared: list[Processor] = [
        _always(context),
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


def _always(context: dict[str, Any]) -> Processor:
    """Adds `context` to each line; context variables would not reach other threads."""

    def add(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
        return {**context, **event}

    return add


def _route(shared: list[Processor], as_json: bool, stream: TextIO, level: str) -> None:
    """Make one handler the only way out, for structlog and for the standard library's loggers."""
    renderers: list[Processor]
    if as_json:
        # Not structlog's own `dict_tracebacks`: it adds every frame's variables, and with them whole records.
        tracebacks = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
        renderers = [structlog.processors.ExceptionRenderer(tracebacks), structlog.processors.JSONRenderer()]
    else:
        plain = structlog.dev.plain_traceback
        renderers = [structlog.dev.ConsoleRenderer(colors=stream.isatty(), exception_formatter=plain)]
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderers],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name, least in (_QUIET | _DEBUGGED if level == "debug" else _QUIET).items():
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
        logger.setLevel(max(least, logging.getLevelNamesMapping()[level.upper()]))
    logging.captureWarnings(True)
