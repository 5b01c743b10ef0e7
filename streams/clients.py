"""How each Kafka client is told where the brokers are and how to be trusted."""

import ssl
from typing import Any

from streams.settings import Settings


def confluent_options(settings: Settings) -> dict[str, Any]:
    """The options that any confluent-kafka client needs: address, name, security."""
    options: dict[str, Any] = {
        "bootstrap.servers": settings.bootstrap_servers,
        "client.id": settings.app_id,
        "security.protocol": settings.security_protocol,
        "log_level": 2,  # what goes wrong comes back as an error too
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
    """The same for any aiokafka client.

    Raises:
        OSError: a file of the TLS settings cannot be read.
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
    """The same for any aiokafka consumer: `aiokafka_options`, and whether checksums are checked.

    The embedded broker sets a batch's offsets without renewing its checksum.
    """
    return {**aiokafka_options(settings), "check_crcs": not settings.embedded}
