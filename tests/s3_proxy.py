"""A proxy in front of an S3 server, which injects faults into requests on demand."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

#: Headers that apply to one of the two connections only.
_OF_ONE_CONNECTION = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "expect", "date"})
_ERROR = b"<?xml version='1.0'?><Error><Code>InternalError</Code><Message>We are sorry.</Message></Error>"


class Trouble(Enum):
    """What happens to every request."""

    NONE = "none"
    ERRORS = "answered 500"
    SLOW = "held up"
    CUT = "cut off in the middle of the answer"


class S3Proxy(ThreadingHTTPServer):
    """Forwards requests to the server at ``upstream``, and injects the fault ``trouble``."""

    daemon_threads = True
    #: The server may stop while a kept-alive connection is idle.
    block_on_close = False

    def __init__(self, upstream: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.upstream = urlsplit(upstream).netloc
        self.address = f"http://127.0.0.1:{self.server_port}"
        self.trouble = Trouble.NONE
        #: The delay of an answer.
        self.delay_seconds = 2.0
        #: The size of an answer's body before it is cut off.
        self.bytes_before_cut = 10_000
        #: If set, the fault hits only reads that begin at this byte of an object.
        self.only_from: int | None = None
        #: The number of requests that were hit.
        self.troubled = 0
        self.closes = threading.Event()

    @contextmanager
    def making(self, trouble: Trouble) -> Iterator[None]:
        """Inject a fault for the duration of the block."""
        self.trouble = trouble
        try:
            yield
        finally:
            self.trouble = Trouble.NONE

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore clients that have timed out, which is what the tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: S3Proxy

    def handle_any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        trouble = self.server.trouble if self._is_meant() else Trouble.NONE
        if trouble is not Trouble.NONE:
            self.server.troubled += 1
        if trouble is Trouble.ERRORS:
            self._answer(500, [("Content-Type", "application/xml")], _ERROR, len(_ERROR))
            return
        if trouble is Trouble.SLOW:
            self.server.closes.wait(self.server.delay_seconds)
        status, headers, answer, length = self._ask_upstream(body)
        if trouble is Trouble.CUT:
            self._answer(status, headers, answer[: self.server.bytes_before_cut], length)
            self.close_connection = True
            return
        self._answer(status, headers, answer, length)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = handle_any  # noqa: N815 - named by the standard library

    def _is_meant(self) -> bool:
        start = self.server.only_from
        return start is None or self.headers.get("Range", "").startswith(f"bytes={start}-")

    def _ask_upstream(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes, int]:
        """The status, headers, body and announced length of the server's answer."""
        connection = http.client.HTTPConnection(self.server.upstream, timeout=30)
        try:
            headers = {name: value for name, value in self.headers.items() if name.lower() not in _OF_ONE_CONNECTION}
            connection.request(self.command, self.path, body, headers)
            response = connection.getresponse()
            answer = response.read()
            # The answer to HEAD announces a body that is not sent.
            length = int(response.headers.get("Content-Length") or len(answer))
            return response.status, response.getheaders(), answer, length
        finally:
            connection.close()

    def _answer(self, status: int, headers: list[tuple[str, str]], body: bytes, length: int) -> None:
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() not in _OF_ONE_CONNECTION:
                self.send_header(name, value)
        self.send_header("Content-Length", str(length))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


@contextmanager
def s3_proxy(upstream: str) -> Iterator[S3Proxy]:
    """A proxy in front of the server at ``upstream``, in a thread of this process."""
    with S3Proxy(upstream) as proxy:
        thread = threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield proxy
        finally:
            proxy.closes.set()
            proxy.shutdown()
            thread.join(10)
