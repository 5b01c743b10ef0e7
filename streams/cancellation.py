"""Telling a cancelled task from a cancelled future.

aiokafka cancels futures when it gives up a connection. Whoever awaits one gets a CancelledError that nobody
has asked for, and a task that takes it for its own end is gone without a word.
"""

import asyncio


def asked_to_end() -> bool:
    """Whether somebody has cancelled the task that runs now."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
