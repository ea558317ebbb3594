"""The OpenAPI 3.1 document of the API, generated from the views and the schemas."""

from functools import cache
from typing import Any

from flask import Flask, current_app
from flask_smorest import Api, Blueprint

from app.api import problems
from app.api.schemas import Problem

VERSION = "1"
#: The methods of operations, in the order of the reference.
METHODS = ("get", "post", "patch", "delete")

_TAGS = {
    "Imports": "Upload a file to start an import. It is split into batches, which run in the background.",
    "What to do with an import": "Pause, resume, terminate, retry. “actions” of an import lists what is possible now.",
    "Failed rows": "What is wrong with each row, and what to do about it.",
    "Conversions": "Files from other tools on their way into the import format.",
    "Files": "CSV files, streamed, however large.",
    "Listings": "What you offer: created and changed by imports.",
    "Catalog": "The items that can be listed.",
}

_INTRODUCTION = (
    "Everything the pages of Sluice do, for programs. Responses are JSON in UTF-8, times are in UTC, and paths in "
    "responses are paths on this host. Every request presents a token."
)


class _Api(Api):
    """flask-smorest without its error handlers and pagination: Sluice has its own."""

    def _register_error_handlers(self) -> None:
        pass

    def _register_pagination_header(self) -> None:
        pass

    def _register_responses(self) -> None:
        content = {problems.CONTENT_TYPE: {"schema": Problem()}}
        self.spec.components.response(
            self.DEFAULT_ERROR_RESPONSE_NAME, {"description": "Any other problem.", "content": content}
        )


def register(app: Flask, blueprint: Blueprint) -> None:
    """Register the views of the API with ``app`` and describe them."""
    api = _Api(
        app,
        spec_kwargs={
            "title": "Sluice",
            "version": VERSION,
            "openapi_version": "3.1.0",
            "info": {"description": _INTRODUCTION},
            "security": [{"token": []}],
        },
    )
    api.spec.components.security_scheme(
        "token",
        {
            "type": "http",
            "scheme": "bearer",
            "description": "Your token: “Authorization: Bearer sluice_…”. Create one under API tokens.",
        },
    )
    api.register_blueprint(blueprint)
    app.extensions["sluice_openapi"] = cache(lambda: _finish(api.spec.to_dict()))


def get() -> dict[str, Any]:
    """The document."""
    document: dict[str, Any] = current_app.extensions["sluice_openapi"]()
    return document


def _finish(document: dict[str, Any]) -> dict[str, Any]:
    """``document`` completed with what the views do not say, and without what only they need."""
    paths = {}
    for path, operations in document["paths"].items():
        for operation in filter(None, map(operations.get, METHODS)):
            # A docstring is a sentence; a summary is a heading, without a full stop.
            operation["summary"] = operation["summary"].rstrip(".")
        for parameter in operations.get("parameters", ()):
            if parameter["name"] == "public_id":
                parameter |= {"name": "id", "description": "The id of the import."}
        paths[path.replace("{public_id}", "{id}")] = operations
    document["paths"] = paths
    document["tags"] = [{"name": name, "description": words} for name, words in _TAGS.items()]
    return document
