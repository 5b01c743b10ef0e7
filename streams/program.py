"""The program around an application: its event loop, and its run until a signal or an error."""

import asyncio

import faust
import uvloop
from mode.types import ServiceT

from schemas.errors import ShelfstreamError
from streams.app import LaneApp


def new_loop() -> asyncio.AbstractEventLoop:
    """Create the event loop of this thread. Call this before the application is built.

    It also sets uvloop's policy, because Faust creates more loops, such as that of the consumer's thread.
    """
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    return loop


def run_program(loop: asyncio.AbstractEventLoop, app: LaneApp, *services: ServiceT) -> None:
    """Run the application and its services in this thread until SIGTERM, SIGINT or an error.

    Args:
        loop: The event loop.
        app: The application.
        services: Services to run beside it.

    Raises:
        ShelfstreamError: The application crashed with this error.
    """
    runner = faust.Worker(
        app, *services, loop=loop, override_logging=False, redirect_stdouts=False, quiet=True
    )
    # The spinner would write terminal codes to the standard output.
    runner.spinner = None
    try:
        runner.execute_from_commandline()
    finally:
        if isinstance(app.crash_reason, ShelfstreamError):
            raise app.crash_reason
