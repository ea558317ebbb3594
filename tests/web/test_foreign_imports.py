"""An import of a foreign file speaks of that file: its lines, columns and texts, in its own format."""

from __future__ import annotations

import uuid
from collections.abc import Callable

import pytest
from flask.testing import FlaskClient
from sqlalchemy import text

from app.csvfile.errors import FileRejected
from app.extensions import db
from app.imports import commands, conversions, housekeeping, ledger, match_flow, retention, undo
from app.imports.errors import TransitionRefused
from app.imports.fixes import engine
from app.imports.fixes.answers import NewAnswer, Rule
from app.imports.foreign.mapping import Field, Kind, Source
from app.imports.match_flow import Step
from app.imports.reports import row_errors
from app.models import Conversion, Import, Seller
from app.queries.imports import row_errors as queries
from app.statuses import ImportKind, RetriedRows
from app.storage import current_storage
from tests import foreign
from tests.conftest import make_token
from tests.factories import failures, listed, look, make_items, row, start
from tests.pages import csrf_token, page, words

#: Line 2 and 3 are one listing, which fails; line 6 is imported; of line 7 nobody knows the price.
ROWS = ["1;NM;1,50;2;é", "1;NM;1,50;3;“twice”", "2;NM;0,99;0;", "3;NM;4,00;1;=1+1", "3;EX;3,00;1;last", "2;EX;;1;"]
HEAD = foreign.HEADER.encode() + b"\r\n"


def own(*rows: str) -> bytes:
    return b"".join(text.encode("cp1252") + b"\r\n" for text in rows)


@pytest.fixture
def made(seller: Seller, run_jobs: Callable[[], None]) -> Import:
    """An import two of whose rows fail, because their listings have been created since the file was converted."""
    make_items(variants=("normal",))
    one = foreign.convert(seller, ROWS)
    start(seller, [row(variants="normal"), row(urn="urn:test:3", variants="normal")])
    run_jobs()
    started = conversions.start(seller.id, one.public_id, ImportKind.IMPORT)
    run_jobs()
    db.session.rollback()
    assert failures(started) == [(2, 409), (3, 409)]
    return started


def get(client: FlaskClient, one: Import, name: str) -> bytes:
    answer = client.get(f"/imports/{one.public_id}/{name}")
    assert answer.status_code == 200, answer.text
    return answer.data


def test_failed_rows_come_back_as_they_were_sent_with_those_added_to_them(client: FlaskClient, made: Import) -> None:
    assert get(client, made, "failed.csv") == HEAD + own(ROWS[0], ROWS[1], ROWS[3])
    assert get(client, made, "failed.csv?spreadsheet=1&lines=5") == HEAD + own(ROWS[3])
    assert get(client, made, "failed.csv?lines=3") == HEAD + own(ROWS[0], ROWS[1])
    assert get(client, made, "source.csv") == foreign.foreign_bytes(ROWS)
    answer = client.get(f"/imports/{made.public_id}/failed.csv")
    assert answer.content_type == "text/csv; charset=windows-1252"


def test_what_is_to_be_fixed_has_the_names_and_lines_of_the_sellers_file(client: FlaskClient, made: Import) -> None:
    path = f"/imports/{made.public_id}/fix"
    client.post(f"{path}/start", data={"csrf_token": csrf_token(client)})
    rows = page(client, f"{path}/rows")
    assert [words(one) for one in rows.select(".failed-row-head")] == ["Line 2", "Line 5"]
    for choices in rows.select(".fix-cells select"):
        choices.decompose()
    labels = [words(one) for one in rows.select(".failed-row:first-child .fix-cells label")]
    assert {"Condition as CONDITION", "Price as PRICE", "Amount as QUANTITY", "HIDDEN"} <= {*labels}
    one = db.session.get_one(Import, (made.seller_id, made.id))
    engine.give(one, NewAnswer(Rule.SET, "listing-exists", "", None, {"PRICE": "150"}))
    answer = page(client, path).select_one(".fix-answers li")
    assert words(answer).startswith("You already have this listing → Price 150 · lines 2 and 5")


