"""The digest by which the folders of models prove that their files are what their manifests name."""

import hashlib


def sha256(content: bytes) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(content).hexdigest()
