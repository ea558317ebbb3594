"""The upload check: counting, planning, refusing."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.batch_plan import rows_per_batch
from app.csvfile import reader
from app.csvfile import scan as scan_module
from app.csvfile.columns import EXAMPLE, HEADER
from app.csvfile.errors import FileRejected, FileTooLarge
from app.csvfile.lines import LineReader
from app.csvfile.reader import BLOCK_BYTES
from app.csvfile.scan import Scan, look, scan
from app.csvfile.warn import Warned
from tests.factories import csv_bytes, row, with_header
from tests.samples import SAMPLES, needs_samples

MANY = 1 << 40


def check(data: bytes, *, max_rows: int = 1_000, max_bytes: int = MANY) -> Scan:
    return scan([data], max_rows=max_rows, max_bytes=max_bytes)


@pytest.mark.parametrize(
    ("total", "workers", "rows"),
    [
        (1, 0, 5_000),
        (400_000, 0, 5_000),
        (400_001, 0, 5_001),
        (2_000_000, 0, 25_000),
        (9_999_999, 0, 25_000),
        (20_000, 2, 5_000),
        (100_000, 2, 12_500),
        (200_000, 1, 25_000),
        (200_000, 2, 25_000),
        (200_000, 3, 16_667),
        (800_000, 20, 10_000),
        (800_000, 500, 10_000),
        (2_000_000, 2, 25_000),
    ],
)
def test_batches_are_sized_by_the_formula(total: int, workers: int, rows: int) -> None:
    assert rows_per_batch(total, workers) == rows


def test_blank_rows_do_not_count_and_invalid_ones_are_counted() -> None:
    data = csv_bytes([row(), row(price="x"), row(urn="")]) + b"\n  \n,,,\n"
    assert (check(data).total, check(data).invalid) == (3, 2)


@given(
    st.lists(
        st.sampled_from(
            [
                "CREATE,u,,,,,,NM,1,1,,,,,",
                'CREATE,u,,,,,,NM,1,1,,,"a\nb",,',
                'CREATE,u,,,,,,NM,1,1,,,"a,,\nCREATE,v,,,,,,NM,1,1,,,b",,',
                "CREATE,u,,,,,,NM,1,1,,,,,,",
                "CREATE,u,,,,,,NM,1,1,,,,,,x",
                "\u200b,\ufeff",
                "CREATE\u200b,u,,,,,,NM,1,1.0,,,,,",
                '"a\nb"',
                "",
                ",,",
                'x"y"z',
                '"q"w',
                "é",
            ]
        ),
        min_size=1,
        max_size=30,
    ),
    st.integers(1, 4),
    st.sampled_from(["", ",", ",,"]),
    st.sampled_from([200, BLOCK_BYTES]),
)
def test_batches_cover_the_file_and_read_the_same_rows_as_the_whole(
    lines: list[str], size: int, beyond: str, block_bytes: int
) -> None:
    header = f"{HEADER}{beyond}"
    data = "\n".join([header, *lines]).encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scan_module, "rows_per_batch", lambda *_: size)
        patch.setattr(reader, "BLOCK_BYTES", block_bytes)
        try:
            found = check(data)
        except FileRejected:
            assert not any(line.strip(", \u200b\ufeff") for line in lines)
            return

    def rows(start: int, end: int, line: int) -> list[tuple[int, str, list[str]]]:
        reader = LineReader([data[start:end]], header=header, offset=start, line=line)
        found: list[tuple[int, str, list[str]]] = []
        # However many are taken at a time, each stands where the whole file has it.
        while (lines := reader.take(size)).count:
            every = sorted([*lines.rows["line"].to_pylist(), *lines.wrong])
            for number, text in zip(every, lines.texts(every).to_pylist(), strict=True):
                messages = [problem.message for problem in lines.wrong.get(number, ())]
                found.append((number, text, messages))
            newlines = data[start : lines.end_byte].count(b"\n") + (not data[: lines.end_byte].endswith(b"\n"))
            assert lines.next_line == line + newlines
        assert lines.end_byte == end
        return found

    whole = rows(len(found.header), len(data), 2)
    assert [plan.start_byte for plan in found.batches[1:]] == [plan.end_byte for plan in found.batches[:-1]]
    assert (found.batches[0].start_byte, found.batches[-1].end_byte) == (len(found.header), len(data))
    by_batch = [rows(plan.start_byte, plan.end_byte, plan.first_line) for plan in found.batches]
    assert sum(by_batch, []) == whole
    assert [len(rows) for rows in by_batch] == [plan.rows for plan in found.batches]
    assert found.total == len(whole)
    assert found.invalid == sum(bool(messages) for _, _, messages in whole)


def test_more_rows_than_allowed_are_refused_with_the_line_of_the_first_too_many() -> None:
    data = csv_bytes(row() for _ in range(11))
    assert check(data, max_rows=11).total == 11
    with pytest.raises(FileRejected) as refusal:
        check(data, max_rows=10)
    assert refusal.value.line == 12


def test_what_is_wrong_first_is_told_first_whichever_thread_finds_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "BLOCK_BYTES", 60)
    data = csv_bytes(row() for _ in range(20)) + b"\0\n"
    for max_rows, line in ((10, 12), (20, 22)):
        with pytest.raises(FileRejected) as refusal:
            check(data, max_rows=max_rows)
        assert refusal.value.line == line


def test_warnings_count_the_rows_of_all_blocks_and_show_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "BLOCK_BYTES", 60)
    found = check(csv_bytes(row(price=str(2 + at % 7), comment="Ã©" * (at == 5)) for at in range(40)))
    assert found.warnings == [
        Warned("tiny-prices", 18, 2, "PRICE", "2"),
        Warned("garbled-letters", 1, 7, "COMMENT", "Ã©"),
    ]


def test_the_second_thread_of_a_check_ends_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "BLOCK_BYTES", 1_000)
    rows = csv_bytes([row()] * 200)
    seen: list[bool] = []

    def has_second() -> bool:
        return any(thread.name.startswith("upload-check") for thread in threading.enumerate())

    def broken() -> Iterator[bytes]:
        yield rows
        seen.append(has_second())
        raise ConnectionError

    with pytest.raises(ConnectionError):
        scan(broken(), max_rows=MANY, max_bytes=MANY)
    assert (seen, has_second()) == ([True], False)
    with pytest.raises(FileRejected):
        check(rows, max_rows=5)
    assert not has_second()


def test_more_bytes_than_allowed_are_refused_before_all_are_read() -> None:
    def endless():
        yield with_header("")
        while True:
            yield b"CREATE,u,,,,,,NM,1,1,,,,,\n" * 100

    with pytest.raises(FileTooLarge):
        scan(endless(), max_rows=MANY, max_bytes=100_000)


@pytest.mark.parametrize("body", ["", "\n\n", ",,,,,,,,,,,,,,\n"])
def test_a_file_without_rows_is_refused(body: str) -> None:
    with pytest.raises(FileRejected, match="no rows"):
        check(with_header(body))


def look_at(data: bytes, size: int | None = None, *, max_bytes: int = 10**9) -> None:
    look(data, size=len(data) if size is None else size, max_rows=MANY, max_bytes=max_bytes)


def test_a_look_at_the_beginning_refuses_what_the_upload_would_refuse() -> None:
    right = csv_bytes([row(comment="é"), row()])
    look_at(right)
    for wrong in (b"", b"MODE;URN;PRICE\n", with_header(""), right + b'CREATE,"never closed', right + b"\0\n"):
        with pytest.raises(FileRejected) as looked:
            look_at(wrong)
        with pytest.raises(FileRejected) as refused:
            check(wrong)
        assert (looked.value.message, looked.value.line) == (refused.value.message, refused.value.line)
    with pytest.raises(FileTooLarge):
        look_at(right, 10**9 + 1)


def test_a_look_at_the_beginning_of_a_larger_file_says_nothing_of_what_it_cannot_see() -> None:
    right = csv_bytes([row(comment="é"), row()])
    # Wherever it is cut off: within a quoted value, a row or a character.
    for data in (right, right + b'CREATE,"not closed yet\nand'):
        for end in range(len(with_header("")), len(data)):
            look_at(data[:end], len(data) + 1000)
    # But of what it can see.
    with pytest.raises(FileRejected, match="Line 4 has characters"):
        look_at(right + "Flabébé\n".encode("cp1252"), 10_000)
    with pytest.raises(FileRejected, match="is missing"):
        look_at(right.replace(b",PRICE", b""), 10_000)


REFUSALS = {
    "a-spreadsheet": "a workbook or a ZIP archive",
    "empty": "is empty",
    "extra-column": "“FOO” is not expected",
    "lower-case-header": "capital letters",
    "missing-column": "The column REFERENCE is missing",
    "misspelt-column": "“QTY” and should be QUANTITY",
    "no-header": "has no header",
    "nul-byte": "Line 3 contains a NUL byte",
    "only-a-header": "no rows below it",
    "only-blank-rows": "no rows below it",
    "open-quote": "an unmatched quotation mark on line 3",
    "record-over-64-kib": "longer than 64 KiB. Either a text in it is too long: at most 255 characters",
    "semicolons": "semicolons",
    "swapped-columns": "column 9 is QUANTITY and should be PRICE",
    "tabs": "tabs",
    "utf-16": "UTF-16",
    "windows-1252": "Line 3 has characters that cannot be read",
}


@needs_samples
def test_each_rejected_sample_is_told_what_is_wrong_with_it() -> None:
    files = sorted((SAMPLES / "rejected").glob("*.csv"))
    assert [file.stem for file in files] == sorted(REFUSALS)
    for file in files:
        with pytest.raises(FileRejected) as refusal:
            check(file.read_bytes())
        assert REFUSALS[file.stem] in refusal.value.message


def test_what_is_rehearsed_is_a_valid_row() -> None:
    scan_module.rehearse()
    found = check(f"{HEADER}\n{EXAMPLE}\n".encode())
    assert (found.total, found.invalid) == (1, 0)