def test_rows_left_out_and_added_come_with_their_reason(client: FlaskClient, made: Import) -> None:
    left_out = get(client, made, "left-out.csv").decode("cp1252").splitlines()
    assert left_out == [
        f'{foreign.HEADER};"REASON"',
        f'{ROWS[2]};"The quantity is 0, so it is left out."',
        f'{ROWS[5]};"No price is given."',
    ]
    added = get(client, made, "left-out.csv?added=1").decode("cp1252").splitlines()
    assert len(added) == 2
    assert added[1].startswith(f'{ROWS[1]};"Added to line 2. ')


def test_reports_name_the_sellers_lines_and_columns(client: FlaskClient, made: Import) -> None:
    report = get(client, made, "errors.csv").decode().splitlines()
    assert report[0] == "line,code,columns,message,fix,idProduct,Condition,Price,Amount,Comments"
    assert [line.split(",")[0] for line in report[1:]] == ["2", "5"]
    assert report[2].endswith(',3,NM,"4,00",1,\'=1+1')
    to_fix = get(client, made, "failed.csv?reasons=1").decode("cp1252").splitlines()
    assert to_fix[0] == f'{foreign.HEADER};"LINE";"PROBLEM";"SUGGESTION";"IMPORT"'
    assert [line.split(";")[5] for line in to_fix[1:]] == ['"2"', '"3"', '"5"']
    assert to_fix[3].startswith(f'{ROWS[3]};"5";"')
    assert to_fix[3].endswith(f';;"{made.public_id}"')
    assert get(client, made, "succeeded.csv").decode().splitlines()[1].startswith("6,")
    assert get(client, made, "converted.csv").decode().splitlines()[1].startswith("CREATE,urn:test:1,")


def test_a_fix_it_file_comes_back_with_nothing_asked_and_takes_its_rows_up_once(
    client: FlaskClient, seller: Seller, made: Import, run_jobs: Callable[[], None]
) -> None:
    # The import's mapping was not saved.
    fixed = get(client, made, "failed.csv?reasons=1&spreadsheet=1").replace(b"4,00", b"5,00")
    draft = conversions.upload(seller.id, "rows-to-fix.csv", [fixed])
    assert match_flow.begin(seller.id, draft) is Step.PREVIEW
    first, again = uuid.uuid4(), uuid.uuid4()
    started = conversions.start(seller.id, draft.public_id, ImportKind.IMPORT, form_key=first)
    run_jobs()
    assert (look(started).status, look(started).total, look(started).updated) == ("COMPLETED", 2, 2)
    said = page(client, f"/imports/{made.public_id}").get_text(" ", strip=True)
    assert "rows-to-fix.csv" in said
    assert not page(client, f"/imports/{made.public_id}").select(f"a[href$='{made.public_id}/fix']")
    # Sent again, the form finds what it has made; another form does not import the rows once more.
    assert conversions.start(seller.id, draft.public_id, ImportKind.IMPORT, form_key=first).id == started.id
    with pytest.raises(FileRejected, match="Line 2 of bestand.csv and 1 more have already been imported"):
        conversions.start(seller.id, draft.public_id, ImportKind.IMPORT, form_key=again)
    assert get(client, made, "failed.csv?reasons=1").count(b"\n") == 1


def test_a_tiny_price_is_told_as_it_is_in_the_sellers_file(client: FlaskClient, seller: Seller) -> None:
    make_items()
    one = foreign.convert(seller, ["1;NM;1,50;2;", "2;NM;0,044;2;"])
    started = conversions.start(seller.id, one.public_id, ImportKind.CHECK)
    said = words(page(client, f"/imports/{started.public_id}").select_one("main"))
    assert "1 price came to less than 5p, first on line 3: Price is “0,044”, so £0.04. Check the currency" in said
    assert "Prices are in pence" not in said
    token = {"Authorization": f"Bearer {make_token(seller)}"}
    (listed,) = client.get("/api/v1/imports", headers=token).get_json()["imports"]
    (warned,) = listed["warnings"]
    assert warned["message"] in said
    assert (warned["line"], warned["column"], warned["value"]) == (3, "Price", "0,044")
    assert listed["warnings"] == client.get(listed["links"]["self"], headers=token).get_json()["warnings"]


