"""The web server's worker: gunicorn's threaded worker, whose threads slow clients cannot exhaust.

A request gets a thread when its head, and a small body, have arrived; until then it is only a connection in the event
loop. A large body is read by its thread while it arrives. Such requests never get all the threads: the application
refuses an excess one at once. If a request is answered before its body was read, the rest of the body is read and
discarded in the event loop, so that the client gets to read the answer.

It stands beside the application and not in it, because gunicorn's master imports it and must not import the rest.
"""

from __future__ import annotations

import errno
import json
import os
import re
import socket
import time
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum, auto
from functools import partial
from selectors import EVENT_READ
from typing import Any

from gunicorn import util
from gunicorn.http.message import Request
from gunicorn.workers.gthread import TConn, ThreadWorker

#: Maximum time for which a request may keep its thread waiting, at its beginning and after every burst ...
# The second name is that of the release before, and goes with the next one.
STALL_SECONDS = float(os.environ.get("STALL_SECONDS") or os.environ.get("PATIENCE_SECONDS") or 30)
#: ... and the minimum rate beyond that.
MIN_BYTES_PER_SECOND = 4 * 1024
#: Maximum duration of a request and its answer, at any rate.
LONGEST_REQUEST_SECONDS = float(os.environ.get("LONGEST_REQUEST_SECONDS") or 3600)
#: The client must read this much of an answer within STALL_SECONDS, or the answer is cut off.
_SENT_TOGETHER = 64 * 1024
#: Maximum size of a small body in bytes, which arrives completely before the request gets a thread.
_SMALL_BODY_BYTES = 64 * 1024
_LARGEST_HEAD_BYTES = 64 * 1024
#: After the answer, input is discarded until none has come for this long, or for this long in total.
_LINGER_SECONDS = 5.0
_LONGEST_LINGER_SECONDS = 30.0
_READ_BYTES = 64 * 1024

_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)", re.IGNORECASE)
#: Headers that announce a body in chunks, or one that is sent only on request.
_STREAMED = re.compile(rb"\r\n(?:transfer-encoding|expect):", re.IGNORECASE)


class TooSlow(ConnectionResetError):
    """The client is too slow; gunicorn then closes the connection as a broken one."""


class Arrived(Enum):
    """How much of a request has arrived."""

    #: Less than its head and a small body.
    PART = auto()
    WHOLE = auto()
    #: Its head, with a large body to follow.
    LARGE = auto()
    #: More than the maximum size of a head, without its end.
    ENDLESS = auto()


def look_at(received: bytes | bytearray) -> Arrived:
    """How much of a request ``received`` is. gunicorn parses it later, and rejects what HTTP does not allow."""
    begin = len(received) - len(received.lstrip(b"\r\n"))
    end = received.find(b"\r\n\r\n", begin)
    if end < 0:
        return Arrived.PART if len(received) <= _LARGEST_HEAD_BYTES else Arrived.ENDLESS
    if _STREAMED.search(received, begin, end):
        return Arrived.LARGE
    length = _LENGTH.search(received, begin, end)
    body_bytes = 0 if length is None else int(length[1][:18])
    if body_bytes > _SMALL_BODY_BYTES:
        return Arrived.LARGE
    return Arrived.WHOLE if len(received) >= end + 4 + body_bytes else Arrived.PART


