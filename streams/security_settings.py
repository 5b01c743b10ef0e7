"""The settings of secured Kafka connections."""

from pathlib import Path
from typing import Annotated, Literal

from msgspec import Struct

from streams.setting_descriptions import doc, secret


class SecuritySettings(Struct, frozen=True, kw_only=True):
    """How connections to Kafka are encrypted and authenticated. `Settings` extends it."""

    security_protocol: Annotated[
        Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"],
        doc("Security protocol of the Kafka connections."),
    ] = "PLAINTEXT"
    sasl_mechanism: Annotated[
        Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"],
        doc("SASL mechanism, with security_protocol SASL_*."),
    ] = "PLAIN"
    sasl_username: Annotated[str | None, doc("SASL user name, with security_protocol SASL_*.")] = None
    sasl_password: Annotated[
        str | None, secret("SASL password, with security_protocol SASL_*. Never shown.")
    ] = None
    ssl_cafile: Annotated[
        Path | None,
        doc("PEM file of the trusted certificate authority, with security_protocol SSL or SASL_SSL."),
    ] = None
    ssl_certfile: Annotated[
        Path | None, doc("PEM file of the client certificate, with security_protocol SSL or SASL_SSL.")
    ] = None
    ssl_keyfile: Annotated[
        Path | None,
        doc("PEM file of the client certificate's private key, with security_protocol SSL or SASL_SSL."),
    ] = None
