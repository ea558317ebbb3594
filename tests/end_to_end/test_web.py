"""The real web server: what only shows over a socket, and the main job from sign-in to the last download."""

from __future__ import annotations

import json
import re
import socket
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.cookiejar import CookieJar

import psutil
import pytest
from flask import Flask

from app.csvfile.columns import HEADER
from app.models import Seller
from tests.conftest import PASSWORD, make_token
from tests.factories import csv_bytes, make_items, row
from tests.processes import answers, wait_until, web_server, workers


class Browser:
    """A browser without scripts: cookies, forms, redirects."""

    def __init__(self, address: str, *handlers: urllib.request.BaseHandler) -> None:
        self._address = address
        self._cookies = CookieJar()
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self._cookies), *handlers)
        # Over HTTPS a form says where it was.
        self._opener.addheaders.append(("Referer", f"{address}/"))
        self.url = ""

    def get(self, path: str) -> str:
        return self._open(urllib.request.Request(self._url_of(path)))

    def post(self, path: str, *, page: str, **fields: str) -> str:
        """Send the form that stands on ``page``."""
        data = urllib.parse.urlencode({**fields, "csrf_token": self.token(page)}).encode()
        return self._open(urllib.request.Request(self._url_of(path), data))

    def upload(self, data: bytes) -> str:
        body, content_type = form(self.token(), data)
        return self._open(
            urllib.request.Request(self._address + "/imports/upload", body, {"Content-Type": content_type})
        )

    def sign_in(self, email: str, password: str) -> None:
        self.post("/login", page="/login", email=email, password=password)

    def token(self, path: str = "/imports/upload") -> str:
        page = self.get(path)
        return re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page)[1]

    def cookie(self) -> str:
        return "; ".join(f"{cookie.name}={cookie.value}" for cookie in self._cookies)

    def _url_of(self, path: str) -> str:
        """Where ``path`` is on this site; a whole address is taken as it is."""
        return path if "://" in path else self._address + path

    def _open(self, request: urllib.request.Request) -> str:
        with self._opener.open(request, timeout=30) as answer:
            self.url = answer.url
            return answer.read().decode()


def form(token: str, data: bytes) -> tuple[bytes, str]:
    """A multipart body with the token and a file, and its content type."""
    head = (
        f'--b\r\nContent-Disposition: form-data; name="csrf_token"\r\n\r\n{token}\r\n'
        '--b\r\nContent-Disposition: form-data; name="file"; filename="stock.csv"\r\nContent-Type: text/csv\r\n\r\n'
    )
    return head.encode() + data + b"\r\n--b--\r\n", "multipart/form-data; boundary=b"


@contextmanager
def ready_server(environ: dict[str, str]) -> Iterator[int]:
    """A real web server that answers, on this port. Its start takes seconds, so the tests of a module share it."""
    with web_server(environ) as port:
        wait_until(lambda: answers(f"http://127.0.0.1:{port}/readyz"))
        yield port


def is_at_rest(port: int) -> bool:
    """Whether the web server on ``port`` has ended all connections, so that nothing of a test goes on in the next."""
    over = {psutil.CONN_LISTEN, psutil.CONN_TIME_WAIT, psutil.CONN_LAST_ACK}
    found = [one for one in psutil.net_connections("tcp4") if one.laddr == ("127.0.0.1", port)]
    return all(one.status in over for one in found)


@pytest.fixture(scope="module")
def server(migrated_app: Flask, environ: dict[str, str]) -> Iterator[int]:
    with ready_server(environ) as port:
        yield port


@pytest.fixture
def address(app: Flask, server: int) -> Iterator[str]:
    """A real web server."""
    yield f"http://127.0.0.1:{server}"
    wait_until(lambda: is_at_rest(server))


@pytest.fixture
def browser(address: str, seller: Seller) -> Browser:
    """A browser in which the seller has signed in through the form."""
    browser = Browser(address)
    browser.sign_in(seller.email, PASSWORD)
    return browser


def attributes(page: str) -> dict[str, str]:
    """The data attributes of the first import on a page."""
    return dict(re.findall(r'data-(import-id|status|total|successful|failed)="([^"]*)"', page)[:5])


