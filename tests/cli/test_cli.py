"""The command line, as scripts see it: what it prints and with what it exits."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import Result
from flask import Flask
from sqlalchemy import text

from app import create_app
from app.csvfile.columns import HEADER
from app.demo import DEMO_EMAIL, DEMO_PASSWORD
from app.extensions import db
from app.identity import sellers, tokens
from app.imports import commands
from app.imports.reports.progress import ImportProgress
from app.models import Import, Seller
from app.statuses import ImportStatus
from app.version import VERSION
from tests.factories import csv_bytes, listed, look, make_items, row, start
from tests.processes import ROOT, wait_until, workers


def flask(app: Flask, *arguments: str, given: str = "") -> Result:
    result = app.test_cli_runner().invoke(args=list(arguments), input=given)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    db.session.rollback()
    return result


@pytest.fixture
def stock(tmp_path: Path) -> Path:
    """A file of one right row."""
    path = tmp_path / "stock.csv"
    path.write_bytes(csv_bytes([row()]))
    return path


def test_sellers_are_made_and_listed(app: Flask) -> None:
    made = flask(app, "sellers", "create", "Me@Example.com", "--password-stdin", given="a long password\n")
    assert (made.exit_code, made.output) == (0, "Created the seller me@example.com.\n")
    assert (
        flask(
            app, "sellers", "create", "op@example.com", "--operator", "--password-stdin", given="secret-pw\n"
        ).exit_code
        == 0
    )
    assert sellers.check_password("me@example.com", "a long password") is not None
    assert [line.split("\t")[:2] for line in flask(app, "sellers", "list").output.splitlines()] == [
        ["me@example.com", "seller"],
        ["op@example.com", "operator"],
    ]


@pytest.mark.parametrize(
    ("email", "password", "words"),
    [
        ("seller@example.com", "long enough", "already a seller"),
        ("new@example.com", "short", "too short"),
        ("nobody", "long enough", "not an email address"),
        ("a b@example.com", "long enough", "not an email address"),
    ],
)
def test_an_account_that_will_not_do_is_refused(
    app: Flask, seller: Seller, email: str, password: str, words: str
) -> None:
    result = flask(app, "sellers", "create", email, "--password-stdin", given=f"{password}\n")
    assert result.exit_code == 1
    assert words in result.output
    assert len(sellers.list_sellers()) == 1


def test_a_password_is_asked_for_twice_and_not_shown(app: Flask) -> None:
    result = flask(app, "sellers", "create", "me@example.com", given="a long password\na long password\n")
    assert result.exit_code == 0
    assert "a long password" not in result.output


def test_a_catalog_is_loaded_or_refused(app: Flask, tmp_path: Path) -> None:
    good = ROOT / "app" / "demo" / "catalog.csv"
    assert "358 items added, 0 updated" in flask(app, "catalog", "load", str(good)).output
    assert "0 items added, 358 updated" in flask(app, "catalog", "load", str(good)).output
    bad = tmp_path / "bad.csv"
    bad.write_text(good.read_text(encoding="utf-8") + "urn:only\n", encoding="utf-8")
    refused = flask(app, "catalog", "load", str(bad))
    assert refused.exit_code == 1
    assert "Line 360 has 1 values instead of 9. Nothing was changed." in refused.output


def test_the_demo_is_made_once(app: Flask) -> None:
    assert "358 items" in flask(app, "demo").output
    assert sellers.check_password(DEMO_EMAIL, DEMO_PASSWORD) is not None
    assert flask(app, "demo").output == ""


def test_an_import_that_is_refused_exits_with_2(app: Flask, seller: Seller, tmp_path: Path, stock: Path) -> None:
    wrong = tmp_path / "wrong.csv"
    wrong.write_text("a;b;c\n1;2;3\n")
    result = flask(app, "imports", "start", str(wrong), "--seller", seller.email)
    assert (result.exit_code, "semicolons" in result.output) == (2, True)
    assert flask(app, "imports", "start", str(stock), "--seller", "nobody@example.com").exit_code == 2
    assert flask(app, "imports", "start", str(tmp_path / "none.csv"), "--seller", seller.email).exit_code == 2
    assert db.session.scalar(text("select count(*) from imports")) == 0


def test_an_import_is_started_without_waiting(app: Flask, seller: Seller, stock: Path) -> None:
    result = flask(app, "imports", "start", str(stock), "--seller", seller.email)
    started = db.session.scalars(db.select(Import)).one()
    assert (result.exit_code, result.output) == (0, f"{started.public_id}: 1 rows, 0 of them invalid.\n")
    assert started.file_name == "stock.csv"


def test_a_file_that_was_imported_before_is_imported_again_and_that_is_said(
    app: Flask, seller: Seller, other_seller: Seller, stock: Path
) -> None:
    start(other_seller, stock.read_bytes())
    arguments = ("imports", "start", str(stock), "--seller", seller.email)
    assert flask(app, *arguments).stderr == ""
    first = db.session.scalars(db.select(Import).where(Import.seller_id == seller.id)).one()
    # A check asks about nothing, and is nothing that could be asked about.
    assert flask(app, *arguments, "--check").stderr == ""
    again = flask(app, *arguments)
    assert again.exit_code == 0
    assert again.stderr.startswith("This file has already been imported: stock.csv, 20")
    assert again.stderr.endswith(f" UTC, RUNNING ({first.public_id}).\n")
    assert "These bytes" not in again.stdout
    assert [one.is_check for one in db.session.scalars(db.select(Import).order_by(Import.id))] == [
        False,
        False,
        True,
        False,
    ]


@pytest.mark.parametrize(
    ("counters", "code", "words"),
    [
        (
            {"created": 2, "updated": 1, "unchanged": 1},
            0,
            "COMPLETED: 4 of 4 rows would be imported (2 created, 1 up",
        ),
        ({"created": 3, "failed": 1}, 1, "FAILED: 3 of 4 rows would be imported (3 created, 0 updated, 0 unchanged"),
    ],
)
def test_a_check_exits_with_whether_a_row_would_fail(
    app: Flask, seller: Seller, stock: Path, monkeypatch: pytest.MonkeyPatch, counters, code: int, words: str
) -> None:
    stock.write_bytes(csv_bytes([row()] * 4))

    def end(started: Import) -> ImportProgress:
        """What workers come to."""
        status = ImportStatus.FAILED if counters.get("failed") else ImportStatus.COMPLETED
        return replace(look(started), status=status, **counters)

    monkeypatch.setattr("app.cli._wait", end)
    result = flask(app, "imports", "start", str(stock), "--seller", seller.email, "--check", "--wait")
    assert result.exit_code == code
    line = result.stdout.splitlines()[-1]
    assert line.startswith(words)
    assert line.endswith("0 not checked. Nothing was written.")
    assert db.session.scalars(db.select(Import.kind)).all() == ["CHECK"]


def test_waiting_exits_with_what_became_of_the_import(
    app: Flask, environ: dict[str, str], seller: Seller, stock: Path, tmp_path: Path
) -> None:
    make_items()

    def begin(path: Path) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [
                sys.executable,
                "-m",
                "flask",
                "--app",
                "wsgi",
                "imports",
                "start",
                path,
                "--seller",
                seller.email,
                "--wait",
            ],
            cwd=ROOT,
            env=environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    lonely = begin(stock)
    started = wait_until(lambda: db.session.rollback() or db.session.scalar(db.select(Import)))
    commands.terminate(seller.id, started.public_id)
    output, complaints = lonely.communicate(timeout=90)
    assert lonely.returncode == 3
    assert output.splitlines()[-1].startswith("TERMINATED: 0 of 1 rows imported")
    assert "No worker is running" in complaints
    mistaken = tmp_path / "mistaken.csv"
    mistaken.write_bytes(csv_bytes([row(price="x")]))
    with workers(environ):
        for path, code, words in (
            (stock, 0, "COMPLETED: 1 of 1 rows imported, 0 failed"),
            (mistaken, 1, "FAILED: 0 of 1 rows imported, 1 failed"),
        ):
            waiting = begin(path)
            output, bar = waiting.communicate(timeout=90)
            assert (waiting.returncode, output.splitlines()[-1].startswith(words)) == (code, True)
            assert "1/1" in bar
    assert len(listed(seller)) == 1


def changes_to_verify(seller: Seller, run_jobs: Callable[[], None]) -> Import:
    """An import with a row updated, a row created and a row failed."""
    make_items(3)
    start(seller, [row(condition="MT", price=1), row(urn="urn:test:2")])
    run_jobs()
    changes = start(seller, [row(mode="UPDATE", condition="MT", price=5), row(urn="urn:test:3"), row(price="x")])
    run_jobs()
    return changes


def test_true_books_are_found_true(app: Flask, seller: Seller, run_jobs: Callable[[], None]) -> None:
    changes = changes_to_verify(seller, run_jobs)
    result = flask(app, "imports", "verify", str(changes.public_id))
    assert (result.exit_code, result.output) == (0, "stock.csv: all 3 rows are accounted for.\n")


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        ("delete from row_errors", "Line 4 is counted as done, but nothing came of it"),
        ("delete from listings where created_line = 3", "Line 3 is counted as done, but nothing came of it"),
        ("update listings set created_line = 4 where created_line = 3", "Line 4 has both succeeded and failed"),
        ("update batches set updated = updated + 1, total = total + 1", "1 counted, 2 in the books"),
        ("update row_errors set row = 'x'", "Line 4 is not recorded with its own text"),
        ("update error_groups set rows = 2", "1 price-not-whole PRICE counted, 2 price-not-whole PRICE in the books"),
        ("update imports set status = 'COMPLETED'", "which its batches do not bear out"),
        ("update imports set storage_key = 'gone'", "cannot be read"),
    ],
)
def test_false_books_are_found_false(
    app: Flask, seller: Seller, run_jobs: Callable[[], None], damage: str, words: str
) -> None:
    changes = changes_to_verify(seller, run_jobs)
    public_id = str(changes.public_id)
    db.session.execute(text(damage))
    db.session.commit()
    result = flask(app, "imports", "verify", public_id)
    assert result.exit_code == 1
    assert words in result.output


def test_a_running_import_cannot_be_verified(app: Flask, seller: Seller, stock: Path) -> None:
    started = start(seller, stock.read_bytes())
    result = flask(app, "imports", "verify", str(started.public_id))
    assert (result.exit_code, "is running" in result.output) == (1, True)


def test_the_reconciler_runs_by_hand(app: Flask, seller: Seller, run_jobs: Callable[[], None]) -> None:
    make_items()
    started = start(seller, [row()])
    run_jobs()
    db.session.execute(text("update imports set status = 'RUNNING', finished_at = null"))
    db.session.commit()
    assert "1 imports settled" in flask(app, "reconcile").output
    assert look(started).status == "COMPLETED"


def test_a_token_is_made_listed_and_revoked(app: Flask, seller: Seller) -> None:
    made = flask(app, "tokens", "create", "--seller", seller.email, "--name", "Nightly", "--expires", "30")
    assert made.exit_code == 0
    secret = made.stdout.strip()
    assert tokens.find_bearer(secret) == (seller.id, 1, "Nightly", True, None)
    assert "“Nightly”" in made.stderr
    listed = flask(app, "tokens", "list", "--seller", seller.email).stdout
    public_id, ending, scope, *_, name = listed.strip().split("\t")
    assert (ending, scope, name) == (f"…{secret[-4:]}", "read-write", "Nightly")
    assert secret not in listed
    assert flask(app, "tokens", "revoke", public_id, "--seller", seller.email).exit_code == 0
    assert tokens.find_bearer(secret) is None
    assert flask(app, "tokens", "revoke", public_id, "--seller", seller.email).exit_code == 1


def test_a_token_may_only_read_and_belongs_to_somebody(app: Flask, seller: Seller) -> None:
    made = flask(app, "tokens", "create", "--seller", seller.email, "--name", "Look", "--read-only")
    assert tokens.find_bearer(made.stdout.strip()).may_write is False
    assert flask(app, "tokens", "create", "--seller", "no@example.com", "--name", "x").exit_code == 1
    assert flask(app, "tokens", "create", "--seller", seller.email, "--name", " ").exit_code == 1


@pytest.fixture
def impossible(app: Flask, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture):
    """Runs a command that cannot do its work now with other settings, and returns what it says, in one line."""

    def run(*arguments: str, **other: str) -> str:
        for name, value in other.items():
            monkeypatch.setenv(name, value)
        own = create_app({**environ, **other})
        with own.app_context():
            done = flask(own, *arguments)
            db.session.remove()
            db.engine.dispose()
        assert (done.exit_code, done.stdout) == (4, ""), done.output
        assert not any(record.exc_info for record in caplog.records)
        return done.stderr.strip().splitlines()[-1]

    return run


@pytest.mark.parametrize(
    "arguments",
    [
        ("db", "upgrade"),
        ("sellers", "list"),
        ("tokens", "list", "--seller", "me@example.com"),
        ("reconcile",),
        ("demo",),
    ],
)
def test_a_database_that_is_away_is_told_in_a_sentence(impossible, arguments: tuple[str, ...]) -> None:
    away = impossible(*arguments, DATABASE_URL="postgresql://nobody:secret@127.0.0.1:1/none")
    assert away.startswith("The database does not answer.")
    assert "secret" not in away


def test_a_missing_database_is_told_in_a_sentence(app: Flask, environ: dict[str, str]) -> None:
    missing = environ["DATABASE_URL"].replace("/sluice?", "/missing?")
    # In a process, which exits as cron sees it.
    done = subprocess.run(
        [sys.executable, "-m", "flask", "--app", "wsgi", "db", "upgrade"],
        cwd=ROOT,
        env={**environ, "DATABASE_URL": missing},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (4, ""), done.stderr
    # Other log messages have no stack trace.
    assert "Traceback" not in done.stderr
    told = done.stderr.strip().splitlines()[-1]
    assert told.startswith("There is no such user or database as DATABASE_URL names.")


def test_a_storage_that_cannot_be_used_is_told_in_a_sentence(
    app: Flask, impossible, seller: Seller, stock: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    arguments = ("imports", "start", str(stock), "--seller", seller.email)
    away = impossible(*arguments, STORAGE_URL=f"file://{tmp_path / 'file' / 'inside'}")
    assert away == "The storage does not answer. Nothing was imported."
    no_credentials = {"AWS_EC2_METADATA_DISABLED": "true", "HOME": str(tmp_path)}
    told = impossible(*arguments, STORAGE_URL="s3://bucket/prefix", **no_credentials)
    assert told.startswith("There are no credentials for the storage: set AWS_ACCESS_KEY_ID")
    keys = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "S3_ENDPOINT_URL": "http://127.0.0.1:1"}
    told = impossible(*arguments, STORAGE_URL="s3://bucket/prefix", AWS_MAX_ATTEMPTS="1", **keys)
    assert told == "The storage does not answer. Nothing was imported."
    assert db.session.scalar(text("select count(*) from imports")) == 0


def test_a_file_that_cannot_be_read_is_no_trouble_of_the_storage(app: Flask, seller: Seller) -> None:
    # It can be opened, and not be read.
    result = flask(app, "imports", "start", "/proc/self/mem", "--seller", seller.email)
    assert result.exit_code == 2
    assert "/proc/self/mem cannot be read: " in result.stderr


# What comes from outside ----------------------------------------------------------------------------------------------

NO_TEXT = "a\udcffb"
ESCAPE = "\x1b]52;c;aGk=\x07"


@pytest.mark.parametrize(
    "arguments",
    [
        ("imports", "start", "STOCK", "--seller", NO_TEXT),
        ("imports", "start", "STOCK", "--seller", NO_TEXT, "--check", "--wait"),
        ("imports", "verify", NO_TEXT),
        ("sellers", "create", NO_TEXT, "--password-stdin"),
        ("sellers", "set-password", NO_TEXT, "--password-stdin"),
        ("sellers", "sign-out", NO_TEXT),
        ("tokens", "create", "--seller", NO_TEXT, "--name", "x"),
        ("tokens", "create", "--seller", "me@example.com", "--name", NO_TEXT),
        ("tokens", "create", "--seller", "me@example.com", "--name", "x", "--expires", NO_TEXT),
        ("tokens", "list", "--seller", NO_TEXT),
        ("tokens", "revoke", "6d4c8d0e-0000-4000-8000-000000000000", "--seller", NO_TEXT),
    ],
    ids=" ".join,
)
def test_a_value_that_is_no_text_is_refused_with_a_sentence(
    app: Flask, seller: Seller, stock: Path, arguments: tuple[str, ...]
) -> None:
    answer = flask(app, *(str(stock) if one == "STOCK" else one for one in arguments), given="a long password\n")
    assert answer.exit_code == 2
    assert "Traceback" not in answer.output
    assert "UTF-8" in answer.output or "is not a valid" in answer.output


def test_a_file_may_be_called_what_it_likes(app: Flask, seller: Seller, tmp_path: Path) -> None:
    make_items()
    path = tmp_path / f"{NO_TEXT}\x1b[31m.csv"
    path.write_bytes(csv_bytes([row()]))
    started = flask(app, "imports", "start", str(path), "--seller", seller.email)
    assert started.exit_code == 0
    assert db.session.scalar(db.select(Import.file_name)) == "ab[31m.csv"
    missing = flask(app, "catalog", "load", str(path))
    assert missing.exit_code == 1
    assert "\x1b" not in missing.output


def test_a_password_that_is_no_text_is_refused(app: Flask) -> None:
    answer = app.test_cli_runner().invoke(
        args=["sellers", "create", "me@example.com", "--password-stdin"], input=b"a long \xff password\n"
    )
    assert (answer.exit_code, answer.output) == (1, "Error: The password is not UTF-8 text.\n")


@pytest.mark.parametrize(
    "data",
    [
        HEADER.replace("URN", ESCAPE).encode(),
        HEADER.replace("URN", f"URN{ESCAPE}").encode(),
        f"sep={ESCAPE}\n{HEADER}\n".encode(),
        f"{ESCAPE}\n".encode(),
    ],
)
def test_nothing_in_a_file_steers_the_terminal(app: Flask, seller: Seller, tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "stock.csv"
    path.write_bytes(data)
    refused = flask(app, "imports", "start", str(path), "--seller", seller.email)
    assert refused.exit_code == 2
    assert refused.output.startswith("Refused: ")
    assert refused.output.removesuffix("\n").isprintable()
    unknown = flask(app, "imports", "start", str(path), "--seller", ESCAPE)
    assert unknown.output == "Refused: there is no seller [U+001B]]52;c;aGk=[U+0007].\n"
    named = flask(app, "sellers", "sign-out", ESCAPE)
    assert named.output.removesuffix("\n").isprintable()


def test_the_version(app: Flask) -> None:
    assert flask(app, "version").stdout == f"Sluice {VERSION}\n"


def test_convert_takes_a_mapping_from_a_file(app: Flask, seller: Seller, tmp_path: Path) -> None:
    make_items(1)
    source, out, report, mapping = (tmp_path / name for name in ("stock.csv", "out.csv", "report.csv", "mapping.json"))
    source.write_text("Karte;Güte;Euro;Stück\n1;LP;1,50;2\n1;LP;1,50;0\n1;;1,50;1\n")
    of_fields = {"cardmarket_id": "Karte", "condition": "Güte", "price": "Euro", "quantity": "Stück"}
    sources = {field: {"columns": [column]} for field, column in of_fields.items()}
    mapping.write_text(
        json.dumps({"version": 1, "sources": sources, "scale": "tcgplayer", "money": {"currency": "EUR"}})
    )
    command = ["imports", "convert", str(source), "--seller", seller.email, "--out", str(out), "--report", str(report)]

    converted = flask(app, *command, "--mapping", str(mapping), "--rate", "eur=0.86")
    assert converted.exit_code == 0
    assert converted.stdout == "3 rows: 1 row, 0 added, 1 left-out, 1 open.\n"
    assert converted.stderr == "Open in 1 rows: condition-missing\n"
    assert out.read_text() == f"{HEADER}\nCREATE,urn:test:1,,,,,,EX,129,2,normal,,,,\n"
    assert report.read_text().splitlines() == [
        "LINE,OUTCOME,OUT_LINE,REASON",
        "2,row,2,",
        '3,left-out,,"The quantity is 0, so it is left out."',
        "4,open,,No condition is given.",
    ]
    for wrong in (["--mapping", "none"], ["--mapping", str(source)], ["--rate", "EUR"], ["--rate", "EUR=x"]):
        refused = flask(app, *command, *wrong)
        assert refused.exit_code == 2
        assert refused.stderr.startswith("Refused: ")
