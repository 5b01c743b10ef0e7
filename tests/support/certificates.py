"""Certificates for the tests of TLS, made by openssl."""

import subprocess
from pathlib import Path

KEY_PASSWORD = "key-secret"
_NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]


class Authority:
    """A certificate authority of its own, with the certificates that it signs in one folder.

    Args:
        folder: An existing folder for its files.
        name: Its name, which is a prefix of its files too.

    Attributes:
        ca: The PEM file of its own certificate.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._name = name
        self.ca = self._file("ca.pem")
        self._ca_key = self._file("ca.key")
        _openssl(
            *["req", "-x509", *_NEW_KEY, "-keyout", str(self._ca_key), "-out", str(self.ca)],
            *["-days", "30", "-subj", f"/CN={name} authority"],
        )

    def sign(self, name: str, host: str, *, days: int = 20) -> "Certificate":
        """Make a key and a certificate of it.

        Args:
            name: Common name, and name of the files.
            host: The host name that the certificate is for.
            days: Days until it ends; a negative number makes one that has ended.
        """
        files = Certificate(self._file(f"{name}.pem"), self._file(f"{name}.key"))
        request, extensions = self._file(f"{name}.csr"), self._file(f"{name}.ext")
        extensions.write_text(f"subjectAltName=DNS:{host}\n")
        _openssl("req", *_NEW_KEY, "-keyout", files.key, "-out", request, "-subj", f"/CN={name}")
        _openssl(
            *("x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", self._ca_key, "-days", str(days)),
            *("-extfile", extensions, "-out", files.certificate),
        )
        return files

    def _file(self, name: str) -> Path:
        return self._folder / f"{self._name}-{name}"


class Certificate:
    """A certificate and its key.

    Args:
        certificate: PEM file of the certificate.
        key: PEM file of the key.
    """

    def __init__(self, certificate: Path, key: Path) -> None:
        self.certificate = certificate
        self.key = key

    def keystore(self) -> Path:
        """Write key and certificate into one file, as Kafka reads it."""
        store = self.key.with_suffix(".keystore.pem")
        store.write_text(self.key.read_text() + self.certificate.read_text())
        return store

    def encrypted_key(self) -> Path:
        """Write the key in a form that needs `KEY_PASSWORD`."""
        encrypted = self.key.with_suffix(".encrypted.key")
        _openssl(
            *("pkcs8", "-topk8", "-in", self.key, "-out", encrypted, "-v2", "aes-256-cbc"),
            *("-passout", f"pass:{KEY_PASSWORD}"),
        )
        return encrypted


def _openssl(*arguments: str | Path) -> None:
    done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
