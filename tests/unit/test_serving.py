"""The web server's limits for slow clients."""

from __future__ import annotations

import runpy
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from gunicorn.config import Config
from gunicorn.workers.gthread import TConn

import serving
from serving import MIN_BYTES_PER_SECOND, Arrived, PatientSocket, TooSlow, look_at
from tests.processes import ROOT

Pair = tuple[PatientSocket, socket.socket]


@pytest.fixture
def pair(monkeypatch: pytest.MonkeyPatch) -> Iterator[Pair]:
    """A connection whose near end is patient for a moment only, and its far end."""
    monkeypatch.setattr(serving, "STALL_SECONDS", 0.1)
    near, far = socket.socketpair()
    patient = PatientSocket.around(near)
    patient.setblocking(True)
    patient.expect_request()
    with patient, far:
        yield patient, far


HEAD = b"POST / HTTP/1.1\r\nHost: x\r\n"


@pytest.mark.parametrize(
    ("received", "arrived"),
    [
        (b"", Arrived.PART),
        (HEAD, Arrived.PART),
        (b"\r\n\r\n", Arrived.PART),
        (b"\r\n\r\n" + HEAD + b"\r\n", Arrived.WHOLE),
        (HEAD + b"\r\n", Arrived.WHOLE),
        (HEAD + b"content-length:5\r\n\r\nabcd", Arrived.PART),
        (HEAD + b"Content-Length: 5\r\n\r\nabcde", Arrived.WHOLE),
        (HEAD + b"Content-Length: 65536\r\n\r\n", Arrived.PART),
        (HEAD + b"Content-Length: 65537\r\n\r\n", Arrived.LARGE),
        (HEAD + b"Content-Length: " + b"9" * 60_000 + b"\r\n\r\n", Arrived.LARGE),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", Arrived.LARGE),
        # Its body comes only when it is asked for, which gunicorn does.
        (HEAD + b"Content-Length: 5\r\nExpect: 100-continue\r\n\r\n", Arrived.LARGE),
        (HEAD + b"X: " + b"y" * 70_000, Arrived.ENDLESS),
        # The content of a body does not matter.
        (HEAD + b"Content-Length: 28\r\n\r\n\r\nTransfer-Encoding: chunked", Arrived.WHOLE),
    ],
)
def test_a_thread_is_for_what_has_arrived(received: bytes, arrived: Arrived) -> None:
    assert look_at(received) is arrived


def test_what_was_received_before_is_read_first(pair: Pair) -> None:
    near, far = pair
    near.setblocking(False)
    assert near.receive()
    assert near.is_silent
    far.sendall(b"abc")
    assert near.receive()
    near.unread(b"x")
    far.sendall(b"def")
    near.setblocking(True)
    assert [near.recv(2), near.recv(10), near.recv(10)] == [b"xa", b"bc", b"def"]


def test_what_comes_in_time_is_taken(pair: Pair) -> None:
    near, far = pair
    far.sendall(b"abc")
    assert near.recv(10) == b"abc"
    far.close()
    assert near.recv(10) == b""
    assert not near.is_too_slow


def test_silence_has_an_end(pair: Pair) -> None:
    near, _ = pair
    with pytest.raises(TooSlow):
        near.recv(10)
    assert near.is_too_slow
    # The answer can still be sent.
    near.sendall(b"too slow")


def test_a_byte_now_and_then_is_not_enough(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    near, far = pair
    now = [0.0]
    # Each byte takes a fifth of the time limit.
    monkeypatch.setattr(serving.time, "monotonic", lambda: now.__setitem__(0, now[0] + 0.02) or now[0])
    for _ in range(4):
        far.sendall(b"x")
        assert near.recv(1) == b"x"
    with pytest.raises(TooSlow):
        near.recv(1)


def test_a_burst_does_not_pay_for_an_hour(pair: Pair) -> None:
    near, far = pair
    far.sendall(b"x" * 10 * MIN_BYTES_PER_SECOND)
    while near._left < 0.1 or not near.recv(1 << 20):
        pass
    assert near._left <= 0.1
    near.expect_request()
    assert near._left == 0.1


def test_a_reader_who_does_not_read_is_cut_off(pair: Pair) -> None:
    near, far = pair
    with pytest.raises(TooSlow):
        near.sendall(b"x" * (16 << 20))
    assert far.recv(10) == b"x" * 10


def test_who_sets_a_timeout_gets_it(pair: Pair) -> None:
    near, _ = pair
    near.settimeout(0.01)
    with pytest.raises(TimeoutError):
        near.recv(1)
    assert not near.is_too_slow
    assert near.gettimeout() == 0.01


@pytest.mark.parametrize("name", ["STALL_SECONDS", "PATIENCE_SECONDS"])
def test_the_time_to_stall_has_the_name_of_the_release_before_too(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "7")
    assert runpy.run_path(str(ROOT / "serving.py"))["STALL_SECONDS"] == 7


def test_the_server_refuses_to_speak_tls(tmp_path: Path) -> None:
    own = ["--config", "gunicorn.conf.py", "--bind", f"unix:{tmp_path}/socket", "--certfile", "certificate.pem"]
    command = [sys.executable, "-m", "gunicorn", *own, "wsgi:app"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 1
    assert "let a proxy do it" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_connection_may_be_closed_twice(pair: Pair) -> None:
    # Once by the thread that waits for the other end, and then by gunicorn, which counts it twice if that fails.
    near, far = pair
    connection = TConn(Config(), near, None, None)
    far.close()
    connection.close(graceful=True)
    connection.close(graceful=True)
    assert near.fileno() == -1
