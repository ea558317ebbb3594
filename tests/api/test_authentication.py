"""Tokens: which hold, what they may do, and what is noted of their use."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import event, text
from sqlalchemy.exc import OperationalError

from app.extensions import db
from app.identity import tokens
from app.models import ApiToken, Seller
from app.statuses import TokenScope
from tests.api.conftest import Program, make_program, problem
from tests.factories import row, start


def stored() -> ApiToken:
    db.session.rollback()
    db.session.expire_all()
    return db.session.scalars(db.select(ApiToken)).one()


def test_a_token_has_256_bits_and_only_its_digest_is_kept(app: Flask, seller: Seller) -> None:
    token, secret = tokens.create(seller.id, "  Nightly \n stock ", scope=TokenScope.READ)
    assert secret.startswith("sluice_")
    assert len(secret) == len("sluice_") + 43
    assert (token.name, token.ending, token.expires_at) == ("Nightly stock", secret[-4:], None)
    assert token.digest == hashlib.sha256(secret.encode()).digest()
    rows = db.session.execute(text("select t::text from api_tokens t")).scalars().all()
    assert not any(secret in one for one in rows)


@pytest.mark.parametrize(("name", "days"), [("", None), (" \n", None), ("x" * 101, None), ("x", 0), ("x", 4_000)])
def test_a_token_without_a_name_or_with_a_strange_term_is_not_made(app, seller: Seller, name: str, days) -> None:
    with pytest.raises(tokens.TokenError):
        tokens.create(seller.id, name, scope=TokenScope.READ, days=days)


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer ", "Basic c2VsbGVyOnBhc3N3b3Jk", "Bearer sluice_unknown", "Bearer é\udcff"]
)
def test_without_a_token_that_holds_nothing_is_told(app: Flask, seller: Seller, header: str | None) -> None:
    start(seller, [row()], file_name="secret.csv")
    given = {} if header is None else {"HTTP_AUTHORIZATION": header}
    answer = app.test_client().get("/api/v1/imports", environ_overrides=given)
    problem(answer, 401, "unauthorized")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer realm=")
    shows_one = (header or "").startswith(("Bearer sluice", "Bearer é"))
    assert ("invalid_token" in answer.headers["WWW-Authenticate"]) == shows_one


def test_a_signed_in_browser_is_nobody_here(client) -> None:
    problem(client.get("/api/v1/imports"), 401, "unauthorized")


def test_a_token_holds_until_it_expires_or_is_revoked(app: Flask, seller: Seller, program: Program) -> None:
    assert program.get("imports").status_code == 200
    db.session.execute(text("update api_tokens set expires_at = now() + interval '1 minute'"))
    db.session.commit()
    assert program.get("imports").status_code == 200
    db.session.execute(text("update api_tokens set expires_at = now()"))
    db.session.commit()
    problem(program.get("imports"), 401, "unauthorized")
    db.session.execute(text("update api_tokens set expires_at = null"))
    db.session.commit()
    assert program.get("imports").status_code == 200
    assert tokens.revoke(seller.id, stored().public_id) == "a program"
    problem(program.get("imports"), 401, "unauthorized")


def test_a_token_that_may_only_read_presses_no_button(app: Flask, seller: Seller) -> None:
    made = start(seller, [row()])
    reader = make_program(app, seller, TokenScope.READ)
    for path in ("pause", "resume", "terminate", "retry?rows=FAILED", "import", "again"):
        problem(reader.post(f"imports/{made.public_id}/{path}"), 403, "forbidden")
    problem(reader.post("listings/hide?urn=x&condition=MINT"), 403, "forbidden")
    assert reader.get(f"imports/{made.public_id}").get_json()["status"] == "RUNNING"


def test_its_last_use_is_noted_once_a_minute(program: Program) -> None:
    assert stored().last_used_at is None
    program.get("imports")
    first = stored().last_used_at
    assert datetime.now(UTC) - first < timedelta(minutes=1)
    program.get("imports")
    assert stored().last_used_at == first
    db.session.execute(text("update api_tokens set last_used_at = now() - interval '61 seconds'"))
    db.session.commit()
    program.get("imports")
    assert stored().last_used_at > first


def test_a_use_that_cannot_be_noted_keeps_nobody_from_anything(program: Program) -> None:
    def refuse(connection, cursor, statement: str, *_: object) -> None:
        if statement.lower().startswith("update api_tokens"):
            raise OperationalError(statement, {}, Exception("read only"))

    event.listen(db.engine, "before_cursor_execute", refuse)
    try:
        assert program.get("imports").status_code == 200
    finally:
        event.remove(db.engine, "before_cursor_execute", refuse)
    assert stored().last_used_at is None


def test_a_use_waits_for_nobody_who_holds_the_row(program: Program) -> None:
    with db.engine.connect() as other:
        other.execute(text("select * from api_tokens for update"))
        assert program.get("imports").status_code == 200
    assert stored().last_used_at is None


def test_refused_tokens_are_logged_without_what_was_shown(app: Flask, seller: Seller, caplog) -> None:
    Program(app, "sluice_guess").get("imports")
    reader = make_program(app, seller, scope=TokenScope.READ)
    reader.send(b"")
    logged = [message for message in caplog.messages if message.startswith("token refused")]
    assert logged[0] == "token refused: address 127.0.0.1"
    assert logged[1].startswith(f"token refused, read-only: seller {seller.id}, token ")
    assert "guess" not in caplog.text
