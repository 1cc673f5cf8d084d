import pytest

from evergreen.errors import DataError
from evergreen.ingestion.dates import find_format
from evergreen.store import tables


def found(*cells, setting="auto", remembered=None):
    return find_format([iter(cells)], setting, remembered, name="shop: column 'Date'")


@pytest.mark.parametrize(
    ("cell", "shown"),
    [
        ("2024-03-31", "iso"),
        ("2024/3/31 9:05", "iso"),
        ("20240331", "%Y%m%d"),
        ("31/03/2024", "%d/%m/%Y"),
        ("3/31/2024 8:26", "%m/%d/%Y"),
        ("31.03.24", "%d.%m.%y"),
        ("1.3.2024", "%d.%m.%Y"),
        ("31-Mar-2024", "%d-%b-%Y"),
        ("31 March 2024", "%d %B %Y"),
    ],
)
def test_the_format_is_found_out_and_reads_the_cell(cell, shown):
    how = found(cell)
    [(read,)] = tables.connect(1).sql(f"select ({how.sql(repr(cell))})::date").fetchall()
    assert how.text == shown
    assert (read.year, read.month) == (2024, 3)


@pytest.mark.parametrize(
    "cell",
    ["3/31/2024 8:26", "3/31/2024 08:26:30", "3/31/2024 8:26 PM", "3/31/2024 8:26:30.5"],
)
def test_times_are_read_in_any_usual_form(cell):
    [(read,)] = tables.connect(1).sql(f"select {found(cell).sql(repr(cell))}").fetchall()
    assert (read.hour % 12, read.minute) == (8, 26)


def test_day_and_month_are_settled_by_any_cell_however_late():
    assert found(*["01/02/2024"] * 5000, "13/02/2024").text == "%d/%m/%Y"
    assert found(*["01/02/2024"] * 5000, "02/13/2024").text == "%m/%d/%Y"


def test_day_and_month_are_never_guessed():
    with pytest.raises(DataError, match="can't be told apart") as error:
        found("01/02/2024", "03/04/2024")
    assert "%d/%m/%Y or %m/%d/%Y" in str(error.value)


def test_what_was_found_out_once_holds():
    assert found("01/02/2024", remembered="%d/%m/%Y").text == "%d/%m/%Y"


def test_a_column_without_dates_is_named():
    with pytest.raises(DataError, match="shop: column 'Date' was expected to hold dates, found 'x"):
        found("xyz")
