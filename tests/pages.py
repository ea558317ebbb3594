"""Reads pages as a browser without scripts does, and checks each against the rules of the house."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from functools import cache, partial
from unittest.mock import patch

import html5lib
from bs4 import BeautifulSoup, Tag
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.processes import ROOT

HTMX = {"HX-Request": "true"}

ADDRESSES = frozenset(
    "href src srcset action formaction poster data cite ping background data-live "
    "hx-get hx-post hx-put hx-patch hx-delete hx-push-url hx-replace-url".split()
)
#: The hash in the name of a static file.
_HASH = re.compile(r"\.[0-9a-f]{16}(?=\.[a-z0-9]+$)")
_HEADINGS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})
#: Attributes with the ids of other elements.
_REFERENCES = frozenset({"for", "aria-labelledby", "aria-describedby", "aria-controls"})
#: A scheme or a host: a link to another site.
_ELSEWHERE = re.compile(r"\s*([a-z][a-z0-9+.-]*:|[\\/]{2})", re.IGNORECASE)


def page(client: FlaskClient, path: str, status: int = 200) -> BeautifulSoup:
    """The page at ``path``; it must have this ``status`` and break no rule of the house."""
    return read(client.get(path), status)


def read(response: TestResponse, status: int = 200) -> BeautifulSoup:
    """The page in ``response``; it must have this ``status`` and break no rule of the house."""
    assert response.status_code == status, f"{response.status_code} for {response.request.path}"
    assert response.content_type == "text/html; charset=utf-8"
    assert response.text.startswith("<!doctype html>\n<html ")
    # The parser makes up half of the time of many tests, so it runs once.
    with patch.object(html5lib, "HTMLParser", partial(html5lib.HTMLParser, strict=True)):
        soup = BeautifulSoup(response.text, "html5lib")
    faults = [*find_page_faults(soup), *find_faults(soup)]
    assert not faults, f"{response.request.path}: {faults}"
    return soup


def fragment(client: FlaskClient, path: str) -> BeautifulSoup:
    """The fragment at ``path`` with which a script refreshes a live part."""
    return read_fragment(client.get(path, headers=HTMX))


def read_fragment(response: TestResponse) -> BeautifulSoup:
    """The fragment in ``response``; it must not be a whole page, and have no faults."""
    assert response.status_code == 200
    assert response.content_type == "text/html; charset=utf-8"
    assert not re.search("<html|<head|<body|<h1|<title", response.text)
    html5lib.HTMLParser(strict=True).parseFragment(response.text)
    soup = BeautifulSoup(response.text, "html5lib")
    faults = [*find_faults(soup)]
    assert not faults, f"{response.request.path}: {faults}"
    return soup


def words(element: Tag | None) -> str:
    """The text of an element with normalised white space. Fails if there is no element."""
    assert element is not None
    return " ".join(element.get_text().split())


def words_but_times(element: Tag | None) -> str:
    """The same without the times in it."""
    assert element is not None
    return " ".join("".join(text for text in element.find_all(string=True) if not text.find_parent("time")).split())


def buttons(element: Tag) -> list[str]:
    """The texts of the buttons in an element."""
    return [words(button) for button in element.select("form button")]


def press(client: FlaskClient, element: Tag, button: str, headers: dict[str, str] | None = None) -> TestResponse:
    """Submit the form in ``element`` whose button reads ``button``, with its current values."""
    (form,) = (form for form in element.select("form") if [words(one) for one in form.select("button")] == [button])
    return submit(client, form, headers=headers)


def submit(client: FlaskClient, form: Tag, *, headers: dict[str, str] | None = None, **values: str) -> TestResponse:
    """Send a form as a browser would, with ``values`` typed into it."""
    fields = {str(field["name"]): str(field.get("value", "")) for field in form.select("input[name]")}
    unknown = values.keys() - fields.keys()
    assert not unknown, f"the form has no {unknown}"
    fields |= values
    if form["method"] == "get":
        return client.get(str(form["action"]), query_string=fields, headers=headers)
    return client.post(str(form["action"]), data=fields, headers=headers)


def without_tokens(soup: BeautifulSoup) -> BeautifulSoup:
    """The same without its tokens, which change every second."""
    for field in soup.select("input[name=csrf_token]"):
        field["value"] = ""
    return soup


def csrf_token(client: FlaskClient) -> str:
    """A CSRF token for the session of ``client``, signed in or not."""
    # Without a session, this redirects to the sign-in page, which has one too.
    answer = client.get("/imports/upload", follow_redirects=True)
    # Hundreds of tests ask for one, and parsing the page would take most of the time.
    found = re.search('name="csrf_token" value="([^"]+)"', answer.text)
    assert found
    return found[1]


# The rules ------------------------------------------------------------------------------------------------------------


def find_page_faults(soup: BeautifulSoup) -> Iterator[str]:
    """Where a whole page breaks a rule of the house."""
    if not re.fullmatch(r"\S.* – Sluice", soup.title.get_text() if soup.title else ""):
        yield f"the title is {soup.title}"
    if [bool(words(heading)) for heading in soup.find_all("h1")] != [True]:
        yield "there is not exactly one h1 with words in it"
    if not (soup.html and soup.html.get("lang")):
        yield "the language is not told"
    if len(soup.find_all("main")) != 1:
        yield "there is not exactly one main"


def find_faults(soup: BeautifulSoup) -> Iterator[str]:
    """Where a page or a part of one breaks a rule of the house."""
    elements = soup.find_all(True)
    ids = Counter(str(element["id"]) for element in elements if element.has_attr("id"))
    yield from (f"the id {name!r} is there {count} times" for name, count in ids.items() if count > 1 or not name)
    labelled = {str(label["for"]) for label in soup.find_all("label") if label.get("for") and words(label)}
    level = 0
    for element in elements:
        if element.name in _HEADINGS:
            if level and int(element.name[1]) > level + 1:
                yield f"{element} follows a heading of level {level}"
            level = int(element.name[1])
        yield from _find_dangling(element, ids)
        yield from _find_nameless(element, labelled)
        yield from _find_foreign(element)
        yield from _find_untold(element)
    for form in soup.find_all("form"):
        yield from _find_form_faults(form)


def _find_dangling(element: Tag, ids: Counter[str]) -> Iterator[str]:
    """References to missing elements."""
    for attribute in _REFERENCES & element.attrs.keys():
        for name in _text(element[attribute]).split():
            if name not in ids:
                yield f"{attribute} names {name}, which is not there"
    href = _text(element.get("href"))
    # A lone # is a placeholder for an address that a script inserts.
    if href.startswith("#") and href != "#" and href[1:] not in ids:
        yield f"a link leads to {href}, which is not there"


def _find_nameless(element: Tag, labelled: set[str]) -> Iterator[str]:
    """Elements without a name for screen readers."""
    has_name = bool(element.get("aria-label") or element.get("aria-labelledby"))
    if element.name in {"input", "select", "textarea", "progress", "meter"} and element.get("type") != "hidden":
        has_name = has_name or element.get("id") in labelled or element.find_parent("label") is not None
    elif element.name in {"a", "button"}:
        has_name = has_name or bool(words(element))
    elif element.name in {"img", "svg"}:
        has_name = has_name or bool(element.get("alt")) or element.get("aria-hidden") == "true"
    elif element.name not in {"dialog", "nav"} and element.get("role") not in {"dialog", "progressbar", "region"}:
        has_name = True
    if not has_name:
        yield f"{element} has no name"


def _find_foreign(element: Tag) -> Iterator[str]:
    """Scripts, styles and addresses that are not allowed in a page."""
    if element.name == "style" or (element.name == "script" and (not element.get("src") or words(element))):
        yield f"there is an inline {element.name}"
    for name, value in element.attrs.items():
        text = _text(value)
        if name == "style" or name.startswith(("on", "hx-on")):
            yield f"{element.name} has an inline {name}"
        if (name in ADDRESSES or element.name == "meta") and _ELSEWHERE.match(text.rpartition("url=")[2]):
            yield f"{element.name} leads elsewhere: {text}"
        if name in {"href", "src"} and text.startswith("/static/") and not _is_static_file(_HASH.sub("", text)):
            yield f"{text} is not there"


@cache
def _is_static_file(path: str) -> bool:
    return (ROOT / "app" / path[1:]).is_file()


def _find_untold(element: Tag) -> Iterator[str]:
    """An import without the data that scripts and tests rely on."""
    if element.has_attr("data-import-id"):
        numbers = [_text(element.get(name)) for name in ("data-total", "data-successful", "data-failed")]
        if not (element.get("data-status") and all(re.fullmatch("[0-9]+", number) for number in numbers)):
            yield f"an import is not told in full: {element.attrs}"


def _find_form_faults(form: Tag) -> Iterator[str]:
    if not form.get("action"):
        yield f"a form has no action: {form.attrs}"
    if form.get("method") not in {"get", "post"}:
        yield f"a form has no method: {form.attrs}"
    token = form.find("input", {"type": "hidden", "name": "csrf_token"})
    if form.get("method") == "post" and not (token and token.get("value")):
        yield f"a form that posts has no csrf_token: {form.attrs}"
    if form.get("method") == "get":
        # Servers refuse longer addresses without a page.
        for field in form.find_all("input", {"type": ["text", "search"]}):
            if int(_text(field.get("maxlength")) or 1_000) > 255:
                yield f"{field} makes addresses of any length"
    # A button may stand outside its form.
    elsewhere = [*form.parents][-1].find("button", {"type": "submit", "form": form.get("id", "")})
    if not (form.find("button", {"type": "submit"}) or elsewhere):
        yield f"a form has no button: {form.attrs}"


def _text(value: str | list[str] | None) -> str:
    """The value of an attribute; some are lists."""
    return value if isinstance(value, str) else " ".join(value or ())
