"""The static files under names that tell their content, so that browsers keep them for ever and never use an old one.

``url_for("static", filename="sluice.css")`` leads to ``/static/sluice.<hash>.css``. The plain name is served too, for
files that other files name, and so is a name with another hash, for a page from before an upgrade: both give the file
as it is now, and are asked for anew each time.
"""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
import re
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from flask import Flask, Response, abort, current_app, request
from werkzeug.security import safe_join

_HASHED_NAME = re.compile(r"(?P<stem>.+)\.(?P<digest>[0-9a-f]{16})(?P<suffix>\.[a-z0-9]+)")
_FOR_EVER = "public, max-age=31536000, immutable"
_COMPRESSIBLE = frozenset({"text/css", "text/javascript", "image/svg+xml"})
#: A packed file that saves less than a tenth is not worth unpacking.
_WORTH_PACKING = 0.9


class _StaticFile:
    """A file as it is at one moment; all of them together are a few hundred kilobytes, so they stay in memory."""

    def __init__(self, path: Path) -> None:
        self.content = path.read_bytes()
        self.digest = hashlib.sha256(self.content).hexdigest()[:16]
        self.mimetype = mimetypes.guess_type(path.name)[0] or "application/octet-stream"

    @cached_property
    def packed(self) -> bytes | None:
        """The content in gzip's format, where that is worth it.

        The pages themselves are not compressed: they hold tokens beside what others may have put there, and the length
        of a compressed page would give the tokens away (BREACH). These files hold no secrets.
        """
        if self.mimetype not in _COMPRESSIBLE:
            return None
        packed = gzip.compress(self.content, mtime=0)
        return packed if len(packed) < _WORTH_PACKING * len(self.content) else None


def init_app(app: Flask) -> None:
    """Have ``app`` name its static files by their content, and serve them under such names."""
    app.url_defaults(_put_hash_into_name)
    app.view_functions["static"] = _serve


def _put_hash_into_name(endpoint: str, values: dict[str, Any]) -> None:
    if endpoint == "static" and (file := _find(values["filename"])):
        stem, dot, suffix = values["filename"].rpartition(".")
        values["filename"] = f"{stem}.{file.digest}{dot}{suffix}"


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
        return _read(path, Path(path).stat().st_mtime_ns) if path else None
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        return None


@lru_cache(maxsize=100)
def _read(path: str, _changed_at: int) -> _StaticFile:
    """The file at ``path``, read again after each change, so that who edits a style sheet need not restart anything."""
    return _StaticFile(Path(path))
