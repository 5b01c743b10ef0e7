"""Credentials of the Kafka clients: passwords, tokens and certificates, read again when files change."""

import asyncio
import ssl
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, cast

import structlog
from aiokafka.abc import AbstractTokenProvider

from schemas.errors import StopWorker
from streams.reading_settings import TOKEN_CHARACTERS
from streams.settings import Settings, variable

log = structlog.get_logger()


def sasl_password(settings: Settings) -> str | None:
    """Return the SASL password as it is now.

    Raises:
        StopWorker: Its file cannot be read, or is empty.
    """
    return settings.sasl_password or secret_file("sasl_password_file", settings.sasl_password_file)


def key_password(settings: Settings) -> str | None:
    """Return the password of the client certificate's key as it is now.

    Raises:
        StopWorker: Its file cannot be read, or is empty.
    """
    return settings.ssl_key_password or secret_file("ssl_key_password_file", settings.ssl_key_password_file)


def registry_password(settings: Settings) -> str | None:
    """Return the password at the schema registry as it is now.

    Raises:
        StopWorker: Its file cannot be read, or is empty.
    """
    file = settings.schema_registry_password_file
    return settings.schema_registry_password or secret_file("schema_registry_password_file", file)


def read_api_token(settings: Settings) -> str:
    """Return the token of the read API as it is now.

    Raises:
        StopWorker: Its file cannot be read, or holds no token that is long enough.
    """
    file = settings.read_api_token_file
    token = settings.read_api_token or secret_file("read_api_token_file", file) or ""
    if len(token) < TOKEN_CHARACTERS:
        raise StopWorker(f"{file} has a token of less than {TOKEN_CHARACTERS} characters; write a longer one")
    return token


def secret_file(name: str, path: Path | None) -> str | None:
    """Return the content of a file with a secret, without its last line end; None without a file.

    Args:
        name: The setting that names the file.
        path: The file.

    Raises:
        StopWorker: The file cannot be read, or is empty.
    """
    if path is None:
        return None
    try:
        content = path.read_text("utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not UTF-8"
        raise StopWorker(f"{path} cannot be read: {why}; correct {variable(name)}") from error
    if not content:
        raise StopWorker(f"{path} is empty; write the secret into it, or correct {variable(name)}")
    return content


def credentials_version(settings: Settings) -> tuple[Any, ...]:
    """Return a value that changes whenever a file with credentials changes."""
    return tuple(
        _modified(path)
        for path in (
            settings.sasl_password_file,
            settings.ssl_key_password_file,
            settings.ssl_cafile,
            settings.ssl_certfile,
            settings.ssl_keyfile,
        )
    )


def _modified(path: Path | None) -> tuple[int, int] | None:
    try:
        status = None if path is None else path.stat()
    except OSError:
        return None
    return None if status is None else (status.st_mtime_ns, status.st_ino)


def tls_context(settings: Settings) -> ssl.SSLContext:
    """Create a TLS context from the files of the settings.

    Raises:
        StopWorker: A file cannot be read, or is not what its setting says.
    """
    context = _trusting(settings)
    certificate, key = settings.ssl_certfile, settings.ssl_keyfile
    if certificate is None or key is None:
        return context
    for name, path in (("ssl_certfile", certificate), ("ssl_keyfile", key)):
        _verify_readable(name, path)
    password = key_password(settings)
    try:
        # Without a password of its own OpenSSL would ask for one on the terminal.
        context.load_cert_chain(certificate, key, password or (lambda: ""))
    except (ssl.SSLError, ValueError) as error:
        raise StopWorker(_why_not_loaded(error, certificate, key, password)) from error
    return context


def _trusting(settings: Settings) -> ssl.SSLContext:
    """Create a context that trusts the authorities of the settings, and presents no certificate."""
    cafile = settings.ssl_cafile
    if cafile is not None:
        _verify_readable("ssl_cafile", cafile)
    try:
        return ssl.create_default_context(cafile=cafile)
    except ssl.SSLError as error:
        raise StopWorker(f"{cafile} has no PEM certificate; correct {variable('ssl_cafile')}") from error


def _verify_readable(name: str, path: Path) -> None:
    try:
        path.open("rb").close()
    except OSError as error:
        raise StopWorker(f"{path} cannot be read: {error.strerror}; correct {variable(name)}") from error


def _why_not_loaded(error: Exception, certificate: Path, key: Path, password: str | None) -> str:
    reason = getattr(error, "reason", None) or str(error)
    if "KEY_VALUES_MISMATCH" in reason:
        return f"the key {key} does not belong to the certificate {certificate}; write both files anew"
    if password is None:
        return f"the key {key} cannot be loaded ({reason}); if it is encrypted, set ssl_key_password_file"
    return f"the key {key} cannot be loaded with its password ({reason}); is ssl_key_password right?"


class ReloadingTlsContext(ssl.SSLContext):
    """A TLS context that reads its files again when they have changed. Each connection asks for a TLS object.

    A file that is half written cannot be loaded: the last good files are used until it can.

    Args:
        settings: Settings with the files.
    """

    _settings: Settings
    _version: tuple[Any, ...]
    _current: ssl.SSLContext

    def __new__(cls, settings: Settings) -> "ReloadingTlsContext":
        """Create the context from the files as they are now."""
        context = super().__new__(cls, ssl.PROTOCOL_TLS_CLIENT)
        context._settings = settings
        context._version = credentials_version(settings)
        context._current = tls_context(settings)
        return context

    def wrap_bio(self, *arguments: Any, **options: Any) -> ssl.SSLObject:
        """Return a TLS object for one connection."""
        version = credentials_version(self._settings)
        if version != self._version:
            try:
                self._current = tls_context(self._settings)
                self._version = version
                log.info("TLS files changed, new connections use them")
            except StopWorker as error:
                log.warning("TLS files changed and cannot be loaded, using the last ones", error=str(error))
        return self._current.wrap_bio(*arguments, **options)


Token = Callable[[], tuple[str, float]]
"""Returns a token and the time of its end in seconds since 1970."""


def token_function(name: str) -> Token:
    """Import the function that `sasl_oauth_token` names.

    Raises:
        StopWorker: There is no such function.
    """
    module, _, function = name.partition(":")
    try:
        return cast(Token, getattr(import_module(module), function))
    except (ImportError, AttributeError) as error:
        raise StopWorker(f"{variable('sasl_oauth_token')}={name} cannot be imported: {error}") from error


class TokenProvider(AbstractTokenProvider):  # type: ignore[misc]
    """Gives aiokafka's clients a token for each connection.

    Args:
        function: Returns the token. It may block.
    """

    def __init__(self, function: Token) -> None:
        self._function = function

    async def token(self) -> str:
        """Return a token."""
        token, _ = await asyncio.to_thread(self._function)
        return token
