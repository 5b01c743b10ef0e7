"""The schema registry: decodes Confluent's wire format with confluent-kafka's own clients.

Schemas are fetched once per id. While the registry does not answer, a lane waits and tries again.
"""

import logging
import threading
import time
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import msgspec
import structlog

from schemas.errors import InvalidEvent, RetryLater, StopWorker
from schemas.wrapping.avro_types import connect_schema
from schemas.wrapping.connect_json import convert
from schemas.wrapping.recognition import schema_id
from schemas.wrapping.unwrapping import VALUE_SCHEMA_ID, Headers
from streams.credentials import registry_password
from streams.settings import Settings, variable

log = structlog.get_logger()

_TIMEOUT_S = 10
_UNKNOWN_FOR_S = 60.0
"""Seconds for which an unknown id is not asked for again: a flood of such records must stay cheap."""
_REFUSED = (401, 403)
_HEADER_BYTES = 17
_HTTP_LIBRARIES = ("httpx", "httpx2", "httpcore", "httpcore2")
EXTRA = "pip install 'shelfstream[registry]'"


class _Schema(NamedTuple):
    """How to decode the values of one schema."""

    kind: str
    connect: dict[str, Any] | None = None


class SchemaRegistry:
    """Decodes bytes of Confluent's wire format. Threads may share it.

    Args:
        settings: Settings with the registry's address and credentials.
        clock: Returns monotonic seconds.

    Raises:
        StopWorker: The client library is not installed, or a file of the settings is not usable.
    """

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._clock = clock
        self._lock = threading.Lock()
        self._schemas: dict[bytes, _Schema] = {}
        self._unknown: dict[bytes, float] = {}
        parts = urlsplit((settings.schema_registry_url or "").split(",")[0])
        self._shown = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
        self._connect()

    def decode(self, framed: bytes, is_key: bool, headers: Headers) -> Any:
        """Decode a key or a value.

        Args:
            framed: The bytes.
            is_key: Whether they are the record's key.
            headers: The record's headers. They may have the id of the value's schema.

        Returns:
            The decoded document: only what JSON has, with times and decimals as text.

        Raises:
            InvalidEvent: The schema is unknown, or the bytes do not fit it.
            RetryLater: The registry does not answer.
            StopWorker: The password's file is not readable.
        """
        header = None if is_key else _header(headers)
        name = header or framed[1:5]
        schema = self._schemas.get(name) or self._learned(name)
        try:
            return self._decoded(schema, framed, header)
        except (RetryLater, InvalidEvent):
            raise
        except Exception as error:
            if _is_of_registry(error):
                raise self._unavailable(error) from error
            what = "key" if is_key else "value"
            raise InvalidEvent(
                "undecodable",
                f"the {what} does not fit its {schema.kind} schema {_shown_id(name)}: "
                f"{str(error)[:200] or type(error).__name__}; fix the producer, and discard this record",
            ) from error

    def _connect(self) -> None:
        """Create the clients, with the credentials as they are now."""
        settings = self._settings
        client, avro = _import_client()
        config: dict[str, Any] = {
            "url": settings.schema_registry_url,
            "timeout": _TIMEOUT_S,
            "max.retries": 0,  # the lane tries again, and says so
        }
        password = registry_password(settings)
        if settings.schema_registry_username is not None:
            config["basic.auth.user.info"] = f"{settings.schema_registry_username}:{password}"
        for entry, path in (
            ("ssl.ca.location", settings.schema_registry_cafile),
            ("ssl.certificate.location", settings.schema_registry_certfile),
            ("ssl.key.location", settings.schema_registry_keyfile),
        ):
            if path is not None:
                config[entry] = str(path)
        try:
            self._client = client(config)
            # A client keeps one form of a schema, and Protobuf needs another than the text.
            self._binary_client = client(config)
        except (ValueError, OSError) as error:
            raise StopWorker(
                f"the client of the schema registry cannot be created: {error}; correct "
                f"{variable('schema_registry_url')} and the files of schema_registry_*"
            ) from error
        self._avro = avro(self._client, conf={"subject.name.strategy": _no_subject})
        self._protobuf: Any = None

    def _learned(self, name: bytes) -> _Schema:
        """Fetch a schema.

        Raises:
            InvalidEvent: `unknown-schema`: The registry has no such id.
            RetryLater: The registry does not answer.
        """
        with self._lock:
            if name in self._schemas:
                return self._schemas[name]
            now = self._clock()
            if now - self._unknown.get(name, -_UNKNOWN_FOR_S) < _UNKNOWN_FOR_S:
                raise self._unknown_schema(name)
            try:
                schema = self._schema(name)
            except Exception as error:
                if getattr(error, "http_status_code", None) == 404:
                    self._unknown[name] = now
                    raise self._unknown_schema(name) from error
                raise self._unavailable(error) from error
            self._schemas[name] = schema
            return schema

    def _schema(self, name: bytes) -> _Schema:
        if len(name) == _HEADER_BYTES:
            found = self._client.get_schema_by_guid(_shown_id(name))
        else:
            found = self._client.get_schema(int.from_bytes(name, "big"))
        kind = (found.schema_type or "AVRO").upper()
        if kind != "AVRO":
            return _Schema(kind)
        return _Schema(kind, connect_schema(msgspec.json.decode(found.schema_str or "null")))

    def _decoded(self, schema: _Schema, framed: bytes, header: bytes | None) -> Any:
        if schema.kind == "JSON":
            return msgspec.json.decode(framed if header else framed[5:])
        from confluent_kafka.serialization import MessageField, SerializationContext

        context = (
            SerializationContext("", MessageField.VALUE, [(VALUE_SCHEMA_ID, header)]) if header else None
        )
        if schema.kind == "PROTOBUF":
            return self._messages().read(framed, context)
        document = self._avro(framed, context)
        if isinstance(document, bytes):
            return document
        document = msgspec.to_builtins(document, str_keys=True)
        return document if schema.connect is None else convert(document, schema.connect)

    def _messages(self) -> Any:
        """Return the reader of Protobuf messages, which is loaded when the first one comes."""
        if self._protobuf is None:
            from streams.wrapping.protobuf import MessageReader

            self._protobuf = MessageReader(self._binary_client)
        return self._protobuf

    def _unknown_schema(self, name: bytes) -> InvalidEvent:
        return InvalidEvent(
            "unknown-schema",
            f"the schema registry {self._shown} has no schema {_shown_id(name)}; correct "
            f"{variable('schema_registry_url')}, or register the schema, and redrive this record",
        )

    def _unavailable(self, error: Exception) -> RetryLater:
        status = getattr(error, "http_status_code", None)
        if status in _REFUSED:
            # The password may have changed: the next attempt reads its file again.
            self._connect()
            why = f"refuses the credentials (HTTP {status}); correct {variable('schema_registry_username')}"
            return RetryLater(f"the schema registry {self._shown} {why} and its password")
        what = f"answers with HTTP {status}" if status is not None else "does not answer"
        return RetryLater(
            f"the schema registry {self._shown} {what} ({str(error)[:200] or type(error).__name__}); start "
            f"it, or correct {variable('schema_registry_url')}"
        )


