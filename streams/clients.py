"""Connection options for each Kafka client: addresses and security."""

import functools
from typing import Any

from schemas.errors import RetryLater, StopWorker
from streams.credentials import (
    ReloadingTlsContext,
    TokenProvider,
    credentials_version,
    key_password,
    sasl_password,
    token_function,
)
from streams.settings import Settings

_METADATA_MAX_AGE_MS = 15_000
"""A topic that was created again, or a leader that metadata lacked after a restart of all brokers, is found
after this time. The default is five minutes."""


def confluent_options(settings: Settings) -> dict[str, Any]:
    """Return the options of every confluent-kafka client: addresses, client id and security.

    They hold the credentials as they are now: a client that lives long takes `current_confluent_options`.

    Raises:
        StopWorker: A file with a secret cannot be read.
    """
    options: dict[str, Any] = {
        "bootstrap.servers": settings.bootstrap_servers,
        "client.id": settings.app_id,
        "security.protocol": settings.security_protocol,
        "log_level": 2,  # errors are also returned or raised, so librdkafka need not log them
    }
    if settings.security_protocol.startswith("SASL"):
        options["sasl.mechanism"] = settings.sasl_mechanism
        if settings.sasl_mechanism == "OAUTHBEARER":
            token = token_function(settings.sasl_oauth_token or "")
            options["oauth_cb"] = lambda _: token()
        else:
            options["sasl.username"] = settings.sasl_username
            options["sasl.password"] = sasl_password(settings)
    if settings.security_protocol.endswith("SSL"):
        files = {
            "ssl.ca.location": settings.ssl_cafile,
            "ssl.certificate.location": settings.ssl_certfile,
            "ssl.key.location": settings.ssl_keyfile,
            "ssl.key.password": key_password(settings),
        }
        options.update({name: str(value) for name, value in files.items() if value is not None})
    return options


def current_confluent_options(settings: Settings) -> tuple[dict[str, Any], object]:
    """Return `confluent_options`, and a version of the credentials in them.

    Raises:
        RetryLater: A file with a secret cannot be read. It may be in the middle of a replacement.
    """
    version = credentials_version(settings)
    try:
        return confluent_options(settings), version
    except StopWorker as error:
        raise RetryLater(str(error)) from error


def aiokafka_options(settings: Settings) -> dict[str, Any]:
    """Return the options of every aiokafka client: addresses, client id, age of metadata and security.

    New connections of the client use the credentials as they are then. `patch_password` must have been
    called if the password is in a file.

    Raises:
        StopWorker: A file of the TLS settings or with a secret cannot be read.
    """
    options: dict[str, Any] = {
        "bootstrap_servers": settings.bootstrap_servers,
        "client_id": settings.app_id,
        "metadata_max_age_ms": _METADATA_MAX_AGE_MS,
        **security_options(settings),
    }
    if settings.sasl_password_file is not None and "sasl_plain_password" in options:
        options["sasl_plain_password"] = lambda: sasl_password(settings)
    return options


def security_options(settings: Settings) -> dict[str, Any]:
    """Return the options of security of one aiokafka connection, with the password as it is now.

    Raises:
        StopWorker: A file of the TLS settings or with a secret cannot be read.
    """
    options: dict[str, Any] = {"security_protocol": settings.security_protocol}
    if settings.security_protocol.startswith("SASL"):
        options["sasl_mechanism"] = settings.sasl_mechanism
        if settings.sasl_mechanism == "OAUTHBEARER":
            provider = TokenProvider(token_function(settings.sasl_oauth_token or ""))
            options["sasl_oauth_token_provider"] = provider
        else:
            options["sasl_plain_username"] = settings.sasl_username
            options["sasl_plain_password"] = sasl_password(settings)
    if settings.security_protocol.endswith("SSL"):
        options["ssl_context"] = _tls_context(settings)
    return options


@functools.lru_cache(maxsize=4)
def _tls_context(settings: Settings) -> ReloadingTlsContext:
    """Return the context that the connections share: the system's authorities are read once."""
    return ReloadingTlsContext(settings)


def consumer_options(settings: Settings) -> dict[str, Any]:
    """Return the options of every aiokafka consumer.

    These are `aiokafka_options`, without the check of checksums on the embedded broker, which sets a batch's
    offsets but not its checksum.

    Raises:
        StopWorker: A file of the TLS settings or with a secret cannot be read.
    """
    return {**aiokafka_options(settings), "check_crcs": not settings.embedded}
