"""Downloads: byte for byte what was uploaded, and safe to open and to upload again."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text
from werkzeug.http import parse_options_header
from werkzeug.test import TestResponse

from app import catalog
from app.csvfile.causes import Cause
from app.csvfile.columns import COLUMNS, HEADER
from app.csvfile.guard import guard_if_guarded
from app.demo import DEMO_CATALOG
from app.extensions import db
from app.imports import commands
from app.imports.worker import batch_job
from app.models import Import, Seller
from app.queries import ImportKey
from app.queries.imports import row_errors
from app.storage.local import LocalStorage
from tests.factories import cells, csv_bytes, failures, listed, look, make_items, row, start, with_header
from tests.pages import csrf_token, page, read, words
from tests.states import STATES, State, each_state, make
from tests.web.test_upload import body, post

BOM = b"\xef\xbb\xbf"
DEMO = DEMO_CATALOG.parent


def finish(started: Import) -> Import:
    """Do what a worker does with an import of one batch."""
    batch_job.run(started.seller_id, started.id, 1, 1)
    return started


def ended(seller: Seller, rows: Iterable[dict[str, str]] | bytes, file_name: str = "stock.csv") -> Import:
    return finish(start(seller, rows, file_name=file_name))


def upload(client: FlaskClient, data: bytes) -> Import:
    """An import that was uploaded on the page and is over."""
    token = ('name="csrf_token"', csrf_token(client).encode())
    answer = post(client, body(token, ('name="file"; filename="again.csv"', data)))
    assert answer.status_code == 303
    public_id = answer.location.rpartition("/")[2]
    return finish(db.session.scalars(db.select(Import).where(Import.public_id == public_id)).one())


def download(client: FlaskClient, path: str) -> bytes:
    answer = client.get(path)
    assert answer.status_code == 200
    assert answer.content_type == "text/csv; charset=utf-8"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "no-store"
    return answer.data


def of(one: Import, name: str) -> str:
    return f"/imports/{one.public_id}/{name}.csv"


def name_of(answer: TestResponse) -> str:
    """The name under which a browser saves an answer."""
    kind, options = parse_options_header(answer.headers["Content-Disposition"])
    assert kind == "attachment"
    return options["filename"]


def told(one: Import) -> list[tuple[int, str, list[str]]]:
    """Code, text and messages of every failed row."""
    return [
        (error.code, error.row, error.messages)
        for errors in row_errors.iter_pages(ImportKey.of(one))
        for error in errors
    ]


# failed.csv -----------------------------------------------------------------------------------------------------------

GOOD = "CREATE,urn:test:1,,,,,,NM,1,1,,,,,good"
FAILING = [
    "CREATE,urn:test:2,,,,,,NM,1.99,1,,,,,plain",
    '"CREATE" , urn:test:2 ,,,,,,NM,"£2",1,,,"a ""b"", c","over{end}two{end}lines",odd spaces  ',
    'CREATE,urn:test:2,,,,,,NM,1,1,,,"Signed "Nell" in pencil",,broken quotes',
    'CREATE,urn:test:2,,,,,,NM,1,1,,,"said"  so,,stray text',
    "CREATE,urn:test:2,,,,,,NM,1,1,,,lone\rCR,,not quoted",
    "CREATE,urn:none,,,,,,NM,1,1,,,名前 é e\u0301 \U0001f0cf,,not found",
    "CREATE,urn:test:1,,,,,,NM,1,1,,,,,conflict",
    "CREATE,urn:test:2",
    "=1+1,,,,,,,,,,,,,,,,,",
    "CREATE,urn:test:2,,,,,,NM,x,1,,,,,the last one",
]


@pytest.mark.parametrize(("bom", "end"), [(b"", "\n"), (BOM, "\r\n")], ids=["LF", "BOM and CRLF"])
@pytest.mark.parametrize("last", ["", "{end}", "{end}{end}"], ids=["open", "closed", "blank"])
def test_failed_rows_come_back_byte_for_byte_and_fail_again_in_the_same_way(
    client: FlaskClient, seller: Seller, bom: bytes, end: str, last: str
) -> None:
    make_items()
    lines = [HEADER, GOOD, "", FAILING[0], ",,,,,,,,,,,,,,", *FAILING[1:]]
    made = ended(seller, bom + ("{end}".join(lines) + last).replace("{end}", end).encode())
    assert len(failures(made)) == len(FAILING)
    failed = download(client, of(made, "failed"))
    assert failed == bom + "".join(f"{line}{{end}}" for line in [HEADER, *FAILING]).replace("{end}", end).encode()
    again = upload(client, failed)
    # The conflict is one with the first import now.
    assert [one[:2] for one in told(again)] == [one[:2] for one in told(made)]
    assert [one[2] for one in told(again) if one[0] != 409] == [one[2] for one in told(made) if one[0] != 409]
    assert download(client, of(again, "failed")) == failed


def test_failed_rows_of_many_pages_come_in_the_order_of_the_file(client: FlaskClient, seller: Seller) -> None:
    make_items()
    rows = [row(price="x", notes=f"{n} " + "y" * 200) for n in range(2_300)]
    made = start(seller, rows)
    for number in (2, 1):
        batch_job.run(seller.id, made.id, number, 1)
    assert download(client, of(made, "failed")) == csv_bytes(rows)


def test_without_failed_rows_there_is_the_header_alone(client: FlaskClient, seller: Seller) -> None:
    make_items()
    made = ended(seller, BOM + csv_bytes([row()], newline="\r\n"))
    assert download(client, of(made, "failed")) == BOM + f"{HEADER}\r\n".encode()
    assert download(client, of(made, "errors")) == f"line,code,columns,message,fix,{HEADER}\n".encode()
    assert download(client, of(made, "remaining")) == BOM + f"{HEADER}\r\n".encode()


# errors.csv -----------------------------------------------------------------------------------------------------------


def report(client: FlaskClient, one: Import) -> list[list[str]]:
    return list(csv.reader(io.StringIO(download(client, of(one, "errors")).decode(), newline=""), strict=True))


def test_the_report_has_a_line_for_each_failed_row(client: FlaskClient, seller: Seller) -> None:
    make_items()
    broken = 'CREATE,urn:test:1,,,,,,NM,1,1,,,"a "b" c",,'
    wrong = 'CREATE,urn:test:1,,,,,,x,1.99,1,,,"over\r\ntwo, ""so""",,'
    made = ended(seller, with_header(f"{broken}\n{wrong}\nCREATE,urn:none,,,,,,NM,1,1,,,,,\nCREATE\n{',' * 20}x\n"))
    header, *lines = report(client, made)
    assert header == ["line", "code", "columns", "message", "fix", *COLUMNS]
    assert [one[:3] for one in lines] == [
        ["2", "422", "COMMENT"],
        ["3", "422", "CONDITION|PRICE"],
        ["5", "404", "URN"],
        ["6", "422", ""],
        ["7", "422", ""],
    ]
    assert lines[1][3].startswith("CONDITION is “x”. Use one of MT (MINT)")
    assert lines[1][3].endswith("PRICE is “1.99”. Prices are in pence: enter 199.")
    assert lines[1][4] == f"{Cause.CONDITION_UNKNOWN.fix} {Cause.PRICE_IN_POUNDS.fix}"
    # The values of the row, each in its column as far as there are columns.
    assert lines[0][5:] == cells(price=1, comment='a b" c"')
    assert lines[1][5:] == cells(condition="x", price="1.99", comment='over\r\ntwo, "so"')
    assert lines[3][5:] == ["CREATE", *[""] * 14]
    assert lines[4][5:] == [*[""] * 20, "x"]