def _import_client() -> tuple[Any, Any]:
    """Import the classes of the client and of Avro values.

    Raises:
        StopWorker: The extra is not installed.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the client's libraries warn of each other's versions
            from confluent_kafka.schema_registry import SchemaRegistryClient
            from confluent_kafka.schema_registry.avro import AvroDeserializer
    except ImportError as error:
        raise StopWorker(
            f"confluent values need the client of a schema registry, which is not installed ({error}): "
            f"{EXTRA}"
        ) from error
    for library in _HTTP_LIBRARIES:
        logging.getLogger(library).setLevel(logging.WARNING)  # not a line for each request
    return SchemaRegistryClient, AvroDeserializer


def _header(headers: Headers) -> bytes | None:
    found = next((value for name, value in headers if name == VALUE_SCHEMA_ID), None)
    return found if found is not None and len(found) == _HEADER_BYTES else None


def _shown_id(name: bytes) -> str:
    if len(name) != _HEADER_BYTES:
        return str(schema_id(b"\x00" + name))
    digits = name[1:].hex()
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def _no_subject(*_: Any) -> None:
    """Look for no newer schema: a value is read by the one that it was written with."""


def _is_of_registry(error: Exception) -> bool:
    """Whether an error is one of the request for a schema that another one refers to."""
    return hasattr(error, "http_status_code") or type(error).__module__.split(".")[0] in _HTTP_LIBRARIES
