"""A small client for Sluice that needs only Python's standard library: copy it into your project and change it."""

from __future__ import annotations

import json
import os
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any


class Refused(Exception):
    """Sluice has refused a request; ``problem`` says why, and its ``detail`` what to do."""

    def __init__(self, problem: dict[str, Any]) -> None:
        super().__init__(problem.get("detail", problem))
        self.problem = problem


class Sluice:
    """Sluice at an address such as ``https://sluice.example.com``, for the seller who owns the token."""

    def __init__(self, address: str | None = None, token: str | None = None) -> None:
        self.address = address or os.environ["SLUICE_ADDRESS"]
        self._token = token or os.environ["SLUICE_TOKEN"]

    def upload(self, file: Path, *, key: str | None = None, check: bool = False) -> dict[str, Any]:
        """Import or check a file. Repeated with the same ``key`` and file, it creates nothing new."""
        options = urllib.parse.urlencode({"fileName": file.name, "check": str(check).lower()})
        headers = {"Content-Type": "text/csv", "Content-Length": str(file.stat().st_size)}
        if key:
            headers["Idempotency-Key"] = key
        with file.open("rb") as body:
            return self._json("POST", f"/api/v1/imports?{options}", body, headers)

    def get(self, path: str) -> dict[str, Any]:
        """Get the JSON at a path, such as one of an import's ``links``."""
        return self._json("GET", path)

    def post(self, path: str, given: dict[str, Any] | None = None) -> dict[str, Any]:
        """Request an action, for example ``links["self"]`` of an import and ``/pause``, with what is ``given``."""
        if given is None:
            return self._json("POST", path)
        return self._json("POST", path, json.dumps(given).encode(), {"Content-Type": "application/json"})

    def wait(self, one: dict[str, Any], *, every: float = 1.0) -> dict[str, Any]:
        """Wait until an import is over. It takes longer if the import is paused meanwhile."""
        while self.get(one["links"]["status"])["status"] in {"RUNNING", "PAUSED"}:
            time.sleep(every)
        return self.get(one["links"]["self"])

    def accept_certain(self, one: dict[str, Any], *, every: float = 1.0) -> dict[str, Any]:
        """Correct the failed rows whose wrong values can mean only one thing; what is open and correct then.

        To import the correct ones, POST to ``links["self"]`` and ``/fix/import``.
        """
        path = f"{one['links']['self']}/fix"

        def settle(found: dict[str, Any]) -> dict[str, Any]:
            while found["busy"]:
                time.sleep(every)
                found = self.get(path)
            return found

        found = settle(self.post(path))
        for group in found["groups"]:
            for answer in group["suggestions"]:
                # One with cells says in what unit prices are, which only the seller knows.
                if answer["rule"] == "suggested" and not answer["cells"]:
                    given = {name: answer[name] for name in ("rule", "cause", "column")}
                    found = settle(self.post(f"{path}/answers", given))
        return found

    def download(self, path: str, file: Path) -> None:
        """Download a path, such as ``links["failedCsv"]`` of an import, to ``file``."""
        with self._open("GET", path) as answer, file.open("wb") as target:
            while piece := answer.read(1 << 16):
                target.write(piece)

    def _json(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> dict[str, Any]:
        with self._open(method, path, body, headers) as answer:
            found: dict[str, Any] = json.load(answer)
            return found

    def _open(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Any:
        request = urllib.request.Request(
            urllib.parse.urljoin(self.address, path),
            data=body,
            headers={"Authorization": f"Bearer {self._token}", **(headers or {})},
            method=method,
        )
        while True:
            try:
                return urllib.request.urlopen(request, timeout=300)
            except urllib.error.HTTPError as error:
                if error.code == 429 and body is None:
                    time.sleep(int(error.headers["Retry-After"]))
                    continue
                if error.headers.get_content_type() != "application/problem+json":
                    raise
                raise Refused(json.load(error)) from None
