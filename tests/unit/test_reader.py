"""The reader: exact records, lines and bytes, however the file is cut."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.csvfile import reader
from app.csvfile.causes import Cause
from app.csvfile.columns import Column, Layout
from app.csvfile.contract import MAX_RECORD_BYTES
from app.csvfile.errors import FileRejected
from app.csvfile.reader import read_blocks
from app.csvfile.records import BrokenCells, find_cells
from app.csvfile.validate import find_problems
from tests import reference


def read(*pieces: bytes) -> list[tuple[int, list[str], str, int]]:
    """All records as (line, cells, raw text, end byte)."""
    return [
        (line, cells, text, block.offset + end)
        for block in read_blocks(pieces, offset=0, line=1)
        for line, end, cells, text in zip(
            block.lines.tolist()[:-1],
            block.starts.tolist()[1:],
            block.cells(np.arange(len(block))),
            block.rows(np.arange(len(block))).to_pylist(),
            strict=True,
        )
    ]


def test_lines_and_bytes_are_exact_across_quoted_line_breaks() -> None:
    assert read('a,"é\n2",c\r\nd,e,f\n\n"g"'.encode()) == [
        (1, ["a", "é\n2", "c"], 'a,"é\n2",c', 12),
        (3, ["d", "e", "f"], "d,e,f", 18),
        (4, [], "", 19),
        (5, ["g"], '"g"', 22),
    ]


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ('"a"b,c', ["MODE"]),
        ('a,"b" ,c', ["URN"]),
        ('a,"b""c"d,"e"f', ["URN", "GAME"]),
        ("a,b\rc,d", ["URN"]),
        ('"a"b,"x\ny",c', ["MODE"]),
    ],
)
def test_broken_quoting_costs_its_own_record_only(text: str, columns: list[str]) -> None:
    records = read(f"first\n{text}\nlast\n".encode())
    assert [cells for _, cells, _, _ in records][::2] == [["first"], ["last"]]
    _, cells, raw, _ = records[1]
    assert raw == text
    assert isinstance(cells, BrokenCells)
    assert [problem.column for problem in cells.problems] == columns


RIGHT = "CREATE,u,,,,,,NM,1,1,,,,,"


@pytest.mark.parametrize(
    ("text", "column", "words"),
    [
        (
            f'CREATE,u,,,,,,NM,1,1,,,"Nice card,,\n{RIGHT}\n{RIGHT}\nCREATE,u,,,,,,NM,1,1,,,Great",,R-5',
            "COMMENT",
            "opened in COMMENT on line 2 is closed only on line 5, so the rows on lines 3 to 5 became part of it.",
        ),
        (
            'CREATE,u,,,,,,NM,1,1,,,"Nice",,"R-1\r\nUPDATE,u,,,,,,NM,1,1,,,,,R-2"',
            "REFERENCE",
            "opened in REFERENCE on line 2 is closed only on line 3, so the row on line 3 became part of it.",
        ),
        # The mark is on the second of the row's lines.
        (
            'CREATE,u,,,,,,NM,1,1,,,"two\nlines","x,\n create ,u"',
            "NOTES",
            "opened in NOTES on line 3 is closed only on line 4",
        ),
        # Rows whose mode is wrong, and one that has more values than columns.
        (f'a,b,"c\n{"," * 14}\nd"', "GAME", "so the rows on lines 3 to 4 became part of it."),
        (f'a,b,"c\nNEW{",x" * 20}"', "GAME", "so the row on line 3 became part of it."),
        # Not quoted as a whole, so that CSV itself is broken.
        (f'{RIGHT[:-2]}"Nice card,,\n{RIGHT[:-2]}5" wide,,', "COMMENT", "so the row on line 3 became part of it."),
        (f'{RIGHT[:-2]}"Nice card,\n"CREATE","u",,', "COMMENT", "so lines 2 to 3 became one value. "),
        # The whole record is one value, or longer than any may be.
        ('"CREATE;u\nCREATE;v"', "MODE", "opened in MODE on line 2 is closed only on line 3, so lines 2 to 3 became"),
        (
            f'a,"b\n{"é" * 300}",c',
            "URN",
            "so lines 2 to 3 became one value of 302 characters. Delete the mark, or close it where the value ends, or "
            "shorten the text to 255 characters.",
        ),
        (f'{"," * 15}"a\n{RIGHT}"', "", "opened after REFERENCE on line 2"),
        # A CR alone ends no line, and hides a row all the same.
        (
            f'{RIGHT[:-2]}"Nice\r{RIGHT}\r",,',
            "COMMENT",
            "opened in COMMENT on line 2 is closed only on line 2, after a carriage return, so the row after it "
            "became part of the value.",
        ),
        (f'{RIGHT[:-2]}"Nice\r{"," * 14}\nCard",,', "COMMENT", "so the row on line 3 became part of it."),
    ],
)
def test_rows_that_a_stray_quotation_mark_swallows_are_told_with_their_lines(
    text: str, column: str, words: str
) -> None:
    records = read(f"first\n{text}\nlast\n".encode())
    assert [cells for _, cells, _, _ in records][::2] == [["first"], ["last"]]
    cells = records[1][1]
    assert isinstance(cells, BrokenCells)
    (problem,) = cells.problems
    assert (problem.column, problem.cause) == (column, Cause.SWALLOWED_LINES)
    assert words in problem.message
    # The row has no other problem, because no value behind the mark is in its own column.
    assert find_problems(cells) == [problem]


@pytest.mark.parametrize(
    "comment",
    [
        "first line\nsecond line, with a comma",
        "CREATE,u\nwithout a line break before it",
        "an\n\nempty line\n",
        "\n\n",
        f"{'x' * 254}\n",
        "to be created,\nor UPDATEd, later",
        f"a\n{',' * 13}",
        "first line\rsecond line, with a comma",
        f"a{',' * 10}\r{',' * 10}",
    ],
)
def test_an_honest_text_may_have_several_lines(comment: str) -> None:
    ((_, cells, _, _),) = read(f'CREATE,u,,,,,,NM,1,1,,,"{comment}",,\n'.encode())
    assert type(cells) is list
    assert find_problems(cells) == []


@pytest.mark.parametrize("ending", ["", "\n", "\r\n", "\r"])
def test_a_broken_record_with_line_breaks_in_it_is_one_at_the_end_of_a_file_too(ending: str) -> None:
    # Found by fuzzing: without a last line break, its last line was read again, as a separate row.
    text = f'"a"b,"c\nd\ne"{ending}'
    assert [(line, [*cells], end) for line, cells, _, end in read(f"first\n{text}".encode())] == [
        (1, ["first"], 6),
        (2, ["ab", "c\nd\ne"], 6 + len(text)),
    ]


def test_a_quotation_mark_inside_an_unquoted_value_is_an_ordinary_character() -> None:
    assert [cells for _, cells, _, _ in read(b'5" wide,"say ""hi"""\n')] == [['5" wide', 'say "hi"']]


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (b"a,b\nc\0d\n", 2),
        (b"a\nb\n\xff\n", 3),
        (b'a\nb,"c\nd\n', 2),
        (b'a\n"b\nc",d,"e', 3),
        (b'a\n"b""c\n', 2),
        (b"a\n" + b"x" * (MAX_RECORD_BYTES + 1) + b"\nb\n", 2),
        (b'a\n"' + "é\n".encode() * MAX_RECORD_BYTES + b'"\n', 2),
    ],
    ids=["nul", "not utf-8", "open quote", "open quote later", "open doubled quote", "long line", "long quoted"],
)
def test_what_no_row_can_be_made_of_refuses_the_file_and_names_the_line(data: bytes, line: int) -> None:
    with pytest.raises(FileRejected) as refusal:
        read(data)
    assert refusal.value.line == line
    assert f"line {line}" in refusal.value.message.lower()


