"""Tokens without a signature, as a Kafka without a configured issuer accepts them from tests."""

import base64
import time

import orjson

PRINCIPAL = "token-user"


def unsecured_token() -> tuple[str, float]:
    """Return a token for `PRINCIPAL` and the time of its end."""
    now = time.time()
    end = now + 300
    parts = ({"alg": "none"}, {"sub": PRINCIPAL, "iat": now, "exp": end})
    encoded = [base64.urlsafe_b64encode(orjson.dumps(part)).rstrip(b"=").decode() for part in parts]
    return ".".join(encoded) + ".", end
