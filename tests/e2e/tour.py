"""Every page in every state, for the tests that visit all of them and for the screenshots."""

from __future__ import annotations

import csv
import io
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

import psycopg
import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import text

from app.deliveries import commands
from app.deliveries import job as deliveries_job
from app.deliveries.webhook import SendResult
from app.extensions import db
from app.identity import password_reset, sessions
from app.imports import settling, undo
from app.imports.worker import batch_job
from app.models import Import, Seller
from app.queries import ImportKey
from app.statuses import IMPORT_EVENTS
from tests import states
from tests.conftest import PASSWORD, make_seller
from tests.e2e.files import MISTAKES
from tests.e2e.window import in_menu, sign_in
from tests.factories import make_items, row, start


@dataclass(frozen=True)
class Showroom:
    """What the pages show; there are no workers, so nothing moves."""

    #: Has an import in each state, and one with every kind of mistake.
    seller: Seller
    #: Has more imports than stand on one page.
    busy_seller: Seller
    new_seller: Seller
    operator: Seller
    #: The paths of the seller's imports, by state.
    paths: dict[str, str]
    #: The path of a webhook with a log.
    webhook_path: str
    #: The path of a link to set a new password.
    reset_path: str
    database_url: str


def make_showroom(database_url: str) -> Showroom:
    """Fill the database with imports in every state, as workers would have left them."""
    make_items(100)
    sellers = [make_seller(f"{name}.{uuid.uuid4().hex[:4]}@example.com") for name in ("ada", "bea", "cy", "di")]
    seller, busy_seller, new_seller, operator = sellers
    operator.is_operator = True
    hook = commands.add(seller.id, "https://shop.example.com/sluice", IMPORT_EVENTS.values())
    started = {"mistakes": start(seller, MISTAKES.read_bytes(), file_name=MISTAKES.name)}
    batch_job.run(seller.id, started["mistakes"].id, 1, 1)
    started["check"] = start(seller, _changed_rows(), file_name="prices-check.csv", is_check=True)
    batch_job.run(seller.id, started["check"].id, 1, 1)
    for state in states.STATES:
        started[state.name] = states.make(state, seller, file_name=f"{state.name}.csv")
    started |= _undo_one(seller)
    _send_messages()
    started["long"] = _make_long(seller)
    for number in range(21):
        start(busy_seller, [row()], file_name=f"stock-{number + 1}.csv")
    for user_agent in _BROWSERS:
        sessions.begin(seller.id, user_agent)
    paths = {name: f"/imports/{one.public_id}" for name, one in started.items()}
    webhook_path = f"/settings/webhooks/{hook.public_id}"
    reset_path = f"/password/reset?token={password_reset.make_link_secret(new_seller.id, datetime.now(UTC))}"
    for one in sellers:
        db.session.refresh(one)
    # The sellers are read again when the database is away.
    db.session.expunge_all()
    db.session.rollback()
    return Showroom(*sellers, paths, webhook_path, reset_path, database_url)


def _send_messages() -> None:
    """What a deliverer does with the messages that wait, of which the first arrives and no other."""
    answers = [SendResult(True, 204, "Accepted with 204 No Content.")]
    lost = SendResult(False, None, "It refused the connection.")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("app.deliveries.webhook.send", lambda *_, **__: answers.pop() if answers else lost)
        deliveries_job.run()


#: In which the seller is signed in beside the window that looks.
_BROWSERS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 "
    "Mobile/15E148 Safari/604.1",
    "Something-that-nobody-has-ever-heard-of/1.0 (written by hand)",
)


def _changed_rows() -> list[dict[str, str]]:
    """Rows that would update the listings that the first import has created, and one that would fail."""
    read = csv.DictReader(io.StringIO(MISTAKES.read_text(encoding="utf-8")))
    made = [one for one in read if one["URN"] and None not in one]
    changed = [one | {"MODE": "UPDATE", "PRICE": "1234", "COMMENT": "Reduced"} for one in made[:9]]
    return [*changed, row(price="1.99")]


