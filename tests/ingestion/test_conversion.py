import pytest

from evergreen.ingestion.conversion import number_sql
from evergreen.store import tables


def read(cell, decimal):
    con = tables.connect(1)
    [(number,)] = con.execute(
        f"select {number_sql('c', decimal, 22)} from (select ?::varchar as c)", [cell]
    ).fetchall()
    return None if number is None else float(number)


@pytest.mark.parametrize(
    ("cell", "number"),
    [
        ("12.5", 12.5),
        (" -12.5 ", -12.5),
        ("1,234.50", 1234.5),
        ("1,234,567", 1234567),
        ("£12.50", 12.5),
        ("12.50 €", 12.5),
        ("1'234.5", 1234.5),
        ("1e3", 1000),
        (".5", 0.5),
    ],
)
def test_numbers_with_a_decimal_point(cell, number):
    assert read(cell, ".") == number


@pytest.mark.parametrize(
    ("cell", "number"),
    [("12,5", 12.5), ("1.234,50", 1234.5), ("1.234", 1234), ("1 234,5", 1234.5), ("-3", -3)],
)
def test_numbers_with_a_decimal_comma(cell, number):
    assert read(cell, ",") == number


@pytest.mark.parametrize("decimal", [".", ","])
@pytest.mark.parametrize("cell", ["", "twelve", "1,2,3", "1.2.3", "nan", "inf", "12-", "$", "--1"])
def test_what_is_no_number_is_none(cell, decimal):
    assert read(cell, decimal) is None


def test_a_sign_of_the_other_kind_is_never_read_as_decimals():
    assert read("12,50", ".") is None
    assert read("12.50", ",") is None