@pytest.mark.parametrize(
    "wrong",
    [b"\x80", b"\xc0\xaf", b"\xe0\x80\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xf8\x88\x80\x80\x80", b"\xe2\x82"],
)
def test_only_utf_8_is_text(wrong: bytes) -> None:
    with pytest.raises(FileRejected) as refusal:
        read("é\n".encode() + b"a," + wrong + b"\n")
    assert refusal.value.line == 2


def test_a_record_of_exactly_the_limit_is_read() -> None:
    line = b"x" * (MAX_RECORD_BYTES - 1) + b"\n"
    assert [end for _, _, _, end in read(b"a\n" + line + b"b\n")] == [2, 2 + MAX_RECORD_BYTES, 4 + MAX_RECORD_BYTES]


def test_an_endless_record_is_refused_before_the_rest_arrives() -> None:
    def endless():
        yield b'a\n"'
        for _ in range(20):
            yield b"x" * 60_000
        raise AssertionError("read on after the limit")

    with pytest.raises(FileRejected):
        list(read_blocks(endless(), offset=0, line=1))


def test_control_characters_are_noticed_and_tabs_are_none() -> None:
    def is_fit(comment: str) -> bool:
        (block,) = read_blocks([f"{RIGHT[:-2]}{comment},,\n".encode()], offset=0, line=1)
        return len(block.fit) == 1

    assert not is_fit("bell \x07")
    assert not is_fit("delete \x7f")
    assert not is_fit("next line \x85")
    assert is_fit("tab\tand Â and ü")