def test_what_a_page_links_to_for_a_spreadsheet_begins_with_a_byte_order_mark(
    client: FlaskClient, seller: Seller
) -> None:
    """Without one, Excel reads é as two letters, and what it saves comes back garbled."""
    catalog.load(DEMO_CATALOG)
    urn = DEMO_CATALOG.read_text("utf-8").splitlines()[1].partition(",")[0]
    created = {"urn": urn, "condition": "NM", "comment": "ポケモン"}
    ended(seller, [row(**created)])
    made = ended(seller, [row(price="x", comment="ポケモン"), row(**created), row(**created, mode="UPDATE")])
    stopped = start(seller, [row(**created, mode="UPDATE")])
    commands.terminate(seller.id, stopped.public_id)
    pages = ("/imports", "/imports/upload", "/help/csv", "/listings")
    links = {
        link["href"]
        for path in (*pages, *(f"/imports/{one.public_id}" for one in (made, stopped)))
        for link in page(client, path).select("a[href*='.csv']")
    }
    marked = {link.partition("?")[0].rpartition("/")[2] for link in links if "spreadsheet=1" in link}
    ready = {"failed.csv", "as-updates.csv", "remaining.csv", "succeeded.csv", "template.csv", "sample.csv"}
    assert marked == {*ready, "export.csv"}
    # The file as uploaded stays what it was.
    assert {link.rpartition("/")[2] for link in links if "spreadsheet=1" not in link} == {"source.csv"}
    for link in links:
        if "spreadsheet=1" in link:
            assert download(client, link) == BOM + download(client, link.replace("spreadsheet=1", ""))


