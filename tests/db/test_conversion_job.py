"""Converting a file: exactly once, whoever dies; nothing of a refused or failed one stays."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import NoReturn

import pytest
from flask import Flask
from sqlalchemy import text

from app.csvfile.columns import REASON_COLUMNS
from app.csvfile.errors import FileRejected
from app.extensions import db
from app.imports import conversion_job, conversions, reconcile, retention
from app.imports.errors import ImportedBefore, QuotaExceeded, TransitionRefused
from app.imports.foreign import delimited, reading
from app.imports.foreign.origins import Origins, Place, iter_texts
from app.imports.foreign.reasons import Outcome
from app.imports.reports.seller_file import SellerFile
from app.jobs import queue
from app.models import Conversion, Seller
from app.queries.imports import conversion_transitions as transitions
from app.statuses import ImportKind
from app.storage import current_storage
from tests import foreign
from tests.factories import make_items, row, start
from tests.workbooks import make_workbook

ROWS = ["1;NM;1,50;2;é", "1;NM;2,00;3;", "2;NM;0,99;0;", "3;NM;;1;", "3;EX;3,00;1;last"]


def read(key: str) -> bytes:
    return (current_storage()._path(key)).read_bytes()  # type: ignore[attr-defined]


def origins_of(one: Conversion) -> Origins:
    apart = one.added + one.left_out + one.undecided
    return Origins(current_storage().read, conversions.files_of(one), lines=one.lines, apart=apart)


def test_a_file_becomes_an_import_file_with_companions(seller: Seller) -> None:
    make_items(variants=("normal",))
    one = foreign.convert(seller, ROWS)
    counts = (one.status, one.rows, one.converted, one.added, one.left_out, one.undecided, one.lines)
    assert counts == ("CONVERTED", 5, 2, 1, 1, 1, 2), one.reason
    assert one.reasons == {"quantity-zero": 1, "price-missing": 1}
    files = conversions.files_of(one)
    assert read(files.converted).decode().splitlines()[1:] == [
        "CREATE,urn:test:1,,,,,,NM,150,5,normal,,é,,",
        "CREATE,urn:test:3,,,,,,EX,300,1,normal,,last,,",
    ]
    report = [line.split(",", 3) for line in read(files.report).decode().splitlines()]
    assert report[0] == ["LINE", "OUTCOME", "OUT_LINE", "REASON"]
    assert [line[:3] for line in report[1:]] == [
        ["2", "row", "2"],
        ["3", "added", "2"],
        ["4", "left-out", ""],
        ["5", "open", ""],
        ["6", "row", "3"],
    ]
    assert report[3][3] == '"The quantity is 0, so it is left out."'


def test_any_line_is_found_in_the_file_as_it_came(seller: Seller) -> None:
    make_items(variants=("normal",))
    one = foreign.convert(seller, ROWS)
    origins, source = origins_of(one), read(one.storage_key)

    def text(place: Place) -> str:
        return source[place.start : place.start + place.length].decode("cp1252")

    assert source[: one.head_size].decode() == foreign.HEADER + "\r\n"
    found = origins.find([3, 2, 99])
    assert {line: (place.line, text(place)) for line, place in found.items()} == {2: (2, ROWS[0]), 3: (6, ROWS[4])}
    assert {line: [*map(text, places)] for line, places in origins.find_added([2, 3]).items()} == {2: [ROWS[1]]}
    assert [(text(one.place), one.outcome, one.out_line) for one in origins.iter_apart()] == [
        (ROWS[1], Outcome.ADDED, 2),
        (ROWS[2], Outcome.LEFT_OUT, 0),
        (ROWS[3], Outcome.OPEN, 0),
    ]
    assert origins.find_apart(4) is not None
    assert origins.find_apart(2) is None
    ranges = [origins.find_out_lines(*lines) for lines in ((2, 2), (3, 5), (1, 99))]
    assert ranges == [(2, 2), None, (2, 3)]
    places = [place for line in (2, 3) for place in origins.iter_places(line, line)]
    assert [*iter_texts(current_storage().read, one.storage_key, places)] == [
        ROWS[0].encode("cp1252"),
        ROWS[4].encode(),
    ]


def test_a_job_that_is_delivered_twice_converts_once(seller: Seller, storage_files) -> None:
    make_items(variants=("normal",))
    one = foreign.convert(seller, ROWS, start_as=ImportKind.CHECK)
    before = storage_files()
    conversion_job.run(seller.id, one.id, one.attempt)
    assert (storage_files(), count("imports"), count("conversions")) == (before, 1, 1)


@pytest.mark.parametrize("after", [1, 2])
def test_a_worker_that_dies_leaves_a_conversion_that_begins_again(
    seller: Seller, storage_files, monkeypatch: pytest.MonkeyPatch, run_jobs, after: int
) -> None:
    make_items(variants=("normal",))
    made = foreign.draft(seller, ROWS)
    conversions.convert(seller.id, made.public_id, start_as=ImportKind.IMPORT, in_background=False)

    class Killed(BaseException):
        pass

    def killed(*_: object, **__: object) -> NoReturn:
        raise Killed

    # Before anything is stored, and when everything is but the database knows nothing of it.
    with monkeypatch.context() as patch:
        patch.setattr(*((conversion_job, "scan") if after == 1 else (transitions, "finish")), killed)
        patch.setattr(conversion_job, "_forget", lambda keys: None)
        with pytest.raises(Killed):
            conversion_job.run(seller.id, made.id, 1)
    db.session.rollback()
    db.session.execute(text("update conversions set heartbeat_at = now() - interval '1 hour'"))
    db.session.commit()
    reconcile.sweep(force=True)
    run_jobs()
    one = conversions.get(seller.id, made.public_id)
    assert (one.status, one.attempt, one.lines) == ("CONVERTED", 2, 2)
    assert count("imports") == 1
    assert db.session.scalar(text("select storage_key from imports")) == conversions.files_of(one).converted
    retention.remove_unneeded(older_than_seconds=-1)
    assert storage_files() == sorted({one.storage_key, *conversions.files_of(one)[:-1]})


def test_a_converted_file_is_started_although_its_worker_died_then(seller: Seller, monkeypatch, run_jobs) -> None:
    make_items(variants=("normal",))
    with monkeypatch.context() as patch:
        patch.setattr(conversions, "start_wanted", lambda key: None)
        foreign.convert(seller, ROWS, start_as=ImportKind.IMPORT)
    assert count("imports") == 0
    reconcile.sweep(force=True)
    reconcile.sweep(force=True)
    assert count("imports") == 1


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (FileNotFoundError("gone"), "The converted file is no longer in the storage. Upload it again."),
        (OSError("no answer"), None),
        (ValueError("nobody thought of that"), None),
    ],
)
def test_a_converted_file_that_cannot_be_read_keeps_no_other_import_waiting(
    seller: Seller, monkeypatch: pytest.MonkeyPatch, error: Exception, reason: str | None
) -> None:
    make_items(variants=("normal",))
    with monkeypatch.context() as patch:
        patch.setattr(conversions, "start_wanted", lambda key: None)
        patch.setattr(queue, "send_waiting_jobs", lambda: None)
        one = foreign.convert(seller, ROWS, start_as=ImportKind.IMPORT)
        start(seller, [row()])

    def recognise(*_: object) -> NoReturn:
        raise error

    monkeypatch.setattr(conversions, "recognise", recognise)
    swept = reconcile.sweep(force=True)
    assert swept is not None
    assert swept.sent == 1
    now = conversions.get(seller.id, one.public_id)
    assert (now.reason, now.start_as) == (reason, None if reason else "IMPORT")
    assert count("imports") == 1


def test_no_transaction_is_open_while_a_converted_file_is_searched_for_failed_rows(
    seller: Seller, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_items(variants=("normal",))
    columns = (*foreign.COLUMNS, *REASON_COLUMNS)
    rows = [";".join(columns), f"1;NM;1,50;2;;2;;;{uuid.uuid4()}", ""]
    made = foreign.draft(seller, "\n".join(rows).encode())
    conversions.set_mapping(seller.id, made.public_id, replace(foreign.MAPPING, columns=columns))
    conversions.convert(seller.id, made.public_id, start_as=ImportKind.IMPORT, in_background=False)
    is_open: list[bool] = []
    read_texts = SellerFile.read_texts

    def read(self: SellerFile, places: Collection[Place]) -> Iterator[bytes]:
        is_open.append(db.session().in_transaction())
        return read_texts(self, places)

    monkeypatch.setattr(SellerFile, "read_texts", read)
    conversion_job.run(seller.id, made.id, made.attempt)
    assert is_open == [False]
    assert count("imports") == 1


def test_cancelled_it_is_a_draft_again_and_nothing_of_it_stays(seller: Seller, monkeypatch, storage_files) -> None:
    make_items(variants=("normal",))
    made = foreign.draft(seller, ROWS)
    conversions.convert(seller.id, made.public_id, start_as=ImportKind.IMPORT, in_background=False)
    scan = conversion_job.scan

    def cancelled(pieces, **options):  # type: ignore[no-untyped-def]
        conversions.cancel(seller.id, made.public_id)
        return scan(pieces, **options)

    monkeypatch.setattr(conversion_job, "scan", cancelled)
    conversion_job.run(seller.id, made.id, 1)
    one = conversions.get(seller.id, made.public_id)
    assert (one.status, one.attempt, count("imports"), storage_files()) == ("DRAFT", 2, 0, [one.storage_key])


def test_what_fails_again_and_again_is_given_up_with_a_sentence(
    seller: Seller, app: Flask, monkeypatch: pytest.MonkeyPatch, storage_files
) -> None:
    settings = replace(app.extensions["sluice_settings"], max_fruitless_attempts=5)
    monkeypatch.setitem(app.extensions, "sluice_settings", settings)
    made = foreign.draft(seller, ROWS)
    conversions.convert(seller.id, made.public_id, in_background=False)

    def broken(*_: object, **__: object) -> NoReturn:
        raise OSError("no")

    monkeypatch.setattr(conversion_job, "convert", broken)
    for attempt in range(1, 6):
        conversion_job.run(seller.id, made.id, attempt)
    one = conversions.get(seller.id, made.public_id)
    assert (one.status, one.reason) == ("FAILED", "The storage could not be used.")
    assert storage_files() == [one.storage_key]
    # Changing it makes it a draft again.
    assert conversions.set_mapping(seller.id, made.public_id, foreign.MAPPING).status == "DRAFT"


def test_of_a_refused_file_nothing_stays(seller: Seller, storage_files) -> None:
    orders = b"Order Number,Buyer Name,Order Date,Quantity\n1,Ash,2026-01-01,1\n"
    large = orders + b"1,Ash,2026-01-01,1\n" * 60_000
    sent = []

    def pieces():  # type: ignore[no-untyped-def]
        for at in range(0, len(large), 65536):
            sent.append(at)
            yield large[at : at + 65536]

    for data in ([orders], pieces(), [b""], [b"%PDF-1.4 no table"]):
        with pytest.raises(FileRejected):
            conversions.upload(seller.id, "x.csv", data)
    assert (count("conversions"), storage_files()) == (0, [])
    assert len(sent) < 10, "orders are told from their beginning"


@pytest.mark.parametrize(("end", "sentence"), [("\0", "Line 502 contains a NUL byte"), ("", "more than 400 rows")])
def test_a_file_that_is_wrong_far_down_is_refused_with_a_sentence(
    seller: Seller, app: Flask, monkeypatch: pytest.MonkeyPatch, storage_files, end: str, sentence: str
) -> None:
    monkeypatch.setattr(reading, "SAMPLE_BYTES", 4096)
    monkeypatch.setattr(delimited, "BLOCK_BYTES", 4096)
    settings = app.extensions["sluice_settings"]
    most = 400 if not end else 1_000
    monkeypatch.setitem(app.extensions, "sluice_settings", replace(settings, max_rows=most))
    one = foreign.convert(seller, [*[f"1;NM;2,50;1;{n}" for n in range(500)], end])
    assert one.status == "FAILED"
    assert sentence in (one.reason or "")
    assert storage_files() == [one.storage_key]


def test_each_part_of_the_work_moves_the_progress_of_a_workbook(
    seller: Seller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conversion_job, "_BEAT_SECONDS", 0)
    monkeypatch.setattr(delimited, "MAX_BLOCK_ROWS", 1_000)
    monkeypatch.setattr(delimited, "BLOCK_BYTES", 1 << 16)
    monkeypatch.setattr(reading, "PIECE_BYTES", 1 << 16)
    cell = "<c t='inlineStr'><is><t>{}</t></is></c>"
    rows = [foreign.COLUMNS, *((str(n), "NM", "2,50", "1", f"{n * 7919**4 % 10**12}") for n in range(6_000))]
    data = make_workbook("".join(f"<row>{''.join(map(cell.format, row))}</row>" for row in rows))
    made = foreign.draft(seller, data, file_name="stock.xlsx")
    conversions.convert(seller.id, made.public_id, in_background=False)
    told: list[int] = []
    conversion_job.run(seller.id, made.id, made.attempt, tell=told.append)
    assert told == sorted(told)
    for first, last in ((0, 300), (300, 700), (700, 1000)):
        assert [done for done in told if first < done < last], (first, last, told)


def test_a_form_that_is_sent_twice_makes_one_draft(seller: Seller, storage_files) -> None:
    form_key = uuid.uuid4()
    made = [foreign.draft(seller, ROWS, form_key=form_key) for _ in range(2)]
    assert len({one.id for one in made}) == 1
    assert len(storage_files()) == 1
    other = conversions.upload(seller.id, "other.csv", [foreign.foreign_bytes(ROWS[:1])], form_key=form_key)
    assert other.id != made[0].id


def test_a_converted_file_is_imported_once_by_its_form_and_then_never_changed(seller: Seller) -> None:
    make_items(variants=("normal",))
    one = foreign.convert(seller, ROWS)
    form_key = uuid.uuid4()
    started = {conversions.start(seller.id, one.public_id, ImportKind.IMPORT, form_key=form_key).id for _ in "12"}
    assert len(started) == 1
    with pytest.raises(TransitionRefused, match="Make a copy"):
        conversions.set_mapping(seller.id, one.public_id, foreign.MAPPING)
    made = conversions.copy(seller.id, one.public_id)
    assert (made.status, made.storage_key) == ("DRAFT", one.storage_key)
    again = foreign.convert(seller, ROWS)
    with pytest.raises(ImportedBefore):
        conversions.start(seller.id, again.public_id, ImportKind.IMPORT, refuse_repeated=True)


def test_quotas_count_drafts(seller: Seller, app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = app.extensions["sluice_settings"]
    monkeypatch.setitem(app.extensions, "sluice_settings", replace(settings, files_per_day=2, bytes_per_day=10**9))
    foreign.draft(seller, ROWS)
    foreign.draft(seller, ROWS[:1])
    with pytest.raises(QuotaExceeded):
        foreign.draft(seller, ROWS)


def test_drafts_go_after_a_day_and_companions_with_their_import(seller: Seller, storage_files) -> None:
    make_items(variants=("normal",))
    foreign.draft(seller, ROWS[:1])
    kept = foreign.convert(seller, ROWS, start_as=ImportKind.IMPORT)
    assert retention.remove_conversions()
    assert count("conversions") == 2
    db.session.execute(text("update conversions set updated_at = updated_at - interval '2 days'"))
    db.session.commit()
    assert retention.remove_conversions()
    assert count("conversions") == 1
    needed = {kept.storage_key, *conversions.files_of(kept)[:-1]}
    assert set(storage_files()) == needed
    assert retention.remove_unneeded(older_than_seconds=-1) == 0
    db.session.execute(text("update imports set source_removed_at = now()"))
    db.session.commit()
    assert retention.remove_conversions()
    # Where rows stood is still known.
    assert {name.rpartition(".")[2] for name in storage_files()} == {"origins", "added"}
    assert retention.remove_unneeded(older_than_seconds=-1) == 0
    db.session.execute(text("delete from batches"))
    db.session.execute(text("delete from imports"))
    db.session.commit()
    assert retention.remove_conversions()
    assert (count("conversions"), storage_files()) == (0, [])


def count(table: str) -> int:
    db.session.rollback()
    return int(db.session.execute(text(f"select count(*) from {table}")).scalar_one())
