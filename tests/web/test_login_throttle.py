"""The limit of sign-in attempts, which does not reveal which accounts exist."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Semaphore

import pytest
from flask import Flask, request
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app import create_app
from app.identity import login_throttle, sellers
from app.models import Seller
from app.observability import logs
from app.rate_limits import TooManyAttempts
from app.redis_client import redis_client
from tests.conftest import PASSWORD
from tests.pages import csrf_token, read, words
from tests.web.test_sign_in import without_what_differs


@pytest.fixture(autouse=True)
def quick_hashes(app: Flask, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Compare passwords without slow hashing. Returns the email addresses for which it was done."""
    asked: list[str] = []

    def check(email: str, password: str) -> Seller | None:
        asked.append(email)
        return sellers.find_seller(email) if password == PASSWORD else None

    monkeypatch.setattr("app.identity.login_throttle.sellers.check_password", check)
    return asked


def attempt(app: Flask, email: str, password: str = "wrong password", address: str = "192.0.2.1") -> TestResponse:
    browser = app.test_client()
    form = {"csrf_token": csrf_token(browser), "email": email, "password": password}
    return browser.post("/login", data=form, environ_overrides={"REMOTE_ADDR": address})


def test_too_many_failures_keep_an_address_from_an_account(app: Flask, seller: Seller, quick_hashes) -> None:
    for _ in range(10):
        assert attempt(app, seller.email).status_code == 422
    quick_hashes.clear()
    # Now not even the right password is compared.
    refused = attempt(app, "Seller@Example.com ", PASSWORD)
    soup = read(refused, 429)
    assert words(soup.select_one("[role=alert]")).startswith("There were too many attempts to sign in. Try again in ")
    assert 1 <= int(refused.headers["Retry-After"]) <= 900
    assert quick_hashes == []
    # Its owner is elsewhere, and others at the same address have other accounts.
    assert attempt(app, seller.email, PASSWORD, "192.0.2.2").status_code == 303
    assert attempt(app, "other@example.com").status_code == 422


def test_an_account_that_is_not_there_is_refused_alike(app: Flask, seller: Seller) -> None:
    answers = {}
    for email in (seller.email, "nobody@example.com"):
        answers[email] = [attempt(app, email) for _ in range(11)]
    for mine, nobodys in zip(*answers.values(), strict=True):
        assert mine.status_code == nobodys.status_code
        assert without_what_differs(mine) == without_what_differs(nobodys)
        assert dict(mine.headers).keys() == dict(nobodys.headers).keys()


def test_signing_in_forgives_what_went_wrong_before(app: Flask, seller: Seller) -> None:
    for _ in range(3):
        for _ in range(9):
            assert attempt(app, seller.email).status_code == 422
        assert attempt(app, seller.email, PASSWORD).status_code == 303


def test_signing_in_is_no_failure_of_its_account_and_address(app: Flask, seller: Seller) -> None:
    for _ in range(101):
        assert attempt(app, seller.email, PASSWORD).status_code == 303


def test_many_attempts_at_once_are_no_more_than_many_in_turn(
    app: Flask, seller: Seller, monkeypatch: pytest.MonkeyPatch
) -> None:
    settled, go_on, looked = Semaphore(0), Event(), []

    def look(email: str, password: str) -> None:
        looked.append(email)
        settled.release()
        go_on.wait()

    def try_it() -> None:
        with app.app_context():
            try:
                login_throttle.check_password("seller@example.com", "wrong", address="192.0.2.1")
            except TooManyAttempts:
                settled.release()

    monkeypatch.setattr("app.identity.login_throttle.sellers.check_password", look)
    with ThreadPoolExecutor(40) as threads:
        tries = [threads.submit(try_it) for _ in range(40)]
        for _ in tries:
            settled.acquire()
        go_on.set()
    assert [one.exception() for one in tries] == [None] * 40
    assert len(looked) == 10
    # Those that were refused count for nothing: neither the account nor the address has had forty failures.
    counts = {key.split(b"LIMITER/")[1]: int(redis_client().get(key)) for key in redis_client().scan_iter("*sign-in*")}
    assert set(counts.values()) == {10}


def test_something_else_in_the_place_of_a_count_locks_nobody_out(app: Flask, seller: Seller) -> None:
    app.extensions["sluice_attempts_here"].storage.reset()
    attempt(app, seller.email)
    for key in redis_client().scan_iter("sluice*sign-in*"):
        redis_client().set(key, "x")
    assert attempt(app, seller.email).status_code == 422
    assert attempt(app, seller.email, PASSWORD).status_code == 303


def test_one_address_cannot_try_account_after_account(app: Flask, seller: Seller) -> None:
    for number in range(100):
        assert attempt(app, f"{number}@example.com").status_code == 422
    assert attempt(app, seller.email, PASSWORD).status_code == 429
    assert attempt(app, seller.email, PASSWORD, "192.0.2.2").status_code == 303


def test_many_addresses_cannot_try_one_account(app: Flask, seller: Seller) -> None:
    for number in range(100):
        assert attempt(app, seller.email, address=f"192.0.2.{number}").status_code == 422
    assert attempt(app, seller.email, PASSWORD, "198.51.100.1").status_code == 429


@pytest.mark.parametrize("away", [False, True])
def test_without_redis_each_process_counts_for_itself(app: Flask, seller: Seller, take_redis_away, away: bool) -> None:
    if away:
        take_redis_away()
        app.extensions["sluice_attempts_here"].storage.reset()
    assert [attempt(app, seller.email).status_code for _ in range(11)] == [422] * 10 + [429]


def test_addresses_are_those_that_our_own_proxies_tell(environ: dict[str, str], app: Flask, seller: Seller) -> None:
    seen = {}
    for proxies in ("0", "1", "2"):
        behind = create_app({**environ, "LEASE_SECONDS": "60", "TRUSTED_PROXIES": proxies})
        behind.add_url_rule("/address", "address", lambda: request.remote_addr)
        client: FlaskClient = behind.test_client()
        headers = {"X-Forwarded-For": "203.0.113.9, 203.0.113.1, 203.0.113.2"}
        seen[proxies] = client.get("/address", headers=headers).text
    assert seen == {"0": "127.0.0.1", "1": "203.0.113.2", "2": "203.0.113.1"}


@pytest.mark.parametrize(("proxies", "said"), [("0", 1), ("1", 0)])
def test_a_proxy_of_which_nobody_was_told_is_noticed_once(environ, app: Flask, caplog, proxies: str, said: int) -> None:
    logs.warn_of_proxy.cache_clear()
    behind = create_app({**environ, "LEASE_SECONDS": "60", "TRUSTED_PROXIES": proxies})
    for _ in range(2):
        behind.test_client().get("/healthz", headers={"X-Forwarded-For": "192.0.2.7"})
    assert sum("set TRUSTED_PROXIES" in message for message in caplog.messages) == said


def test_what_was_typed_does_not_come_into_the_log(app: Flask, seller: Seller, caplog) -> None:
    caplog.set_level(logging.INFO, "app.identity.login_throttle")
    attempt(app, "my secret password\r\nINFO all is well", "x\n2026-01-01 forged")
    attempt(app, seller.email, PASSWORD)
    (failed, succeeded) = caplog.messages
    assert failed.startswith("sign-in failed: account ")
    assert failed.endswith(", address 192.0.2.1")
    assert "secret" not in failed
    assert "\n" not in failed
    assert succeeded == f"sign-in: seller {seller.id}, address 192.0.2.1"
