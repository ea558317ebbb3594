"""A minimal browser for measurements: cookies, forms and uploads over a real socket."""

from __future__ import annotations

import contextlib
import http.client
import re
import select
import socket
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from http.cookies import SimpleCookie
from pathlib import Path
from time import perf_counter
from urllib.parse import urlencode

from app.csvfile.columns import HEADER

_BOUNDARY = "----sluice-bench"
_PIECE_BYTES = 256 * 1024
#: The answer to an upload of two million rows takes tens of seconds.
_TIMEOUT_SECONDS = 300.0


class WrongAnswer(Exception):
    """The web server gave an unexpected answer; the message quotes it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of the web server."""

    status: int
    location: str
    text: str


@dataclass(frozen=True, slots=True)
class Uploaded:
    """An accepted upload; both times are from ``perf_counter``."""

    public_id: uuid.UUID
    clicked_at: float
    answered_at: float

    @property
    def seconds(self) -> float:
        """From the click to the answer."""
        return self.answered_at - self.clicked_at


class Browser:
    """A browser of one user; every request has a separate connection."""

    def __init__(self, port: int) -> None:
        self._port = port
        #: The user who is signed in.
        self.email = ""
        self._cookies: SimpleCookie = SimpleCookie()

    def answers(self, path: str) -> bool:
        """Whether a page can be loaded."""
        try:
            return self._request("GET", path).status == HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False

    def get(self, path: str) -> str:
        """Load a page. Raises WrongAnswer if that fails."""
        return _expect(self._request("GET", path), HTTPStatus.OK, path).text

    def time(self, path: str, requests: int) -> list[float]:
        """The duration in seconds of each of ``requests`` consecutive requests for a page. Raises WrongAnswer."""
        seconds = []
        for _ in range(requests):
            began = perf_counter()
            self.get(path)
            seconds.append(perf_counter() - began)
        return seconds

    def download(self, path: str, to: Path) -> None:
        """Download a file to disk. Raises WrongAnswer if that fails."""
        connection, response = self._send("GET", path, None, None)
        with contextlib.closing(connection), to.open("wb") as file:
            if response.status != HTTPStatus.OK:
                raise WrongAnswer(f"{path} was answered with {response.status}.")
            while piece := response.read(_PIECE_BYTES):
                file.write(piece)

    def token(self, path: str = "/imports/upload") -> str:
        """The CSRF token of the forms on a page."""
        found = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', self.get(path))
        if found is None:
            raise WrongAnswer(f"{path} has no form.")
        return found[1]

    def sign_in(self, email: str, password: str) -> None:
        """Sign in. Raises WrongAnswer if that is refused."""
        fields = {"email": email, "password": password, "csrf_token": self.token("/login")}
        answer = self._submit("/login", fields)
        if answer.status not in (HTTPStatus.FOUND, HTTPStatus.SEE_OTHER):
            raise WrongAnswer(f"Signing in was answered with {answer.status}.")
        self.email = email

    def press(self, path: str, token: str, **fields: str) -> None:
        """Press a button, with the other ``fields`` of its form. Raises WrongAnswer if that is refused."""
        _expect(self._submit(path, {"csrf_token": token, **fields}), HTTPStatus.SEE_OTHER, path)

    def upload(self, path: Path, *, is_check: bool = False) -> Uploaded:
        """Upload a file; the form counts as already open. Raises WrongAnswer if the file is rejected."""
        # Measurements upload the same file many times, and must not be asked about it.
        fields = {"csrf_token": self.token(), "again": "1"} | ({"check": "1"} if is_check else {})
        head, tail = _form(fields, path.name)
        length = len(head) + path.stat().st_size + len(tail)
        headers = {"Content-Type": f"multipart/form-data; boundary={_BOUNDARY}", "Content-Length": str(length)}
        clicked_at = perf_counter()
        answer = self._request("POST", "/imports/upload", _body(head, path, tail), headers)
        answered_at = perf_counter()
        _expect(answer, HTTPStatus.SEE_OTHER, "/imports/upload")
        return Uploaded(uuid.UUID(answer.location.rstrip("/").rpartition("/")[2]), clicked_at, answered_at)

    def begin_upload(self) -> socket.socket:
        """Begin to upload a file in chunks. The caller sends its rows and closes the connection."""
        connection = socket.create_connection(("127.0.0.1", self._port), timeout=_TIMEOUT_SECONDS)
        head, _ = _form({"csrf_token": self.token()}, "slow.csv")
        connection.sendall(
            f"POST /imports/upload HTTP/1.1\r\nHost: localhost\r\nCookie: {self._cookie()}\r\n"
            f"Content-Type: multipart/form-data; boundary={_BOUNDARY}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
            + _chunk(head + f"{HEADER}\n".encode())
        )
        return connection

    def _cookie(self) -> str:
        return "; ".join(f"{name}={morsel.value}" for name, morsel in self._cookies.items())

    def _submit(self, path: str, fields: dict[str, str]) -> Answer:
        body = urlencode(fields).encode()
        return self._request("POST", path, body, {"Content-Type": "application/x-www-form-urlencoded"})

    def _request(
        self, method: str, path: str, body: bytes | Iterator[bytes] | None = None, headers: dict[str, str] | None = None
    ) -> Answer:
        connection, response = self._send(method, path, body, headers)
        with contextlib.closing(connection):
            text = response.read().decode()
        for cookie in response.headers.get_all("Set-Cookie", []):
            self._cookies.load(cookie)
        return Answer(response.status, response.headers.get("Location", ""), text)

    def _send(
        self, method: str, path: str, body: bytes | Iterator[bytes] | None, headers: dict[str, str] | None
    ) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        """The connection, which the caller closes, and the unread answer on it."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=_TIMEOUT_SECONDS)
        try:
            connection.request(method, path, body, {**(headers or {}), "Cookie": self._cookie()})
            return connection, connection.getresponse()
        except BaseException:
            connection.close()
            raise


class SlowUpload:
    """An upload whose bytes the caller sends as slowly as it likes."""

    def __init__(self, browser: Browser) -> None:
        self._connection = browser.begin_upload()
        #: Whether there was no answer yet.
        self.is_waiting = True

    def feed(self, count: int) -> None:
        """Send ``count`` more blank rows, unless it was refused."""
        if not self.is_waiting:
            return
        try:
            if select.select([self._connection], [], [], 0)[0]:
                self.is_waiting = False
            else:
                self._connection.sendall(_chunk(b"\n" * count))
        except OSError:
            self.is_waiting = False

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def _chunk(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


def _expect(answer: Answer, status: HTTPStatus, path: str) -> Answer:
    if answer.status != status:
        sentence = re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", answer.text))[:500]
        raise WrongAnswer(f"{path} was answered with {answer.status}: {sentence}")
    return answer


def _form(fields: dict[str, str], file_name: str) -> tuple[bytes, bytes]:
    """The parts of an upload's body before and after the file."""
    head = "".join(
        f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    )
    head += (
        f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="{file_name}"\r\n'
        "Content-Type: text/csv\r\n\r\n"
    )
    return head.encode(), f"\r\n--{_BOUNDARY}--\r\n".encode()


def _body(head: bytes, path: Path, tail: bytes) -> Iterator[bytes]:
    yield head
    with path.open("rb") as file:
        while piece := file.read(_PIECE_BYTES):
            yield piece
    yield tail
