"""Sending a file: in a form and as it is, once and again, and what is refused."""

from __future__ import annotations

import io

import pytest
from flask import Flask
from sqlalchemy import text

from app.extensions import db
from app.models import Import, Seller
from app.statuses import TokenScope
from tests.api.conftest import make_program, problem
from tests.factories import csv_bytes, look, make_items, row


def form(data: bytes, name: str = "stock.csv", **fields: str) -> dict[str, object]:
    return {"data": {**fields, "file": (io.BytesIO(data), name)}, "content_type": "multipart/form-data"}


def count() -> int:
    db.session.rollback()
    return db.session.scalar(text("select count(*) from imports"))


def test_a_form_and_a_plain_body_make_the_same_import(program, storage_files) -> None:
    data = csv_bytes([row(), row(price="x")])
    answers = [program.post("imports", **form(data)), program.send(data, "imports?fileName=stock.csv")]
    for answer in answers:
        assert answer.status_code == 201
        one = answer.get_json()
        assert answer.location == one["links"]["self"]
        assert (one["fileName"], one["total"], one["invalid"], one["status"]) == ("stock.csv", 2, 1, "RUNNING")
        assert (one["check"], one["key"], one["actions"]) == (False, None, ["pause", "terminate"])
        assert program.get(answer.location).get_json()["id"] == one["id"]
    assert len(storage_files()) == 2
    assert [earlier["id"] for earlier in answers[1].get_json()["earlier"]] == [answers[0].get_json()["id"]]


@pytest.mark.parametrize("is_form", [True, False])
def test_a_check_is_asked_for_in_the_address(program, is_form: bool) -> None:
    data = csv_bytes([row()])
    answer = program.post("imports?check=true", **form(data)) if is_form else program.send(data, "imports?check=true")
    assert answer.get_json()["check"] is True


def test_a_form_can_ask_for_a_check_too_but_not_behind_the_file(program) -> None:
    assert program.post("imports", **form(csv_bytes([row()]), check="1")).get_json()["check"] is True
    late = {"file": (io.BytesIO(csv_bytes([row()])), "a.csv"), "check": "1"}
    answer = program.post("imports", data=_in_order(late), content_type="multipart/form-data; boundary=b")
    assert "after the file" in problem(answer, 400, "malformed")["detail"]
    assert count() == 1


def _in_order(fields: dict[str, object]) -> bytes:
    """A multipart body whose fields stand as they are given; the test client puts files last."""
    parts = []
    for name, value in fields.items():
        if isinstance(value, tuple):
            parts.append(
                f'--b\r\nContent-Disposition: form-data; name="{name}"; filename="{value[1]}"\r\n\r\n'.encode()
            )
            parts.append(value[0].read() + b"\r\n")
        else:
            parts.append(f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode())
    return b"".join([*parts, b"--b--\r\n"])


@pytest.mark.parametrize(
    ("fields", "parameter"),
    [
        ({"dry_run": "true", "file": (b"x", "a.csv")}, "dry_run"),
        ({"file": (csv_bytes([row()]), "a.csv"), "dry_run": "true"}, "dry_run"),
        ({"check": "nonsense", "file": (csv_bytes([row()]), "a.csv")}, "check"),
        ({"check": "", "file": (csv_bytes([row()]), "a.csv")}, "check"),
        ({"other": (b"x", "b.csv"), "file": (csv_bytes([row()]), "a.csv")}, "other"),
    ],
    ids=["unknown before the file", "unknown behind it", "half a boolean", "an empty one", "another file"],
)
def test_a_form_that_is_not_understood_imports_nothing(program, storage_files, fields, parameter: str) -> None:
    fields = {
        name: (io.BytesIO(value[0]), value[1]) if isinstance(value, tuple) else value for name, value in fields.items()
    }
    answer = program.post("imports", data=_in_order(fields), content_type="multipart/form-data; boundary=b")
    told = problem(answer, 422, "invalid-request")
    assert [one["parameter"] for one in told["errors"]] == [parameter]
    assert parameter in told["detail"]
    assert count() == len(storage_files()) == 0


def test_a_second_file_is_refused_by_name(program) -> None:
    both = _in_order({"file": (io.BytesIO(csv_bytes([row()])), "a.csv")}).removesuffix(b"--b--\r\n")
    both += _in_order({"file": (io.BytesIO(csv_bytes([row(price=7)])), "b.csv")})
    answer = program.post("imports", data=both, content_type="multipart/form-data; boundary=b")
    assert "second file, “b.csv”" in problem(answer, 422, "invalid-request")["detail"]
    assert count() == 0


