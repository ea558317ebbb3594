"""A receiver of webhooks, written from the Standard Webhooks specification, on a port of this machine."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks import Webhook


@dataclass
class Call:
    """One request as received."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        """The id that identifies the message across attempts."""
        return self.headers["webhook-id"]

    def verify(self, secret: str) -> Any:
        """Its content. Raises WebhookVerificationError unless it was signed with ``secret`` just now."""
        return Webhook(secret).verify(self.body, self.headers)


@dataclass
class Receiver:
    """The received calls, and the answer."""

    port: int
    calls: list[Call] = field(default_factory=list)
    status: int = 204
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    #: While this is clear, requests wait for their answer.
    may_answer: threading.Event = field(default_factory=threading.Event)
    arrived: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        """The URL of the receiver."""
        return f"http://127.0.0.1:{self.port}/hooks?shop=1"


@contextmanager
def receiver() -> Iterator[Receiver]:
    """A receiver that accepts everything unless a test changes that."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            here.calls.append(Call(self.path, _plain(self.headers), body))
            here.arrived.set()
            here.may_answer.wait(20)
            self.send_response(here.status)
            for name, value in here.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(here.body)))
            self.end_headers()
            self.wfile.write(here.body)

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            """Ignore closed connections, which some tests are about."""

    server = Server(("127.0.0.1", 0), Handler)
    here = Receiver(server.server_address[1])
    here.may_answer.set()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield here
    finally:
        here.may_answer.set()
        server.shutdown()
        thread.join()
        server.server_close()


def _plain(headers: Message) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}
