"""The settings of secured Kafka connections."""

from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, Struct

from streams.setting_descriptions import doc, secret


class SecuritySettings(Struct, frozen=True, kw_only=True):
    """How connections to Kafka are encrypted and authenticated. `Settings` extends it."""

    security_protocol: Annotated[
        Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"],
        doc("Security protocol of the Kafka connections."),
    ] = "PLAINTEXT"
    sasl_mechanism: Annotated[
        Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"],
        doc("SASL mechanism, with security_protocol SASL_*."),
    ] = "PLAIN"
    sasl_username: Annotated[str | None, doc("SASL user name, with security_protocol SASL_*.")] = None
    sasl_password: Annotated[
        str | None, secret("SASL password, with security_protocol SASL_*. Never shown.")
    ] = None
    sasl_password_file: Annotated[
        Path | None,
        doc("File with the SASL password, instead of sasl_password. Read again at each new connection."),
    ] = None
    sasl_oauth_token: Annotated[
        Annotated[str, Meta(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$")] | None,
        doc(
            "Function that returns a token and its end in seconds since 1970, as `module:function`, with "
            "sasl_mechanism OAUTHBEARER."
        ),
    ] = None
    ssl_cafile: Annotated[
        Path | None,
        doc(
            "PEM file of the trusted certificate authorities, with security_protocol SSL or SASL_SSL."
            " If unset, those of the system."
        ),
    ] = None
    ssl_certfile: Annotated[
        Path | None, doc("PEM file of the client certificate, with security_protocol SSL or SASL_SSL.")
    ] = None
    ssl_keyfile: Annotated[
        Path | None,
        doc("PEM file of the client certificate's private key, with security_protocol SSL or SASL_SSL."),
    ] = None
    ssl_key_password: Annotated[str | None, secret("Password of an encrypted ssl_keyfile. Never shown.")] = (
        None
    )
    ssl_key_password_file: Annotated[
        Path | None, doc("File with the password of ssl_keyfile, instead of ssl_key_password.")
    ] = None


def security_contradictions(settings: SecuritySettings) -> list[str]:
    """Return a message for each rule between settings of security that is broken."""
    sasl = settings.security_protocol.startswith("SASL")
    oauth = settings.sasl_mechanism == "OAUTHBEARER"
    password = settings.sasl_password or settings.sasl_password_file
    checks = (
        (
            not sasl or oauth or bool(settings.sasl_username and password),
            "security_protocol SASL_* needs sasl_username, and sasl_password or sasl_password_file",
        ),
        (
            not (sasl and oauth) or settings.sasl_oauth_token is not None,
            "sasl_mechanism OAUTHBEARER needs sasl_oauth_token",
        ),
        (
            settings.sasl_password is None or settings.sasl_password_file is None,
            "sasl_password and sasl_password_file exclude each other: set one of them",
        ),
        (
            (settings.ssl_certfile is None) == (settings.ssl_keyfile is None),
            "ssl_certfile and ssl_keyfile belong together: set both or neither",
        ),
        (
            settings.ssl_key_password is None or settings.ssl_key_password_file is None,
            "ssl_key_password and ssl_key_password_file exclude each other: set one of them",
        ),
    )
    return [problem for holds, problem in checks if not holds]
