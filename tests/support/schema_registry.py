"""A schema registry in this process: the part of Confluent's REST API that its clients use.

It keeps schemas as clients register them, and checks no compatibility. `TEST_SCHEMA_REGISTRY` is the URL
of a real registry, which the test of the kinds of schemas uses instead.
"""

import base64
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import orjson

REAL = os.environ.get("TEST_SCHEMA_REGISTRY")


class RegistryServer:
    """The registry.

    Attributes:
        requests: The paths that were asked for.
        status: The HTTP status of every answer; None answers as it should.
        user_info: The user and password that it wants, joined by a colon; None wants none.
    """

    def __init__(self) -> None:
        self.requests: list[str] = []
        self.status: int | None = None
        self.user_info: str | None = None
        self._schemas: list[dict[str, Any]] = []
        registry = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer(*registry.get(self.path, self.headers.get("Authorization")))

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                self._answer(*registry.post(self.path, orjson.loads(body)))

            def _answer(self, status: int, document: Any) -> None:
                content = orjson.dumps(document)
                self.send_response(status)
                self.send_header("Content-Type", "application/vnd.schemaregistry.v1+json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: Any) -> None:
                """Print nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def get(self, path: str, authorization: str | None) -> tuple[int, Any]:
        """Answer a request for a schema."""
        self.requests.append(path)
        if self.status is not None:
            return self.status, {"error_code": self.status * 100, "message": "as the test says"}
        wanted = self.user_info and "Basic " + base64.b64encode(self.user_info.encode()).decode()
        if wanted and authorization != wanted:
            return 401, {"error_code": 401, "message": "Unauthorized"}
        number = int(urlsplit(path).path.rsplit("/", 1)[1])
        if not 1 <= number <= len(self._schemas):
            return 404, {"error_code": 40403, "message": "Schema not found"}
        return 200, self._schemas[number - 1]

    def post(self, path: str, body: dict[str, Any]) -> tuple[int, Any]:
        """Register a schema."""
        schema: dict[str, Any] = {
            name: body[name] for name in ("schema", "schemaType", "references") if name in body
        }
        if schema not in self._schemas:
            self._schemas.append(schema)
        return 200, {"id": self._schemas.index(schema) + 1}

    def close(self) -> None:
        """Stop answering."""
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def registry_server() -> Iterator[RegistryServer]:
    """Run a registry."""
    server = RegistryServer()
    try:
        yield server
    finally:
        server.close()
