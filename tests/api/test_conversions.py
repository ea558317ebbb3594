"""Files from other tools, sent with the name of a saved mapping."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest
from click.testing import CliRunner
from flask import Flask
from sqlalchemy import text

from app.api import imports
from app.cli import imports_commands
from app.extensions import db
from app.imports import conversions, mappings
from app.models import Seller
from tests import foreign
from tests.api.conftest import problem
from tests.factories import make_items
from tests.foreign import foreign_bytes

ROWS = ["1;NM;1,50;2;é", "1;NM;1,50;3;", "2;NM;0,99;0;", "3;EX;3,00;1;last"]
#: What is asked for twice, once by address and once by form.
PATH = "imports?mapping=Cardmarket&fileName=bestand.csv"


@pytest.fixture(autouse=True)
def saved(seller: Seller) -> None:
    make_items(variants=("normal",))
    mappings.save(seller.id, "Cardmarket", foreign.MAPPING)


def test_a_small_file_is_answered_with_its_import(program, seller: Seller, run_jobs: Callable[[], None]) -> None:
    answer = program.send(foreign_bytes(ROWS), PATH)
    assert answer.status_code == 201, answer.text
    one = answer.get_json()
    counts = [one["conversion"][name] for name in ("rows", "converted", "added", "leftOut", "undecided")]
    assert (one["total"], counts, one["conversion"]["mapping"]) == (2, [4, 2, 1, 1, 0], "Cardmarket")
    run_jobs()
    assert program.get(answer.location).get_json()["status"] == "COMPLETED"
    assert program.get(one["conversion"]["sourceCsv"]).data == foreign_bytes(ROWS)
    left_out = program.get(one["conversion"]["leftOutCsv"]).data.decode("cp1252").splitlines()
    assert left_out[1].startswith(ROWS[2])
    assert mappings.list_saved(seller.id)[0].used_at
    assert program.delete(f"conversions/{one['conversion']['id']}").status_code == 409


def test_a_large_file_is_answered_with_its_conversion(
    program, run_jobs: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imports, "_CONVERTED_AT_ONCE", 0)
    form = {"check": "1", "mapping": "Cardmarket", "file": (io.BytesIO(foreign_bytes(ROWS)), "bestand.csv")}
    answer = program.post("imports", data=form, content_type="multipart/form-data")
    assert answer.status_code == 202, answer.text
    assert (answer.get_json()["status"], answer.get_json()["importId"]) == ("QUEUED", None)
    run_jobs()
    one = program.get(answer.location).get_json()
    assert (one["status"], one["done"], one["rows"]) == ("CONVERTED", 1, 4)
    started = program.get(one["links"]["started"]).get_json()
    assert (started["id"], started["kind"], started["status"]) == (one["importId"], "CHECK", "COMPLETED")
    assert one["links"]["html"] == f"/imports/match/{one['id']}"


def test_a_request_that_is_sent_again_makes_one_import(program) -> None:
    answers = [program.send(foreign_bytes(ROWS), PATH, Idempotency_Key="a") for _ in "12"]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert len({answer.get_json()["id"] for answer in answers}) == 1
    problem(program.send(foreign_bytes(ROWS[:1]), PATH, Idempotency_Key="a"), 422, "key-taken")
    problem(program.send(foreign_bytes(ROWS), f"{PATH}&check=true", Idempotency_Key="a"), 422, "key-taken")


@pytest.mark.parametrize(
    ("data", "path", "says"),
    [
        (foreign_bytes(ROWS), "imports?mapping=Other", "no saved mapping “Other”"),
        (b"idProduct;Price;Amount;Comments\n1;1;1;\n", PATH, "no column “Condition”"),
        (foreign_bytes(ROWS[2:3]), PATH, "left out"),
        (b"Order Number,Buyer Name,Order Date,Quantity\n1,Ash,2026-01-01,1\n", PATH, "orders"),
    ],
)
def test_of_what_is_refused_nothing_stays(program, storage_files, data: bytes, path: str, says: str) -> None:
    assert says in str(problem(program.send(data, path), 422, "file-refused")["detail"])
    db.session.rollback()
    assert db.session.scalar(text("select count(*) from conversions")) == 0
    assert storage_files() == []


def test_a_conversion_is_its_sellers_and_can_be_deleted(
    app: Flask, program, seller: Seller, other_seller: Seller, storage_files
) -> None:
    made = foreign.draft(seller, ROWS)
    strange = foreign.draft(other_seller, ROWS)
    assert program.get(f"conversions/{made.public_id}").get_json()["status"] == "DRAFT"
    problem(program.get(f"conversions/{strange.public_id}"), 404, "not-found")
    assert program.delete(f"conversions/{made.public_id}").status_code == 204
    assert storage_files() == [strange.storage_key]


def test_the_command_line_converts_and_starts(seller: Seller, app: Flask, tmp_path) -> None:
    file = tmp_path / "bestand.csv"
    file.write_bytes(foreign_bytes(ROWS))
    asked = ["start", str(file), "--seller", "seller@example.com", "--mapping"]
    done = CliRunner().invoke(imports_commands, [*asked, "Cardmarket"])
    assert done.exit_code == 0, done.output
    assert "4 rows in the file: 2 converted, 1 added, 1 left out, 0 undecided." in done.output
    refused = CliRunner().invoke(imports_commands, [*asked, "Other"])
    assert (refused.exit_code, "no saved mapping" in refused.output) == (2, True)


def test_mappings_are_renamed_exported_and_imported(seller: Seller, other_seller: Seller) -> None:
    (one,) = mappings.list_saved(seller.id)
    public_id = one.public_id
    shuffled = foreign.COLUMNS[::-1]
    assert mappings.find_for(seller.id, shuffled) is one
    assert mappings.find_for(other_seller.id, shuffled) is None
    exported = mappings.export_text(seller.id, public_id)
    mappings.import_text(seller.id, "Copy", exported)
    with pytest.raises(mappings.NameRefused):
        mappings.rename(seller.id, public_id, "Copy")
    mappings.rename(seller.id, public_id, " Mine\n")
    assert [each.name for each in mappings.list_saved(seller.id)] == ["Copy", "Mine"]
    with pytest.raises(mappings.MappingNotFound):
        mappings.delete(other_seller.id, public_id)
    mappings.delete(seller.id, public_id)
    assert [each.name for each in mappings.list_saved(seller.id)] == ["Copy"]
    assert mappings.load(seller.id, "Copy") == foreign.MAPPING
    assert conversions.reading_of(foreign.draft(seller, ROWS)).columns == foreign.COLUMNS


def test_groups_of_failed_rows_name_the_sellers_columns_and_lead_to_their_rows(
    program, run_jobs: Callable[[], None]
) -> None:
    one = program.send(foreign_bytes(ROWS), PATH).get_json()
    db.session.execute(text("update items set urn = 'urn:test:x' where urn = 'urn:test:3'"))
    db.session.commit()
    run_jobs()
    (group,) = program.get(f"imports/{one['id']}").get_json()["errorGroups"]
    assert (group["column"], group["rows"]) == ("idProduct", 1)
    (error,) = program.get(group["errors"]).get_json()["errors"]
    assert (error["line"], error["columns"], error["row"]) == (5, ["idProduct"], ROWS[3])