def test_pages_show_the_sellers_rows(client: FlaskClient, made: Import) -> None:
    for address in (f"/imports/{made.public_id}", f"/imports/{made.public_id}/errors"):
        said = page(client, address).get_text(" ", strip=True)
        assert "Line 2 with what line 3 added" in said
        assert "Line 5" in said
        assert ROWS[3] in said
        assert "CREATE" not in said.partition("Raw line")[2]


def test_the_ledger_adds_up_on_the_page_and_in_the_menu(client: FlaskClient, made: Import) -> None:
    shown = page(client, f"/imports/{made.public_id}")
    said = shown.get_text(" ", strip=True)
    assert (
        "6 rows: 1 imported, 2 failed, 1 added to another row, 1 left out, 1 left out because something about them is "
        "undecided."
    ) in said
    assert "The quantity is 0, so it is left out. 1 row" in said
    links = [link["href"] for link in shown.select("a[href*='.csv']")]
    for name in ("left-out.csv", "left-out.csv?added=1", "converted.csv", "source.csv"):
        assert f"/imports/{made.public_id}/{name}" in links
    assert "bestand.csv , line 6" in page(client, "/listings").get_text(" ", strip=True)
    found = page(client, "/imports/rows?text=urn:test:3").get_text(" ", strip=True)
    assert "bestand.csv, line 5" in found
    assert ROWS[3] in found


def test_rows_left_out_are_told_wherever_the_import_is_and_can_be_decided(
    client: FlaskClient, seller: Seller, made: Import, run_jobs: Callable[[], None]
) -> None:
    said = "2 rows of the file were left out, 1 of them because something is undecided."
    for address in ("/imports", f"/imports/{made.public_id}", f"/imports/{made.public_id}/panel"):
        shown = page(client, address)
        assert said in words(shown.select_one("main"))
        (link,) = shown.select("[data-left-out] a")
    # What a retry takes along of it leaves nothing out.
    retried = commands.retry(seller.id, made.public_id, RetriedRows.FAILED)
    assert not page(client, f"/imports/{retried.public_id}").select("[data-left-out]")
    run_jobs()
    engine.give(db.session.get_one(Import, (seller.id, retried.id)), NewAnswer(Rule.LEAVE_OUT, "listing-exists"))
    why = page(client, str(link["href"]))
    assert "1 row Open No price is given." in words(why.select_one("main"))
    assert "1 row: The quantity is 0, so it is left out." in words(why.select_one("main"))
    form = next(one for one in why.select("main form") if one.select("button[name=decide]"))
    decided = client.post(str(form["action"]), data={"csrf_token": csrf_token(client), "decide": "1"})
    # It is another draft of the same file, with the same questions.
    draft = page(client, decided.location)
    assert decided.location != link["href"]
    assert "No price is given." in words(draft.select_one("main"))


def test_rows_that_make_two_listings_are_counted_as_rows(
    client: FlaskClient, seller: Seller, run_jobs: Callable[[], None]
) -> None:
    make_items()
    # The number of reverse copies stands where the comment would.
    mapping = foreign.MAPPING.with_source(Field.FOIL_QUANTITY, Source(("Comments",)))
    rows = ["1;NM;1,50;2;1", "1;NM;1,50;3;0", "2;NM;0,99;0;0", "3;EX;1,00;1;0"]
    draft = conversions.upload(seller.id, "two.csv", [foreign.foreign_bytes(rows)])
    conversions.set_mapping(seller.id, draft.public_id, mapping.with_source(Field.COMMENT, None))
    match_flow.convert(seller.id, draft.public_id)
    preview = words(page(client, f"/imports/match/{draft.public_id}").select_one("main"))
    assert "To be imported2as 3 listings Added to another row1 Left out1" in preview
    assert "2 rows will be imported as 3 listings. 1 row is added to them." in preview
    started = conversions.start(seller.id, draft.public_id, ImportKind.IMPORT)
    run_jobs()
    said = "4 rows: 2 became 3 listings (3 imported), 1 added to another row, 1 left out."
    assert said in words(page(client, f"/imports/{started.public_id}").select_one("[data-file-rows]"))


