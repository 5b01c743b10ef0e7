"""Translates failed connections into one sentence that names the thing: the address, the file, the user."""

import os
import ssl
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from aiokafka import errors

from schemas.errors import RetryLater, ShelfstreamError, StopWorker
from streams.settings import Settings, variable

CONNECT_TIMEOUT_S = 4.0
_EXPIRED, _NOT_YET_VALID, _HOST_NAME, _ADDRESS = 10, 9, 62, 64
_UNKNOWN_AUTHORITY = {2, 18, 19, 20, 21}  # OpenSSL's codes of a chain that ends at no trusted certificate


class NotAdmitted(StopWorker):
    """Kafka or this program refuses the connection: TLS, authentication or authorization.

    It is mended outside of this program. A worker waits for that; a command ends.
    """


class Address(NamedTuple):
    """A broker's address."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def explained(error: BaseException, address: Address, settings: Settings) -> ShelfstreamError:
    """Translate a failed connection into an error whose message is one sentence for the operator.

    Args:
        error: What the client or the operating system reported.
        address: The address that was tried.
        settings: The settings of the connection.

    Returns:
        NotAdmitted for TLS and authentication; RetryLater if the address cannot be reached.
    """
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return NotAdmitted(_broker_certificate(cause, address, settings))
        if isinstance(cause, ssl.SSLError):
            return NotAdmitted(_handshake(cause, address, settings))
    if isinstance(error, errors.UnsupportedSaslMechanismError):
        return NotAdmitted(
            f"Kafka at {address} does not take the mechanism {settings.sasl_mechanism}; set "
            f"{variable('sasl_mechanism')} to one that this listener takes"
        )
    if isinstance(error, errors.SaslAuthenticationFailed | errors.AuthenticationFailedError | ValueError):
        return NotAdmitted(_authentication(error, address, settings))
    if isinstance(error, OSError) and (error.errno is not None or isinstance(error, TimeoutError)):
        return RetryLater(_unreachable(error, address))
    if isinstance(error, TimeoutError | errors.RequestTimedOutError):
        return RetryLater(f"Kafka at {address} did not answer within {CONNECT_TIMEOUT_S:.0f} s")
    return NotAdmitted(
        f"Kafka at {address} closed the connection: is {settings.security_protocol}"
        f" ({variable('security_protocol')}) what this listener speaks?"
    )


def _causes(error: BaseException) -> Iterable[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__


def _broker_certificate(error: ssl.SSLCertVerificationError, address: Address, settings: Settings) -> str:
    code = error.verify_code
    if code == _EXPIRED:
        return f"the certificate of Kafka at {address} has expired; renew it on the broker"
    if code == _NOT_YET_VALID:
        return f"the certificate of Kafka at {address} is not valid yet; is the clock of this machine right?"
    if code in (_HOST_NAME, _ADDRESS):
        return (
            f"the certificate of Kafka at {address} is not for the host name {address.host}; use a name "
            f"that it holds in {variable('bootstrap_servers')}, or renew it with this name"
        )
    if code in _UNKNOWN_AUTHORITY:
        trusted = settings.ssl_cafile or "the system's list of authorities"
        return (
            f"the certificate of Kafka at {address} is signed by an authority that is not in {trusted}; set "
            f"{variable('ssl_cafile')} to the PEM file of its authority"
        )
    return f"the certificate of Kafka at {address} is refused: {error.verify_message}"


def _handshake(error: ssl.SSLError, address: Address, settings: Settings) -> str:
    reason = error.reason or str(error)
    if reason in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST"):
        return (
            f"Kafka at {address} does not speak TLS; set {variable('security_protocol')} to what this "
            f"listener speaks"
        )
    certificate = settings.ssl_certfile
    if "ALERT" in reason:
        why = reason.split("ALERT_")[-1].lower().replace("_", " ")
        if certificate is None:
            return (
                f"Kafka at {address} wants a client certificate ({why}); set {variable('ssl_certfile')} and "
                f"{variable('ssl_keyfile')}"
            )
        end = certificate_end(certificate)
        if end is not None and end < time.time():
            return f"the client certificate {certificate} ({variable('ssl_certfile')}) has expired; renew it"
        return (
            f"Kafka at {address} refuses the client certificate {certificate} ({why}); does the broker "
            f"trust its authority?"
        )
    return f"the TLS handshake with Kafka at {address} fails: {reason.lower().replace('_', ' ')}"


def _authentication(error: BaseException, address: Address, settings: Settings) -> str:
    broker = str(error.args[0]) if error.args else type(error).__name__
    if settings.sasl_mechanism == "OAUTHBEARER":
        who, correct = "the token", f"correct {variable('sasl_oauth_token')}={settings.sasl_oauth_token}"
    elif settings.sasl_password_file is not None:
        who = f"the user {settings.sasl_username!r}"
        correct = f"correct the password in {settings.sasl_password_file}"
    else:
        who, correct = f"the user {settings.sasl_username!r}", f"correct {variable('sasl_password')}"
    return (
        f"Kafka at {address} refuses {who} with {settings.sasl_mechanism} ({broker}); {correct}, or the "
        f"user on the broker"
    )


def _unreachable(error: OSError, address: Address) -> str:
    if type(error).__name__ == "gaierror":
        return (
            f"the host name {address.host} cannot be resolved ({error.strerror}); is "
            f"{variable('bootstrap_servers')} right?"
        )
    why = f"no answer within {CONNECT_TIMEOUT_S:.0f} s"
    if error.errno:
        why = os.strerror(error.errno).lower()
    return (
        f"Kafka at {address} cannot be reached ({why}); is it running, and is "
        f"{variable('bootstrap_servers')} right?"
    )


def certificate_end(path: Path) -> float | None:
    """Return when a certificate ends, in seconds since 1970; None if that cannot be read."""
    import _ssl  # the one decoder of certificates in the standard library; it has no public name

    try:
        fields: dict[str, Any] = _ssl._test_decode_cert(str(path))  # type: ignore[attr-defined]
        return ssl.cert_time_to_seconds(fields["notAfter"])
    except (AttributeError, KeyError, ValueError, ssl.SSLError):
        return None
