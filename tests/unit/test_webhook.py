"""One webhook: its request, and the result of every kind of answer."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from app.deliveries import addresses, webhook
from app.deliveries.addresses import Target, UrlRefused
from app.deliveries.retry_policy import MAX_ATTEMPTS, WAITS_SECONDS, wait_after
from app.deliveries.webhook import SendResult
from app.queries.deliveries.outbox import LONGEST_WAIT_SECONDS
from tests.receiver import Receiver, receiver

SECRET = webhook.new_secret()
BODY = '{"type":"import.completed","data":{"fileName":"Bücher.csv"}}'


@pytest.fixture
def there() -> Iterator[Receiver]:
    with receiver() as made:
        yield made


def send(url: str, *, signing: list[str] | None = None, allow_private: bool = True) -> SendResult:
    return webhook.send(url, "msg_1", BODY, signing or [SECRET], allow_private=allow_private)


def test_it_arrives_as_the_text_of_the_standard_has_it(there: Receiver) -> None:
    assert send(there.url) == SendResult(True, 204, "Accepted with 204 No Content.")
    (call,) = there.calls
    assert call.path == "/hooks?shop=1"
    assert call.body == BODY.encode()
    assert call.headers["content-type"] == "application/json"
    assert call.headers["host"] == f"127.0.0.1:{there.port}"
    assert call.verify(SECRET) == json.loads(BODY)
    # Again by hand, from the specification.
    signed = f"{call.headers['webhook-id']}.{call.headers['webhook-timestamp']}.".encode() + call.body
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert call.headers["webhook-signature"] == f"v1,{expected}"


def test_the_example_of_the_standards_own_library() -> None:
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    body = '{"test": 2432232314}'
    signature = webhook.sign(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_secret_is_what_the_standard_asks_for() -> None:
    assert SECRET.startswith("whsec_")
    assert 24 <= len(base64.b64decode(SECRET.removeprefix("whsec_"), validate=True)) <= 64
    assert webhook.new_secret() != SECRET


def test_while_the_secret_changes_either_one_verifies(there: Receiver) -> None:
    new = webhook.new_secret()
    send(there.url, signing=[new, SECRET])
    (call,) = there.calls
    assert call.verify(SECRET) == call.verify(new)
    with pytest.raises(WebhookVerificationError):
        call.verify(webhook.new_secret())
    with pytest.raises(WebhookVerificationError):
        Webhook(new).verify(call.body.replace(b"completed", b"failed"), call.headers)


@pytest.mark.parametrize(
    ("status", "accepted", "final", "words"),
    [
        (200, True, False, "Accepted with 200 OK."),
        (299, True, False, "Accepted with 299."),
        (400, False, False, "Answered 400 Bad Request."),
        (410, False, True, "Answered 410 Gone: it wants no more deliveries."),
        (500, False, False, "Answered 500 Internal Server Error."),
    ],
)
def test_what_is_answered_decides(there: Receiver, status: int, accepted: bool, final: bool, words: str) -> None:
    there.status, there.body = status, b"some\x00 words\n here"
    assert send(there.url) == SendResult(accepted, status, words, "some words here", None, final)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(there: Receiver, status: int) -> None:
    with receiver() as inside:
        there.status, there.headers = status, {"Location": inside.url}
        answer = send(there.url)
        assert inside.calls == []
    assert (answer.is_accepted, answer.code, answer.is_final) == (False, status, False)
    assert "doesn’t follow redirects" in answer.sentence


def test_a_long_answer_is_read_and_kept_in_part_only(there: Receiver) -> None:
    there.status, there.body = 500, b"x" * 5_000_000
    answer = send(there.url)
    assert (answer.code, len(answer.body)) == (500, 300)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("120", 120), ("Wed, 21 Oct 2015 07:28:00 GMT", 0), ("soon", None), ("-5", None), ("9" * 30, None)],
)
def test_the_receiver_may_ask_for_patience(there: Receiver, header: str, seconds: float | None) -> None:
    there.status, there.headers = 503, {"Retry-After": header}
    assert send(there.url).retry_after == seconds


def test_nobody_is_there() -> None:
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert send(f"http://127.0.0.1:{port}/") == SendResult(False, None, "It refused the connection.")


def test_a_name_that_nobody_knows() -> None:
    assert send("https://no-such-host.invalid/").sentence == "We couldn’t find that host."


@contextmanager
def raw_server(say: bytes, *, then_wait: bool = False) -> Iterator[int]:
    """A server that gives this answer to every client, and closes the connection or not."""
    over = threading.Event()

    def serve() -> None:
        caller, _ = listening.accept()
        with caller:
            caller.recv(65536)
            caller.sendall(say)
            while then_wait and not over.wait(0.02):
                try:
                    caller.sendall(b"a")
                except OSError:
                    return

    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        thread = threading.Thread(target=serve)
        thread.start()
        yield listening.getsockname()[1]
        over.set()
        thread.join()


@pytest.mark.parametrize(
    ("say", "words"),
    [(b"", "closed the connection"), (b"hello\r\n\r\n", "didn’t answer like a web server")],
)
def test_what_is_no_web_server(say: bytes, words: str) -> None:
    with raw_server(say) as port:
        answer = send(f"http://127.0.0.1:{port}/")
    assert not answer.is_accepted
    assert words in answer.sentence


@pytest.mark.parametrize("say", [b"", b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 200 OK\r\n\r\n"])
def test_nobody_is_waited_for_longer_than_the_timeout(say: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    # It sends a byte now and then, so that no timeout of a single read ever comes.
    monkeypatch.setattr(webhook, "TIMEOUT_SECONDS", 0.3)
    with raw_server(say, then_wait=True) as port:
        answer = send(f"http://127.0.0.1:{port}/")
    # Once the status is there, what follows it does not matter.
    assert answer.is_accepted is say.endswith(b"\r\n\r\n")
    assert answer.is_accepted or answer.sentence.startswith("It did not answer within")


def test_https_with_a_server_that_speaks_plain_http(there: Receiver) -> None:
    answer = send(there.url.replace("http:", "https:"))
    assert answer.sentence == "A secure connection couldn’t be made."


def test_the_private_network_is_not_reached(there: Receiver) -> None:
    for url in (there.url.replace("http:", "https:"), f"https://localhost:{there.port}/"):
        answer = send(url, allow_private=False)
        assert not answer.is_accepted
        assert "on the internet" in answer.sentence or "not an address on the internet" in answer.sentence
    assert there.calls == []


def test_the_name_is_looked_up_once_and_that_address_is_used(there: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def rebinding(target: Target, *, allow_private: bool) -> list[str]:
        asked.append(target.host)
        return ["127.0.0.1"]

    monkeypatch.setattr(webhook, "resolve", rebinding)
    answer = send(f"http://shop.example.com:{there.port}/x")
    assert answer.is_accepted
    assert asked == ["shop.example.com"]
    # The receiver still learns by which name it was called.
    assert there.calls[0].headers["host"] == f"shop.example.com:{there.port}"


def test_a_name_that_has_moved_inside_since_it_was_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [(0, 0, 0, "", ("169.254.169.254", 443))])
    monkeypatch.setattr(socket, "create_connection", lambda *_, **__: pytest.fail("connected"))
    answer = send("https://shop.example.com/", allow_private=False)
    assert answer == SendResult(False, None, str(refusal("169.254.169.254")))


def refusal(address: str) -> UrlRefused:
    with pytest.raises(UrlRefused) as caught:
        addresses.parse(f"https://{address}/", allow_private=False)
    return caught.value


def test_the_attempts_span_more_than_a_day_and_no_wait_is_longer_than_it_may_be() -> None:
    assert sum(WAITS_SECONDS) > 24 * 3600
    for attempt in range(1, MAX_ATTEMPTS):
        for retry_after in (None, 0, 3600, 10**9):
            assert WAITS_SECONDS[attempt - 1] <= wait_after(attempt, retry_after) < LONGEST_WAIT_SECONDS
    assert wait_after(1, 3600) == 3600
    assert wait_after(1, 10**9) == LONGEST_WAIT_SECONDS / 2
