"""Sluice behind nginx with TLS, as in ``ops/nginx.conf``: as a separate site, and below a path of another."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from flask import Flask

from app.models import Seller
from tests.conftest import PASSWORD
from tests.end_to_end.test_web import Browser
from tests.factories import csv_bytes, row
from tests.processes import ROOT, answers, wait_until, web_server

pytestmark = pytest.mark.skipif(
    not (shutil.which("nginx") and shutil.which("openssl")), reason="nginx or openssl is not installed"
)


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def configuration(directory: Path, values: dict[str, str]) -> Path:
    """A configuration that runs as one process in ``directory``, from ops/nginx.conf with ``values`` put into it."""
    site = (ROOT / "ops/nginx.conf").read_text()
    for placeholder, value in values.items():
        assert placeholder in site
        site = site.replace(placeholder, value)
    paths = "".join(f"{name}_temp_path {directory};" for name in "client_body proxy fastcgi uwsgi scgi".split())
    main = f"daemon off; master_process off; pid {directory}/pid; error_log {directory}/error.log; events {{}}"
    path = directory / "nginx.conf"
    path.write_text(f"{main} http {{ access_log off; {paths}\n{site}\n}}\n")
    return path


@contextmanager
def nginx(directory: Path, values: dict[str, str]) -> Iterator[None]:
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", directory / "key.pem"]
    name = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-out", directory / "cert.pem"]
    subprocess.run(["openssl", "req", "-x509", *key, *name], check=True, capture_output=True)
    files = {
        "/etc/ssl/certs/sluice.pem": f"{directory}/cert.pem",
        "/etc/ssl/private/sluice.key": f"{directory}/key.pem",
    }
    path = configuration(directory, {**values, **files})
    process = subprocess.Popen(["nginx", "-c", path, "-e", directory / "error.log"])
    try:
        yield
    finally:
        process.terminate()
        process.wait(10)


@pytest.mark.parametrize("path", ["", "/sluice"])
def test_pages_and_uploads_go_through(
    app: Flask, environ: dict[str, str], seller: Seller, tmp_path: Path, path: str
) -> None:
    plain, secure = free_port(), free_port()
    site = f"https://localhost:{secure}{path}"
    told = {"SESSION_COOKIE_SECURE": "1", "TRUSTED_PROXIES": "1", "PUBLIC_URL": site}
    with web_server({**environ, **told}) as port:
        values = {
            "listen 80": f"listen 127.0.0.1:{plain}",
            "listen 443": f"listen 127.0.0.1:{secure}",
            "127.0.0.1:8000": f"127.0.0.1:{port}",
            "https://$host$request_uri": f"https://$host:{secure}$request_uri",
            "sluice.example.com;": "localhost;",
            "location / {": f"location {path}/ {{",
        }
        with nginx(tmp_path, values):
            trusted = ssl.create_default_context(cafile=str(tmp_path / "cert.pem"))
            wait_until(lambda: answers(f"http://127.0.0.1:{port}/readyz"))
            browser = Browser(site, urllib.request.HTTPSHandler(context=trusted))
            browser.sign_in(seller.email, PASSWORD)
            assert browser.url == f"{site}/imports"
            assert browser.cookie().startswith("__Host-sluice_session=")

            # More than nginx takes of itself.
            browser.upload(csv_bytes([row(comment="x" * 250)] * 7000))
            assert browser.url.startswith(f"{site}/imports/")

            wrong = csv_bytes([row()]).replace(b"PRICE", b"PRIZE") + b"x\n" * 20_000_000
            with pytest.raises(urllib.error.HTTPError) as refused:
                browser.upload(wrong)
            assert refused.value.code == 422
            assert "PRIZE" in refused.value.read().decode()
            assert refused.value.headers["Strict-Transport-Security"]

            browser = Browser(f"http://localhost:{plain}{path}", urllib.request.HTTPSHandler(context=trusted))
            browser.get("/imports")
            assert browser.url == f"{site}/login?next={path}/imports"
