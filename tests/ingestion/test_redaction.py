"""Messages show nothing of a source that may be about a person."""

import pytest

from evergreen.errors import DataError
from evergreen.ingestion.redaction import is_no_header, shown

PERSONAL = [
    "anna@mail.example",
    "+49 171 2345678",
    "030-7654321",
    "asks to be called back",
    "要求明天打折",
]
NOTE = "anna,2024-01-05,phone +49 171 2345678\n"


@pytest.mark.parametrize("value", PERSONAL)
def test_what_may_be_about_a_person_is_not_shown(value):
    assert shown(value) is None


@pytest.mark.parametrize("value", ["soon", "12,50", "31.12.2024 10:00:00", "20241231", "n/a"])
def test_a_number_a_date_and_a_word_are_shown(value):
    assert shown(value) == repr(value)


def test_names_of_columns_are_a_header_whatever_they_are():
    assert not is_no_header(["Order date", "Total (EUR)", "2024", "note 1.", ""])


def test_a_file_without_a_header_is_refused_without_showing_its_first_line(shop):
    shop.lay("shop.csv", NOTE)
    with pytest.raises(DataError, match="its first line holds data, not column names") as error:
        shop.ingest()
    assert "anna" not in str(error.value)
    assert "171" not in str(error.value)


@pytest.mark.parametrize("value", PERSONAL)
def test_a_column_of_notes_that_is_mapped_as_date_is_refused_without_showing_it(shop, value):
    shop.lay("shop.csv", f"Client,Date,Total,Item\na,{value},1,x\n")
    with pytest.raises(DataError, match="was expected to hold dates, found other text"):
        shop.ingest()


@pytest.mark.parametrize("value", PERSONAL)
def test_a_bad_cell_that_is_about_a_person_is_shown_in_the_quarantine_alone(shop, value):
    shop.max_bad_share = 0
    shop.lay("shop.csv", f"Client,Date,Total,Item\na,2024-01-05,{value},x\n")
    with pytest.raises(DataError, match=r"first in inbox/shop.csv, line 2") as error:
        shop.ingest()
    assert value not in str(error.value)
    assert value in shop.quarantined()[0]
