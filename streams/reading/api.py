"""The read API: GET /affinity/PRODUCT and GET /shopper/SHOPPER, answered by the worker that has the key.

A worker reads its own committed rows. If another worker has the partition of the key, the request is passed
on to it, and its answer is returned. A request that was passed on is not passed on again.
"""

import asyncio
import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import quote

import orjson
import structlog
from aiohttp import ClientError, ClientSession, ClientTimeout, web
from yarl import URL

from schemas.errors import RetryLater, StopWorker
from schemas.keys import partition_for
from streams.agents.queries import Answer, CommittedRows, Queries
from streams.reading.owners import Owners
from streams.replay.worker_records import WorkerRecord

log = structlog.get_logger()

PASSED_ON = "X-Shelfstream-Passed-On"
"""The header of a request that a worker passed on to this one."""
_TIMEOUT = ClientTimeout(total=5.0)
_CLAIMANTS_MAX = 3
_RETRY = {"Retry-After": "1"}
_NO_STORE = {"Cache-Control": "no-store"}


@dataclass(frozen=True, slots=True)
class Source:
    """Where a worker's answers come from.

    Attributes:
        queries: Read rows. None if this worker runs neither `affinity` nor `sessions`.
        lane: Returns the lane of an agent and partition that this worker has, or None.
        owners: Which worker has the others.
        partitions: The number of partitions of every topic.
        names_of: Returns the names that a shopper may have in state: the id, or pseudonyms of it.
    """

    queries: Queries | None
    lane: Callable[[str, int], CommittedRows | None]
    owners: Owners
    partitions: int
    names_of: Callable[[str], Sequence[str]] = lambda name: (name,)


class ReadApi:
    """Answers requests. Until `source` is set it answers 503.

    Args:
        token: Returns the token now. Raises `StopWorker` if it cannot be read.
    """

    def __init__(self, token: Callable[[], str]) -> None:
        self._token = token
        self.source: Source | None = None

    def routes(self) -> Sequence[web.AbstractRouteDef]:
        """Return the routes."""
        return [
            web.get("/affinity/{key:.+}", self._affinity),
            web.get("/shopper/{key:.+}", self._shopper),
        ]

    async def _affinity(self, request: web.Request) -> web.Response:
        return await self._answer(
            request,
            "affinity",
            lambda queries, rows, key: queries.affinity(rows, key),
            "no product {}: it is unknown, or withdrawn",
        )

    async def _shopper(self, request: web.Request) -> web.Response:
        return await self._answer(
            request,
            "sessions",
            lambda queries, rows, key: queries.shopper(rows, key),
            "no shopper {}: unknown, forgotten, or a guest who became a user",
        )

    async def _answer(
        self,
        request: web.Request,
        agent: str,
        query: Callable[[Queries, CommittedRows, str], Answer],
        missing: str,
    ) -> web.Response:
        refusal = self._refusal(request)
        if refusal is not None:
            return refusal
        key, source = request.match_info["key"], self.source
        if source is None:
            return _unavailable("this worker has not started yet: see /ready")
        names: Sequence[str] = (key,)
        if agent == "sessions" and PASSED_ON not in request.headers:
            names = source.names_of(key)
        for name in names:
            found = await self._find(request, source, agent, query, name)
            if found is not None:
                return found
        return _error(404, missing.format(key))

    async def _find(
        self,
        request: web.Request,
        source: Source,
        agent: str,
        query: Callable[[Queries, CommittedRows, str], Answer],
        name: str,
    ) -> web.Response | None:
        """Return the answer for one name, or None if nothing has it."""
        if name.startswith("\x00"):
            # Rows of the lanes' own, which no product or shopper has.
            return None
        partition = partition_for(name.encode(), source.partitions)
        lane, rows = f"{agent}-{partition}", source.lane(agent, partition)
        if rows is None or source.queries is None:
            if PASSED_ON in request.headers:
                return _unavailable(f"this worker has no lane {lane} now: partitions are moving")
            return await _pass_on(request, name, source.owners.claimants(agent, partition), lane)
        try:
            answer = query(source.queries, rows, name)
        except RetryLater as error:
            return _unavailable(f"the state of {lane} cannot be read now: {error}")
        # Computing takes milliseconds: it runs off the event loop, which serves the lanes.
        body = await asyncio.to_thread(answer)
        return None if body is None else _found(body)

    def _refusal(self, request: web.Request) -> web.Response | None:
        """Return why the request is not answered; None if it has the token."""
        try:
            expected = f"Bearer {self._token()}"
        except StopWorker as error:
            log.warning("the token of the read API cannot be read", reason=str(error))
            return _unavailable("the token of the read API cannot be read: see the worker's log")
        given = request.headers.get("Authorization", "")
        if hmac.compare_digest(given.encode("utf-8", "surrogateescape"), expected.encode()):
            return None
        return _error(401, "send the header `Authorization: Bearer TOKEN`", {"WWW-Authenticate": "Bearer"})


async def _pass_on(
    request: web.Request, name: str, claimants: Sequence[WorkerRecord], lane: str
) -> web.Response | None:
    """Ask the workers that said that they have the lane, the latest word first, until one answers."""
    reason = f"no worker has said that it has {lane}"
    headers = {"Authorization": request.headers["Authorization"], PASSED_ON: "1"}
    path = f"{_kind(request)}/{quote(name, safe='')}"
    async with ClientSession(timeout=_TIMEOUT) as client:
        for worker in claimants[:_CLAIMANTS_MAX]:
            if not worker.url:
                reason = f"{worker.worker_id} has {lane}, and no SHELFSTREAM_ADVERTISED_URL"
                continue
            url = URL(f"{worker.url.rstrip('/')}/{path}", encoded=True)
            try:
                async with client.get(url, headers=headers, allow_redirects=False) as answer:
                    body = await answer.read()
            except (ClientError, TimeoutError) as error:
                reason = f"{worker.worker_id} has {lane}, and does not answer at {worker.url}: {error!r}"
                continue
            if answer.status in (200, 404):
                return _found(body) if answer.status == 200 else None
            reason = f"{worker.worker_id} has {lane}, and answers {answer.status}"
    return _unavailable(reason)


def _found(body: bytes) -> web.Response:
    return web.Response(body=body, content_type="application/json", charset="utf-8", headers=_NO_STORE)


def _kind(request: web.Request) -> str:
    return request.path.split("/")[1]


def _unavailable(reason: str) -> web.Response:
    return _error(503, reason, _RETRY)


def _error(status: int, reason: str, headers: dict[str, str] | None = None) -> web.Response:
    text = reason.encode("utf-8", "backslashreplace").decode()
    return web.Response(
        body=orjson.dumps({"error": text}),
        status=status,
        content_type="application/json",
        charset="utf-8",
        headers=_NO_STORE | (headers or {}),
    )