def test_a_retry_speaks_of_the_sellers_file_too(
    client: FlaskClient, seller: Seller, made: Import, run_jobs: Callable[[], None]
) -> None:
    retried = commands.retry(seller.id, made.public_id, RetriedRows.FAILED)
    run_jobs()
    assert failures(retried) == [(2, 409), (3, 409)]
    assert get(client, retried, "failed.csv") == HEAD + own(ROWS[0], ROWS[1], ROWS[3])
    assert get(client, retried, "source.csv") == HEAD + own(ROWS[0], ROWS[1], ROWS[3])
    assert "Line 5" in page(client, f"/imports/{retried.public_id}/errors").get_text(" ", strip=True)
    assert not [*ledger.find_faults(retried)]


def test_remaining_rows_come_back_and_are_imported(
    client: FlaskClient, seller: Seller, run_jobs: Callable[[], None]
) -> None:
    make_items(variants=("normal",))
    started = conversions.start(seller.id, foreign.convert(seller, ROWS).public_id, ImportKind.IMPORT)
    commands.terminate(seller.id, started.public_id)
    assert get(client, started, "remaining.csv") == HEAD + own(ROWS[0], ROWS[1], ROWS[3], ROWS[4])
    retried = commands.retry(seller.id, started.public_id, RetriedRows.REMAINING)
    run_jobs()
    assert (look(retried).status, look(retried).successful) == ("COMPLETED", 3)


def test_the_ledger_is_counted_again_from_the_companions(seller: Seller, made: Import) -> None:
    key = seller.id, made.id
    assert not [*ledger.find_faults(made)]
    db.session.execute(text("update conversions set left_out = 2, converted = 2"))
    db.session.commit()
    assert len([*ledger.find_faults(db.session.get_one(Import, key))]) == 2


def test_rows_that_were_open_are_decided_later_and_imported_alone(
    client: FlaskClient, seller: Seller, run_jobs: Callable[[], None]
) -> None:
    make_items(4, variants=("normal",))
    rows = ["1;NM;1,50;2;", "3;NM;4,00;1;", "2;Lovely;0,99;1;", "1;Lovely;1,50;3;", "4;Odd;9,00;1;", "2;NM;1,00;0;"]
    first = foreign.convert(seller, rows)

    def imported(address: str) -> Import:
        form = page(client, address).select_one("form[action$='/start']")
        sent = {str(one["name"]): str(one.get("value", "")) for one in form.select("input[type=hidden]")}
        answer = client.post(str(form["action"]), data=sent)
        assert answer.status_code == 303, answer.text
        run_jobs()
        db.session.rollback()
        return db.session.scalars(db.select(Import).order_by(Import.id.desc())).first()  # type: ignore[return-value]

    def decided(address: str, word: str, answer: str) -> str:
        """The preview after what is open is decided, of which nothing but this word is answered."""
        token = {"csrf_token": csrf_token(client)}
        asked = client.post(f"{address}/copy", data={**token, "decide": "1"}).location
        assert asked.endswith("/words")
        data = {**token, "kind-1": "condition", "word-1": word, "answer-1": answer}
        client.post(asked, data=data)
        return asked.removesuffix("/words")

    def needing() -> list[str]:
        return [str(one["data-import-id"]) for one in page(client, "/imports?status=attention").select("li.import")]

    def tiles(address: str) -> list[str]:
        return [words(one) for one in page(client, address).select(".tile dd")]

    before = imported(f"/imports/match/{first.public_id}")
    assert needing() == [str(before.public_id)]
    # Some copies are sold meanwhile.
    start(seller, [row(mode="UPDATE", urn="urn:test:3", variants="normal", price=400, quantity=7)])
    run_jobs()
    second = decided(f"/imports/match/{first.public_id}", "Lovely", "NM")
    note = page(client, second).select_one("[data-decides]")
    assert note["data-decides"] == str(before.public_id)
    # Its row is part of a listing whose other copies were imported before.
    assert tiles(second) == ["6", "2", "1", "2", "1"]
    middle = imported(second)
    assert needing() == [str(middle.public_id)]
    link = page(client, f"/imports/{before.public_id}").select_one("[data-decided] a")
    assert str(link["href"]).endswith(str(middle.public_id))
    again = {"csrf_token": csrf_token(client), "decide": "1"}
    assert client.post(f"/imports/match/{first.public_id}/copy", data=again).status_code == 409
    third = decided(second, "Odd", "EX")
    assert tiles(third) == ["6", "1", "0", "5", "0"]
    last = imported(third)
    assert needing() == []
    assert [one[:2] + one[3:5] for one in sorted(listed(seller))] == [
        ("urn:test:1", "NEAR_MINT", "150", "5"),
        ("urn:test:2", "NEAR_MINT", "99", "1"),
        ("urn:test:3", "NEAR_MINT", "400", "7"),
        ("urn:test:4", "EXCELLENT", "900", "1"),
    ]
    assert not [fault for one in (before, middle, last) for fault in ledger.find_faults(one)]


