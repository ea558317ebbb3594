"""Errors of the API as problem documents (RFC 9457)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from flask import Flask, Response, json, request, url_for
from flask.sansio.scaffold import Scaffold
from werkzeug.exceptions import HTTPException

from app.csvfile.errors import FileRejected, FileTooLarge
from app.http import failures
from app.imports.errors import KeyTaken, QuotaExceeded

CONTENT_TYPE = "application/problem+json"

#: All paths below this belong to the API.
ROOT = "/api/"


@dataclass(frozen=True, slots=True)
class ProblemType:
    """One kind of problem; its name is the last part of the document's type."""

    name: str
    status: int
    title: str
    #: What to do about it. The document's detail says what happened.
    meaning: str


INVALID_REQUEST = ProblemType(
    "invalid-request",
    422,
    "The request does not make sense",
    "A parameter or a header is missing, unknown or malformed. “errors” says which, and what is wrong with it.",
)
FILE_REFUSED = ProblemType(
    "file-refused",
    422,
    "The file cannot be imported",
    "Nothing was stored. “detail” says what to change in the file and “line” on which line, where that can be told.",
)
KEY_TAKEN = ProblemType(
    "key-taken",
    422,
    "The Idempotency-Key belongs to another file",
    "The key was used before, with another file or for another purpose. Use a new key for each file.",
)
_BY_STATUS = {
    kind.status: kind
    for kind in (
        ProblemType(
            "malformed", 400, "Malformed request", "The body is not what its headers say, or it ended too soon."
        ),
        ProblemType(
            "unauthorized",
            401,
            "No valid token",
            "Send “Authorization: Bearer” and a token. Create and revoke tokens under API tokens.",
        ),
        ProblemType("forbidden", 403, "The token may not do this", "The token is read-only. Use one that can write."),
        ProblemType("not-found", 404, "Not found", "There is nothing at this URL, or it belongs to another seller."),
        ProblemType("method-not-allowed", 405, "Method not allowed", "The header Allow lists the methods of this URL."),
        ProblemType(
            "not-possible-now",
            409,
            "Not possible now",
            "The import's status does not allow this. Get the import; “actions” lists what is possible.",
        ),
        ProblemType("too-large", 413, "Too large", "Split the file into smaller ones, each with the header line."),
        ProblemType(
            "unsupported-media-type",
            415,
            "Not a form and not a CSV",
            "Send the file in the field “file” of a multipart form, or as the body with Content-Type: text/csv.",
        ),
        INVALID_REQUEST,
        ProblemType("too-many-requests", 429, "Too many requests", "Wait for the seconds in the header Retry-After."),
        ProblemType(
            "internal-error", 500, "Something went wrong", "The error is on our side and has been logged. Try again."
        ),
        ProblemType(
            "unavailable",
            503,
            "Back in a moment",
            "The database or the storage is unavailable. Nothing is lost. Try again in a few seconds.",
        ),
    )
}
#: The problems of every view.
ALWAYS = frozenset({401, 422, 429, 503})
#: All problems, by status.
KINDS = sorted({*_BY_STATUS.values(), FILE_REFUSED, KEY_TAKEN}, key=lambda kind: (kind.status, kind.name))


def init_app(app: Flask) -> None:
    """Answer requests to unknown addresses of the API with problems too."""
    app.before_request(_answer_unknown_address)


def handle_errors(scaffold: Scaffold) -> None:
    """Answer the errors of the views of ``scaffold`` with problems."""
    failures.handle(scaffold, _draw)
    scaffold.register_error_handler(FileRejected, _file_refused)
    scaffold.register_error_handler(KeyTaken, lambda _: answer(KEY_TAKEN))


def answer(
    kind: ProblemType,
    detail: str | None = None,
    *,
    status: int | None = None,
    line: int | None = None,
    errors: Sequence[Mapping[str, str]] = (),
) -> Response:
    """The problem document for a problem of this ``kind``."""
    document: dict[str, object] = {
        "type": url_for("api_reference.show", _anchor=f"problem-{kind.name}"),
        "title": kind.title,
        "status": status or kind.status,
        "detail": detail or kind.meaning,
    }
    if line is not None:
        document["line"] = line
    if errors:
        document["errors"] = errors
    return Response(json.dumps(document), status or kind.status, content_type=CONTENT_TYPE)


def _answer_unknown_address() -> Response | HTTPException | None:
    error = request.routing_exception
    if error is None or not request.path.startswith(ROOT) or (error.code or 0) < 400:
        return None
    return failures.answer(error, _draw)


def _draw(error: HTTPException, sentence: str | None) -> Response:
    # webargs' messages, by location and name of each parameter.
    faults: Mapping[str, Mapping[str, Sequence[str]]] = getattr(error, "data", {}).get("messages", {})
    if faults:
        told = [
            {"parameter": name, "message": " ".join(messages)}
            for place in faults.values()
            for name, messages in _flatten(place)
        ]
        detail = " ".join(f"{one['parameter']}: {one['message']}" for one in told)
        return answer(INVALID_REQUEST, detail, errors=told)
    code = error.code or 500
    kind = _BY_STATUS.get(code) or _BY_STATUS[500 if code >= 500 else 400]
    return answer(kind, sentence, status=code)


def _flatten(messages: object, path: str = "") -> Iterator[tuple[str, list[str]]]:
    """The messages about each parameter, and about each part of one, by its path."""
    if isinstance(messages, Mapping):
        for name, inner in messages.items():
            yield from _flatten(inner, f"{path}.{name}" if path else str(name))
    elif isinstance(messages, Sequence) and not isinstance(messages, str):
        yield path or "body", [str(message) for message in messages]
    else:
        yield path or "body", [str(messages)]


def _file_refused(error: FileRejected) -> Response | HTTPException:
    if isinstance(error, FileTooLarge | QuotaExceeded):
        return failures.answer(failures.as_http(error), _draw)
    return answer(FILE_REFUSED, error.message, line=error.line)
