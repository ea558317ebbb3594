"""Corrections by way of the API: what is open, answers, single rows, and the import of what is right."""

from __future__ import annotations

from collections.abc import Callable

from app.imports.fixes.answers import FOR_GROUPS, Rule
from app.models import Seller
from tests.api.conftest import problem
from tests.factories import csv_bytes, make_items, row, start


def test_failed_rows_are_corrected_and_imported_once(program, seller: Seller, run_jobs: Callable[[], None]) -> None:
    make_items()
    rows = [row(price="1.99"), row(urn="urn:test:2", price="1.99", quantity="x"), row(urn="urn:test:3", hidden="no")]
    made = start(seller, csv_bytes(rows) + b"CREATE,urn:test:3\n")
    run_jobs()
    path = f"imports/{made.public_id}/fix"
    assert program.get(path).get_json()["groups"] == []
    state = program.post(path).get_json()
    assert (state["failed"], state["open"], state["busy"]) == (4, 4, False)
    (pounds,) = [group for group in state["groups"] if group["cause"] == "price-in-pounds"]
    assert (pounds["column"], pounds["columnOfFile"]) == ("PRICE", "PRICE")
    (value,) = pounds["values"]
    assert (value["value"], value["rows"], value["firstLine"]) == ("1.99", 2, 2)
    (suggested, *_) = value["suggestions"]
    assert suggested["cells"] == {"PRICE": "199"}
    given = {name: suggested[name] for name in ("rule", "cause", "column", "value", "cells")}
    state = program.post(f"{path}/answers", json=given).get_json()
    assert (state["correct"], state["stillWrong"], state["open"]) == (1, 1, 3)
    edited = [{"line": 3, "cells": {"QUANTITY": "2"}}, {"line": 4, "cells": {"HIDDEN": "false"}}]
    state = program.post(f"{path}/rows", json={"rows": edited}).get_json()
    assert (state["correct"], state["open"]) == (3, 1)
    left_out = {"rule": "leave-out", "cause": "column-count", "cells": {"reason": "cut off"}}
    state = program.post(f"{path}/answers", json=left_out).get_json()
    assert state["leftOut"] == 1
    assert state["answers"][0]["words"] == "Left out: Wrong number of columns (cut off)"
    imported = program.post(f"{path}/import", headers={"Idempotency-Key": "once"})
    assert imported.status_code == 201
    again = program.post(f"{path}/import", headers={"Idempotency-Key": "once"})
    assert again.get_json()["id"] == imported.get_json()["id"]
    assert problem(program.post(f"{path}/import"), 409, "not-possible-now")["detail"].startswith("No corrected row")
    run_jobs()
    assert program.get(imported.headers["Location"]).get_json()["status"] == "COMPLETED"


def test_what_is_no_answer_gets_a_sentence(program, seller: Seller, run_jobs: Callable[[], None]) -> None:
    make_items()
    made = start(seller, [row(price="x")])
    run_jobs()
    path = f"imports/{made.public_id}/fix"
    for body in (
        {"rule": "set", "cause": "nothing", "cells": {"PRICE": "1"}},
        {"rule": "set", "cause": "price-not-whole", "column": "PRICE"},
        {"rule": "set", "cause": "price-not-whole", "column": "PRICE", "cells": {"COLOUR": "1"}},
        {"rule": "cells", "cause": "price-not-whole"},
        {"rule": "set", "cause": 1},
    ):
        assert problem(program.post(f"{path}/answers", json=body), 422, "invalid-request")["errors"]
    assert problem(program.post(f"{path}/answers", data="{", content_type="application/json"), 422, "invalid-request")
    assert problem(program.post(f"{path}/rows", json={"rows": [{"cells": {}}]}), 422, "invalid-request")["errors"]
    assert problem(program.post(f"{path}/rows", json={"rows": [{"line": 2, "row": 'a,"b'}]}), 422, "invalid-request")[
        "errors"
    ]


def test_an_answer_that_suits_none_of_the_rows_leaves_them_as_they_are(
    program, seller: Seller, run_jobs: Callable[[], None]
) -> None:
    make_items()
    made = start(seller, csv_bytes([row(price="x"), row(urn="", name="Nothing", quantity="x")]) + b"CREATE\n")
    run_jobs()
    path = f"imports/{made.public_id}/fix"
    program.post(path)
    for rule in {*FOR_GROUPS} - {Rule.LEAVE_OUT}:
        cells = {"HIDDEN": ""} if rule == Rule.SET else {}
        for cause in ("price-not-whole", "quantity-not-whole", "column-count", "price-in-pounds"):
            body = {"rule": rule, "cause": cause, "column": "PRICE", "cells": cells}
            answered = program.post(f"{path}/answers", json=body)
            assert (answered.status_code, answered.get_json()["open"]) == (200, 3), (rule, cause, answered.get_json())