@pytest.fixture
def opened(seller: Seller) -> Conversion:
    """A converted file: the third row has an unknown word, and is for the listing of the first."""
    make_items(4, variants=("normal",))
    return foreign.convert(seller, ["1;NM;1,50;2;", "2;NM;1,00;2;", "1;Lovely;1,50;3;"])


def decide(seller: Seller, one: Conversion, **others: str) -> Conversion:
    """What is open in a file, decided: Lovely is NM. ``others``: what other words are said to be meanwhile."""
    draft = conversions.copy(seller.id, one.public_id, decide=True)
    match_flow.convert(seller.id, draft.public_id)
    mapping = foreign.MAPPING.answer(Kind.CONDITION, "Lovely", "NM")
    for word, code in others.items():
        mapping = mapping.answer(Kind.CONDITION, word, code)
    match_flow.decide(seller.id, draft.public_id, mapping, after=Step.WORDS)
    return conversions.get(seller.id, draft.public_id)


def test_what_is_open_is_decided_once_no_row_of_the_import_can_be_written_any_more(
    client: FlaskClient, seller: Seller, opened: Conversion, run_jobs: Callable[[], None]
) -> None:
    first = conversions.start(seller.id, opened.public_id, ImportKind.IMPORT)
    copy = {"csrf_token": csrf_token(client), "decide": "1"}

    def refuses(sentence: str) -> None:
        preview = page(client, f"/imports/match/{opened.public_id}")
        assert sentence in words(preview.select_one("[data-undecidable]"))
        assert not preview.select("button[name=decide]")
        answer = client.post(f"/imports/match/{opened.public_id}/copy", data=copy)
        assert answer.status_code == 409
        assert sentence in answer.text

    refuses("has not finished yet")
    commands.terminate(seller.id, first.public_id)
    refuses("Import the remaining rows of")
    # The listing of one row has been created since.
    start(seller, [row(urn="urn:test:2", variants="normal")])
    run_jobs()
    rest = commands.retry(seller.id, first.public_id, RetriedRows.REMAINING)
    refuses("has not finished yet")
    run_jobs()
    refuses("Correct or leave out the failed rows of")
    engine.give(db.session.get_one(Import, (seller.id, rest.id)), NewAnswer(Rule.LEAVE_OUT, "listing-exists"))
    assert decide(seller, opened).lines == 1


