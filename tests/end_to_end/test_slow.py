"""Slow senders and slow readers do not hold the web server."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import pytest
from flask import Flask

from app.models import Seller
from tests.conftest import make_token
from tests.processes import answers, wait_until, web_server

#: More than the server has threads.
MANY = 12


@pytest.fixture
def address(app: Flask, environ: dict[str, str]) -> Iterator[tuple[str, int]]:
    """A real web server of little patience."""
    with web_server({**environ, "PATIENCE_SECONDS": "0.3", "UPLOADS_IN_FLIGHT": "0"}) as port:
        wait_until(lambda: answers(f"http://127.0.0.1:{port}/readyz"))
        yield "127.0.0.1", port


def read_to_end(connection: socket.socket) -> bytes:
    answer = b""
    while more := connection.recv(1 << 16):
        answer += more
    return answer


@pytest.mark.parametrize(
    "beginning",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ",
        b"POST /login HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        b"Content-Length: 1000\r\n\r\nemail=",
    ],
    ids=["headers", "a form"],
)
def test_requests_that_stop_in_their_middle_are_given_up(address: tuple[str, int], beginning: bytes) -> None:
    slow = [socket.create_connection(address, timeout=20) for _ in range(MANY)]
    for connection in slow:
        connection.sendall(beginning)
    assert answers(f"http://{address[0]}:{address[1]}/healthz")
    for connection in slow:
        with connection:
            assert b" 200 " not in read_to_end(connection)[:20]


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
    assert "The file came so slowly" in answer
    assert storage_files() == []
