"""Why Kafka does not let this program in, as one sentence that names the thing.

The clients report a failed connection late and as a timeout. This check makes one connection to each
address and takes the steps one by one: name, TCP, TLS, authentication, metadata.
"""

import asyncio
import ssl
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, TypeVar

from aiokafka import errors
from aiokafka.conn import AIOKafkaConnection, collect_hosts, create_conn
from aiokafka.protocol.metadata import MetadataRequest

from schemas.errors import RetryLater, ShelfstreamError
from streams.clients import security_options
from streams.connection_errors import CONNECT_TIMEOUT_S, Address, NotAdmitted, explained
from streams.settings import Settings

R = TypeVar("R")


def verify_connection(settings: Settings) -> None:
    """Connect to the brokers and log in. Blocks.

    One bootstrap address that answers is enough. Brokers that are down are no problem while another one
    answers.

    Args:
        settings: The settings of the connection.

    Raises:
        NotAdmitted: TLS or authentication fails. The message says why, and what to do.
        RetryLater: No broker can be reached.
        StopWorker: A file of the settings cannot be used.
    """
    run_blocking(_verify(settings))


def run_blocking(coroutine: Coroutine[Any, Any, R]) -> R:
    """Run a coroutine to its end on a loop of its own, also where this thread runs a loop."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, coroutine).result()


async def _verify(settings: Settings) -> None:
    async with await open_connection(settings) as connection:
        advertised = await _advertised(connection, settings)
        others = [each for each in advertised if each != connection.address]
        tried = await asyncio.gather(*(_try(each, settings) for each in others))
    for each in tried:
        if isinstance(each, Connection):
            await each.close()
    unreachable = [each for each in tried if isinstance(each, ShelfstreamError)]
    refused = [problem for problem in unreachable if isinstance(problem, NotAdmitted)]
    if refused or (unreachable and len(unreachable) == len(advertised)):
        problem = (refused or unreachable)[0]
        raise type(problem)(f"{problem} (Kafka at {connection.address} names this address of a broker)")


class Connection:
    """One connection that is logged in. Use it as an asynchronous context manager.

    Args:
        connection: The connection.
        address: The broker's address.
    """

    def __init__(self, connection: AIOKafkaConnection, address: Address) -> None:
        self._connection = connection
        self.address = address

    async def __aenter__(self) -> "Connection":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connection."""
        closed = self._connection.close()
        if closed is not None:
            with suppress(TimeoutError):
                await asyncio.wait_for(closed, 1.0)

    async def send(self, request: Any) -> Any:
        """Send a request and return the response."""
        return await asyncio.wait_for(self._connection.send(request), CONNECT_TIMEOUT_S)


async def open_connection(settings: Settings) -> Connection:
    """Connect to the first bootstrap address that answers, and log in.

    Raises:
        NotAdmitted: TLS or authentication fails.
        RetryLater: No address can be reached.
        StopWorker: A file of the settings cannot be used.
    """
    hosts = collect_hosts(settings.bootstrap_servers, randomize=False)
    addresses = [Address(host, port) for host, port, _ in hosts]
    tried = await asyncio.gather(*(_try(address, settings) for address in addresses))
    connections = [each for each in tried if isinstance(each, Connection)]
    for unused in connections[1:]:
        await unused.close()
    if connections:
        return connections[0]
    problems = [each for each in tried if isinstance(each, ShelfstreamError)]
    refused = [problem for problem in problems if isinstance(problem, NotAdmitted)]
    if refused or len(problems) == 1:
        raise (refused or problems)[0]
    raise RetryLater("; ".join(map(str, problems)))


async def _try(address: Address, settings: Settings) -> "Connection | ShelfstreamError":
    """Return a connection, or why there is none."""
    try:
        return Connection(await _connect(address, settings), address)
    except (NotAdmitted, RetryLater) as error:
        return error


async def _connect(address: Address, settings: Settings) -> AIOKafkaConnection:
    options = security_options(settings)
    try:
        return await create_conn(
            *address,
            client_id=settings.app_id,
            request_timeout_ms=int(CONNECT_TIMEOUT_S * 1000),
            **options,
        )
    except (OSError, TimeoutError, ssl.SSLError, errors.KafkaError, ValueError) as error:
        raise explained(error, address, settings) from error


async def _advertised(connection: Connection, settings: Settings) -> list[Address]:
    """Return the addresses that the brokers tell their clients to use."""
    try:
        metadata = await connection.send(MetadataRequest([]))
    except (OSError, TimeoutError, errors.KafkaError) as error:
        raise explained(error, connection.address, settings) from error
    return [Address(host, port) for _, host, port, *_ in metadata.brokers]
