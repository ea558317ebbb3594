"""Static files under names that contain a hash of their content, so that browsers cache them for ever.

``url_for("static", filename="logo.svg")`` leads to ``/static/logo.<hash>.svg``. The plain name is served too, for
references between files, and so is a name with another hash, for a page from before an upgrade: both return the current
file, and must be revalidated each time.

A script imports modules by their plain names (``from "./dom.js"``), and is served with their hashed names instead, so
that its own hash changes with theirs. Modules therefore import one way, without cycles.
"""

import gzip
import hashlib
import mimetypes
import re
from collections.abc import Mapping
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from flask import Flask, Response, abort, current_app, request
from werkzeug.security import safe_join

_HASHED_NAME = re.compile(r"(?P<stem>.+)\.(?P<digest>[0-9a-f]{16})(?P<suffix>\.[a-z0-9]+)")
_IMPORT = re.compile(rb'(?<=from "\./)[a-z_-]+\.js(?=";)')
_FOR_EVER = "public, max-age=31536000, immutable"
_COMPRESSIBLE = frozenset({"text/css", "text/javascript", "image/svg+xml"})
#: A file that packing shortens by less than a tenth is served unpacked.
_WORTH_PACKING = 0.9


class _StaticFile:
    """A version of a file. All files together have a few hundred kilobytes, so they stay in memory."""

    def __init__(self, path: Path, names: Mapping[bytes, bytes]) -> None:
        """``names`` maps the modules that a script imports to their hashed names."""
        self.content = _IMPORT.sub(lambda found: names[found[0]], path.read_bytes())
        self.digest = hashlib.sha256(self.content).hexdigest()[:16]
        self.mimetype = mimetypes.guess_type(path.name)[0] or "application/octet-stream"

    @cached_property
    def packed(self) -> bytes | None:
        """The content compressed by gzip, if that is worth it.

        Pages are not compressed: they contain tokens beside text that an attacker may control, so the length of a
        compressed page could reveal the tokens (BREACH). These files contain no secrets.
        """
        if self.mimetype not in _COMPRESSIBLE:
            return None
        packed = gzip.compress(self.content, mtime=0)
        return packed if len(packed) < _WORTH_PACKING * len(self.content) else None


def init_app(app: Flask) -> None:
    """Have ``app`` build and serve hashed names for its static files."""
    app.url_defaults(_put_hash_into_name)
    app.view_functions["static"] = _serve


def _put_hash_into_name(endpoint: str, values: dict[str, Any]) -> None:
    if endpoint == "static" and (file := _find(values["filename"])):
        values["filename"] = _hashed_name(values["filename"], file)


def _hashed_name(name: str, file: _StaticFile) -> str:
    stem, dot, suffix = name.rpartition(".")
    return f"{stem}.{file.digest}{dot}{suffix}"


def _serve(filename: str) -> Response:
    hashed = _HASHED_NAME.fullmatch(filename)
    file = _find(f"{hashed['stem']}{hashed['suffix']}" if hashed else filename) or abort(404)
    is_packed = request.accept_encodings["gzip"] > 0 and file.packed is not None
    response = Response(file.packed if is_packed else file.content, mimetype=file.mimetype)
    if is_packed:
        response.content_encoding = "gzip"
    response.vary.add("Accept-Encoding")
    response.headers["Cache-Control"] = _FOR_EVER if hashed and hashed["digest"] == file.digest else "no-cache"
    response.set_etag(f"{file.digest}-gzip" if is_packed else file.digest)
    response.make_conditional(request)
    return response


def _find(name: str) -> _StaticFile | None:
    path = safe_join(str(current_app.static_folder), name)
    try:
        return _load(Path(path)) if path else None
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        return None


def _load(path: Path) -> _StaticFile:
    changed_at = path.stat().st_mtime_ns
    names = ((name, _hashed_name(name, _load(path.with_name(name)))) for name in _imports_of(path, changed_at))
    return _read(path, changed_at, tuple(names))


@lru_cache(maxsize=100)
def _imports_of(path: Path, _changed_at: int) -> tuple[str, ...]:
    return tuple(name.decode() for name in _IMPORT.findall(path.read_bytes())) if path.suffix == ".js" else ()


@lru_cache(maxsize=100)
def _read(path: Path, _changed_at: int, names: tuple[tuple[str, str], ...]) -> _StaticFile:
    """The file at ``path``, read again after each change, so that editing a style sheet needs no restart."""
    return _StaticFile(path, {plain.encode(): hashed.encode() for plain, hashed in names})