class PatientSocket(socket.socket):
    """The socket of a connection, which enforces a minimum transfer rate on reads and writes without a timeout."""

    #: Whether waiting for more of the request timed out, so that the application can tell slow from broken clients.
    is_too_slow = False
    #: Whether a large body follows, for which the request has one of the limited threads ...
    is_large = False
    #: ... or did not get one: the application refuses it.
    is_one_too_many = False
    _left = STALL_SECONDS
    _ends_at = float("inf")
    #: Bytes that have arrived and were not read yet.
    _received: bytearray

    @classmethod
    def around(cls, plain: socket.socket) -> PatientSocket:
        """Take over the connection of ``plain``, which is detached. It does not block yet, as gunicorn expects."""
        patient = cls(plain.family, plain.type, plain.proto, plain.detach())
        patient.setblocking(False)
        patient._received = bytearray()
        return patient

    def expect_request(self) -> None:
        """Restart the timers for the next request."""
        self._left = STALL_SECONDS
        self._ends_at = time.monotonic() + LONGEST_REQUEST_SECONDS

    def receive(self) -> bool:
        """Store what has arrived for later reads, without waiting. Returns false at the end. Raises OSError."""
        with suppress(BlockingIOError):
            data = super().recv(_READ_BYTES)
            self._received += data
            return bool(data)
        return True

    def unread(self, data: bytes) -> None:
        """Return ``data``, which was read too early, to be read next."""
        self._received[:0] = data

    @property
    def arrived(self) -> Arrived:
        """How much of the next request has arrived."""
        return look_at(self._received)

    @property
    def is_silent(self) -> bool:
        """Whether nothing of a request has arrived."""
        return not self._received

    def setblocking(self, flag: bool, /) -> None:
        """As in the base class, but does nothing once closed, because gunicorn may close a connection twice."""
        if self.fileno() != -1:
            super().setblocking(flag)

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        """As in the base class. Raises TooSlow if the client is too slow."""
        if self._received:
            data = bytes(self._received[:size])
            del self._received[:size]
            return data
        if self.gettimeout() is not None:
            return super().recv(size, flags)
        # gunicorn asks for a megabyte, and copies all that is left of it whenever the application reads a part.
        size = min(size, _READ_BYTES)
        began = time.monotonic()
        self.settimeout(max(min(self._left, self._ends_at - began), 0.001))
        try:
            data = super().recv(size, flags)
        except TimeoutError:
            self.is_too_slow = True
            raise TooSlow(errno.ECONNRESET, "the request comes too slowly") from None
        finally:
            self.settimeout(None)
        waited = time.monotonic() - began
        self._left = min(STALL_SECONDS, self._left - waited + len(data) / MIN_BYTES_PER_SECOND)
        return data

    def sendall(self, data: Any, flags: int = 0, /) -> None:
        """As in the base class. Raises TooSlow if the client reads too slowly."""
        if self.gettimeout() is not None:
            return super().sendall(data, flags)
        whole = memoryview(data)
        try:
            for start in range(0, len(whole), _SENT_TOGETHER):
                # The timeout applies to everything that is sent in one call.
                self.settimeout(max(min(STALL_SECONDS, self._ends_at - time.monotonic()), 0.001))
                super().sendall(whole[start : start + _SENT_TOGETHER], flags)
        except TimeoutError:
            raise TooSlow(errno.ECONNRESET, "the answer is not read") from None
        finally:
            self.settimeout(None)
        return None


