"""The help pages: complete, consistent with the validator, and public."""

from __future__ import annotations

import pytest
from bs4 import BeautifulSoup
from flask import Flask
from flask.testing import FlaskClient

from app.csvfile.causes import Cause, Code
from app.csvfile.cells import split_record
from app.csvfile.columns import HEADER, Column
from app.csvfile.contract import CONDITION_CODES
from app.csvfile.validate import find_problems
from tests.factories import cells
from tests.pages import page, read, words
from tests.web.test_upload import upload

each_page = pytest.mark.parametrize("path", ["/help/csv", "/help/errors"])


@each_page
def test_anybody_can_read_it(app: Flask, path: str) -> None:
    soup = page(app.test_client(), path)
    assert [link["href"] for link in soup.select(".who a")] == [f"/login?next={path}"]
    assert soup.select("form, nav[aria-label=Main]") == []


@each_page
def test_it_is_in_the_navigation(client: FlaskClient, path: str) -> None:
    assert words(page(client, path).select_one("nav[aria-label=Main] a[aria-current=page]"))


def test_the_header_can_be_copied(client: FlaskClient) -> None:
    soup = page(client, "/help/csv")
    assert soup.select_one("#header-text").get_text() == HEADER
    assert soup.select_one("[data-copy=header-text]")


def test_every_column_and_every_condition_is_explained(client: FlaskClient) -> None:
    soup = page(client, "/help/csv")
    explained = [
        [words(cell) for cell in line.select("th, td")] for line in soup.select("table.stacking-table tbody tr")
    ]
    assert explained == [
        [column.value, one.needed, one.rule, " ".join(one.examples)] for column in Column for one in [column.spec]
    ]
    conditions = [[words(cell) for cell in line.select("dt, dd")] for line in soup.select(".condition-list div")]
    assert conditions == [[code, grade.name] for code, grade in CONDITION_CODES.items()]
    for wanted in sum(conditions, []):
        assert find_problems(cells(condition=wanted)) == []


def test_every_row_on_the_page_passes_the_validator(client: FlaskClient) -> None:
    lines = [code.get_text() for code in page(client, "/help/csv").select("details code.original")]
    assert len(lines) >= 5
    for line in lines:
        assert find_problems(split_record(line)) == []


def test_every_cause_has_its_place_under_its_code(client: FlaskClient) -> None:
    soup = page(client, "/help/errors")
    for code in Code:
        section = soup.select_one(f"#code-{code.value}").find_parent("details")
        assert code.meaning in words(section)
        assert [one["id"] for one in section.select("article")] == [cause.slug for cause in Cause if cause.code is code]
    for cause in Cause:
        text = words(soup.find(id=cause.slug))
        assert cause.title in text
        assert f"How to fix it: {cause.fix}" in text
        assert soup.find(id=cause.slug).select("del")


def test_characters_that_nobody_would_see_are_drawn(client: FlaskClient) -> None:
    def changed(cause: Cause) -> str:
        return words(page(client, "/help/errors").find(id=cause.slug).select_one(".corrections"))

    assert "Box 1[line break]Shelf 2" in changed(Cause.BARE_LINE_BREAK)
    assert "Box[U+0007]1" in changed(Cause.CONTROL_CHARACTER)
    assert "(empty)" in changed(Cause.PRICE_MISSING)
    assert len(changed(Cause.TEXT_TOO_LONG)) < 200


def links(soup: BeautifulSoup) -> set[str]:
    return {str(link["href"]) for link in soup.select("main a")}


def test_the_upload_page_and_every_refusal_lead_there(client: FlaskClient) -> None:
    assert "/help/csv" in links(page(client, "/imports/upload"))
    refused = read(upload(client, b"a;b\n"), 422)
    assert [link["href"] for link in refused.select("[role=alert] a")] == ["/help/csv", "/imports/match"]
    assert {"/help/errors"} <= links(page(client, "/help/csv"))
    assert {"/help/csv", "/imports/upload"} <= links(page(client, "/help/errors"))


@pytest.mark.parametrize("path", ["/help/csv", "/help/matching", "/help/errors", "/help/api"])
def test_on_a_phone_the_pages_of_a_group_are_one_entry_and_lead_to_each_other(client: FlaskClient, path: str) -> None:
    soup = page(client, path)
    entries = soup.select(".menu li:not(.is-minor) a")
    assert len(entries) == 5
    assert [words(entry) for entry in entries if entry.get("aria-current")] == ["Help"]
    siblings = soup.select("nav.siblings a")
    assert [link["href"] for link in siblings] == ["/help/csv", "/help/matching", "/help/errors", "/help/api"]
    assert [link["href"] for link in siblings if link.get("aria-current")] == [path]
