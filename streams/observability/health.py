"""The worker's HTTP server: liveness, readiness, metrics and the status page."""

import time
from collections.abc import Callable, Sequence
from typing import Any

import orjson
import structlog
from aiohttp import web

from schemas.errors import StopWorker
from streams.observability.metrics import CONTENT_TYPE, Metrics
from streams.observability.status import WorkerStatus
from streams.observability.status_page import render

log = structlog.get_logger()

_SAFE = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


class HealthServer:
    """Serves a worker's status on the worker's event loop, so that a response proves that the loop runs.

    | path | response |
    | --- | --- |
    | `/live` | 200, or 503 once the worker failed and stops |
    | `/ready` | 200, or 503 with reasons as JSON: waiting for Kafka, restoring, stopping; also warnings |
    | `/metrics` | the metrics in Prometheus' text format |
    | `/status.json` | the data of the status page |
    | `/` | the status page |
    | POST `/acknowledge` | ends the warnings about lost records, and returns them |

    Args:
        status: The worker's status.
        metrics: The worker's metrics.
        before_scrape: Called before metrics or status are read, to update gauges.
        routes: Further routes.
        clock: Returns monotonic seconds.
    """

    def __init__(
        self,
        status: WorkerStatus,
        metrics: Metrics,
        before_scrape: Callable[[], None] = lambda: None,
        routes: Sequence[web.AbstractRouteDef] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._status = status
        self._metrics = metrics
        self.before_scrape = before_scrape
        self._clock = clock
        self._routes = routes
        self._runner: web.AppRunner | None = None

    def application(self) -> web.Application:
        """Return the routes as an application, for a server or a test client."""
        application = web.Application()
        application.router.add_get("/", self._page)
        application.router.add_get("/live", self._live)
        application.router.add_get("/ready", self._ready)
        application.router.add_get("/metrics", self._scrape)
        application.router.add_get("/status.json", self._json)
        application.router.add_post("/acknowledge", self._acknowledge)
        application.router.add_routes(self._routes)
        return application

    async def start(self, host: str, port: int) -> int | None:
        """Start to listen.

        Args:
            host: Address to listen at.
            port: Port to listen at. 0 takes any free port, -1 does not listen.

        Returns:
            The port. None if the server does not listen.

        Raises:
            StopWorker: The address is in use or not available.
        """
        if port < 0:
            return None
        runner = web.AppRunner(self.application(), access_log=None)
        await runner.setup()
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            await runner.cleanup()
            raise StopWorker(
                f"cannot serve health at {host}:{port} ({error.strerror}): set SHELFSTREAM_HTTP_PORT to "
                "another port, to 0 for any free port, or to -1 for none"
            ) from error
        self._runner = runner
        return int(runner.addresses[0][1])

    async def stop(self) -> None:
        """Stop listening. Does nothing if the server does not listen."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    async def _live(self, request: web.Request) -> web.Response:
        failed = self._status.fatal
        return _json_response({"live": failed is None, "reason": failed}, status=503 if failed else 200)

    async def _ready(self, request: web.Request) -> web.Response:
        now = self._clock()
        reasons = self._status.unready_reasons(now)
        answer = {"ready": not reasons, "reasons": reasons, "warnings": self._status.warnings(now)}
        return _json_response(answer, status=503 if reasons else 200)

    async def _scrape(self, request: web.Request) -> web.Response:
        self.before_scrape()
        return web.Response(body=self._metrics.exposition(), headers={"Content-Type": CONTENT_TYPE})

    async def _json(self, request: web.Request) -> web.Response:
        self.before_scrape()
        return _json_response(self._status.as_json(self._clock()))

    async def _acknowledge(self, request: web.Request) -> web.Response:
        acknowledged, self._status.expired = self._status.expired, {}
        log.info("lost records acknowledged", partitions=acknowledged)
        return _json_response({"acknowledged": acknowledged})

    async def _page(self, request: web.Request) -> web.Response:
        self.before_scrape()
        page = render(_escaped(self._status.as_json(self._clock())))
        return web.Response(text=page, content_type="text/html", headers=_SAFE)


def _json_response(data: dict[str, Any], status: int = 200) -> web.Response:
    try:
        body = orjson.dumps(data)
    except TypeError:
        body = orjson.dumps(_escaped(data))
    return web.Response(body=body, content_type="application/json", charset="utf-8", status=status)


def _escaped(value: Any) -> Any:
    """Return the data with escapes for lone surrogates, which an error text may have and UTF-8 has not."""
    match value:
        case str():
            return value.encode("utf-8", "backslashreplace").decode()
        case dict():
            return {_escaped(name): _escaped(each) for name, each in value.items()}
        case list() | tuple():
            return [_escaped(each) for each in value]
        case _:
            return value