def answer_with_problem(client: socket.socket, status: int, reason: str, message: str) -> None:
    """Tell why a request never reached the application, with a problem document (RFC 9457) as in the API.

    It is not known here whether the request was meant for the API or for a page, but mostly programs send such ones.
    """
    body = json.dumps({"type": "about:blank", "title": reason, "status": status, "detail": message}).encode()
    head = (
        f"HTTP/1.1 {status} {reason}\r\nConnection: close\r\nContent-Type: application/problem+json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    util.write_nonblock(client, head.encode("latin-1") + body)


@dataclass(slots=True)
class _Wait:
    """How long the event loop keeps a connection."""

    #: When it is closed at the latest.
    ends_at: float
    #: When it is closed if nothing arrives.
    quiet_at: float = float("inf")


class Worker(ThreadWorker):
    """gunicorn's threaded worker, whose threads wait only for large bodies, and never all of them."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        #: Connections without a thread, longest waiting first: those whose request is arriving, and answered ones.
        self._arriving: dict[TConn, _Wait] = {}
        self._lingering: dict[TConn, _Wait] = {}
        #: The number of requests with a large body that have a thread, and its maximum: a third of the threads is left
        #: to all others.
        self._large = 0
        self._most_large = self.cfg.threads - max(self.cfg.threads // 3, 1)

    def init_process(self) -> None:
        """Start to serve."""
        # gunicorn answers such requests with an HTML page, and has no setting for that.
        util.write_error = answer_with_problem
        super().init_process()

    def accept(self, listener: socket.socket) -> None:
        """Accept a connection; if there are too many, close one that is only waiting."""
        if self.nr_conns >= self.worker_connections - self.cfg.threads:
            for waiting in (self._lingering, self._arriving):
                if waiting:
                    self._hang_up(next(iter(waiting)))
                    break
        super().accept(listener)

    def enqueue_req(self, conn: TConn) -> None:
        """Wait for a request on a connection, and give it to a thread when it has arrived."""
        if not isinstance(conn.sock, PatientSocket):
            conn.sock = PatientSocket.around(conn.sock)
        elif conn.parser is not None:
            # Bytes that arrived together with the previous request.
            conn.sock.unread(conn.parser.unreader.take_buffered())
        conn.sock.setblocking(False)
        self._arriving[conn] = _Wait(time.monotonic() + STALL_SECONDS)
        self.poller.register(conn.sock, EVENT_READ, partial(self._take_in, conn))
        self._take_in(conn)

    def _take_in(self, conn: TConn, _: object = None) -> None:
        try:
            is_open = conn.sock.receive()
        except OSError:
            is_open = False
        arrived = conn.sock.arrived
        if arrived is Arrived.ENDLESS:
            self._refuse(conn, 431, "Request Header Fields Too Large", "The head of the request is too large.")
        elif arrived is not Arrived.PART:
            self._forget(conn)
            self._hand_over(conn, is_large=arrived is Arrived.LARGE)
        elif not is_open:
            self._hang_up(conn)

    def _hand_over(self, conn: TConn, *, is_large: bool) -> None:
        conn.sock.is_one_too_many = is_large and self._large >= self._most_large
        conn.sock.is_large = is_large and not conn.sock.is_one_too_many
        self._large += conn.sock.is_large
        # gunicorn need not wait for it.
        conn.data_ready = True
        conn.sock.expect_request()
        super().enqueue_req(conn)

    def handle_request(self, req: Request, conn: TConn) -> object:
        """Answer a request, in a thread."""
        if conn.sock.is_large or conn.sock.is_one_too_many:
            # The rest of its body may still be arriving; no thread waits for that.
            req.force_close()
        return super().handle_request(req, conn)

    def finish_request(self, conn: TConn, fs: Future[object]) -> None:
        """Reuse or end a connection whose request was answered."""
        self._large -= conn.sock.is_large
        conn.sock.is_large = False
        if fs.cancelled() or fs.exception() or not fs.result():
            self._linger(conn)
        else:
            super().finish_request(conn, fs)

    def _linger(self, conn: TConn) -> None:
        """Shut down the sending side, and wait for the client to close: closing first would discard the answer."""
        now = time.monotonic()
        self._lingering[conn] = _Wait(now + _LONGEST_LINGER_SECONDS, now + _LINGER_SECONDS)
        try:
            conn.sock.setblocking(False)
            conn.sock.shutdown(socket.SHUT_WR)
            self.poller.register(conn.sock, EVENT_READ, partial(self._throw_away, conn))
        except (OSError, ValueError):
            self._hang_up(conn)

    def _throw_away(self, conn: TConn, _: object) -> None:
        try:
            data = socket.socket.recv(conn.sock, _READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            self._lingering[conn].quiet_at = time.monotonic() + _LINGER_SECONDS
        else:
            self._hang_up(conn)

    def murder_pending(self) -> None:
        """Close the connections that have waited too long; gunicorn calls this every second."""
        now = time.monotonic()

        def is_over(wait: _Wait) -> bool:
            return not self.alive or now >= min(wait.ends_at, wait.quiet_at)

        for conn in [conn for conn, wait in self._lingering.items() if is_over(wait)]:
            self._hang_up(conn)
        for conn in [conn for conn, wait in self._arriving.items() if is_over(wait)]:
            if conn.sock.is_silent:
                self._hang_up(conn)
            else:
                self._refuse(conn, 408, "Request Timeout", "The request came too slowly and was given up.")

    def _refuse(self, conn: TConn, status: int, reason: str, message: str) -> None:
        """Answer a request that gets no thread."""
        self._forget(conn)
        with suppress(OSError):
            answer_with_problem(conn.sock, status, reason, message)
        self._linger(conn)

    def _forget(self, conn: TConn) -> None:
        """Remove a connection from the event loop."""
        self._arriving.pop(conn, None)
        self._lingering.pop(conn, None)
        with suppress(KeyError, ValueError):
            self.poller.unregister(conn.sock)

    def _hang_up(self, conn: TConn) -> None:
        self._forget(conn)
        self.nr_conns -= 1
        conn.close()
