import pytest

from evergreen.ingestion import csv_fallback
from evergreen.ingestion.csv_fallback import Dialect, read_records


@pytest.fixture
def read(tmp_path):
    """Line, cells and what is wrong of each record of a text."""

    def records_of(text):
        path = tmp_path / "a.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return [tuple(record[:3]) for record in read_records(path, Dialect(","))]

    return records_of


def test_a_record_may_span_lines_and_is_named_after_its_first(read):
    assert read('a,"x\ny"\nb,z\n') == [(1, ["a", "x\ny"], None), (3, ["b", "z"], None)]


def test_blank_lines_are_no_records_and_are_counted(read):
    assert read("a\n\n\nb\n") == [(1, ["a"], None), (4, ["b"], None)]


def test_a_quote_that_is_never_closed_costs_its_line_alone(read):
    found = read('a,"x\nb,y\nc,z\n')
    assert [(line, malformed) for line, _, malformed in found] == [
        (1, "a quote is not closed"),
        (2, None),
        (3, None),
    ]


def test_what_follows_a_closing_quote_makes_the_record_malformed(read):
    [(line, cells, malformed), after] = read('a,"x"y\nb,z\n')
    assert (line, cells, malformed.startswith("not CSV")) == (1, ['a,"x"y\n'], True)
    assert after == (2, ["b", "z"], None)


def test_a_quote_within_a_cell_is_a_character(read):
    assert read('5" pipe,x\n') == [(1, ['5" pipe', "x"], None)]


def test_a_search_for_the_closing_quote_has_an_end(read, monkeypatch):
    monkeypatch.setattr(csv_fallback, "MAX_RECORD_LINES", 3)
    found = read('a,"x\n' + "b,y\n" * 5 + '"')
    assert [malformed is None for _, _, malformed in found] == [False, *[True] * 5, False]


def test_bytes_that_are_not_utf_8_are_shown_as_such(read):
    assert read(b"a\xff,x\n") == [(1, ["a\ufffd", "x"], "bytes that are invalid in its encoding")]
