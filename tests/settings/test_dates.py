from datetime import date

import pytest

from evergreen.settings.dates import parse_date


def test_a_date_is_year_month_and_day():
    assert parse_date("2024-04-01") == date(2024, 4, 1)


@pytest.mark.parametrize(
    "text", ["", "soon", "2024-4-1", "20240401", "2024-02-30", "2024-04-01T00"]
)
def test_anything_else_is_refused(text):
    with pytest.raises(ValueError, match=r"^'.*' is not a date \(expected YYYY-MM-DD\)$"):
        parse_date(text)
