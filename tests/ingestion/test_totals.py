from datetime import date

import pytest

from evergreen.ingestion.ingest import preview
from evergreen.ingestion.totals import Totals
from evergreen.settings import paths

DAY = date(2024, 1, 5)


def test_a_preview_adds_up_what_would_be_ingested_and_writes_no_row(shop):
    shop.lay("a.csv", "Client,Date,Total,Item\na,2024-01-05,12.50,x\na,2024-01-07,-2.50,y\n")
    shop.lay("b.csv", "Client,Date,Total,Item\nb,2024-01-06,1000,x\nb,2024-02-06,9,late\n")
    shown = preview(shop.settings(), through=date(2024, 1, 31))
    totals = "3 rows of 2 clients from 2024-01-05 to 2024-01-07, in all 1,010.00"
    assert shown.lines[-1] == f"transactions: {totals}"
    assert not paths.TRANSACTIONS.exists()


def test_what_is_ingested_already_is_not_counted(shop):
    shop.lay("a.csv", "Client,Date,Total,Item\na,2024-01-05,12.50,x\n")
    shop.ingest()
    assert preview(shop.settings(), through=date(2024, 1, 31)).totals is None


@pytest.mark.parametrize(
    ("minor", "units", "text"),
    [(-123456, 100, "-1,234.56"), (5, 100, "0.05"), (1234, 1, "1,234"), (1005, 1000, "1.005")],
)
def test_a_sum_is_shown_in_major_units(minor, units, text):
    assert Totals(1, 1, DAY, DAY, minor, units).amount == text