def test_a_mark_that_the_file_has_is_not_doubled(client: FlaskClient, seller: Seller) -> None:
    made = ended(seller, BOM + csv_bytes([row(price="x")]))
    assert download(client, of(made, "failed") + "?spreadsheet=1") == BOM + csv_bytes([row(price="x")])


def test_the_same_fix_for_several_columns_is_told_once(client: FlaskClient, seller: Seller) -> None:
    made = ended(seller, [row(comment="x" * 256, notes="x" * 256)])
    assert [one[4] for one in report(client, made)] == ["fix", Cause.TEXT_TOO_LONG.fix]


FORMULAS = [
    *((begin, f"'{begin}") for begin in (*"=+-@＝＠", " =", "\u00a0-", "\t", "\n", "\tx")),
    # Separate cells if another separator than the comma applies, or if quotation marks do not count.
    ("\t=", "'\t'="),
    ("\r\n=", "'\r\n'="),
    ("x;=", "x;'="),
    ("x; @", "x;' @"),
    ("x\t=", "x\t'="),
    ("x\n+", "x\n'+"),
    ("x;y;-", "x;y;'-"),
]


def test_no_cell_of_the_report_is_taken_for_a_formula(client: FlaskClient, seller: Seller) -> None:
    make_items()
    values = [begin + "cmd|' /C calc'!A0" for begin, _ in FORMULAS]
    data = csv_bytes([row(mode=value, comment=value, reference=value) for value in values])
    made = ended(seller, data)
    _, *lines = report(client, made)
    for (begin, shown), value, reported in zip(FORMULAS, values, lines, strict=True):
        assert [reported[5], reported[17], reported[19]] == [value.replace(begin, shown, 1)] * 3
        for cell in reported:
            parts = re.split(r"[;\t\r\n]", cell)
            assert not any(re.match(r"\s*[=+\-@＝＋－＠]", part) for part in parts)
        # What is no formula stays as it is.
        assert reported[6] == "urn:test:1"
    # So does the row itself where it is uploaded again.
    assert download(client, of(made, "failed")) == data


# succeeded.csv --------------------------------------------------------------------------------------------------------


def successes(client: FlaskClient, one: Import) -> list[tuple[int, str, str]]:
    header, *lines = csv.reader(io.StringIO(download(client, of(one, "succeeded")).decode()), strict=True)
    assert header == ["line", "listing_id", "outcome"]
    return [(int(line), listing, outcome) for line, listing, outcome in lines]


