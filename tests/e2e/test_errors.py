"""Failed rows on the pages: groups, filters, what is shown of each row, and trying them again."""

from __future__ import annotations

import re
from collections.abc import Iterable

import pytest
from playwright.sync_api import Page, expect

from app.csvfile.columns import HEADER
from app.models import Seller
from tests.e2e.conftest import OpenWindow
from tests.e2e.files import MISTAKES, mistakes
from tests.e2e.window import in_menu, status_of, upload_and_follow

pytestmark = pytest.mark.usefixtures("working")


@pytest.fixture
def errors(page: Page) -> Page:
    """The page of the errors of MISTAKES."""
    upload_and_follow(page, MISTAKES.read_bytes(), name=MISTAKES.name)
    status_of(page, "FAILED")
    page.get_by_role("link", name="View errors").click()
    expect(page).to_have_url(re.compile("#errors$"))
    page.get_by_role("link", name="View all errors").click()
    expect(page.get_by_role("heading", name=f"Errors in {MISTAKES.name}")).to_be_visible()
    return page


def expect_lines(page: Page, expected: Iterable[int]) -> None:
    """Wait until these lines, and no others, are shown in this order."""
    wanted = list(expected)
    rows = page.locator("li[id^=line-]")
    expect(rows).to_have_count(len(wanted))
    names = rows.evaluate_all("all => all.map(one => one.id)")
    assert [int(name.removeprefix("line-")) for name in names] == wanted


def test_a_long_word_fits_and_is_unfolded_by_a_press(open_window: OpenWindow, seller: Seller) -> None:
    page = open_window(seller, width=390)
    long = "u" * 10_000
    row = f"CREATE,{long},,,,,,Nearly,1,1,,,,,\n"
    upload_and_follow(page, f"{HEADER}\n{row}{row.replace('CREATE', 'UPDATE')}CREATE,a,,,,,,{long},1,1,,,,,".encode())
    status_of(page, "FAILED")
    for path in ("", "/errors", "/fix"):
        page.goto(page.url.split("#")[0].removesuffix("/errors") + path)
        assert page.evaluate("document.documentElement.scrollWidth") == 390, path
        # Of twenty windows at most, with all that is shown of three rows and their groups.
        assert page.evaluate("document.documentElement.scrollHeight") < 20 * 800, path
    page.go_back()
    whole = page.locator(".row-cells dd").filter(has_text=long).first
    whole.get_by_text("Show all 10,000 characters").click()
    expect(whole.get_by_text("Show less")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == 390


def open_filters(page: Page) -> None:
    page.get_by_text("Filter the failed rows").click()


def test_every_failed_row_is_shown_as_it_was(errors: Page) -> None:
    expect_lines(errors, mistakes())
    originals = MISTAKES.read_text(encoding="utf-8").split("\n")
    for line, code in mistakes().items():
        row = errors.locator(f"#line-{line}")
        expect(row).to_contain_text(str(code))
        assert row.locator("code.original").text_content() == originals[line - 1]


def test_groups_lead_to_their_rows(errors: Page) -> None:
    group = errors.locator("li.group[data-rows]").filter(has_text="PRICE").first
    rows = int(group.get_attribute("data-rows") or 0)
    group.get_by_role("link", name=re.compile("^Show (this row|[0-9,]+ rows)")).click()
    expect(errors.locator("li[id^=line-]")).to_have_count(rows)
    errors.get_by_role("link", name="All errors", exact=True).click()
    expect_lines(errors, mistakes())


@pytest.mark.parametrize("code", [422, 404, 409])
def test_the_code_filters(errors: Page, code: int) -> None:
    open_filters(errors)
    errors.get_by_label("Code").select_option(str(code))
    errors.get_by_role("button", name="Filter").click()
    expect(errors).to_have_url(re.compile(f"code={code}"))
    expect_lines(errors, [line for line, of_line in mistakes().items() if of_line == code])
    errors.get_by_role("link", name="Show all errors").click()
    expect_lines(errors, mistakes())


def test_lines_text_and_column_filter(errors: Page) -> None:
    open_filters(errors)
    errors.get_by_label("Line or lines").fill("4-8")
    errors.get_by_role("button", name="Filter").click()
    expect(errors).to_have_url(re.compile("lines=4-8"))
    expect_lines(errors, [4, 5, 6, 8])
    errors.get_by_label("Text in the row").fill("£2")
    errors.get_by_role("button", name="Filter").click()
    expect(errors).to_have_url(re.compile("text=%C2%A32"))
    expect_lines(errors, [5])
    errors.get_by_label("Column").select_option("QUANTITY")
    errors.get_by_role("button", name="Filter").click()
    expect(errors.get_by_text("No failed row matches.")).to_be_visible()
    errors.get_by_label("Line or lines").fill("none")
    errors.get_by_role("button", name="Filter").click()
    expect(errors.get_by_text("Enter a line, such as 120")).to_be_visible()


def test_help_stands_where_the_link_leads(errors: Page) -> None:
    errors.locator("#line-4").get_by_role("link", name="Learn more").click()
    heading = errors.locator("article.cause:target h3")
    expect(heading).to_be_in_viewport()


def test_failed_rows_are_tried_again(errors: Page) -> None:
    errors.get_by_role("link", name=MISTAKES.name).click()
    in_menu(errors, "Retry failed rows").click()
    expect(errors.get_by_text("Retry of")).to_be_visible()
    status_of(errors, "FAILED")
