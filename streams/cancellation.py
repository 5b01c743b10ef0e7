"""Tell a cancelled task from a cancelled future.

aiokafka cancels futures when it drops a connection. A task that awaits such a future gets a CancelledError
although nobody cancelled the task. It must not take this error for its own cancellation and end silently.
"""

import asyncio


def is_being_cancelled() -> bool:
    """Return whether the current task was cancelled."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