def test_each_row_that_succeeded_is_told_with_its_listing(client: FlaskClient, seller: Seller) -> None:
    make_items()
    ended(seller, [row(condition="PO")])
    made = ended(
        seller,
        [
            row(comment="one\ntwo", variants="reverse|de"),
            row(price="x"),
            row(urn="", cardmarket_id=2, condition="mint"),
            row(mode="UPDATE", condition="poor"),
            row(urn="urn:none"),
            row(variants="de|reverse"),
            row(mode="UPDATE", urn="", game="game", set="SET", name="name 1", condition="PO", price=7),
            row(mode="UPDATE", urn="urn:test:3"),
        ],
    )
    assert successes(client, made) == [
        (2, "urn:test:1/NEAR_MINT/de|reverse", "created"),
        (5, "urn:test:2/MINT/", "created"),
        (6, "urn:test:1/POOR/", "unchanged"),
        (9, "urn:test:1/POOR/", "updated"),
    ]


def test_no_row_is_told_to_which_its_batch_has_not_come(
    client: FlaskClient, seller: Seller, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_items(9)
    monkeypatch.setattr("app.csvfile.scan.rows_per_batch", lambda *_: 3)
    monkeypatch.setattr("app.imports.reports.exports._ROWS_AT_ONCE", 2)
    made = start(seller, [row(urn=f"urn:test:{n}", price="x" if n == 8 else n) for n in range(1, 10)])
    for number in (3, 1):
        batch_job.run(seller.id, made.id, number, 1)
    assert [line for line, _, _ in successes(client, made)] == [2, 3, 4, 8, 10]
    commands.terminate(seller.id, made.public_id)
    assert [line for line, _, _ in successes(client, made)] == [2, 3, 4, 8, 10]


def test_a_listing_is_named_only_where_that_is_certain(client: FlaskClient, seller: Seller) -> None:
    first, second, _ = make_items()
    made = ended(seller, [row(urn="", cardmarket_id=n) for n in (1, 2)])
    changed = ended(seller, [row(mode="UPDATE", urn="", cardmarket_id=1, price=7)])
    assert successes(client, changed) == [(2, "urn:test:1/NEAR_MINT/", "updated")]
    # The second item takes the id of the first.
    db.session.execute(text("delete from external_ids where item_id = :id"), {"id": first})
    db.session.execute(text("update external_ids set external_id = 1 where item_id = :id"), {"id": second})
    db.session.commit()
    assert successes(client, made) == [(2, "", "created"), (3, "", "created")]
    assert successes(client, changed) == [(2, "", "updated or unchanged")]
    db.session.execute(text("insert into external_ids values (1, 1, :id)"), {"id": first})
    db.session.commit()
    # Of the two items that the id means now, one has the listing that this very line has created or updated.
    assert successes(client, made) == [(2, "urn:test:1/NEAR_MINT/", "created"), (3, "", "created")]
    assert successes(client, changed) == [(2, "urn:test:1/NEAR_MINT/", "updated")]


def test_a_later_import_does_not_take_a_listing_from_an_earlier_one(client: FlaskClient, seller: Seller) -> None:
    make_items()
    made = ended(seller, [row()])
    listing = "urn:test:1/NEAR_MINT/"
    same = ended(seller, [row(mode="UPDATE")])
    assert successes(client, same) == [(2, listing, "unchanged")]
    again = ended(seller, [row(mode="UPDATE", price=7)])
    last = ended(seller, [row(mode="UPDATE", price=8)])
    assert successes(client, made) == [(2, listing, "created")]
    assert successes(client, last) == [(2, listing, "updated")]
    # What the listing was before is forgotten by now.
    assert successes(client, same) == successes(client, again) == [(2, listing, "updated or unchanged")]


# The file itself ------------------------------------------------------------------------------------------------------


def test_the_source_comes_back_as_it_was(client: FlaskClient, seller: Seller) -> None:
    lines = (f"CREATE,urn:{n},,,,,,NM,1,1,,,{'é' * (n % 250)},,\r\n" for n in range(8_000))
    data = BOM + f"{HEADER}\r\n\r\n{''.join(lines)},,,,,,,,,,,,,,".encode()
    assert len(data) > 2 << 20
    made = start(seller, data)
    answer = client.get(of(made, "source"))
    assert answer.data == data
    assert answer.content_length == len(data)


@each_state
def test_every_file_can_be_had_in_every_state(client: FlaskClient, seller: Seller, state: State) -> None:
    made = make(state, seller)
    source = download(client, of(made, "source")).splitlines(keepends=True)
    total, successful, failed = state.counters
    assert len(source) == 1 + total
    assert download(client, of(made, "failed")).splitlines(keepends=True)[1:] == ([source[2]] if failed else [])
    assert len(report(client, made)) == 1 + failed
    assert download(client, of(made, "remaining")) == b"".join([source[0], *source[1 + successful + failed :]])
    assert len(successes(client, made)) == successful


@pytest.mark.parametrize("name", ["source", "remaining", "succeeded"])
def test_a_source_that_is_gone_is_a_page_and_not_a_broken_file(
    app: Flask, client: FlaskClient, seller: Seller, name: str
) -> None:
    made = make(STATES[3], seller)
    app.extensions["sluice_storage"].delete(made.storage_key)
    soup = page(client, f"/imports/{made.public_id}/{name}.csv", 404)
    assert words(soup.select_one(".lead-sentence")) == (
        "The uploaded file has been deleted. Its listings and its failed rows are still here."
    )
    # What is stored in the database is still available.
    assert download(client, of(made, "failed")).startswith(HEADER.encode())
    page(client, f"/imports/{made.public_id}")


def test_a_storage_that_cannot_be_read_is_a_page_and_not_a_broken_file(
    app: Flask, client: FlaskClient, seller: Seller, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make(STATES[3], seller)
    stored = tmp_path / made.storage_key
    stored.parent.mkdir()
    stored.write_bytes(b"cut off")
    monkeypatch.setitem(app.extensions, "sluice_storage", LocalStorage(tmp_path))
    soup = page(client, of(made, "source"), 503)
    assert "cannot be read" in words(soup.select_one(".lead-sentence"))


def test_what_remains_of_a_terminated_import_can_be_imported(
    client: FlaskClient, seller: Seller, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_items(3)
    rows = [row(urn=f"urn:test:{n}", comment="one\r\ntwo", price="1" if n != 2 else "x") for n in (1, 2, 3)]
    monkeypatch.setattr("app.csvfile.scan.rows_per_batch", lambda *_: 1)
    made = start(seller, BOM + csv_bytes(rows, newline="\r\n").removesuffix(b"\r\n"))
    batch_job.run(seller.id, made.id, 2, 1)
    commands.terminate(seller.id, made.public_id)
    remaining = download(client, of(made, "remaining"))
    assert remaining == BOM + csv_bytes([rows[0], rows[2]], newline="\r\n").removesuffix(b"\r\n")
    monkeypatch.undo()
    assert look(upload(client, remaining)).status == "COMPLETED"
    assert len(listed(seller)) == 2


# Names ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "source", "stem"),
    [
        ("stock.csv", "stock.csv", "stock"),
        ("STOCK.CSV", "STOCK.CSV", "STOCK"),
        ("stock", "stock", "stock"),
        ("stock.tar.gz", "stock.tar.gz", "stock.tar.gz"),
        ("my stock (2).csv", "my stock (2).csv", "my stock (2)"),
        ('a"b\\"c.csv', '"c.csv', '"c'),
        ("a;b=c, d.csv", "a;b=c, d.csv", "a;b=c, d"),
        ("it's 100%.csv", "it's 100%.csv", "it's 100%"),
        ("naïve ☃ 名前.csv", "naïve ☃ 名前.csv", "naïve ☃ 名前"),
        ("名前.csv", "名前.csv", "名前"),
        ("a\r\nSet-Cookie: x=y.csv", "aSet-Cookie: x=y.csv", "aSet-Cookie: x=y"),
        ("a\0\x1b\u2028\u202eb.csv", "ab.csv", "ab"),
        ("\r\n", "upload.csv", "upload"),
        ("", "upload.csv", "upload"),
        ("..", "..", ".."),
        (".csv", ".csv", ".csv"),
        ("../../etc/passwd", "passwd", "passwd"),
        ("C:\\Users\\me\\stock.csv", "stock.csv", "stock"),
        ("x" * 500 + ".csv", "x" * 196 + ".csv", "x" * 196),
    ],
)
def test_files_are_called_as_the_seller_calls_them(
    client: FlaskClient, seller: Seller, given: str, source: str, stem: str
) -> None:
    made = start(seller, [row()], file_name=given)
    short_id = str(made.public_id)[:8]
    of_the_import = {
        "failed": "failed-rows",
        "errors": "error-report",
        "remaining": "remaining-rows",
        "succeeded": "succeeded-rows",
    }
    names = {file: f"{what}-{short_id}-{stem}.csv" for file, what in of_the_import.items()}
    for file, name in {"source": source, **names}.items():
        answer = client.get(of(made, file))
        assert name_of(answer) == name
        header = answer.headers["Content-Disposition"]
        # Whatever a browser makes of the other name, this one it understands.
        plain = re.match(r'attachment; filename="([A-Za-z0-9._ ()-]+)"(; filename\*=UTF-8\'\'[^ ;,"]+)?$', header)
        assert plain, header
        assert plain[1].strip(" .") != ""
        assert not any(cookie.startswith(" x=y") for cookie in answer.headers.getlist("Set-Cookie"))
    # No part of the name finds its way into the storage.
    assert re.fullmatch(rf"{seller.id}/{made.public_id}\.csv", made.storage_key)


def test_the_export_and_the_template_have_names_of_their_own(client: FlaskClient) -> None:
    assert re.fullmatch(r"listings-\d{4}-\d\d-\d\d\.csv", name_of(client.get("/listings/export.csv")))
    assert name_of(client.get("/imports/template.csv")) == "sluice-template.csv"


# The export -----------------------------------------------------------------------------------------------------------

AWKWARD = [
    "a, b",
    'say "hi"',
    '"',
    '""',
    "one\ntwo",
    "one\r\ntwo",
    "one\rtwo",
    "a\tb",
    "=1+1",
    "+1",
    "-1",
    "@x",
    "'=1",
    "名前 \U0001f0cf",
    "e\u0301 \u00e9",
    "a\u200bb",
    "a\u2028b",
    ",",
    "\\",
    "\\N",
    "null",
    "<b>&amp;</b>",
    "x" * 255,
]


def test_an_export_comes_back_unchanged(client: FlaskClient, seller: Seller, other_seller: Seller) -> None:
    make_items(len(AWKWARD))
    rows = [
        row(urn=f"urn:test:{n}", comment=value, notes=value, reference=value, price=n, hidden=str(n % 2 == 0))
        for n, value in enumerate(AWKWARD, 1)
    ]
    rows += [row(condition=grade, variants="de|reverse", quantity=1_000_000) for grade in "MT EX GD LP PL PO".split()]
    # If it ended lines in LF, Python's writer would not quote a lone CR.
    assert look(ended(seller, csv_bytes(rows, newline="\r\n"))).status == "COMPLETED"
    ended(other_seller, [row(comment="not yours")])
    before = listed(seller)
    assert {one[6] for one in before} == {*AWKWARD, ""}
    export = download(client, "/listings/export.csv")
    assert export.startswith(f"{HEADER}\n".encode())
    read_again = list(csv.DictReader(io.StringIO(export.decode(), newline=""), strict=True))
    assert {one["MODE"] for one in read_again} == {"UPDATE"}
    for column in ("COMMENT", "NOTES", "REFERENCE"):
        assert sorted(one[column] for one in read_again if one[column]) == sorted(AWKWARD)
    again = look(upload(client, export))
    assert (again.status, again.unchanged, again.successful) == ("COMPLETED", len(rows), len(rows))
    assert listed(seller) == before
    assert download(client, "/listings/export.csv") == export


def as_a_spreadsheet_saves_it(cell: str) -> str:
    """What a spreadsheet that runs formulas saves for a cell of a CSV file, as LibreOffice 7.4 was seen to do."""
    if formula := re.fullmatch(r'="((?:[^"]|"")*)"', cell):
        return formula[1].replace('""', '"')
    assert not cell.startswith("="), "it was run, and its result saved"
    return str(int(cell)) if cell.isdigit() else cell


@pytest.mark.parametrize("is_opened", [False, True])
def test_an_export_for_a_spreadsheet_comes_back_unchanged_whether_it_was_opened_or_not(
    client: FlaskClient, seller: Seller, is_opened: bool
) -> None:
    texts = [*AWKWARD, "00017", "17", "1.50", "1E5", "3-4", "1234567890123456789", "'", "＝x"]
    # What looks like a guarded text itself comes back from whatever does not run formulas.
    texts += [] if is_opened else ['="x"', '=""']
    make_items(len(texts))
    values = [guard_if_guarded(text) for text in texts]
    rows = [row(urn=f"urn:test:{n}", comment=value, notes=value, reference=value) for n, value in enumerate(values, 1)]
    assert look(ended(seller, csv_bytes(rows, newline="\r\n"))).status == "COMPLETED"
    before = listed(seller)
    assert {one[6] for one in before} == {*texts}
    export = download(client, "/listings/export.csv?spreadsheet=1")
    if is_opened:
        cells = csv.reader(io.StringIO(export.decode("utf-8-sig"), newline=""), strict=True)
        saved = io.StringIO(newline="")
        csv.writer(saved).writerows([as_a_spreadsheet_saves_it(cell) for cell in line] for line in cells)
        export = saved.getvalue().encode("utf-8-sig")
    again = look(upload(client, export))
    assert (again.status, again.unchanged, again.successful) == ("COMPLETED", len(rows), len(rows))
    assert listed(seller) == before


def test_the_export_of_somebody_without_listings_is_the_header(client: FlaskClient, other_seller: Seller) -> None:
    make_items()
    ended(other_seller, [row()])
    assert download(client, "/listings/export.csv") == f"{HEADER}\n".encode()


def test_an_export_of_many_pages_has_every_listing_once(client: FlaskClient, seller: Seller) -> None:
    (item,) = make_items(1)
    db.session.execute(
        text(
            """
            insert into listings (seller_id, item_id, condition, variants, price, quantity, hidden, created_import_id,
                created_line)
            select :seller, :item, n % 7 + 1, 'v' || n / 7, n, 1, false, 1, n from generate_series(1, 4500) n
            """
        ),
        {"seller": seller.id, "item": item},
    )
    db.session.commit()
    lines = download(client, "/listings/export.csv").decode().splitlines()
    assert len(lines) == 4_501
    assert sorted(int(one["PRICE"]) for one in csv.DictReader(lines)) == list(range(1, 4_501))


# Slow readers ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def transactions(app: Flask) -> Iterator[Callable[[], int]]:
    """How many transactions others have open."""
    with db.engine.connect() as watching:
        watching = watching.execution_options(isolation_level="AUTOCOMMIT")
        yield lambda: watching.execute(
            text(
                """
                select count(*) from pg_stat_activity
                where datname = current_database() and pid <> pg_backend_pid() and state like 'idle in transaction%'
                """
            )
        ).scalar_one()


@pytest.mark.parametrize("path", ["failed", "errors", "succeeded", "export", "filtered export"])
def test_a_reader_who_takes_their_time_holds_no_transaction(
    app: Flask, client: FlaskClient, seller: Seller, transactions: Callable[[], int], path: str
) -> None:
    many = tuple(f"{n}-{'v' * 38}" for n in range(10))
    make_items(variants=many)
    listing = row(notes="x" * 200, variants="|".join(many))
    failing = [row(price="x", notes="y" * 200)] * 1_500
    ended(seller, [listing])
    made = ended(seller, [*failing, *[listing | {"MODE": "UPDATE"}] * 400])
    db.session.execute(
        text(
            """
            insert into listings (seller_id, item_id, condition, variants, price, quantity, hidden, notes,
                created_import_id, created_line)
            select seller_id, item_id, condition, 'v' || n, n, 1, false, notes, 1, n
            from listings, generate_series(1, 2500) n
            """
        )
    )
    db.session.commit()
    exports = {"export": "/listings/export.csv", "filtered export": "/listings/export.csv?text=name&hidden=no"}
    address = exports.get(path) or of(made, path)
    whole = len(client.get(address).data)
    db.session.remove()
    with client.get(address, buffered=False) as answer:
        pieces = answer.iter_encoded()
        arrived = len(next(pieces))
        open_meanwhile = transactions()
        rest = sum(map(len, pieces))
    assert (arrived + rest, open_meanwhile) == (whole, 0)
    assert 0 < arrived < whole / 2


# What ships with Sluice -----------------------------------------------------------------------------------------------


@pytest.fixture
def demo_catalog(app: Flask) -> None:
    catalog.load(DEMO_CATALOG)


def test_the_rows_of_the_template_can_be_imported(client: FlaskClient, seller: Seller, demo_catalog: None) -> None:
    template = download(client, "/imports/template.csv")
    assert template.startswith(f"{HEADER}\n".encode())
    imported = look(upload(client, template))
    assert (imported.status, imported.created, imported.total) == ("COMPLETED", 2, 2)


def test_the_first_demo_file_is_right_in_every_row(client: FlaskClient, seller: Seller, demo_catalog: None) -> None:
    imported = look(upload(client, (DEMO / "first-import.csv").read_bytes()))
    assert (imported.status, imported.invalid) == ("COMPLETED", 0)
    readme = (DEMO / "README.md").read_text()
    assert f"`first-import.csv`: {imported.created} listings" in readme
    catalog_items = db.session.execute(text("select count(*), count(distinct game) from items")).one()
    assert f"`catalog.csv`: {catalog_items[0]} items of six games" in readme
    assert catalog_items[1] == 6


def test_the_second_demo_file_has_exactly_the_mistakes_of_its_table(
    client: FlaskClient, seller: Seller, demo_catalog: None
) -> None:
    readme = (DEMO / "README.md").read_text()
    table = [(int(line), int(code)) for line, code in re.findall(r"^\| (\d+) \| (\d+) \|", readme, re.MULTILINE)]
    made = upload(client, (DEMO / "with-mistakes.csv").read_bytes())
    assert failures(made) == table
    imported = look(made)
    assert imported.status == "FAILED"
    assert f"{imported.total} rows, {imported.created} of them right" in readme
    assert f"the {imported.failed} errors below" in readme


def test_a_download_that_nobody_may_have_says_nothing_of_it(client: FlaskClient, other_seller: Seller) -> None:
    made = make(STATES[5], other_seller)
    for name in ("source", "failed", "errors", "remaining", "succeeded"):
        soup = read(client.get(of(made, name)), 404)
        assert made.file_name not in soup.get_text()