def test_a_request_that_is_sent_again_makes_nothing_new(program, storage_files) -> None:
    data = csv_bytes([row()])
    first = program.send(data, Idempotency_Key="2026-11-23")
    assert first.get_json()["key"] == "2026-11-23"
    again = program.post("imports", **form(data), headers={"Idempotency-Key": "2026-11-23"})
    assert (again.status_code, again.location) == (first.status_code, first.location)
    assert again.get_json() == first.get_json()
    assert count() == len(storage_files()) == 1
    assert program.send(data, Idempotency_Key="2026-11-24").location != first.location
    assert program.send(data).location != first.location


def test_a_key_that_comes_with_another_file_or_purpose_is_refused(program, storage_files) -> None:
    made = program.send(csv_bytes([row()]), Idempotency_Key="k").get_json()
    problem(program.send(csv_bytes([row(price=7)]), Idempotency_Key="k"), 422, "key-taken")
    problem(program.send(csv_bytes([row()]), "imports?check=true", Idempotency_Key="k"), 422, "key-taken")
    again = f"{made['links']['self']}/again"
    problem(program.post(f"{again}?check=true", headers={"Idempotency-Key": "k"}), 422, "key-taken")
    assert program.post(again, headers={"Idempotency-Key": "k"}).get_json()["id"] == made["id"]
    assert count() == len(storage_files()) == 1


def test_keys_are_each_sellers_own_and_no_longer_than_255(app: Flask, program, other_seller: Seller) -> None:
    data = csv_bytes([row()])
    other = make_program(app, other_seller)
    assert (
        program.send(data, Idempotency_Key="é" * 255).location != other.send(data, Idempotency_Key="é" * 255).location
    )
    told = problem(program.send(data, Idempotency_Key="x" * 256), 422, "invalid-request")
    assert [one["parameter"] for one in told["errors"]] == ["Idempotency-Key"]
    assert count() == 2


def test_a_file_that_cannot_be_imported_is_refused_with_its_line(program, storage_files) -> None:
    told = problem(program.send(b"MODE,URN\nCREATE,x\n"), 422, "file-refused")
    assert (told["line"], "are missing" in told["detail"]) == (1, True)
    problem(program.post("imports", **form(b"")), 422, "file-refused")
    assert count() == len(storage_files()) == 0


def test_what_is_no_file_is_refused(program) -> None:
    data = csv_bytes([row()])
    problem(program.post("imports", data=data, content_type="application/json"), 415, "unsupported-media-type")
    problem(
        program.post("imports", data=data, content_type="application/x-www-form-urlencoded"),
        415,
        "unsupported-media-type",
    )
    problem(program.send(data, Content_Encoding="gzip"), 415, "unsupported-media-type")
    nothing = program.post("imports", data={"other": "x"}, content_type="multipart/form-data; boundary=b")
    problem(nothing, 422, "invalid-request")
    problem(program.post("imports", data=b"--b\r\n", content_type="multipart/form-data; boundary=b"), 400, "malformed")
    told = problem(program.send(data, "imports?chekc=true"), 422, "invalid-request")
    assert told["errors"] == [{"parameter": "chekc", "message": "Unknown field."}]
    assert count() == 0


def test_a_file_that_is_announced_too_large_is_refused_before_it_comes(program) -> None:
    answer = program.post(
        "imports", data=b"", content_type="text/csv", environ_overrides={"CONTENT_LENGTH": str(1 << 40)}
    )
    problem(answer, 413, "too-large")


def test_a_body_that_ends_early_is_not_taken_for_the_file(program) -> None:
    data = csv_bytes([row(), row()])
    answer = program.post(
        "imports",
        input_stream=io.BytesIO(data),
        content_type="text/csv",
        environ_overrides={"CONTENT_LENGTH": str(len(data) + 10), "wsgi.input_terminated": True},
    )
    problem(answer, 400, "malformed")
    assert count() == 0


def test_a_token_that_may_only_read_sends_nothing(app: Flask, seller: Seller) -> None:
    reader = make_program(app, seller, TokenScope.READ)
    problem(reader.send(csv_bytes([row()])), 403, "forbidden")
    assert reader.get("imports").status_code == 200
    assert count() == 0


def test_what_was_sent_is_imported(program, run_jobs) -> None:
    make_items(2)
    made = program.send(csv_bytes([row(), row(urn="urn:test:2"), row(price="1.99")])).get_json()
    run_jobs()
    ended = program.get(made["links"]["self"]).get_json()
    assert ended["status"] == "FAILED"
    assert (ended["total"], ended["successful"], ended["failed"], ended["notProcessed"]) == (3, 2, 1, 0)
    assert (ended["created"], ended["actions"]) == (2, ["retry-failed", "undo"])
    assert ended["startedAt"] < ended["finishedAt"]
    assert [batch["status"] for batch in ended["batches"]] == ["COMPLETED"]
    assert look(db.session.scalars(db.select(Import)).one()).failed == 1
