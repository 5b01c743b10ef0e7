"""Secrets and certificates come from files, and are read again when these change."""

import shutil
import ssl
from pathlib import Path

import pytest
from msgspec.structs import replace

from schemas.errors import RetryLater, StopWorker
from streams.clients import aiokafka_options, current_confluent_options, security_options
from streams.credentials import ReloadingTlsContext, TokenProvider, sasl_password, tls_context, token_function
from streams.settings import Settings
from tests.support.certificates import KEY_PASSWORD, Authority, Certificate

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="makes certificates with openssl")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"), "test")


@pytest.fixture
def client(authority: Authority) -> Certificate:
    return authority.sign("client", "client")


def by_certificate(authority: Authority, client: Certificate) -> Settings:
    return Settings(
        security_protocol="SSL",
        ssl_cafile=authority.ca,
        ssl_certfile=client.certificate,
        ssl_keyfile=client.key,
    )


def by_password(file: Path) -> Settings:
    return Settings(
        security_protocol="SASL_PLAINTEXT",
        sasl_mechanism="SCRAM-SHA-512",
        sasl_username="shop",
        sasl_password_file=file,
    )


def test_both_clients_take_the_password_from_the_file_as_it_is_now(tmp_path: Path) -> None:
    file = tmp_path / "password"
    settings = by_password(file)
    file.write_text("first\n")
    options, version = current_confluent_options(settings)
    password = aiokafka_options(settings)["sasl_plain_password"]
    assert (options["sasl.password"], password()) == ("first", "first")
    assert current_confluent_options(settings) == (options, version)
    file.write_text("the second")
    options, new_version = current_confluent_options(settings)
    assert (options["sasl.password"], password()) == ("the second", "the second")
    assert new_version != version
    assert security_options(settings)["sasl_plain_password"] == "the second"


def test_a_password_file_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    file = tmp_path / "password"
    with pytest.raises(StopWorker, match=rf"{file} cannot be read: No such file.*SASL_PASSWORD_FILE"):
        sasl_password(by_password(file))
    file.write_text("\n")
    with pytest.raises(StopWorker, match=rf"{file} is empty"):
        sasl_password(by_password(file))
    with pytest.raises(RetryLater, match=rf"{file} is empty"):
        current_confluent_options(by_password(file))


def test_tls_files_that_cannot_be_used_are_named(
    authority: Authority, client: Certificate, tmp_path: Path
) -> None:
    settings = by_certificate(authority, client)
    nowhere = tmp_path / "nowhere.pem"
    for name in ("ssl_cafile", "ssl_certfile", "ssl_keyfile"):
        with pytest.raises(StopWorker, match=rf"{nowhere} cannot be read: .*SHELFSTREAM_{name.upper()}"):
            tls_context(replace(settings, **{name: nowhere}))
    nowhere.write_text("no certificate")
    with pytest.raises(StopWorker, match="has no PEM certificate; correct SHELFSTREAM_SSL_CAFILE"):
        tls_context(replace(settings, ssl_cafile=nowhere))
    other = authority.sign("other", "client")
    with pytest.raises(StopWorker, match="does not belong to the certificate"):
        tls_context(replace(settings, ssl_keyfile=other.key))


def test_an_encrypted_key_needs_its_password(
    authority: Authority, client: Certificate, tmp_path: Path
) -> None:
    encrypted = replace(by_certificate(authority, client), ssl_keyfile=client.encrypted_key())
    with pytest.raises(StopWorker, match="if it is encrypted, set ssl_key_password_file"):
        tls_context(encrypted)
    with pytest.raises(StopWorker, match="is ssl_key_password right"):
        tls_context(replace(encrypted, ssl_key_password="guessed"))
    assert tls_context(replace(encrypted, ssl_key_password=KEY_PASSWORD))
    file = tmp_path / "key-password"
    file.write_text(KEY_PASSWORD)
    assert tls_context(replace(encrypted, ssl_key_password_file=file))


def test_a_changed_authority_is_trusted_by_new_connections_only(
    authority: Authority, client: Certificate, tmp_path: Path
) -> None:
    """A server of another authority is refused, and accepted when the file has that authority."""
    trusted = tmp_path / "ca.pem"
    shutil.copy(authority.ca, trusted)
    other = Authority(tmp_path, "other")
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    broker = other.sign("broker", "localhost")
    server.load_cert_chain(broker.certificate, broker.key)
    context = ReloadingTlsContext(replace(by_certificate(authority, client), ssl_cafile=trusted))
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(context, server)
    trusted.write_text("half a certi")
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(context, server)
    shutil.copy(other.ca, trusted)
    shake_hands(context, server)


def shake_hands(client: ssl.SSLContext, server: ssl.SSLContext) -> None:
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = client.wrap_bio(to_client, to_server, server_hostname="localhost")
    theirs = server.wrap_bio(to_server, to_client, server_side=True)
    finished = 0
    while finished < 2:
        finished = 0
        for side in (ours, theirs):
            try:
                side.do_handshake()
                finished += 1
            except ssl.SSLWantReadError:
                continue


def a_token() -> tuple[str, float]:
    return "token", 1.0


async def test_a_token_comes_from_the_named_function() -> None:
    function = token_function(f"{__name__}:a_token")
    assert await TokenProvider(function).token() == "token"
    for name in (f"{__name__}:missing", "no_such_module:token"):
        with pytest.raises(StopWorker, match=rf"SHELFSTREAM_SASL_OAUTH_TOKEN={name} cannot be imported"):
            token_function(name)