def test_the_main_job(browser: Browser, environ: dict[str, str]) -> None:
    make_items(100)
    good = [row(urn=f"urn:test:{n}", comment='say "hi",\nand bye') for n in range(1, 101)]
    bad = [row(urn="urn:test:1", price="1.99", notes="é"), row(urn="urn:none", reference='5" wide')]
    data = csv_bytes(bad[:1] + good + bad[1:])
    with workers(environ):
        page = browser.upload(data)
        assert "/imports/" in browser.url
        details = browser.url
        wait_until(lambda: attributes(browser.get(details))["status"] == "FAILED")
    page = browser.get(details)
    assert attributes(page)["successful"] == "100"
    assert attributes(page)["failed"] == "2"
    assert attributes(browser.get("/imports")) == attributes(page) == attributes(browser.get(details + "/panel"))
    failed = browser.get(details + "/failed.csv")
    assert failed.encode() == csv_bytes(bad)
    report = browser.get(details + "/errors.csv").splitlines()
    assert report[0] == f"line,code,columns,message,fix,{HEADER}"
    assert report[1].startswith("2,422,PRICE,")
    assert report[2].startswith("203,404,URN,")
    export = browser.get("/listings/export.csv")
    assert export.startswith(f"{HEADER}\n")
    assert export.count("UPDATE,urn:test:") == 100
    with workers(environ):
        browser.upload(export.encode())
        wait_until(lambda: attributes(browser.get(browser.url))["status"] == "COMPLETED")
    assert browser.get("/listings/export.csv") == export


def test_a_wrong_header_is_refused_from_the_first_bytes(address: str, browser: Browser) -> None:
    body, content_type = form(browser.token(), b"MODE,URN,PRICE\n" + b"x" * 100_000)
    gigabyte = 1 << 30
    host, port = address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(
            f"POST /imports/upload HTTP/1.1\r\nHost: {host}\r\nCookie: {browser.cookie()}\r\n"
            f"Content-Type: {content_type}\r\nContent-Length: {gigabyte}\r\n\r\n".encode()
        )
        # A tenth of a thousandth of what was announced; the rest never comes.
        connection.sendall(body[:100_000])
        answer = b""
        while b"</html>" not in answer and (more := connection.recv(1 << 16)):
            answer += more
    assert answer.startswith(b"HTTP/1.1 422")
    assert "are missing" in answer.decode()


def test_a_client_that_hangs_up_leaves_nothing(address: str, browser: Browser, storage_files) -> None:
    body, content_type = form(browser.token(), csv_bytes(row() for _ in range(20_000)))
    host, port = address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(
            f"POST /imports/upload HTTP/1.1\r\nHost: {host}\r\nCookie: {browser.cookie()}\r\n"
            f"Content-Type: {content_type}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        )
        connection.sendall(body[: len(body) // 2])
        wait_until(storage_files)
    wait_until(lambda: not storage_files())
    assert "data-import-id" not in browser.get("/imports")


@pytest.mark.parametrize(
    ("path", "header", "status"),
    [("/api/v1/imports?" + "x" * 9_000, "", 414), ("/", "y" * 10_000, 431)],
    ids=["address", "header"],
)
def test_what_the_server_itself_refuses_is_told_as_a_problem(address: str, path: str, header: str, status: int) -> None:
    asked = urllib.request.Request(address + path, headers={"X-Header": header})
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(asked, timeout=10)
    with refused.value as answer:
        assert answer.headers["Content-Type"] == "application/problem+json"
        problem = json.load(answer)
    assert (answer.code, problem["status"]) == (status, status)
    assert re.search(r"too large|limit", problem["detail"])


BROKEN_CHUNKS = {
    "a negative size": b"-5\r\nabc\r\n",
    "a size with a prefix": b"0x5\r\nabcde\r\n0\r\n\r\n",
    "no line break behind a chunk": b"3\r\nabcde\r\n0\r\n\r\n",
    "an extension that is none": b"3;=\r\nabc\r\n0\r\n\r\n",
    "an endless extension": b"3;x=" + b"y" * 200_000 + b"\r\nabc\r\n0\r\n\r\n",
    "a trailer that is none": b"0\r\n:\r\n\r\n",
    "fifty thousand trailers": b"0\r\n" + b"a: b\r\n" * 50_000 + b"\r\n",
}


@pytest.mark.parametrize("chunks", BROKEN_CHUNKS.values(), ids=BROKEN_CHUNKS)
def test_a_body_that_breaks_http_is_malformed(address: str, browser: Browser, seller: Seller, chunks: bytes) -> None:
    host, port = address.removeprefix("http://").split(":")
    form_type = "application/x-www-form-urlencoded"
    bearer = f"Authorization: Bearer {make_token(seller)}"
    answers = []
    for path, content_type, header in (
        ("/login", form_type, "X: y"),
        ("/imports/upload", "multipart/form-data; boundary=b", f"Cookie: {browser.cookie()}"),
        ("/api/v1/imports", "text/csv", bearer),
    ):
        with socket.create_connection((host, int(port)), timeout=20) as connection:
            connection.sendall(
                f"POST {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Type: {content_type}\r\n"
                f"{header}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
                + chunks
            )
            answer = b""
            while more := connection.recv(1 << 16):
                answer += more
        answers.append(answer.decode())
    assert [answer[:13] for answer in answers] == ["HTTP/1.1 400 "] * 3
    assert "Sluice couldn’t understand the request." in answers[0]
    assert "#problem-malformed" in answers[2]
