"""The form around an uploaded file: it has one small budget, and nothing in it is passed over."""

from __future__ import annotations

import io

import pytest
from flask import Request
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge
from werkzeug.test import EnvironBuilder

from app.http.form_fields import FormRefused, is_on
from app.http.multipart import FileForm

FIELDS = frozenset({"check", "csrf_token"})
FILE = b'--AA\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n'
CHECK = b'--AA\r\nContent-Disposition: form-data; name="check"\r\n\r\n'
#: What is read of a body that has too much around its file: the budget, and what was read with its last byte.
ENOUGH = 3 * 64 * 1024


class Endless:
    """An endless body that begins with ``beginning``; it counts the bytes that are read."""

    def __init__(self, beginning: bytes, filling: bytes = b"a") -> None:
        self.beginning = io.BytesIO(beginning)
        self.filling = filling
        self.count = 0

    def read(self, size: int = -1) -> bytes:
        data = self.beginning.read(size) or self.filling * (size // len(self.filling))
        self.count += len(data)
        return data


def form_of(stream: Endless | io.BytesIO) -> FileForm:
    """A form whose body comes in chunks: nothing tells how long it is."""
    body = {"wsgi.input": stream, "wsgi.input_terminated": True, "CONTENT_TYPE": "multipart/form-data; boundary=AA"}
    request = Request({**EnvironBuilder(method="POST").get_environ(), **body})
    request.environ.pop("CONTENT_LENGTH", None)
    request.max_content_length = 1 << 40
    return FileForm(request, anywhere=FIELDS)


def read(form: FileForm) -> bytes:
    """The file in the form, which is read to its end."""
    assert form.open_file()
    return b"".join(form.pieces())


@pytest.mark.parametrize(
    "beginning",
    [b"junk", b'--AA\r\nContent-Disposition: form-data; name="check"\r\nX: ', CHECK, FILE + b"x\r\n" + CHECK],
    ids=["before the first boundary", "the header of a part", "a field", "a field behind the file"],
)
def test_what_stands_around_the_file_has_an_end(beginning: bytes) -> None:
    body = Endless(beginning)
    with pytest.raises(RequestEntityTooLarge, match="128 KiB beside the file"):
        read(form_of(body))
    assert body.count <= ENOUGH + len(beginning)


def test_all_that_stands_around_the_file_counts_together() -> None:
    half = b"x" * 70_000
    body = half + b"\r\n" + CHECK + half + b"\r\n" + FILE + b"MODE\r\n--AA--\r\n"
    with pytest.raises(RequestEntityTooLarge):
        read(form_of(io.BytesIO(body)))


@pytest.mark.parametrize("filling", [b"a", b"\r", b"\n", b"--AA", b"\r\n--A"])
def test_the_file_itself_does_not_count(filling: bytes) -> None:
    data = b"x" + filling * (1_000_000 // len(filling))
    assert read(form_of(io.BytesIO(FILE + data + b"\r\n--AA--\r\n"))) == data


def test_nothing_is_read_behind_the_closing_boundary() -> None:
    body = Endless(FILE + b"MODE\r\n--AA--")
    assert read(form_of(body)) == b"MODE"
    assert body.count <= ENOUGH


def test_a_field_that_is_not_known_is_refused_by_its_name() -> None:
    dry_run = CHECK.replace(b"check", b"dry_run") + b"true\r\n"
    for body in (dry_run + FILE + b"x\r\n--AA--", FILE + b"x\r\n" + dry_run + b"--AA--"):
        with pytest.raises(FormRefused, match="“dry_run”: Unknown field.*check, csrf_token") as refused:
            read(form_of(io.BytesIO(body)))
        assert list(refused.value.data["messages"]["form"]) == ["dry_run"]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (FILE + b"x\r\n" + FILE.replace(b"a.csv", b"b.csv") + b"y\r\n--AA--", "“file”: It has a second file, “b.csv”"),
        (CHECK + b"1\r\n" + CHECK + b"0\r\n" + FILE + b"x\r\n--AA--", "“check”: The form has it twice"),
        (FILE.replace(b'; filename="a.csv"', b"") + b"x\r\n--AA--", "“file”: It has no file name"),
        (FILE.replace(b'"file"', b'"check"') + b"x\r\n--AA--", "“check”: Unknown field"),
        (FILE.replace(b'name="file"; ', b"") + b"x\r\n--AA--", "“”: Unknown field"),
    ],
    ids=["a second file", "a field twice", "a file without a name", "another file", "a part without a name"],
)
def test_what_does_not_belong_into_the_form_is_refused(body: bytes, words: str) -> None:
    with pytest.raises(FormRefused, match=words):
        read(form_of(io.BytesIO(body)))


def test_a_browser_without_a_chosen_file_sends_one_without_a_name() -> None:
    form = form_of(io.BytesIO(FILE.replace(b"a.csv", b"") + b"\r\n" + CHECK + b"1\r\n--AA--"))
    assert not form.open_file()
    assert form.fields == {"check": "1"}


@pytest.mark.parametrize("cut", [1, 5, 10])
def test_half_a_form_is_broken(cut: int) -> None:
    with pytest.raises(BadRequest):
        read(form_of(io.BytesIO((FILE + b"MODE\r\n--AA--")[:-cut])))


def test_a_switch_is_on_or_off_and_nothing_between() -> None:
    assert all(is_on({"check": value}, "check") for value in ("1", "true", "on"))
    assert not any(is_on({"check": value}, "check") for value in ("0", "false", "off"))
    assert not is_on({}, "check")
    for value in ("", "yes", "nonsense", "TRUE", " 1"):
        with pytest.raises(FormRefused, match="Enter true or false"):
            is_on({"check": value}, "check")
