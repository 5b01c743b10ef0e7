"""Patch: read the password anew for each connection. The package's docstring says why."""

from typing import Any

import aiokafka.conn
from aiokafka.errors import KafkaConnectionError

from schemas.errors import StopWorker


class PatchedConnection(aiokafka.conn.AIOKafkaConnection):  # type: ignore[misc]
    """Replaces aiokafka's connection: its password may be a function that returns it as it is now."""

    def __init__(self, host: str, port: int, **options: Any) -> None:
        password = options.get("sasl_plain_password")
        if callable(password):
            try:
                options["sasl_plain_password"] = password()
            except StopWorker as error:
                # A file that is being replaced is readable again soon.
                raise KafkaConnectionError(str(error)) from error
        super().__init__(host, port, **options)


def patch_password() -> None:
    """Let all later connections of aiokafka in this process take functions as passwords."""
    aiokafka.conn.AIOKafkaConnection = PatchedConnection
