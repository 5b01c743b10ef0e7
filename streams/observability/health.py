"""The worker's HTTP side: liveness, readiness, metrics and the status page."""

import time
from collections.abc import Callable

from aiohttp import web

from schemas.errors import StopWorker
from streams.observability.metrics import CONTENT_TYPE, Metrics
from streams.observability.status import WorkerStatus
from streams.observability.status_page import render

_SAFE = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


class HealthServer:
    """Serves a worker's status on the worker's own event loop, so that an answer proves that the loop runs.

    | path | answer |
    | --- | --- |
    | `/live` | 200; 503 once the worker failed for good: restart it |
    | `/ready` | 200, or 503 with the reasons as JSON: it is starting, restoring, or Kafka is away; warnings |
    | `/metrics` | Prometheus' text format |
    | `/status.json` | everything that the page shows |
    | `/` | the status page |

    Args:
        status: what the lanes fill.
        metrics: the worker's instruments.
        before_scrape: called before metrics and status are read, to bring gauges up to date.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        status: WorkerStatus,
        metrics: Metrics,
        before_scrape: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._status = status
        self._metrics = metrics
        self._before_scrape = before_scrape
        self._clock = clock
        self._runner: web.AppRunner | None = None

    def application(self) -> web.Application:
        """The routes, for a server or a test client."""
        application = web.Application()
        application.router.add_get("/", self._page)
        application.router.add_get("/live", self._live)
        application.router.add_get("/ready", self._ready)
        application.router.add_get("/metrics", self._scrape)
        application.router.add_get("/status.json", self._json)
        return application

    async def start(self, host: str, port: int) -> int | None:
        """Listen.

        Args:
            host: the address to listen at.
            port: 0 for any that is free; -1 to not listen at all.

        Returns:
            The port; None when not listening.

        Raises:
            StopWorker: the address cannot be had.
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
                "another port, to 0 for any that is free, or to -1 for none"
            ) from error
        self._runner = runner
        return int(runner.addresses[0][1])

    async def stop(self) -> None:
        """Stop listening; does nothing if it does not."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    async def _live(self, request: web.Request) -> web.Response:
        failed = self._status.fatal
        return web.json_response({"live": failed is None, "reason": failed}, status=503 if failed else 200)

    async def _ready(self, request: web.Request) -> web.Response:
        reasons = self._status.unready(self._clock())
        answer = {"ready": not reasons, "reasons": reasons, "warnings": self._status.warnings()}
        return web.json_response(answer, status=503 if reasons else 200)

    async def _scrape(self, request: web.Request) -> web.Response:
        self._before_scrape()
        return web.Response(body=self._metrics.exposition(), headers={"Content-Type": CONTENT_TYPE})

    async def _json(self, request: web.Request) -> web.Response:
        self._before_scrape()
        return web.json_response(self._status.as_json(self._clock()))

    async def _page(self, request: web.Request) -> web.Response:
        self._before_scrape()
        page = render(self._status.as_json(self._clock()))
        return web.Response(text=page, content_type="text/html", headers=_SAFE)
