"""Sends one webhook as Standard Webhooks specifies, and only to allowed addresses."""

import base64
import hashlib
import hmac
import secrets
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from http.client import HTTPException
from threading import Timer
from typing import NamedTuple

from urllib3 import BaseHTTPResponse
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError

from app.deliveries.addresses import Target, UrlRefused, parse, resolve

SECRET_PREFIX = "whsec_"
_SECRET_BYTES = 32

#: Time for the whole request, from the first byte to the last.
TIMEOUT_SECONDS = 10.0
_CONNECT_TIMEOUT_SECONDS = 3.0
#: How much of an answer is read, and how much of that is stored.
_MAX_ANSWER_BYTES = 4096
_MAX_KEPT_CHARACTERS = 300


class SendResult(NamedTuple):
    """The result of an attempt to send a message."""

    is_accepted: bool
    #: The status of the answer, if there was one.
    code: int | None
    #: For the log.
    sentence: str
    #: How the answer began.
    body: str = ""
    #: Seconds until the receiver wants to be called again.
    retry_after: float | None = None
    #: Whether a retry would be useless.
    is_final: bool = False


def new_secret() -> str:
    """A secret to sign with."""
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def sign(secret: str, message_id: str, timestamp: int, body: str) -> str:
    """The signature under one secret."""
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX))
    digest = hmac.digest(key, f"{message_id}.{timestamp}.{body}".encode(), hashlib.sha256)
    return f"v1,{base64.b64encode(digest).decode()}"


def send(url: str, message_id: str, body: str, signing: list[str], *, allow_private: bool) -> SendResult:
    """POST ``body`` to ``url``, signed with each secret of ``signing``. Errors are part of the result."""
    timestamp = int(time.time())
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "Sluice-Webhooks/1",
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(sign(secret, message_id, timestamp, body) for secret in signing),
    }
    deadline = time.monotonic() + TIMEOUT_SECONDS
    try:
        target = parse(url, allow_private=allow_private)
        addresses = resolve(target, allow_private=allow_private)
        return _post(target, addresses, body.encode(), headers, deadline)
    except UrlRefused as refused:
        return SendResult(False, None, str(refused))
    except (OSError, HTTPException, HTTPError, UnicodeError) as error:
        return SendResult(False, None, _explain(error, is_late=time.monotonic() >= deadline))


def _post(target: Target, addresses: list[str], body: bytes, headers: dict[str, str], deadline: float) -> SendResult:
    with (
        _connect(addresses, target.port, deadline) as plain,
        _hang_up_at(deadline, plain),
        closing(_open(target, plain)) as connection,
    ):
        connection.request("POST", target.path, body=body, headers=headers, preload_content=False)
        with closing(connection.getresponse()) as response:
            if time.monotonic() >= deadline:
                # A connection that was closed while headers were read looks complete.
                raise TimeoutError
            return _judge(response, _read_beginning(response))


# The connection -------------------------------------------------------------------------------------------------------


def _open(target: Target, connected: socket.socket) -> HTTPConnection:
    """HTTP or HTTPS over a socket that is connected already, to an address that was checked.

    The host is still the name: it is sent in the header, the certificate must be its, and it is never resolved.
    """
    connection = (
        HTTPSConnection(target.host, target.port, timeout=TIMEOUT_SECONDS, ssl_context=ssl.create_default_context())
        if target.is_https
        else HTTPConnection(target.host, target.port, timeout=TIMEOUT_SECONDS)
    )
    connection._new_conn = lambda: connected  # type: ignore[method-assign]
    return connection


@contextmanager
def _connect(addresses: list[str], port: int, deadline: float) -> Iterator[socket.socket]:
    """A socket that is connected to the first of ``addresses`` that answers. Raises OSError when none does."""
    trouble: OSError = TimeoutError()
    for address in addresses:
        patience = min(_CONNECT_TIMEOUT_SECONDS, deadline - time.monotonic())
        if patience <= 0:
            break
        try:
            # These are numeric addresses, so nothing is resolved here.
            connected = socket.create_connection((address, port), patience)
        except OSError as error:
            trouble = error
            continue
        with connected:
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connected.settimeout(max(deadline - time.monotonic(), 0.1))
            yield connected
            return
    raise trouble


@contextmanager
def _hang_up_at(deadline: float, connected: socket.socket) -> Iterator[None]:
    """Close the connection at the deadline: a receiver that sends a byte now and then never runs into a timeout."""
    # A duplicate descriptor, because TLS takes over the socket's.
    handle = connected.dup()

    def hang_up() -> None:
        with suppress(OSError):
            handle.shutdown(socket.SHUT_RDWR)

    timer = Timer(max(deadline - time.monotonic(), 0), hang_up)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
        handle.close()


# The answer -----------------------------------------------------------------------------------------------------------


def _read_beginning(response: BaseHTTPResponse) -> str:
    """How an answer begins; one that breaks off is still an answer."""
    try:
        return in_one_line(response.read(_MAX_ANSWER_BYTES, decode_content=False))
    except (OSError, HTTPException, HTTPError):
        return ""


def in_one_line(answer: bytes | str) -> str:
    """How an ``answer`` begins, in one line of printable characters."""
    text = answer.decode("utf-8", "replace") if isinstance(answer, bytes) else answer
    line = " ".join("".join(one if one.isprintable() else " " for one in text).split())
    return line if len(line) <= _MAX_KEPT_CHARACTERS else f"{line[: _MAX_KEPT_CHARACTERS - 1]}…"


def _judge(response: BaseHTTPResponse, beginning: str) -> SendResult:
    code = response.status
    if 200 <= code < 300:
        return SendResult(True, code, f"Accepted with {_name(code)}.", beginning)
    if 300 <= code < 400:
        sentence = f"Answered with a redirect, {_name(code)}. Sluice doesn’t follow redirects: use the final URL."
    elif code == HTTPStatus.GONE:
        sentence = f"Answered {_name(code)}: it wants no more deliveries."
    else:
        sentence = f"Answered {_name(code)}."
    return SendResult(
        False, code, sentence, beginning, _retry_after(response.headers.get("Retry-After")), code == HTTPStatus.GONE
    )


def _name(code: int) -> str:
    try:
        return f"{code} {HTTPStatus(code).phrase}"
    except ValueError:
        return str(code)


def _retry_after(header: str | None) -> float | None:
    """What Retry-After says, in seconds or as a date; None for what makes no sense."""
    if not header:
        return None
    if header.isdecimal() and len(header) < 10:
        return float(header)
    try:
        moment = parsedate_to_datetime(header)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max((moment - datetime.now(UTC)).total_seconds(), 0.0)


_EXPLANATIONS: dict[type[Exception], str] = {
    ssl.SSLCertVerificationError: "Its certificate was not accepted: {}.",
    ssl.SSLError: "A secure connection couldn’t be made.",
    socket.gaierror: "We couldn’t find that host.",
    TimeoutError: "Connecting took too long.",
    ConnectionRefusedError: "It refused the connection.",
    ConnectionError: "It closed the connection without answering.",
    HTTPException: "It didn’t answer like a web server.",
    UnicodeError: "We couldn’t find that host.",
}


def _explain(error: Exception, *, is_late: bool) -> str:
    """Why there was no answer, as the log tells it."""
    if is_late:
        return f"It did not answer within {TIMEOUT_SECONDS:.0f} seconds."
    inner: BaseException | None = error
    while inner is not None:
        for kind, sentence in _EXPLANATIONS.items():
            if isinstance(inner, kind):
                return sentence.format(getattr(inner, "verify_message", ""))
        inner = inner.__cause__ or inner.__context__
    return "It couldn’t be reached."
