"""Slow senders and slow readers do not hold the web server, and what it refuses it says."""

from __future__ import annotations

import http.client
import runpy
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import cycle

import pytest
from flask import Flask

from app.models import Seller
from tests.conftest import make_token
from tests.end_to_end.test_web import is_at_rest, ready_server
from tests.factories import csv_bytes, row
from tests.processes import ROOT, answers, wait_until, web_server

#: More than the server has threads.
MANY = runpy.run_path(str(ROOT / "gunicorn.conf.py"))["threads"] * 2


@pytest.fixture(scope="module")
def short_server(migrated_app: Flask, environ: dict[str, str]) -> Iterator[int]:
    with ready_server({**environ, "STALL_SECONDS": "0.3", "UPLOADS_IN_FLIGHT": "0"}) as port:
        yield port


@pytest.fixture
def address(app: Flask, short_server: int) -> Iterator[tuple[str, int]]:
    """A real web server with short time limits."""
    yield "127.0.0.1", short_server
    wait_until(lambda: is_at_rest(short_server))


@pytest.fixture(scope="module")
def usual_server(migrated_app: Flask, environ: dict[str, str]) -> Iterator[int]:
    with ready_server({**environ, "UPLOADS_IN_FLIGHT": "0", "API_UPLOADS_PER_HOUR": "0"}) as port:
        yield port


@pytest.fixture
def usual(app: Flask, usual_server: int) -> Iterator[tuple[str, int]]:
    """A real web server with the usual time limits, which outlast a test, and without a limit of uploads."""
    yield "127.0.0.1", usual_server
    wait_until(lambda: is_at_rest(usual_server))


def read_to_end(connection: socket.socket) -> bytes:
    answer = b""
    while more := connection.recv(1 << 16):
        answer += more
    return answer


def begin_upload(address: tuple[str, int], secret: str, body: str = "Content-Length: 1000000000") -> socket.socket:
    """Begin to send a file and say no more."""
    beginning = "5\r\nMODE,\r\n" if "chunked" in body else "MODE,"
    connection = socket.create_connection(address, timeout=20)
    connection.sendall(
        f"POST /api/v1/imports HTTP/1.1\r\nHost: x\r\nContent-Type: text/csv\r\n"
        f"Authorization: Bearer {secret}\r\n{body}\r\n\r\n{beginning}".encode()
    )
    return connection


SLOW = {
    "headers": b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ",
    "a form": b"POST /login HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    b"Content-Length: 1000\r\n\r\nemail=",
    "a form in chunks": b"POST /login HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n6\r\nemail=",
    "nothing but line breaks": b"\r\n\r\n",
}


def test_requests_that_stop_in_their_middle_are_given_up(address: tuple[str, int]) -> None:
    slow = [socket.create_connection(address, timeout=20) for _ in range(MANY)]
    for connection, beginning in zip(slow, cycle(SLOW.values()), strict=False):
        connection.sendall(beginning)
    assert answers(f"http://{address[0]}:{address[1]}/healthz")
    for connection in slow:
        with connection:
            assert b" 200 " not in read_to_end(connection)[:20]


def test_slow_requests_take_no_thread_from_others(usual: tuple[str, int]) -> None:
    with ExitStack() as stack:
        for beginning in [*SLOW.values()] * MANY:
            stack.enter_context(socket.create_connection(usual, timeout=20)).sendall(beginning)
        # None of the slow ones is given up meanwhile.
        assert answers(f"http://{usual[0]}:{usual[1]}/healthz")
        assert answers(f"http://{usual[0]}:{usual[1]}/login")


