"""Settings that can be wrong in more ways than one."""

from __future__ import annotations

import runpy

import pytest

from app import create_app
from app.config import ConfigError, SmtpServer, load_settings, parse_smtp_url
from tests.processes import ROOT

MAIL = {"SMTP_URL": "smtp://localhost", "MAIL_FROM": "sluice@example.com", "PUBLIC_URL": "https://sluice.example.com/"}


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("smtp://mail", SmtpServer("mail", 25, "", "", False, False)),
        ("smtp://mail:2525", SmtpServer("mail", 2525, "", "", False, False)),
        ("smtps://me:pass@mail", SmtpServer("mail", 465, "me", "pass", True, False)),
        ("smtp://me%40x:p%3Ass@mail?starttls=1", SmtpServer("mail", 587, "me@x", "p:ss", False, True)),
        ("smtp://me:pass@127.0.0.1", SmtpServer("127.0.0.1", 25, "me", "pass", False, False)),
    ],
)
def test_a_mail_server_is_read_from_its_address(url: str, server: SmtpServer) -> None:
    assert parse_smtp_url(url) == server


@pytest.mark.parametrize("url", ["mail.example.com", "http://mail", "smtp://", "smtp://mail:port", "smtp://a:b@mail"])
def test_one_that_cannot_be_used_is_refused_without_telling_its_password(url: str) -> None:
    with pytest.raises(ConfigError, match="SMTP_URL"):
        parse_smtp_url(url)


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"MAIL_FROM": ""}, "MAIL_FROM"),
        ({"MAIL_FROM": "Sluice <sluice@example.com>"}, "MAIL_FROM"),
        ({"PUBLIC_URL": ""}, "PUBLIC_URL"),
        ({"PUBLIC_URL": "sluice.example.com"}, "PUBLIC_URL"),
        ({"PUBLIC_URL": "https://www.example.com/s%20luice"}, "PUBLIC_URL"),
        ({"PUBLIC_URL": "https://www.example.com/?page=sluice"}, "PUBLIC_URL"),
    ],
)
def test_what_mail_needs_is_asked_for_at_the_start(wrong: dict[str, str], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        load_settings({**MAIL, **wrong})


def test_mail_is_off_unless_it_is_set() -> None:
    assert not load_settings({}).sends_mail
    settings = load_settings(MAIL)
    assert (settings.sends_mail, settings.public_url) == (True, "https://sluice.example.com")


def test_without_a_key_of_its_own_only_the_demo_runs(tmp_path) -> None:
    elsewhere = {"DATABASE_URL": "postgresql://x@db/x", "REDIS_URL": "redis://r", "SLUICE_HOME": str(tmp_path)}
    with pytest.raises(ConfigError, match="SECRET_KEY is missing"):
        create_app(elsewhere)


def test_a_key_that_can_be_guessed_is_refused() -> None:
    with pytest.raises(ConfigError, match="SECRET_KEY must have 32 characters at least"):
        load_settings({"SECRET_KEY": "x" * 31})
    assert load_settings({"SECRET_KEY": "x" * 32}).secret_key == "x" * 32


def test_the_web_server_is_for_this_machine_alone() -> None:
    # A proxy that faces the world goes in front; the demo has none.
    assert runpy.run_path(str(ROOT / "gunicorn.conf.py"))["bind"].startswith("127.0.0.1:")


@pytest.mark.parametrize(
    ("name", "field", "usual"),
    [("TRUSTED_PROXIES", "trusted_proxies", 0), ("UPLOADS_IN_FLIGHT", "uploads_in_flight", 8)],
)
def test_limits_can_be_switched_off_and_not_be_negative(name: str, field: str, usual: int) -> None:
    assert getattr(load_settings({}), field) == usual
    assert getattr(load_settings({name: "0"}), field) == 0
    with pytest.raises(ConfigError, match=name):
        load_settings({name: "-1"})