def _undo_one(seller: Seller) -> dict[str, Import]:
    """An import that can be undone, another one of whose listings the first has changed, and the undo of that."""
    made = {"undone": [row(urn=f"urn:test:{number}", condition="PO") for number in range(1, 9)]}
    made["undoable"] = [
        row(mode="UPDATE", urn="urn:test:1", condition="PO", price=1),
        row(urn="urn:test:9", condition="PO"),
    ]
    made["after"] = [row(mode="UPDATE", urn="urn:test:2", condition="PO", price=2)]
    started = {name: start(seller, rows, file_name=f"{name}.csv") for name, rows in made.items()}
    for one in started.values():
        batch_job.run(seller.id, one.id, 1, 1)
        settling.settle(ImportKey(seller.id, one.id))
    started["undo"] = undo.start(seller.id, started["undone"].public_id)
    batch_job.run(seller.id, started["undo"].id, 1, 1)
    settling.settle(ImportKey(seller.id, started["undo"].id))
    return started


def _make_long(seller: Seller) -> Import:
    """An import of eighty batches after two minutes of work and a pause, as workers and a queue would leave it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("app.csvfile.scan.rows_per_batch", lambda *_: 100)
        started = start(seller, [row(urn=f"urn:test:{number % 100}") for number in range(8_000)], file_name="long.csv")
    db.session.execute(text(_LONG_LIFE), {"import_id": started.id})
    db.session.commit()
    return started


#: Forty batches are over and each seventh of them has failed rows, two run, and the others wait. It was paused from the
#: 40th second to the 60th.
_LONG_LIFE = """
    with aged as (
        update imports set created_at = clock_timestamp() - interval '120 s', pauses = array[
            clock_timestamp() - interval '80 s', clock_timestamp() - interval '60 s']
        where id = :import_id
    )
    update batches set
        started_at = clock_timestamp()
            - make_interval(secs => 118 - number * 2 - case when number > 19 then 20 else 0 end),
        heartbeat_at = clock_timestamp() + interval '1 hour', updated_at = clock_timestamp(),
        "cursor" = case when number > 40 then "cursor" else end_byte end,
        status = case when number > 40 then 'RUNNING' else 'COMPLETED' end,
        created = case when number > 40 then 60 when number % 7 = 0 then 70 else 100 end,
        failed = case when number % 7 = 0 then 30 else 0 end,
        pace = array[5, 30 + number % 9, 15, 30]
    where import_id = :import_id and number <= 42
