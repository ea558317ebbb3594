"""The web server's worker: gunicorn's with threads, which slow senders and slow readers cannot hold for long.

It stands beside the application and not in it, because gunicorn's master imports it and is to know nothing of the rest.
"""

from __future__ import annotations

import errno
import json
import os
import socket
import time
from typing import Any

from gunicorn import util
from gunicorn.workers.gthread import TConn, ThreadWorker

#: A request may keep its thread waiting for so long without a byte, at its beginning and after every burst ...
PATIENCE_SECONDS = float(os.environ.get("PATIENCE_SECONDS") or 30)
#: ... and each second beyond that has to be paid for with so many bytes.
MIN_BYTES_PER_SECOND = 4 * 1024
#: So much of an answer is taken by its reader within PATIENCE_SECONDS, or it is cut off.
_SENT_TOGETHER = 64 * 1024


class TooSlow(ConnectionResetError):
    """Whoever is at the other end takes too long; gunicorn then closes the connection as one that broke."""


class PatientSocket(socket.socket):
    """The socket of a connection, with an end to the patience of whoever reads and writes it without a timeout."""

    #: Whether somebody waited in vain for more of the request; the application can then tell slow from broken.
    is_too_slow = False
    _left = PATIENCE_SECONDS

    @classmethod
    def around(cls, plain: socket.socket) -> PatientSocket:
        """The same connection; ``plain`` is no socket any more. It does not block yet, as gunicorn expects."""
        patient = cls(plain.family, plain.type, plain.proto, plain.detach())
        patient.setblocking(False)
        return patient

    def expect_request(self) -> None:
        """Begin to wait anew."""
        self._left = PATIENCE_SECONDS

    def setblocking(self, flag: bool, /) -> None:
        """As of any socket; after its end it does nothing, for gunicorn closes once more what Worker has closed."""
        if self.fileno() != -1:
            super().setblocking(flag)

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        """As of any socket. Raises TooSlow when patience is at its end."""
        if self.gettimeout() is not None:
            return super().recv(size, flags)
        began = time.monotonic()
        self.settimeout(max(self._left, 0.001))
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
        # The timeout is one for all that is sent in a call.
        self.settimeout(PATIENCE_SECONDS)
        try:
            for start in range(0, len(whole), _SENT_TOGETHER):
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


class Worker(ThreadWorker):
    """gunicorn's own, whose threads have an end to their patience."""

    def init_process(self) -> None:
        """Begin to serve."""
        # gunicorn answers such requests with a page in HTML, and has no setting for it.
        util.write_error = answer_with_problem
        super().init_process()

    def enqueue_req(self, conn: TConn) -> None:
        """Hand a connection to a thread, for one request."""
        if not isinstance(conn.sock, PatientSocket):
            conn.sock = PatientSocket.around(conn.sock)
        conn.sock.expect_request()
        super().enqueue_req(conn)

    def handle(self, conn: TConn) -> object:
        """Answer a request in a thread; False when nothing more is to come of the connection, which is closed then."""
        result = super().handle(conn)
        if result is False:
            # This waits up to two seconds for the other end to hang up. gunicorn would do it in the one thread that
            # accepts connections and tells the master that the worker is alive, for one connection after the other.
            conn.close(graceful=True)
        return result
