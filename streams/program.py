"""The program around an application: its event loop, and a run until a signal or an error ends it."""

import asyncio

import faust
import uvloop
from mode.types import ServiceT

from schemas.errors import ShelfstreamError
from streams.app import LaneApp


def new_loop() -> asyncio.AbstractEventLoop:
    """The loop of this thread, to be made before the application.

    Faust makes loops of its own, one for the consumer's thread: only the policy reaches them all.
    """
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    return loop


def run_program(loop: asyncio.AbstractEventLoop, app: LaneApp, *services: ServiceT) -> None:
    """Give the application and its services this thread until SIGTERM, SIGINT or an error.

    Raises:
        ShelfstreamError: the application crashed for a reason of ours.
    """
    runner = faust.Worker(
        app, *services, loop=loop, override_logging=False, redirect_stdouts=False, quiet=True
    )
    # Its end would write terminal codes into whatever reads our standard output.
    runner.spinner = None
    try:
        runner.execute_from_commandline()
    finally:
        if isinstance(app.crash_reason, ShelfstreamError):
            raise app.crash_reason