def test_rows_that_were_open_are_imported_once(
    client: FlaskClient, seller: Seller, opened: Conversion, run_jobs: Callable[[], None]
) -> None:
    first = conversions.start(seller.id, opened.public_id, ImportKind.IMPORT)
    run_jobs()
    # A check of it afterwards changes nothing.
    commands.import_again(seller.id, first.public_id, kind=ImportKind.CHECK)
    run_jobs()
    db.session.rollback()
    one, other = decide(seller, opened), decide(seller, opened)
    assert (one.lines, other.lines, one.decides) == (1, 1, opened.id)
    shown = page(client, f"/imports/match/{one.public_id}").select_one("[data-decides]")
    assert shown["data-decides"] == str(first.public_id)
    check = conversions.start(seller.id, other.public_id, ImportKind.CHECK)
    run_jobs()
    key = uuid.uuid4()
    second = conversions.start(seller.id, one.public_id, ImportKind.IMPORT, form_key=key)
    assert conversions.start(seller.id, one.public_id, ImportKind.IMPORT, form_key=key).id == second.id
    for again in (one, other):
        with pytest.raises(TransitionRefused, match="are in another import"):
            conversions.start(seller.id, again.public_id, ImportKind.IMPORT, form_key=uuid.uuid4())
    with pytest.raises(TransitionRefused, match="are in another import"):
        commands.import_checked(seller.id, check.public_id)
    run_jobs()
    assert [line[4] for line in sorted(listed(seller))] == ["5", "2"]
    # Without its record, they are imported all the same.
    housekeeping.delete(seller.id, second.public_id)
    assert not page(client, "/imports?status=attention").select("li.import")
    with pytest.raises(TransitionRefused, match="are in another import"):
        conversions.copy(seller.id, opened.public_id, decide=True)


def test_an_import_whose_open_rows_are_in_another_sets_no_listing_back(
    client: FlaskClient, seller: Seller, opened: Conversion, run_jobs: Callable[[], None]
) -> None:
    # The listing that has a row of both fails in the first, and is left out there.
    start(seller, [row(variants="normal", quantity=7)])
    run_jobs()
    first = conversions.start(seller.id, opened.public_id, ImportKind.IMPORT)
    run_jobs()
    db.session.rollback()
    engine.give(db.session.get_one(Import, (seller.id, first.id)), NewAnswer(Rule.LEAVE_OUT, "listing-exists"))
    second = conversions.start(seller.id, decide(seller, opened).public_id, ImportKind.IMPORT)
    run_jobs()
    db.session.rollback()
    kept = engine.take_back(db.session.get_one(Import, (seller.id, first.id)), 1)
    assert kept.closed == 0
    path = f"/imports/{first.public_id}"
    for address in (f"{path}/again", f"{path}/retry", f"/imports/match/{opened.public_id}/start"):
        answer = client.post(address, data={"csrf_token": csrf_token(client), "rows": "FAILED"})
        assert answer.status_code == 409, address
        assert "set their listings back to fewer copies" in answer.text
    commands.import_again(seller.id, first.public_id, kind=ImportKind.CHECK)
    run_jobs()
    assert [line[4] for line in sorted(listed(seller))] == ["5", "2"]
    undo.start(seller.id, second.public_id)
    run_jobs()
    commands.retry(seller.id, first.public_id, RetriedRows.FAILED)


def test_rows_are_not_decided_without_knowing_which_were_open(
    seller: Seller, opened: Conversion, run_jobs: Callable[[], None]
) -> None:
    conversions.start(seller.id, opened.public_id, ImportKind.IMPORT)
    run_jobs()
    db.session.rollback()
    decided = decide(seller, opened)
    # The release before does not know what this conversion takes.
    db.session.execute(text("update conversions set scan = scan - 'decides' where decides is not null"))
    db.session.commit()
    with pytest.raises(TransitionRefused, match="An earlier release"):
        conversions.start(seller.id, decided.public_id, ImportKind.IMPORT)
    current_storage().delete(conversions.files_of(opened).apart)
    gone = decide(seller, opened)
    assert (gone.status, "no longer stored" in str(gone.reason)) == ("FAILED", True)


def test_rows_are_not_decided_by_an_import_that_was_undone(
    client: FlaskClient, seller: Seller, opened: Conversion, run_jobs: Callable[[], None]
) -> None:
    first = conversions.start(seller.id, opened.public_id, ImportKind.IMPORT)
    run_jobs()
    db.session.rollback()
    decided = decide(seller, opened)
    undo.start(seller.id, first.public_id)
    run_jobs()
    db.session.rollback()
    with pytest.raises(TransitionRefused, match="was undone"):
        conversions.start(seller.id, decided.public_id, ImportKind.IMPORT)
    assert not page(client, "/imports?status=attention").select("li.import")


