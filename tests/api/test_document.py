"""The description of the API agrees with the API, and people can read it."""

from __future__ import annotations

import inspect
from types import FunctionType

from flask import Flask
from flask.testing import FlaskClient

from app.api import problems
from tests.pages import page, words


def test_the_document_is_there_for_anybody(app: Flask) -> None:
    answer = app.test_client().get("/api/v1/openapi.json")
    assert (answer.status_code, answer.content_type) == (200, "application/json")
    assert answer.get_json()["openapi"] == "3.1.0"


def test_it_has_every_route_of_the_api(app: Flask) -> None:
    document = app.test_client().get("/api/v1/openapi.json").get_json()
    described = {
        (path, method.upper())
        for path, one in document["paths"].items()
        for method in one
        if method in {"get", "post", "put", "patch", "delete"}
    }
    served = {
        (rule.rule.replace("<uuid:public_id>", "{id}"), method)
        for rule in app.url_map.iter_rules()
        if rule.endpoint.startswith("api.")
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }
    assert described == served
    shown = page(app.test_client(), "/help/api").select(".fold summary code")
    operations = {tuple(words(one).split()) for one in shown}
    assert operations == {(method, path) for path, method in described}
    tags = {tag["name"] for tag in document["tags"]}
    for one in document["paths"].values():
        for method in one.keys() - {"parameters"}:
            assert set(one[method]["tags"]) <= tags
            assert one[method]["summary"]
            assert not one[method]["summary"].endswith(".")
            for parameter in one[method].get("parameters", ()):
                assert parameter["description"]


def test_every_option_that_an_operation_takes_is_read_by_it(app: Flask) -> None:
    views = {name: view for name, view in app.view_functions.items() if name.startswith("api.")}
    taken = {
        name: {field for one in view._apidoc["arguments"]["parameters"] for field in one["schema"]().fields}
        for name, view in views.items()
        if "arguments" in view._apidoc
    }
    assert taken["api.create_import"] - {"mapping"} == taken["api.again"] == {"check", "file_name", "key"}
    for name, options in taken.items():
        assert options - texts_in(inspect.unwrap(views[name])) == set(), name


def texts_in(function: FunctionType) -> set[object]:
    """The texts in the code of a view, its module's own helpers, and the reader of filters."""
    texts: set[object] = set()
    codes = [function.__code__]
    for name in function.__code__.co_names:
        helper = function.__globals__.get(name)
        if isinstance(helper, FunctionType) and name.startswith(("_", "read_")):
            codes.append(helper.__code__)
    for code in codes:
        for constant in code.co_consts:
            texts |= (
                {constant} if isinstance(constant, str) else set(constant) if isinstance(constant, tuple) else set()
            )
    return texts


def test_every_field_of_an_answer_is_explained_and_always_there(app: Flask) -> None:
    for name, schema in app.test_client().get("/api/v1/openapi.json").get_json()["components"]["schemas"].items():
        # What clients send may leave fields out.
        if name in {"Problem", "Fault", "AnswerGiven", "RowGiven", "RowsGiven"}:
            continue
        assert set(schema["required"]) == set(schema["properties"]), name
        for field, one in schema["properties"].items():
            assert "_" not in field
            assert one.get("description") or "$ref" in one, (name, field)


def test_people_can_read_it_signed_in_or_not(app: Flask, client: FlaskClient) -> None:
    for browser in (client, app.test_client()):
        text = words(page(browser, "/help/api").select_one("main"))
        for line in (
            'curl -H "Authorization: Bearer $SLUICE_TOKEN" -F file=@stock.csv "$SLUICE/imports"',
            '-X POST "$SLUICE/imports/$ID/pause"',
            '"$SLUICE/imports/$ID/retry?rows=FAILED"',
            '-o file.csv "$SLUICE/imports/$ID/failed.csv"',
            "Idempotency-Key header",
        ):
            assert line in text


def test_every_kind_of_problem_has_its_place_on_the_page(app: Flask) -> None:
    shown = page(app.test_client(), "/help/api")
    for kind in problems.KINDS:
        assert shown.find(id=f"problem-{kind.name}")
