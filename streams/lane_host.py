"""The application, as the lanes' runtime sees it."""

from typing import Protocol

from streams.faust_transport.transport import LaneConsumerThread


class LaneHost(Protocol):
    """The application, as the runtime uses it."""

    @property
    def consumer_thread(self) -> LaneConsumerThread:
        """The thread that fetches."""
        ...

    def capacity_changed(self) -> None:
        """Receive that the capacity of a lane changed."""
        ...

    def stop_because(self, error: BaseException) -> None:
        """Stop the application."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Sleep, or return early when the application stops."""
        ...