def test_a_file_is_taken_as_a_whole_again_if_other_words_are_changed(
    client: FlaskClient, seller: Seller, opened: Conversion, run_jobs: Callable[[], None]
) -> None:
    conversions.start(seller.id, opened.public_id, ImportKind.IMPORT)
    run_jobs()
    db.session.rollback()
    assert decide(seller, opened).decides == opened.id
    changed = decide(seller, opened, NM="EX")
    assert (changed.decides, changed.lines) == (None, 3)
    assert "already imported this exact file" in page(client, f"/imports/match/{changed.public_id}").text


def test_when_the_file_is_gone_lines_are_still_its_own(client: FlaskClient, made: Import) -> None:
    db.session.execute(text("update imports set source_removed_at = now()"))
    db.session.commit()
    assert retention.remove_conversions()
    assert "Line 5" in page(client, f"/imports/{made.public_id}/errors").get_text(" ", strip=True)
    assert get(client, made, "failed.csv").decode().startswith("MODE,URN,")
    assert client.get(f"/imports/{made.public_id}/source.csv").status_code == 404
    assert client.get(f"/imports/{made.public_id}/left-out.csv").status_code == 404


def test_filters_and_searches_go_by_the_sellers_columns_and_texts(client: FlaskClient, made: Import) -> None:
    address = f"/imports/{made.public_id}/errors"
    # What only the converted row has is not found, what only the seller's row has is: the cell “4,00” became 400.
    for asked, lines in (("4,00", ["line-3"]), ("400", []), ("É", ["line-2"])):
        assert [one["id"] for one in page(client, f"{address}?text={asked}").select(".failed-row")] == lines
    assert "1 of 2 failed rows matches." in page(client, f"{address}?text=4,00").get_text(" ", strip=True)
    assert get(client, made, "failed.csv?text=4,00") == HEAD + own(ROWS[3])
    assert "bestand.csv, line 5" in page(client, "/imports/rows?text=;4,00;").get_text(" ", strip=True)


def test_a_long_search_in_the_sellers_rows_goes_on_where_it_stopped(
    client: FlaskClient, made: Import, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "_PAGE_ROWS", 1)
    monkeypatch.setattr(row_errors, "_MOST_PAGES", 1)
    shown = page(client, f"/imports/{made.public_id}/errors?text=4,00")
    assert "At least 0 of 2 failed rows match." in shown.get_text(" ", strip=True)
    assert "None of the rows searched so far matches." in shown.get_text(" ", strip=True)
    following = page(client, str(shown.select_one("a[rel=next]")["href"]))
    assert [one["id"] for one in following.select(".failed-row")] == ["line-3"]


def test_what_fails_after_a_conversion_is_grouped_and_suggested(
    client: FlaskClient, seller: Seller, run_jobs: Callable[[], None]
) -> None:
    make_items(2, variants=("normal",))
    one = foreign.convert(seller, ["1;NM;1,50;1;", "2;NM;1,50;1;", "1;EX;1,50;1;"])
    db.session.execute(text("update items set urn = 'urn:test:01' where urn = 'urn:test:1'"))
    db.session.commit()
    started = conversions.start(seller.id, one.public_id, ImportKind.IMPORT)
    run_jobs()
    assert failures(started) == [(2, 404), (4, 404)]
    address = f"/imports/{started.public_id}/errors"
    shown = page(client, address)
    (group,) = shown.select(".group")
    assert group.select_one(".group-title .column").text == "idProduct"
    assert words(group.select_one(".values .value")) == "1 2 rows"
    assert "urn:test:01" in group.select_one(".suggestion").get_text()
    assert [choice.text for choice in shown.select(".failed-row .choice")][:1] == ["urn:test:01"]
    named = {option["value"]: option.text for option in shown.select("#filter-column option")}
    assert named["URN"] == "idProduct"
    assert "idProduct" in page(client, f"{address}?column=URN").select_one(".chips").get_text()
