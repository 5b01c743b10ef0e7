"""Connection options for each Kafka client: addresses and security."""

import ssl
from typing import Any

from streams.settings import Settings


def confluent_options(settings: Settings) -> dict[str, Any]:
    """Return the options of every confluent-kafka client: addresses, client id and security."""
    options: dict[str, Any] = {
        "bootstrap.servers": settings.bootstrap_servers,
        "client.id": settings.app_id,
        "security.protocol": settings.security_protocol,
        "log_level": 2,  # errors are also returned or raised, so librdkafka need not log them
    }
    if settings.security_protocol.startswith("SASL"):
        options["sasl.mechanism"] = settings.sasl_mechanism
        options["sasl.username"] = settings.sasl_username
        options["sasl.password"] = settings.sasl_password
    if settings.security_protocol.endswith("SSL"):
        files = {
            "ssl.ca.location": settings.ssl_cafile,
            "ssl.certificate.location": settings.ssl_certfile,
            "ssl.key.location": settings.ssl_keyfile,
        }
        options.update({name: str(path) for name, path in files.items() if path is not None})
    return options


def aiokafka_options(settings: Settings) -> dict[str, Any]:
    """Return the options of every aiokafka client: addresses, client id and security.

    Raises:
        OSError: A file of the TLS settings cannot be read.
    """
    options: dict[str, Any] = {
        "bootstrap_servers": settings.bootstrap_servers,
        "client_id": settings.app_id,
        "security_protocol": settings.security_protocol,
    }
    if settings.security_protocol.startswith("SASL"):
        options["sasl_mechanism"] = settings.sasl_mechanism
        options["sasl_plain_username"] = settings.sasl_username
        options["sasl_plain_password"] = settings.sasl_password
    if settings.security_protocol.endswith("SSL"):
        context = ssl.create_default_context(cafile=settings.ssl_cafile)
        if settings.ssl_certfile is not None:
            context.load_cert_chain(settings.ssl_certfile, settings.ssl_keyfile)
        options["ssl_context"] = context
    return options


def consumer_options(settings: Settings) -> dict[str, Any]:
    """Return the options of every aiokafka consumer.

    These are `aiokafka_options`, without the check of checksums on the embedded broker, which sets a batch's
    offsets but not its checksum.

    Raises:
        OSError: A file of the TLS settings cannot be read.
    """
    return {**aiokafka_options(settings), "check_crcs": not settings.embedded}
