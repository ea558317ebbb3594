"""Serves the OpenAPI document, and a page for people that is drawn from it."""

import json
from collections.abc import Iterator, Mapping
from shlex import quote
from typing import Any

from flask import Blueprint, Response, jsonify, render_template, request
from flask.typing import ResponseReturnValue

from app.api import openapi as document
from app.api import problems
from app.config import current_settings

blueprint = Blueprint("api_reference", __name__)

#: Answers that every operation can give; the page lists them once.
_COMMON_WORDS = frozenset(kind.title for kind in problems.KINDS if kind.status in problems.ALWAYS)


@blueprint.get(f"{problems.ROOT}v1/openapi.json")
def openapi() -> Response:
    """The OpenAPI document."""
    return jsonify({**document.get(), "servers": [{"url": request.script_root or "/"}]})


@blueprint.get("/help/api")
def show() -> ResponseReturnValue:
    """The reference page: everything in the document."""
    api = document.get()
    settings = current_settings()
    return render_template(
        "help/api.html",
        host=settings.public_url or request.root_url.rstrip("/"),
        root=f"{problems.ROOT}v1",
        tags=[(tag, list(_operations(api, tag["name"]))) for tag in api["tags"]],
        schemas=[(name, schema) for name, schema in api["components"]["schemas"].items() if schema.get("properties")],
        describe_type=describe_type,
        problems=problems.KINDS,
    )


def describe_type(schema: Mapping[str, Any]) -> str:
    """The type of a value, in a few words; names of schemas are between angle brackets."""
    if "$ref" in schema:
        return f"<{_name_of(schema)}>"
    for together in ("anyOf", "oneOf", "allOf"):
        if together in schema:
            return " or ".join(describe_type(one) for one in schema[together])
    if "enum" in schema:
        known = [value for value in schema["enum"] if value is not None]
        return " | ".join(map(str, known)) + (" or null" if len(known) < len(schema["enum"]) else "")
    types = schema.get("type", "value")
    words = [types] if isinstance(types, str) else list(types)
    if words[0] == "array":
        return f"list of {describe_type(schema.get('items', {}))}"
    if "format" in schema:
        words[0] = schema["format"]
    return " or ".join(words)


def _operations(api: Mapping[str, Any], tag: str) -> Iterator[dict[str, Any]]:
    """The operations with a tag, as the page shows them."""
    for path, methods in api["paths"].items():
        for method in document.METHODS:
            operation = methods.get(method)
            if operation is None or tag not in operation["tags"]:
                continue
            parameters = [*methods.get("parameters", ()), *operation.get("parameters", ())]
            yield {
                "name": f"{method}{path}".replace("/api/v1", "").replace("{", "").replace("}", "").replace("/", "-"),
                "method": method.upper(),
                "path": path,
                "summary": operation["summary"],
                "paragraphs": [" ".join(one.split()) for one in operation.get("description", "").split("\n\n") if one],
                "parameters": parameters,
                "answers": [*_answers(operation)],
                "examples": [*_examples(method.upper(), path, operation, parameters)],
            }


def _answers(operation: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Status, what it means, and the name of the schema of its answer."""
    for status, answer in sorted(operation["responses"].items(), key=lambda one: str(one[0])):
        is_common = str(status).isdecimal() and int(status) in problems.ALWAYS
        is_its_own = answer.get("description") not in _COMMON_WORDS
        if "$ref" not in answer and (is_its_own or not is_common):
            content: Mapping[str, Any] = next(iter(answer.get("content", {}).values()), {})
            yield str(status), answer["description"], _name_of(content.get("schema", {}))


def _name_of(schema: Mapping[str, Any]) -> str:
    return str(schema.get("$ref", "")).rpartition("/")[2]


def _examples(method: str, path: str, operation: Mapping[str, Any], parameters: list[dict[str, Any]]) -> Iterator[str]:
    """Commands for a shell."""
    address = path.replace("{id}", "$ID").removeprefix("/api/v1")
    # A change that names nothing changes nothing.
    wanted = [one for one in parameters if one["in"] == "query" and (one.get("required") or method == "PATCH")]
    query = "&".join(f"{one['name']}={_example_of(one)}" for one in wanted)
    start = 'curl -H "Authorization: Bearer $SLUICE_TOKEN"'
    target = f'"$SLUICE{address}{"?" + query if query else ""}"'
    body = operation.get("requestBody", {}).get("content", {})
    if "application/json" in body:
        given = quote(json.dumps(body["application/json"]["example"]))
        yield f"{start} -H {quote('Content-Type: application/json')} -d {given} {target}"
    elif body:
        yield f"{start} -F file=@stock.csv {target}"
        yield f"{start} -H {quote('Content-Type: text/csv')} --data-binary @stock.csv {target}"
    elif method != "GET":
        yield f"{start} -X {method} {target}"
    else:
        yield f"{start} {'-o file.csv ' if path.endswith('.csv') else ''}{target}"


def _example_of(parameter: Mapping[str, Any]) -> str:
    schema = parameter["schema"]
    if schema.get("type") == "integer":
        return str(schema.get("minimum", 1))
    if schema.get("type") == "boolean":
        return "true"
    known = schema.get("enum")
    return str(known[0] if known else parameter["name"]).upper()
