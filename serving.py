"""The web server's worker: gunicorn's with threads, which slow senders and slow readers cannot use up.

A request gets a thread when its head, and a small body, have arrived; until then it costs a place in the event loop.
A large body is read by its thread while it arrives, and such requests never get all the threads: what is one too many
is answered at once, by the application. Whatever is answered before its body was read is read on and thrown away in
the event loop, so that the client comes to read the answer.

It stands beside the application and not in it, because gunicorn's master imports it and is to know nothing of the rest.
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

#: A request may keep its thread waiting for so long without a byte, at its beginning and after every burst ...
PATIENCE_SECONDS = float(os.environ.get("PATIENCE_SECONDS") or 30)
#: ... and each second beyond that has to be paid for with so many bytes.
MIN_BYTES_PER_SECOND = 4 * 1024
#: However steadily it comes, a request and its answer take no longer than this.
LONGEST_REQUEST_SECONDS = float(os.environ.get("LONGEST_REQUEST_SECONDS") or 3600)
#: So much of an answer is taken by its reader within PATIENCE_SECONDS, or it is cut off.
_SENT_TOGETHER = 64 * 1024
#: A body of at most so many bytes is small: it is there as a whole before a thread has to do with it.
_SMALL_BODY_BYTES = 64 * 1024
_LARGEST_HEAD_BYTES = 64 * 1024
#: What still comes when the answer is sent is thrown away until nothing has come for so long, or for so long in all.
_LINGER_SECONDS = 5.0
_LONGEST_LINGER_SECONDS = 30.0
_READ_BYTES = 64 * 1024

_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)", re.IGNORECASE)
#: What tells that a body comes in chunks, or only when it is asked for.
_STREAMED = re.compile(rb"\r\n(?:transfer-encoding|expect):", re.IGNORECASE)


class TooSlow(ConnectionResetError):
    """Whoever is at the other end takes too long; gunicorn then closes the connection as one that broke."""


class Arrived(Enum):
    """How much of a request is there."""

    #: Less than its head and a small body.
    PART = auto()
    WHOLE = auto()
    #: Its head, with a large body to follow.
    LARGE = auto()
    #: More than a head may have, and no end of it.
    ENDLESS = auto()


def look_at(received: bytes | bytearray) -> Arrived:
    """How much of a request ``received`` is. gunicorn still parses it, and refuses what HTTP does not allow."""
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
    """The socket of a connection, with an end to the patience of whoever reads and writes it without a timeout."""

    #: Whether somebody waited in vain for more of the request; the application can then tell slow from broken.
    is_too_slow = False
    #: Whether a large body follows, for which the request has one of the few places ...
    is_large = False
    #: ... or has come too late for one: the application refuses it.
    is_one_too_many = False
    _left = PATIENCE_SECONDS
    _ends_at = float("inf")
    #: What has arrived and nobody has read yet.
    _received: bytearray

    @classmethod
    def around(cls, plain: socket.socket) -> PatientSocket:
        """The same connection; ``plain`` is no socket any more. It does not block yet, as gunicorn expects."""
        patient = cls(plain.family, plain.type, plain.proto, plain.detach())
        patient.setblocking(False)
        patient._received = bytearray()
        return patient

    def expect_request(self) -> None:
        """Begin to wait anew."""
        self._left = PATIENCE_SECONDS
        self._ends_at = time.monotonic() + LONGEST_REQUEST_SECONDS

    def receive(self) -> bool:
        """Keep what has arrived for who reads, without waiting; false at the end. Raises OSError."""
        with suppress(BlockingIOError):
            data = super().recv(_READ_BYTES)
            self._received += data
            return bool(data)
        return True

    def unread(self, data: bytes) -> None:
        """Keep ``data``, which was read too early, for who reads next."""
        self._received[:0] = data

    @property
    def arrived(self) -> Arrived:
        """How much is there of the request that comes next."""
        return look_at(self._received)

    @property
    def is_silent(self) -> bool:
        """Whether nothing of a request has come."""
        return not self._received

    def setblocking(self, flag: bool, /) -> None:
        """As of any socket; after its end it does nothing, for gunicorn may close a connection twice."""
        if self.fileno() != -1:
            super().setblocking(flag)

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        """As of any socket. Raises TooSlow when patience is at its end."""
        if self._received:
            data = bytes(self._received[:size])
            del self._received[:size]
            return data
        if self.gettimeout() is not None:
            return super().recv(size, flags)
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
        self._left = min(PATIENCE_SECONDS, self._left - waited + len(data) / MIN_BYTES_PER_SECOND)
        return data

    def sendall(self, data: Any, flags: int = 0, /) -> None:
        """As of any socket. Raises TooSlow when the reader does not read on."""
        if self.gettimeout() is not None:
            return super().sendall(data, flags)
        whole = memoryview(data)
        try:
            for start in range(0, len(whole), _SENT_TOGETHER):
                # The timeout is one for all that is sent in a call.
                self.settimeout(max(min(PATIENCE_SECONDS, self._ends_at - time.monotonic()), 0.001))
                super().sendall(whole[start : start + _SENT_TOGETHER], flags)
        except TimeoutError:
            raise TooSlow(errno.ECONNRESET, "the answer is not read") from None
        finally:
            self.settimeout(None)
        return None


def answer_with_problem(client: socket.socket, status: int, reason: str, message: str) -> None:
    """Say why a request never reached the application, as its API says what is wrong: a problem as in RFC 9457.

    Nobody knows at this point whether it was meant for the API or for a page, and it is programs that send such things.
    """
    body = json.dumps({"type": "about:blank", "title": reason, "status": status, "detail": message}).encode()
    head = (
        f"HTTP/1.1 {status} {reason}\r\nConnection: close\r\nContent-Type: application/problem+json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    util.write_nonblock(client, head.encode("latin-1") + body)


@dataclass(slots=True)
class _Wait:
    """How long the event loop has to do with a connection."""

    #: When it is given up, however much comes.
    ends_at: float
    #: When it is given up if nothing comes.
    quiet_at: float = float("inf")


class Worker(ThreadWorker):
    """gunicorn's own, whose threads wait for large bodies only, and never all of them."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        #: Connections without a thread, those that have waited longest first: of which a request is arriving, and to
        #: which everything has been said.
        self._arriving: dict[TConn, _Wait] = {}
        self._lingering: dict[TConn, _Wait] = {}
        #: Requests with a large body that have a thread, and how many may: a third of the threads is for all others.
        self._large = 0
        self._most_large = self.cfg.threads - max(self.cfg.threads // 3, 1)

    def init_process(self) -> None:
        """Begin to serve."""
        # gunicorn answers such requests with a page in HTML, and has no setting for it.
        util.write_error = answer_with_problem
        super().init_process()

    def accept(self, listener: socket.socket) -> None:
        """Take a new connection; where there are too many, in the place of one that only waits."""
        if self.nr_conns >= self.worker_connections - self.cfg.threads:
            for waiting in (self._lingering, self._arriving):
                if waiting:
                    self._hang_up(next(iter(waiting)))
                    break
        super().accept(listener)

    def enqueue_req(self, conn: TConn) -> None:
        """Wait for a request on a connection, and hand it to a thread when it is there."""
        if not isinstance(conn.sock, PatientSocket):
            conn.sock = PatientSocket.around(conn.sock)
        elif conn.parser is not None:
            # What has come together with the request before.
            conn.sock.unread(conn.parser.unreader.take_buffered())
        conn.sock.setblocking(False)
        self._arriving[conn] = _Wait(time.monotonic() + PATIENCE_SECONDS)
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
        # gunicorn need not wait for it any more.
        conn.data_ready = True
        conn.sock.expect_request()
        super().enqueue_req(conn)

    def handle_request(self, req: Request, conn: TConn) -> object:
        """Answer a request in a thread."""
        if conn.sock.is_large or conn.sock.is_one_too_many:
            # Of its body something may be left, which nobody waits for with a thread.
            req.force_close()
        return super().handle_request(req, conn)

    def finish_request(self, conn: TConn, fs: Future[object]) -> None:
        """Go on with a connection whose request was answered."""
        self._large -= conn.sock.is_large
        conn.sock.is_large = False
        if fs.cancelled() or fs.exception() or not fs.result():
            self._linger(conn)
        else:
            super().finish_request(conn, fs)

    def _linger(self, conn: TConn) -> None:
        """Say that all is said, and wait for the other end to hang up: by doing so first, one takes the answer away."""
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
        """Give up the connections that have waited long enough; gunicorn asks for it every second."""
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
        """Answer a request that no thread is to see."""
        self._forget(conn)
        with suppress(OSError):
            answer_with_problem(conn.sock, status, reason, message)
        self._linger(conn)

    def _forget(self, conn: TConn) -> None:
        """Let the event loop have nothing to do with a connection any more."""
        self._arriving.pop(conn, None)
        self._lingering.pop(conn, None)
        with suppress(KeyError, ValueError):
            self.poller.unregister(conn.sock)

    def _hang_up(self, conn: TConn) -> None:
        self._forget(conn)
        self.nr_conns -= 1
        conn.close()
