"""The rate limits of the API, their headers, and their behaviour without Redis."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from flask import Flask
from redis import RedisError

from app import create_app
from app.extensions import db
from app.models import Seller
from app.redis_client import redis_client
from tests.api.conftest import Program, make_program, problem
from tests.factories import csv_bytes, row
from tests.web.conftest import Browser

AWAY = "redis://127.0.0.1:1/0"


@contextmanager
def limited(environ: dict[str, str], **settings: str) -> Iterator[Flask]:
    """Another application over the same database and Redis, with other limits."""
    app = create_app({**environ, "LEASE_SECONDS": "60", **settings})
    app.test_client_class = Browser
    yield app
    with app.app_context():
        db.engine.dispose()


def test_requests_are_counted_by_token_and_told(app, environ: dict[str, str], seller: Seller) -> None:
    first, second = make_program(app, seller), make_program(app, seller)
    with limited(environ, API_REQUESTS_PER_MINUTE="2") as other:
        mine = Program(other, first.secret)
        for left in ("1", "0"):
            answer = mine.get("imports")
            assert (answer.status_code, answer.headers["RateLimit-Remaining"]) == (200, left)
            assert (answer.headers["RateLimit-Limit"], "Retry-After" in answer.headers) == ("2", False)
            assert 1 <= int(answer.headers["RateLimit-Reset"]) <= 60
        answer = mine.get("imports")
        assert "more than 2 requests" in problem(answer, 429, "too-many-requests")["detail"]
        assert 1 <= int(answer.headers["Retry-After"]) <= 60
        assert Program(other, second.secret).get("imports").status_code == 200


def test_files_are_counted_by_themselves(environ: dict[str, str], program: Program) -> None:
    with limited(environ, API_UPLOADS_PER_HOUR="1") as other:
        mine = Program(other, program.secret)
        assert mine.send(csv_bytes([row()])).status_code == 201
        problem(mine.send(csv_bytes([row()])), 429, "too-many-requests")
        assert mine.get("imports").headers["RateLimit-Limit"] == "600"


def test_tokens_that_do_not_hold_are_counted_by_address(app: Flask, program: Program) -> None:
    stranger = Program(app, "sluice_guess")
    for _ in range(60):
        problem(stranger.get("imports"), 401, "unauthorized")
    problem(stranger.get("imports"), 429, "too-many-requests")
    assert program.get("imports").status_code == 200


def test_0_counts_nothing(environ: dict[str, str], program: Program) -> None:
    with limited(environ, API_REQUESTS_PER_MINUTE="0", API_UPLOADS_PER_HOUR="0") as other:
        answer = Program(other, program.secret).get("imports")
        assert (answer.status_code, "RateLimit-Limit" in answer.headers) == (200, False)


@pytest.mark.filterwarnings("default")
def test_without_redis_each_process_counts_for_itself(environ: dict[str, str], program: Program) -> None:
    with limited(environ, API_REQUESTS_PER_MINUTE="2", REDIS_URL=AWAY) as other:
        mine = Program(other, program.secret)
        assert [mine.get("imports").status_code for _ in range(3)] == [200, 200, 429]


def test_a_redis_that_goes_away_between_counting_and_telling(program: Program, monkeypatch) -> None:
    def be_away(*_: object) -> None:
        raise RedisError

    monkeypatch.setattr("flask_limiter.RequestLimit.window", property(be_away))
    answer = program.get("imports")
    assert (answer.status_code, "RateLimit-Remaining" in answer.headers) == (200, False)


def test_something_else_in_the_place_of_a_count_refuses_nobody(environ: dict[str, str], program: Program) -> None:
    with limited(environ) as other:
        mine = Program(other, program.secret)
        assert mine.get("imports").status_code == 200
        for key in redis_client().scan_iter("*api*"):
            redis_client().set(key, "x")
        assert [mine.get("imports").status_code for _ in range(3)] == [200] * 3
