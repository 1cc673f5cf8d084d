"""A caller's times are read as a file's cells are, by the rules of the source."""

from datetime import UTC, date, datetime, timedelta, timezone

import numpy as np
import pandas as pd
import pytest

from evergreen.errors import DataError
from evergreen.serving.times import wall_times
from evergreen.settings.source_rules import SourceRules

PARIS = SourceRules(timezone="Europe/Paris")
INDIA = timezone(timedelta(hours=5, minutes=30))
TIME = datetime(2024, 1, 5, 23, 30)


def read(*cells, rules=SourceRules(), dtype=None):  # noqa: B008 - frozen
    times = wall_times("the events", "timestamp", pd.Series(cells, dtype=dtype), rules)
    return [str(pd.Timestamp(time))[:16] for time in times]


@pytest.mark.parametrize(
    "cell",
    [TIME, pd.Timestamp(TIME), np.datetime64(TIME), "2024-01-05 23:30", "5 Jan 2024 11:30 PM"],
)
@pytest.mark.parametrize("rules", [SourceRules(), PARIS])
def test_times_without_a_zone_are_the_retailers_own(cell, rules):
    assert read(cell, rules=rules) == ["2024-01-05 23:30"]
    assert read(cell, None, rules=rules, dtype=object) == ["2024-01-05 23:30", "NaT"]


@pytest.mark.parametrize("cell", [TIME.replace(tzinfo=UTC), "2024-01-05T23:30:00Z"])
def test_times_in_utc_need_the_zone_of_the_source(cell):
    assert read(cell, rules=PARIS) == ["2024-01-06 00:30"]
    with pytest.raises(ValueError, match=r"timestamp: times are in UTC") as error:
        read(cell)
    assert "set `source.timezone` in params.yaml" in str(error.value)


def test_one_place_s_clock_is_kept_over_a_change_to_summer_time():
    times = pd.Series(pd.to_datetime(["2024-01-05 12:00", "2024-07-05 12:00"]))
    zoned = times.dt.tz_localize("America/New_York")
    kept = ["2024-01-05 12:00", "2024-07-05 12:00"]
    assert read(*zoned, dtype=zoned.dtype) == read(*zoned, dtype=object) == kept
    assert read(*zoned, rules=PARIS) == ["2024-01-05 18:00", "2024-07-05 18:00"]


def test_offsets_of_several_places_are_refused():
    with pytest.raises(DataError, match=r"no one time zone has \(-05:00 in 1, \+05:30 in 2\)"):
        read("2024-01-05T12:00-05:00", TIME.replace(tzinfo=INDIA), "2024-01-06 12:00 +0530")


def test_a_date_of_python_is_a_day():
    assert read(date(2024, 1, 5), rules=PARIS) == ["2024-01-05 00:00"]


def test_the_order_of_day_and_month_is_that_of_the_other_cells():
    assert read("13/02/2024", "03/02/2024") == ["2024-02-13 00:00", "2024-02-03 00:00"]
    assert read("02/13/2024", "03/02/2024") == ["2024-02-13 00:00", "2024-03-02 00:00"]
    with pytest.raises(DataError, match="can't be told apart") as error:
        read("03/02/2024")
    assert "set `date_order` of the source in params.yaml" in str(error.value)
    with pytest.raises(DataError, match="in another order than the other dates"):
        read("13/02/2024", "14/02/2024", "02/15/2024")


@pytest.mark.parametrize("cells", [["20240105"], [20240105, 20240106], [20240105.0, np.nan]])
def test_eight_digits_are_a_date_if_all_cells_are(cells):
    assert read(*cells)[0] == "2024-01-05 00:00"


@pytest.mark.parametrize(
    ("number", "setting"),
    [(45296, "excel"), (45296.5, "excel"), (1704497400, "epoch"), (1704497400000, "epoch_ms")],
)
def test_numbers_are_never_guessed(number, setting):
    with pytest.raises(DataError, match=f"`date_format: {setting}`"):
        read(number)
    rules = SourceRules(timezone="UTC", date_format=setting)
    assert read(number, rules=rules)[0].startswith("2024-01-05")


@pytest.mark.parametrize("time", ["1899-12-30", datetime(1969, 12, 31), "9999-12-31"])
def test_times_outside_the_range_are_refused(time):
    with pytest.raises(DataError, match="timestamp is not between 1970 and 2200"):
        read(time)


def test_rules_are_written_without_defaults_and_read_again():
    rules = SourceRules("Europe/Paris", "epoch", None, ("Guest",), fold_case=True)
    assert SourceRules.from_json(rules.as_json()) == rules
    assert SourceRules().as_json() == {}
