import contextlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evergreen.errors import DataError

HEAD = "Client\tDate\tTotal\tItem\n"
AMBIGUOUS = HEAD + 'a\t2024-01-05\t1\t"x\ty"\nb\t2024-01-05\t2\t"long\nc\t2024-01-06\t3\tz"\n'


def texts(shop):
    return {row["client_id"]: row["text"] for row in shop.rows()}


def unquoted(*titles):
    rows = [f"c{i}\t2024-01-05\t{i}\t{title}\n" for i, title in enumerate(titles)]
    return HEAD + "".join(rows)


@pytest.mark.parametrize(
    "titles",
    [('"Mini" Cup', "x"), ('"open', "x", 'closed"', "y"), ('"open', "x"), ('5" pipe', "x")],
)
def test_a_title_that_begins_with_a_quotation_mark_swallows_no_rows(shop, titles):
    shop.lay("shop.txt", unquoted(*titles))
    lines = shop.ingest()
    assert list(texts(shop).values()) == list(titles)
    assert ("quotation marks do not enclose cells" in lines[1]) == titles[0].startswith('"')


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.text('"ab ', min_size=1, max_size=4), min_size=2, max_size=6))
def test_no_row_is_swallowed_in_silence(shop, titles):
    shop.lay("shop.txt", unquoted(*titles))
    with contextlib.suppress(DataError):
        shop.ingest()
        assert shop.report()["read"] == len(titles)


def test_lines_within_quoted_cells_are_kept_although_they_have_as_many_cells(shop):
    shop.lay("shop.txt", HEAD + 'a\t2024-01-05\t1\t"x\ty"\nb\t2024-01-05\t2\t"p\nq\t1\t2\t3"\n')
    shop.ingest()
    assert texts(shop) == {"a": "x\ty", "b": "p\nq\t1\t2\t3"}


def test_what_can_be_read_in_two_ways_is_refused(shop):
    shop.lay("shop.txt", AMBIGUOUS)
    with pytest.raises(DataError, match=r"shop.txt, line 3: a quotation mark either .*\n.*`quote`"):
        shop.ingest()


@pytest.mark.parametrize(("quote", "rows"), [('"', 2), ("none", 2), ("auto", None)])
def test_quoting_can_be_set(shop, quote, rows):
    shop.source["quote"] = quote
    shop.lay("shop.txt", AMBIGUOUS)
    if rows is None:
        with pytest.raises(DataError, match="`quote`"):
            shop.ingest()
    else:
        shop.ingest()
        assert len(shop.rows()) == rows


def test_single_quotes_are_detected_by_the_header(shop):
    shop.lay("shop.csv", "'Client','Date','Total','Item'\n'a','2024-01-05','1','x, y'\n")
    shop.ingest()
    assert texts(shop) == {"a": "x, y"}


def test_quotes_after_a_backslash_are_within_the_cell(shop):
    shop.lay("shop.csv", 'Client,Date,Total,Item\na,2024-01-05,1,"5\\" pipe, long"\n')
    shop.ingest()
    assert texts(shop) == {"a": '5" pipe, long'}


def test_doubled_quotes_are_within_the_cell(shop):
    shop.lay("shop.csv", 'Client,Date,Total,Item\na,2024-01-05,1,"5"" pipe, long"\n')
    shop.ingest()
    assert texts(shop) == {"a": '5" pipe, long'}