@pytest.mark.parametrize("body", ["Content-Length: 1000000000", "Transfer-Encoding: chunked"])
def test_slow_uploads_never_take_all_threads(usual: tuple[str, int], seller: Seller, body: str) -> None:
    secret = make_token(seller)
    with ExitStack() as stack:
        slow = [stack.enter_context(begin_upload(usual, secret, body)) for _ in range(MANY)]
        assert answers(f"http://{usual[0]}:{usual[1]}/readyz")
        assert answers(f"http://{usual[0]}:{usual[1]}/login")
        # Uploads beyond the maximum are refused at once; the others are waited for.
        refused = [read_to_end(connection).decode() for connection in slow[MANY // 2 :]]
        assert all(answer.startswith("HTTP/1.1 503 ") for answer in refused)
        assert all("\nRetry-After: 10\r\n" in answer and "Too many files are arriving" in answer for answer in refused)
        connection = http.client.HTTPConnection(*usual, timeout=20)
        connection.request("GET", "/api/v1/imports", headers={"Authorization": f"Bearer {secret}"})
        assert connection.getresponse().status == 200
        connection.close()
    # Their places are free again as soon as they hang up.
    wait_until(lambda: send(usual, secret, csv_bytes([row()]) + b"\n" * 100_000).startswith(b"HTTP/1.1 201"))


def send(address: tuple[str, int], secret: str, data: bytes) -> bytes:
    """Send a file to its end, whatever is answered meanwhile, and only then read the answer."""
    with socket.create_connection(address, timeout=20) as connection:
        connection.sendall(
            f"POST /api/v1/imports HTTP/1.1\r\nHost: x\r\nContent-Type: text/csv\r\n"
            f"Authorization: Bearer {secret}\r\nContent-Length: {len(data)}\r\n\r\n".encode()
            + data
        )
        return read_to_end(connection)


def test_what_is_refused_early_reaches_who_sends_to_the_end(usual: tuple[str, int], seller: Seller) -> None:
    answer = send(usual, make_token(seller), b"MODE;URN;PRICE\n" + b"x" * (100 << 20))
    assert answer.startswith(b"HTTP/1.1 422 ")
    assert b"semicolons" in answer


def test_a_full_disk_is_told_to_who_sends_to_the_end(
    app: Flask, environ: dict[str, str], seller: Seller, storage_files
) -> None:
    secret = make_token(seller)
    # A file that must not grow fails as one on a full disk does.
    with web_server(environ, on=["prlimit", "--fsize=1048576"]) as port:
        wait_until(lambda: answers(f"http://127.0.0.1:{port}/readyz"))
        answer = send(("127.0.0.1", port), secret, csv_bytes([row(comment="c" * 200)] * 400_000))
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"The file could not be stored" in answer
    assert storage_files() == []


def test_requests_that_come_together_are_answered_one_after_the_other(usual: tuple[str, int]) -> None:
    one = b"GET /healthz HTTP/1.1\r\nHost: x\r\n"
    with socket.create_connection(usual, timeout=20) as connection:
        connection.sendall(one + b"\r\n" + one + b"\r\n" + one + b"Connection: close\r\n\r\n")
        assert read_to_end(connection).count(b"HTTP/1.1 200 ") == 3


def test_a_request_has_an_end_however_steadily_it_comes(
    app: Flask, environ: dict[str, str], seller: Seller, storage_files
) -> None:
    secret = make_token(seller)
    with web_server({**environ, "LONGEST_REQUEST_SECONDS": "1"}) as port:
        wait_until(lambda: answers(f"http://127.0.0.1:{port}/readyz"))
        with begin_upload(("127.0.0.1", port), secret, "Transfer-Encoding: chunked") as connection:
            connection.settimeout(0.02)
            answer = b""
            ends_at = time.monotonic() + 20
            while not answer and time.monotonic() < ends_at:
                # Much more than is asked for.
                connection.sendall(b"400\r\n" + b"x" * 1024 + b"\r\n")
                try:
                    answer = connection.recv(1 << 16)
                except TimeoutError:
                    continue
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert storage_files() == []


def test_those_who_do_not_hang_up_make_nobody_wait(address: tuple[str, int]) -> None:
    began = time.monotonic()
    idle = [socket.create_connection(address, timeout=20) for _ in range(4)]
    for connection in idle:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert b" 200 " in read_to_end(connection)[:20]
    assert answers(f"http://{address[0]}:{address[1]}/healthz")
    # The server waits for each of them for two seconds, but not for one after the other.
    assert time.monotonic() - began < 5
    for connection in idle:
        connection.close()


def test_an_upload_that_stops_is_told_why_and_leaves_nothing(address, seller: Seller, storage_files) -> None:
    secret = make_token(seller)
    with socket.create_connection(address, timeout=20) as connection:
        connection.sendall(
            f"POST /api/v1/imports HTTP/1.1\r\nHost: x\r\nContent-Type: text/csv\r\n"
            f"Authorization: Bearer {secret}\r\nContent-Length: 1000000\r\n\r\nMODE,".encode()
        )
        answer = read_to_end(connection).decode()
    assert answer.startswith("HTTP/1.1 408 ")
    assert "The upload timed out" in answer
    assert storage_files() == []
