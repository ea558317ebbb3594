"""The API over a socket: what schemathesis makes of it, what the examples do, and how files arrive."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from flask import Flask
from sqlalchemy import text

from app.extensions import db
from app.models import Seller
from tests.conftest import make_token
from tests.end_to_end.test_web import is_at_rest, ready_server
from tests.factories import csv_bytes, listed, make_items, row
from tests.fuzz.api import UNLIMITED, ask, send
from tests.processes import ROOT, wait_until, workers

EXAMPLES = ROOT / "examples"


@pytest.fixture(scope="module")
def server(migrated_app: Flask, environ: dict[str, str]) -> Iterator[int]:
    with ready_server({**environ, **UNLIMITED}) as port:
        yield port


@pytest.fixture
def address(app: Flask, server: int) -> Iterator[str]:
    """A real web server that counts no requests."""
    yield f"http://127.0.0.1:{server}"
    wait_until(lambda: is_at_rest(server))


@pytest.fixture
def token(app: Flask, seller: Seller) -> str:
    return make_token(seller)


@pytest.mark.timeout(400)
def test_schemathesis_finds_nothing(address: str, token: str, environ: dict[str, str], tmp_path: Path) -> None:
    with workers(environ, 1):
        # `make fuzz` runs the other phases, which take minutes.
        asked = ask(address, token, examples=3, seed=None, seconds=380, cwd=tmp_path, phases="fuzzing")
    assert asked.returncode == 0, asked.stdout + asked.stderr


@pytest.mark.parametrize("program", ["nightly_sync.py", "curl.sh"])
def test_the_examples_upload_wait_and_fetch_the_failed_rows(
    address: str, token: str, environ: dict[str, str], seller: Seller, tmp_path: Path, program: str
) -> None:
    make_items(3)
    bad = [row(price="1.99", condition="PO", comment="é,\nü"), row(urn="urn:none")]
    stock = tmp_path / "stock.csv"
    stock.write_bytes(csv_bytes([row(urn=f"urn:test:{n}") for n in (1, 2, 3)] + bad))
    command = [sys.executable if program.endswith(".py") else "sh", str(EXAMPLES / program), str(stock)]
    own = {**os.environ, "SLUICE_ADDRESS": address, "SLUICE_TOKEN": token}
    with workers(environ, 1):
        # Started twice in a night, it imports once.
        for _ in range(2):
            ran = subprocess.run(command, env=own, capture_output=True, text=True, timeout=60, check=False)
            assert "FAILED" in ran.stdout or "3 of 5 rows are imported" in ran.stdout, ran.stderr
    assert (tmp_path / "stock.failed.csv").read_bytes() == csv_bytes(bad)
    assert len(listed(seller)) == 3
    assert db.session.scalar(text("select count(*) from imports")) == 1


def test_the_example_client_corrects_what_is_certain(
    address: str, token: str, environ: dict[str, str], run_jobs: Callable[[], None]
) -> None:
    make_items(2)
    send(address, token, csv_bytes([row(price="1.99"), row(urn="urn:none")]))
    run_jobs()
    program = """if True:
        from sluice_client import Sluice
        sluice = Sluice()
        (one,) = sluice.get("/api/v1/imports")["imports"]
        found = sluice.accept_certain(one)
        print(found["correct"], found["open"])
    """
    own = {**os.environ, "SLUICE_ADDRESS": address, "SLUICE_TOKEN": token}
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=EXAMPLES, env=own, capture_output=True, text=True, timeout=60, check=False
    )
    assert ran.stdout == "1 1\n", ran.stderr


def test_every_line_of_the_page_works_as_it_stands(address: str, token: str, environ, tmp_path: Path) -> None:
    make_items(1)
    (tmp_path / "stock.csv").write_bytes(csv_bytes([row(), row(price="x")]))
    made = send(address, token, csv_bytes([row()]))
    with urllib.request.urlopen(f"{address}/help/api", timeout=30) as answer:
        page = BeautifulSoup(answer.read(), "html5lib")
    lines = [one for box in page.select("pre") for one in box.get_text().splitlines() if one.startswith("curl ")]
    assert len(lines) >= 25
    own = {**os.environ, "SLUICE": f"{address}/api/v1", "SLUICE_TOKEN": token, "ID": str(made["id"])}
    shell = "curl() { command curl -sS -o /dev/null -w '%{http_code}' \"$@\"; }; "
    # What deletes the import comes last.
    for line in sorted(lines, key=lambda line: "-X DELETE" in line):
        ran = subprocess.run(
            ["sh", "-c", shell + line], cwd=tmp_path, env=own, capture_output=True, text=True, check=True
        )
        # An action does not fit every state; ID is no conversion, and there is no listing of the item URN.
        possible = {"409"} if re.search('-X|-d|/undo"$', line) else set()
        is_missing = re.search("listings/(hide|show|change)|/conversions/|/(converted|left-out).csv", line)
        possible |= {"404"} if is_missing else {"200", "201", "204"}
        assert ran.stdout in possible, line


def test_the_nightly_sync_has_twenty_lines() -> None:
    assert len((EXAMPLES / "nightly_sync.py").read_text().splitlines()) <= 20


@pytest.mark.parametrize("token_given", [True, False])
def test_a_refusal_comes_before_the_gigabyte(address: str, token: str, token_given: bool) -> None:
    shown = token if token_given else "sluice_x"
    host, port = address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(
            f"POST /api/v1/imports HTTP/1.1\r\nHost: {host}\r\nContent-Type: text/csv\r\n"
            f"Authorization: Bearer {shown}\r\nContent-Length: {1 << 30}\r\n\r\n".encode()
        )
        connection.sendall(b"MODE,URN,PRICE\n" + b"x" * 100_000)
        answer = b""
        while b"}" not in answer and (more := connection.recv(1 << 16)):
            answer += more
    assert answer.startswith(b"HTTP/1.1 422" if token_given else b"HTTP/1.1 401")
    assert b"application/problem+json" in answer


def test_a_program_that_hangs_up_leaves_nothing(address: str, token: str, storage_files) -> None:
    data = csv_bytes(row() for _ in range(20_000))
    host, port = address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(
            f"POST /api/v1/imports HTTP/1.1\r\nHost: {host}\r\nContent-Type: text/csv\r\n"
            f"Authorization: Bearer {token}\r\nContent-Length: {len(data)}\r\n\r\n".encode()
        )
        # Up to the end of a row: the received part is a valid file, but not the announced one.
        connection.sendall(data[: data.index(b"\n", len(data) // 2) + 1])
        wait_until(storage_files)
    wait_until(lambda: not storage_files())
    assert db.session.scalar(text("select count(*) from imports")) == 0
