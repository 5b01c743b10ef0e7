"""Each failed connection becomes one sentence that names the address and what to do."""

import errno
import socket
import ssl
from pathlib import Path

import pytest
from aiokafka.errors import KafkaConnectionError, SaslAuthenticationFailed, UnsupportedSaslMechanismError

from schemas.errors import RetryLater
from streams.connection_errors import Address, NotAdmitted, explained
from streams.settings import Settings

BROKER = Address("kafka-1", 9093)
SETTINGS = Settings(
    security_protocol="SASL_SSL", sasl_mechanism="SCRAM-SHA-512", sasl_username="shop", sasl_password="secret"
)


def verification(code: int) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_code, error.verify_message = code, "the reason of OpenSSL"
    return error


def alert(reason: str) -> KafkaConnectionError:
    """What aiokafka raises if the broker ends the handshake: an error whose cause is OpenSSL's."""
    cause = ssl.SSLError(1, reason)
    cause.reason = reason
    error = KafkaConnectionError("closed")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (ConnectionRefusedError(errno.ECONNREFUSED, "refused"), "cannot be reached (connection refused)"),
        (OSError(errno.EHOSTUNREACH, "unreachable"), "cannot be reached (no route to host)"),
        (TimeoutError(), "cannot be reached (no answer within 4 s)"),
        (socket.gaierror(-2, "Name or service not known"), "host name kafka-1 cannot be resolved"),
    ],
)
def test_an_address_that_does_not_answer_is_tried_again(error: OSError, sentence: str) -> None:
    found = explained(error, BROKER, SETTINGS)
    assert isinstance(found, RetryLater)
    assert sentence in str(found)
    assert "SHELFSTREAM_BOOTSTRAP_SERVERS" in str(found)


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (verification(10), "the certificate of Kafka at kafka-1:9093 has expired"),
        (verification(9), "is not valid yet"),
        (verification(62), "is not for the host name kafka-1"),
        (verification(20), "an authority that is not in the system's list"),
        (verification(7), "is refused: the reason of OpenSSL"),
        (alert("TLSV13_ALERT_CERTIFICATE_REQUIRED"), "wants a client certificate (certificate required)"),
        (alert("WRONG_VERSION_NUMBER"), "does not speak TLS; set SHELFSTREAM_SECURITY_PROTOCOL"),
        (alert("NO_SHARED_CIPHER"), "the TLS handshake with Kafka at kafka-1:9093 fails: no shared cipher"),
        (SaslAuthenticationFailed("invalid credentials"), "refuses the user 'shop' with SCRAM-SHA-512"),
        (ValueError("Server sent wrong signature!"), "refuses the user 'shop'"),
        (UnsupportedSaslMechanismError("x"), "does not take the mechanism SCRAM-SHA-512"),
        (KafkaConnectionError("closed"), "closed the connection: is SASL_SSL"),
    ],
)
def test_a_refusal_says_what_is_wrong(error: Exception, sentence: str) -> None:
    found = explained(error, BROKER, SETTINGS)
    assert isinstance(found, NotAdmitted)
    assert sentence in str(found)
    assert "secret" not in str(found)


def test_a_refused_client_certificate_is_named() -> None:
    settings = Settings(security_protocol="SSL", ssl_certfile=Path("me.pem"), ssl_keyfile=Path("me.key"))
    sentence = str(explained(alert("TLSV1_ALERT_UNKNOWN_CA"), BROKER, settings))
    assert sentence.startswith("Kafka at kafka-1:9093 refuses the client certificate me.pem (unknown ca)")


def test_a_wrong_password_from_a_file_names_the_file() -> None:
    settings = Settings(
        security_protocol="SASL_SSL", sasl_username="shop", sasl_password_file=Path("/run/secrets/kafka")
    )
    sentence = str(explained(SaslAuthenticationFailed("invalid"), BROKER, settings))
    assert "correct the password in /run/secrets/kafka" in sentence