@pytest.mark.parametrize(
    "line",
    [
        RIGHT,
        RIGHT.replace("u", '"u"'),
        f'{RIGHT[:-2]}"say ""hi"", twice",,',
        f'{RIGHT[:-2]}"""",,""',
        f"{RIGHT}é\r",
        f'{RIGHT[:-2]}"","",""\r',
    ],
)
def test_what_is_well_formed_is_not_read_thoroughly(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (expected,) = csv.reader([f"{line}\n"], strict=True)

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("read thoroughly")

    monkeypatch.setattr(reader, "read_records", refuse)
    assert [cells for _, cells, _, _ in read(f"{line}\n".encode() * 2)] == [expected] * 2


#: Everything that has a meaning to CSV, and some that has none.
awkward = st.text(alphabet='a,"\n\ré ', max_size=60)


@given(awkward, st.lists(st.integers(0, 80), max_size=4))
def test_records_do_not_depend_on_how_the_file_is_cut(text: str, cuts: list[int]) -> None:
    data = text.encode()
    edges = [0, *sorted(cut for cut in cuts if cut < len(data)), len(data)]
    pieces = [data[start:end] for start, end in zip(edges, edges[1:], strict=False)]
    with pytest.MonkeyPatch.context() as patch:
        # Blocks so small that every file has several.
        patch.setattr(reader, "BLOCK_BYTES", 7)
        check_pieces(data, pieces)


def check_pieces(data: bytes, pieces: list[bytes]) -> None:
    try:
        whole = read(data)
    except FileRejected:
        with pytest.raises(FileRejected):
            read(*pieces)
        return
    assert read(*pieces) == whole
    # The records cover the file without a gap, and each begins on the line that its place says.
    ends = [0, *(end for _, _, _, end in whole)]
    assert ends[-1] == len(data)
    assert [line for line, _, _, _ in whole] == [data[:end].count(b"\n") + 1 for end in ends[:-1]]


@given(st.lists(st.lists(st.text(alphabet='a,"\né', max_size=8), min_size=1, max_size=4), max_size=6))
def test_what_the_standard_writer_writes_is_read_back(rows: list[list[str]]) -> None:
    file = io.StringIO(newline="")
    csv.writer(file, quoting=csv.QUOTE_ALL).writerows(rows)
    assert [cells for _, cells, _, _ in read(file.getvalue().encode())] == rows


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("", [""]),
        ("a,,c", ["a", "", "c"]),
        ('a,"b, ""c""\nd",', ["a", 'b, "c"\nd', ""]),
        ('"b"c,d', ["bc", "d"]),
        ('a"b",c', ['a"b"', "c"]),
        ('a,"never closed, b', ["a", '"never closed, b']),
    ],
)
def test_the_cells_of_a_row_are_found_however_broken_it_is(text: str, values: list[str]) -> None:
    cells = find_cells(text)
    assert [cell.value for cell in cells] == values
    # Between the cells there are the commas, and nothing else.
    assert ",".join(text[cell.start : cell.end] for cell in cells) == text


@given(st.lists(st.text(alphabet='a",\n é', max_size=6), min_size=1, max_size=4))
def test_the_cells_of_a_right_row_are_those_that_it_was_made_of(values: list[str]) -> None:
    file = io.StringIO(newline="")
    csv.writer(file, lineterminator="", quoting=csv.QUOTE_ALL).writerow(values)
    assert [cell.value for cell in find_cells(file.getvalue())] == values


#: Cells, and pieces of cells, of a row that is nearly right.
scraps = st.sampled_from(
    ['"', '""', ",", "\n", "\r", "\r\n", "\ufeff", "é", "\x07", "\x85", " ", "x", RIGHT, f"{RIGHT}\n", ""]
)


@given(st.lists(scraps, max_size=14).map("".join), st.sampled_from([15, 16]))
@example("\ufeff" + RIGHT + "\n", 15)
@example(f"{RIGHT},\n{RIGHT}\n{RIGHT},x\n{RIGHT},\n", 16)
@example(f"{RIGHT}\n{RIGHT},\n", 15)
def test_regular_lines_are_read_like_all_others(text: str, width: int) -> None:
    layout, data = Layout(tuple(Column), width), text.encode()
    try:
        expected = [*reference.read(data, layout)]
    except FileRejected:
        with pytest.raises(FileRejected):
            list(reference.as_columns([data], layout))
    else:
        assert [*reference.as_columns([data], layout)] == expected
