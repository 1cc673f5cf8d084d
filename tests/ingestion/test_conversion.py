import pytest

from evergreen.ingestion.money import number_sql, register_readers
from evergreen.store import tables


def read(cell, decimal):
    con = tables.connect(1)
    register_readers(con)
    [(number,)] = con.execute(
        f"select {number_sql('c', decimal, 'decimal(28, 10)')} from (select ?::varchar as c)",
        [cell],
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
        ("-$5.00", -5),
        ("$-5.00", -5),
        ("-€5.00", -5),
        ("-£1,234.50", -1234.5),
        ("($900.23)", -900.23),
        ("5.00-", -5),
        ("'-70", -70),
        ("\u221270", -70),
        ("5.00 CR", -5),
        ("5.00 DR", 5),
        ("₹5.00", 5),
        ("12,34,567.89", 1234567.89),
        ("CHF 5.00", 5),
        ("AU $5.00", 5),
        ("5.00 usd", 5),
        ("1\u202f234.5", 1234.5),
    ],
)
def test_numbers_with_a_decimal_point(cell, number):
    assert read(cell, ".") == number


@pytest.mark.parametrize(
    ("cell", "number"),
    [
        ("12,5", 12.5),
        ("1.234,50", 1234.5),
        ("1.234", 1234),
        ("1 234,5", 1234.5),
        ("-3", -3),
        ("-€5,00", -5),
        ("1.234,56-", -1234.56),
    ],
)
def test_numbers_with_a_decimal_comma(cell, number):
    assert read(cell, ",") == number


@pytest.mark.parametrize("decimal", [".", ","])
@pytest.mark.parametrize(
    "cell", ["", "twelve", "1,2,3", "1.2.3", "nan", "inf", "$", "--1", "5 apples", "(-1)"]
)
def test_what_is_no_number_is_none(cell, decimal):
    assert read(cell, decimal) is None


def test_a_sign_of_the_other_kind_is_never_read_as_decimals():
    assert read("12,50", ".") is None
    assert read("0,750", ".") is None
    assert read("12.50", ",") is None