"""


class Stop(NamedTuple):
    """A page in a state."""

    #: How to get there from a window in which ``who`` is signed in.
    visit: Callable[[Page, Showroom], None]
    who: str | None = "seller"
    #: Whether the answer is to be one with a status of 500 or more.
    fails: bool = False


def stops() -> dict[str, Stop]:
    """All there is to see, by names that are fit for files."""
    found = {
        "sign-in": Stop(_to("/login"), None),
        "sign-in-wrong": Stop(_sign_in_wrongly, None),
        "sign-in-signed-out": Stop(_sign_out, None),
        "sign-in-out-of-date": Stop(_press_out_of_date, None),
        "password-forgot": Stop(_to("/password/forgot"), None),
        "password-reset": Stop(_open_reset_link, None),
        "password-reset-expired": Stop(_to("/password/reset?token=x"), None),
        "upload": Stop(_to("/imports/upload")),
        "upload-first": Stop(_to("/imports/upload"), "new_seller"),
        "upload-again": Stop(_to_import("mistakes", "/again")),
        "upload-chosen": Stop(_choose),
        "upload-sending": Stop(_send_for_ever),
        "upload-refused": Stop(_upload_nonsense),
        "upload-several": Stop(_choose_several),
        "upload-broken": Stop(_lose_the_line, fails=True),
        "upload-drop": Stop(_drag),
        "match": Stop(_to("/imports/match")),
        "match-reading": Stop(_match("How it is read")),
        "match-columns": Stop(_match("Columns")),
        "match-words": Stop(_match("Words")),
        "match-cards": Stop(_match("Cards")),
        "match-money": Stop(_match("Money")),
        "match-preview": Stop(_match("Preview")),
        "mappings": Stop(_to("/settings/mappings")),
        "help-matching": Stop(_to("/help/matching")),
        "my-imports": Stop(_to("/imports")),
        "my-imports-filtered": Stop(_to("/imports?status=attention&kind=imports")),
        "my-imports-no-match": Stop(_to("/imports?text=nowhere")),
        "my-imports-nothing-to-do": Stop(_to("/imports?status=attention"), "busy_seller"),
        "my-imports-filter-wrong": Stop(_to("/imports?status=lost&kind=x")),
        "my-imports-panel-by-link": Stop(_go_to_panel),
        "my-imports-none": Stop(_to("/imports"), "new_seller"),
        "my-imports-full": Stop(_to("/imports"), "busy_seller"),
        "my-imports-older": Stop(_go_to_older, "busy_seller"),
        "my-imports-panel": Stop(_open_panel),
        "my-imports-panel-missing": Stop(_open_panel_in_vain),
        "terminate-dialog": Stop(_ask_to_terminate),
        "terminate-dialog-over-panel": Stop(_ask_to_terminate_in_panel),
        "terminate-page": Stop(_to_import("running", "/terminate")),
        "details-away": Stop(_stay_while_server_is_away, fails=True),
        "details-signed-out": Stop(_stay_while_signed_out),
        "details-not-possible": Stop(_press_in_vain),
        "errors": Stop(_to_import("mistakes", "/errors")),
        "errors-filtered": Stop(_to_import("mistakes", "/errors?code=409&text=A-")),
        "errors-group": Stop(_to_import("mistakes", "/errors?cause=price-in-pounds&column=PRICE")),
        "errors-no-match": Stop(_to_import("mistakes", "/errors?text=nowhere")),
        "errors-filter-wrong": Stop(_to_import("failed", "/errors?lines=x&batch=y")),
        "errors-later": Stop(_to_import("mistakes", "/errors?after=40")),
        "errors-none": Stop(_to_import("completed", "/errors")),
        "errors-running": Stop(_to_import("running", "/errors")),
        "listings": Stop(_to("/listings")),
        "listings-filtered": Stop(_to("/listings?text=hedge&condition=NM&hidden=no")),
        "listings-no-match": Stop(_to("/listings?text=nowhere")),
        "listings-filter-wrong": Stop(_to("/listings?condition=shiny&hidden=perhaps")),
        "listings-sorted": Stop(_to("/listings?sort=price&stock=in&since=2026-01-01&own=a")),
        "listings-edit": Stop(_to("/listings?edit=1")),
        "listings-edit-wrong": Stop(_save_wrong_price),
        "listings-none": Stop(_to("/listings"), "new_seller"),
        "rows": Stop(_to("/imports/rows")),
        "rows-found": Stop(_to("/imports/rows?text=urn:")),
        "rows-none": Stop(_to("/imports/rows?text=nowhere")),
        "rows-wrong": Stop(_to("/imports/rows?text=x")),
        "catalog": Stop(_to("/catalog")),
        "catalog-found": Stop(_to("/catalog?text=name+1")),
        "catalog-set": Stop(_to("/catalog?game=Game&set=Set&text=name")),
        "catalog-no-match": Stop(_to("/catalog?text=nowhere")),
        "catalog-wrong": Stop(_to("/catalog?text=%3F")),
        "details-check": Stop(_to_import("check")),
        "details-menu": Stop(_open_menu),
        "details-edit": Stop(_to_import("failed", "/edit")),
        "details-delete": Stop(_to_import("failed", "/delete")),
        "panel-check": Stop(_to_import("check", "/panel")),
        "undo-preview": Stop(_to_import("undoable", "/undo")),
        "details-undo": Stop(_to_import("undo")),
        "details-undone": Stop(_to_import("undone")),
        "panel-undo": Stop(_to_import("undo", "/panel")),
        "undo-kept": Stop(_to_import("undo", "/kept")),
        "webhooks": Stop(_to("/settings/webhooks")),
        "webhook-new-secret": Stop(_to_webhook("/secret")),
        "webhooks-none": Stop(_to("/settings/webhooks"), "new_seller"),
        "webhooks-wrong": Stop(_add_wrong_webhook, "new_seller"),
        "webhooks-made": Stop(_add_webhook_and_see_its_secret, "busy_seller"),
        "webhooks-show": Stop(_to_webhook()),
        "webhooks-delete": Stop(_to_webhook("/delete")),
        "ops": Stop(_to("/ops"), "operator"),
        "ops-import": Stop(_to_import_of_somebody("running"), "operator"),
        "ops-import-given-up": Stop(_to_import_of_somebody("given up"), "operator"),
        "ops-terminate": Stop(_to_import_of_somebody("running", "/terminate"), "operator"),
        "ops-audit": Stop(_to("/ops/audit"), "operator"),
        "bell": Stop(_open_bell),
        "bell-nothing-new": Stop(_open_bell, "new_seller"),
        "notifications": Stop(_to("/settings/notifications")),
        "too-large": Stop(_upload_too_much),
        "help-csv": Stop(_to("/help/csv")),
        "help-csv-stranger": Stop(_to("/help/csv"), None),
        "help-errors": Stop(_to("/help/errors")),
        "help-api": Stop(_to("/help/api")),
        "help-api-stranger": Stop(_to("/help/api"), None),
        "account": Stop(_to("/settings/account"), "new_seller"),
        "account-wrong": Stop(_change_password_wrongly, "new_seller"),
        "account-sessions": Stop(_to("/settings/account")),
        "account-sessions-wrong": Stop(_end_a_session_wrongly),
        "tokens-made": Stop(_make_token),
        "tokens": Stop(_ask_to_revoke),
        "not-found": Stop(_to("/nowhere")),
        "not-found-stranger": Stop(_to("/nowhere"), None),
        "not-possible": Stop(_press_for_a_page),
        "out-of-date": Stop(_press_with_old_token),
        "database-away": Stop(_go_without_database, fails=True),
    }
    for name in ("mistakes", "long", *(state.name for state in states.STATES)):
        found[f"details-{name.replace(' ', '-')}"] = Stop(_to_import(name))
        found[f"panel-{name.replace(' ', '-')}"] = Stop(_to_import(name, "/panel"))
    return found


# Ways ----------------------------------------------------------------------------------------------------------------


def _to(path: str) -> Callable[[Page, Showroom], None]:
    def visit(page: Page, _: Showroom) -> None:
        page.goto(path)

    return visit


def _to_import(state: str, part: str = "") -> Callable[[Page, Showroom], None]:
    def visit(page: Page, showroom: Showroom) -> None:
        page.goto(showroom.paths[state] + part)

    return visit


def _to_import_of_somebody(state: str, part: str = "") -> Callable[[Page, Showroom], None]:
    def visit(page: Page, showroom: Showroom) -> None:
        page.goto(f"/ops{showroom.paths[state]}{part}")

    return visit


#: A file of a known format: rows with an unknown condition and language, and one with the wrong name.
_FOREIGN = """cardmarketId,quantity,name,condition,language,price
1,2,Name 1,NM,English,1.50
2,3,Name 2,Shiny,German,2.00
3,1,Name 3,NM,,3.00
4,1,Name 4,NM,Klingon,3.00
5,0,Name 5,NM,,3.00
6,1,Somebody else,NM,,3.00
"""


def _match(step: str) -> Callable[[Page, Showroom], None]:
    def visit(page: Page, _: Showroom) -> None:
        page.goto("/imports/match")
        file = {"name": "stock.csv", "mimeType": "text/csv", "buffer": _FOREIGN.encode()}
        page.locator("#file").set_input_files(file)  # type: ignore[arg-type]
        page.get_by_role("button", name="Match its columns").click()
        page.get_by_role("navigation", name="Steps").get_by_role("link", name=step).click()
        page.get_by_role("heading", level=1).wait_for()
        for folded in page.locator("details.folded > summary").all():
            folded.click()

    return visit


def _to_webhook(part: str = "") -> Callable[[Page, Showroom], None]:
    def visit(page: Page, showroom: Showroom) -> None:
        page.goto(showroom.webhook_path + part)

    return visit


def _save_wrong_price(page: Page, _: Showroom) -> None:
    page.goto("/listings?edit=1")
    page.get_by_label("Select all on this page").check()
    page.get_by_role("textbox", name="Price in pounds").first.fill("free")
    page.get_by_role("button", name="Save changes").last.click()
    expect(page.locator(".listing-price .field-error")).to_be_visible()
    page.wait_for_load_state()


def _make_token(page: Page, _: Showroom) -> None:
    page.goto("/settings/tokens")
    page.get_by_label("Name").fill("Nightly stock")
    page.get_by_label("Current password").fill(PASSWORD)
    page.get_by_role("button", name="Create token").click()
    page.get_by_text("You won’t be able to see it again").wait_for()


def _add_webhook(page: Page, _: Showroom, *, url: str = "https://shop.example.com/sluice") -> None:
    page.goto("/settings/webhooks")
    page.locator("#url").fill(url)
    page.get_by_label("Current password").fill(PASSWORD)
    page.get_by_role("button", name="Add webhook").click()
    page.wait_for_load_state()


def _add_webhook_and_see_its_secret(page: Page, showroom: Showroom) -> None:
    _add_webhook(page, showroom)
    expect(page.get_by_text("whsec_")).to_be_visible()


def _add_wrong_webhook(page: Page, showroom: Showroom) -> None:
    _add_webhook(page, showroom, url="http://localhost/sluice")
    expect(page.locator(".field-error")).to_be_visible()


def _ask_to_revoke(page: Page, showroom: Showroom) -> None:
    _make_token(page, showroom)
    page.goto("/settings/tokens")
    page.locator(".revoke > summary").first.click()
    page.get_by_role("button", name="Revoke token").first.wait_for()


def _change_password_wrongly(page: Page, _: Showroom) -> None:
    page.goto("/settings/account")
    page.get_by_label("Current password").fill("wrong")
    page.get_by_label("New password").fill("short")
    page.get_by_role("button", name="Change password").click()
    expect(page.get_by_text("That’s not your current password.")).to_be_visible()
    # A picture taken before the style sheet is there has the height of a page without it.
    page.wait_for_load_state()


def _end_a_session_wrongly(page: Page, _: Showroom) -> None:
    page.goto("/settings/account")
    page.locator(".session-table .revoke > summary").first.click()
    page.get_by_role("button", name="Sign out this session").click()
    expect(page.get_by_text("Enter your current password.")).to_be_visible()
    page.wait_for_load_state()


def _sign_in_wrongly(page: Page, showroom: Showroom) -> None:
    page.goto("/login")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_text("Enter your password.")).to_be_visible()
    page.get_by_label("Email address").fill(showroom.seller.email)
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_be_visible()


def _open_bell(page: Page, _: Showroom) -> None:
    page.goto("/listings")
    page.locator("#bell > summary").click()
    expect(page.get_by_text("Finished since you last looked")).to_be_visible()


def _open_reset_link(page: Page, showroom: Showroom) -> None:
    page.goto(showroom.reset_path)


def _sign_out(page: Page, showroom: Showroom) -> None:
    # In a separate session, because the shared session of the seller's windows would end with it.
    sign_in(page, showroom.seller.email)
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_text("You are signed out.")).to_be_visible()


def _press_out_of_date(page: Page, _: Showroom) -> None:
    page.goto("/login")
    page.locator("input[name=csrf_token]").evaluate("field => field.value = 'old'")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_text("had been open for too long")).to_be_visible()


def _choose(page: Page, _: Showroom) -> None:
    page.goto("/imports/upload")
    page.locator("input[type=file]").set_input_files(MISTAKES)
    expect(page.get_by_text("ready to upload")).to_be_visible()


def _send_for_ever(page: Page, showroom: Showroom) -> None:
    _choose(page, showroom)
    # Held back, so that it stays in progress during the visit.
    page.route("**/imports/upload", lambda route: None)
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.get_by_role("progressbar")).to_be_visible()


def _choose_several(page: Page, _: Showroom) -> None:
    page.goto("/imports/upload")
    wrong = {"name": "semicolons.csv", "mimeType": "text/csv", "buffer": b"MODE;URN;PRICE\n"}
    right = {"name": MISTAKES.name, "mimeType": "text/csv", "buffer": MISTAKES.read_bytes()}
    page.locator("input[type=file]").set_input_files([wrong, right])
    expect(page.get_by_text("separated by semicolons")).to_be_visible()


def _lose_the_line(page: Page, showroom: Showroom) -> None:
    _choose(page, showroom)
    page.route("**/imports/upload", lambda route: route.abort("failed"))
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.get_by_role("alert")).to_be_visible()


def _drag(page: Page, _: Showroom) -> None:
    page.goto("/imports/upload")
    page.evaluate(
        """() => {
            const held = new DataTransfer();
            held.items.add(new File(["x"], "x.csv"));
            document.body.dispatchEvent(new DragEvent("dragenter", { bubbles: true, dataTransfer: held }));
        }"""
    )
    expect(page.get_by_text("Drop the files to upload them")).to_be_visible()


def _stay_while_server_is_away(page: Page, showroom: Showroom) -> None:
    page.goto(showroom.paths["running"])
    page.route("**/imports/*", lambda route: route.fulfill(status=503, body="away"))
    expect(page.get_by_text("Last updated")).to_be_visible()


def _stay_while_signed_out(page: Page, showroom: Showroom) -> None:
    page.goto(showroom.paths["running"])
    page.context.clear_cookies()
    expect(page.get_by_text("You’ve been signed out.")).to_be_visible()


def _upload_nonsense(page: Page, _: Showroom) -> None:
    page.goto("/imports/upload")
    file = {"name": "stock.csv", "mimeType": "text/csv", "buffer": b"MODE,URN,PRICE\n"}
    page.locator("input[type=file]").set_input_files(file)
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.get_by_role("alert")).to_be_visible()


def _upload_too_much(page: Page, _: Showroom) -> None:
    page.goto("/imports/upload")
    file = {"name": "stock.csv", "mimeType": "text/csv", "buffer": MISTAKES.read_bytes().ljust(5 << 20, b"\n")}
    page.locator("input[type=file]").set_input_files(file)
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.get_by_role("alert")).to_be_visible()


def _go_to_older(page: Page, _: Showroom) -> None:
    page.goto("/imports")
    page.get_by_role("link", name="Older imports").click()
    expect(page.get_by_role("link", name="Newest imports")).to_be_visible()


def _open_panel(page: Page, showroom: Showroom) -> None:
    page.goto("/imports")
    page.locator(f"a[href='{showroom.paths['running']}/panel']").click()
    expect(page.locator("#panel").get_by_role("link", name="View full details")).to_be_visible()


def _go_to_panel(page: Page, showroom: Showroom) -> None:
    page.goto(f"/imports?panel={showroom.paths['failed'].rpartition('/')[2]}")
    expect(page.locator("#panel").get_by_role("link", name="View full details")).to_be_visible()


def _open_panel_in_vain(page: Page, showroom: Showroom) -> None:
    page.goto("/imports")
    link = page.locator(f"a[href='{showroom.paths['running']}/panel']")
    link.evaluate("link => link.dataset.panelLink = 'x'")
    link.click()
    expect(page.get_by_text("The details could not be loaded.")).to_be_visible()


def _open_menu(page: Page, showroom: Showroom) -> None:
    page.goto(showroom.paths["failed"])
    in_menu(page, "Retry failed rows").hover()


def _ask_to_terminate(page: Page, showroom: Showroom) -> None:
    page.goto(showroom.paths["running"])
    page.get_by_role("button", name="Terminate").click()
    expect(page.get_by_role("dialog")).to_be_visible()


def _ask_to_terminate_in_panel(page: Page, showroom: Showroom) -> None:
    _open_panel(page, showroom)
    page.locator("#panel").get_by_role("button", name="Terminate").click()
    expect(page.locator("#confirm")).to_be_visible()


def _press_in_vain(page: Page, showroom: Showroom) -> None:
    """Press a button that came too late, on a page that scripts keep."""
    page.goto(showroom.paths["paused"])
    # As htmx does it for the button of an import that has gone on in the meantime.
    page.locator("form[action$='/resume']").evaluate(
        """(form, path) => htmx.ajax("POST", path, {
            source: form, target: "#details", swap: "morph:outerHTML", values: { csrf_token: form.csrf_token.value },
        })""",
        f"{showroom.paths['completed']}/resume",
    )
    expect(page.locator("#toasts .note")).to_be_visible()


def _press_for_a_page(page: Page, showroom: Showroom) -> None:
    """The same, on a page without scripts; a form that is sent by a script itself takes that way too."""
    page.goto(showroom.paths["paused"])
    page.locator("form[action$='/resume']").evaluate(
        "(form, path) => { form.action = path; form.submit(); }", f"{showroom.paths['completed']}/resume"
    )
    expect(page.get_by_role("heading", name="That’s not possible now")).to_be_visible()


def _press_with_old_token(page: Page, showroom: Showroom) -> None:
    page.goto(showroom.paths["paused"])
    page.locator("form[action$='/resume']").evaluate("form => { form.csrf_token.value = 'old'; form.submit(); }")
    expect(page.get_by_role("heading", name="This page is out of date")).to_be_visible()


def _go_without_database(page: Page, showroom: Showroom) -> None:
    with _database_away(showroom.database_url):
        page.goto("/imports")
        expect(page.get_by_role("heading", name="Back in a moment")).to_be_visible()


@contextmanager
def _database_away(database_url: str) -> Iterator[None]:
    """End all connections to the database, and allow no new ones."""
    with psycopg.connect(database_url) as own:
        name = own.info.dbname
    with psycopg.connect(database_url, dbname="postgres", autocommit=True) as admin:
        admin.execute(f"alter database {name} allow_connections false")
        try:
            admin.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", [name])
            yield
        finally:
            admin.execute(f"alter database {name} allow_connections true")
