"""Times with a zone, and the clock of a source."""

from datetime import datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evergreen.errors import DataError
from evergreen.ingestion.dates import DateSettings, settle_dates
from evergreen.ingestion.times import Time, TimeFormat
from evergreen.ingestion.zones import ClockReading, Zones, is_one_place, turning_points
from evergreen.store import tables


def of_clock(shop, *cells, zone=None, **options):
    """The times of rows whose cells have these texts."""
    shop.source |= {"columns": {"client_id": "c", "timestamp": "t", "amount": "a"}} | options
    shop.others = {"timezone": zone} if zone else {}
    shop.lay("a.csv", "c,t,a\n" + "".join(f'a,"{cell}",{n}\n' for n, cell in enumerate(cells)))
    shop.ingest()
    rows = sorted(shop.rows(), key=lambda row: row["amount_minor"])
    return [row["timestamp"].isoformat(" ") for row in rows]


NEW_YORK = ["2024-01-05 23:30:00 -0500", "2023-07-05T22:15:00-04:00"]


def test_one_shops_clock_is_kept_over_a_change_to_summer_time(shop):
    assert of_clock(shop, *NEW_YORK) == ["2024-01-05 23:30:00", "2023-07-05 22:15:00"]


@pytest.mark.parametrize(
    ("cells", "found"),
    [
        (["01/05/2024 23:30:00 -0500", "01/13/2024 23:30:00 +0530"], "-05:00 in 1, +05:30 in 1"),
        (["2024-01-05T10:00:00Z", "2023-07-05T10:00:00+00:00"], "are in UTC"),
        (["2024-01-05 10:00:00 UTC", "2024-01-06"], "are in UTC"),
        (["2024-01-05T10:00:00-12:00"], "-12:00 in 1"),
        ([*NEW_YORK, "2023-07-06 10:00:00 -0500", "2024-01-06 10:00:00 -0400"], "no one time zone"),
    ],
)
def test_other_offsets_are_refused_with_the_setting(shop, cells, found):
    with pytest.raises(DataError, match=r"inbox/a.csv, line \d\); nothing was changed") as error:
        of_clock(shop, *cells)
    assert found in str(error.value)
    assert "set `source.timezone` in params.yaml" in str(error.value)
    assert not list(shop.rows())


def test_with_a_time_zone_every_zoned_time_is_converted_to_it(shop):
    cells = ["2024-01-05T23:30:00Z", "2024-01-05 23:30:00 -0500", "05 Jan 2024 23:30 +0530"]
    expected = ["2024-01-06 00:30:00", "2024-01-06 05:30:00", "2024-01-05 19:00:00"]
    assert of_clock(shop, *cells, zone="Europe/Paris") == expected


def test_epoch_seconds_are_in_utc(shop):
    expected = ["2024-01-06 00:30:00"]
    options = {"date_format": "epoch", "zone": "Europe/Paris"}
    assert of_clock(shop, "1704497400", **options) == expected
    with pytest.raises(DataError, match="times are in UTC"):
        of_clock(shop, "1704497401", date_format="epoch")


def test_a_table_may_write_times_without_a_zone_in_another_zone(shop):
    cells = ["2024-01-05 23:30", "2024-01-05", "1/13/2024 11:30 PM", "2024-01-05T23:30:00+01:00"]
    expected = ["2024-01-06 00:30:00", "2024-01-05 00:00:00", "2024-01-14 00:30:00"]
    options = {"zone": "Europe/Paris", "timezone": "UTC"}
    assert of_clock(shop, *cells, **options) == [*expected, "2024-01-05 23:30:00"]


def test_files_of_all_ingestions_have_to_be_of_one_clock(shop):
    of_clock(shop, *NEW_YORK)
    shop.lay("b.csv", "c,t,a\nb,2024-01-20 10:00:00 -0500,1\n")
    shop.ingest()
    shop.lay("c.csv", "c,t,a\nc,2024-01-21 10:00:00 +0530,1\n")
    with pytest.raises(DataError, match=r"\+05:30 in 1"):
        shop.ingest()


def test_files_with_days_and_months_in_different_order_are_each_read_by_their_own(shop):
    shop.source["columns"] = {"client_id": "c", "timestamp": "t", "amount": "a"}
    shop.lay("1.csv", "c,t,a\na,13/01/2024,1\nb,05/01/2024,1\n")
    shop.lay("2.csv", "c,t,a\nc,01/13/2024,1\nd,01/05/2024,1\n")
    shop.ingest()
    days = {row["client_id"]: row["timestamp"].day for row in shop.rows()}
    assert days == {"a": 13, "b": 5, "c": 13, "d": 5}
    shop.lay("3.csv", "c,t,a\ne,01/06/2024,1\n")
    with pytest.raises(DataError, match=r"3.csv: column 't' has dates such as '01/06/2024'"):
        shop.ingest()


def test_a_file_that_contradicts_itself_is_refused_until_a_setting_says_what_holds(shop):
    cells = ["13/01/2024", "14/01/2024", "01/15/2024", "02/01/2024"]
    with pytest.raises(DataError, match="days before months and months before days") as error:
        of_clock(shop, *cells)
    assert "line 4: '01/15/2024'" in str(error.value)
    expected = ["2024-01-13 00:00:00", "2024-01-14 00:00:00", "2024-01-02 00:00:00"]
    assert of_clock(shop, *cells, date_order="day_first") == expected
    assert len(shop.quarantined()) == 1


@pytest.mark.parametrize("year", [1999, 2008, 2024])
@pytest.mark.parametrize("zone", ["Europe/London", "America/New_York", "Australia/Lord_Howe"])
def test_every_zone_but_utc_is_one_place(zone, year):
    hours = np.arange(f"{year}-01-01", f"{year + 1}-01-01", dtype="datetime64[h]")
    zones = Zones(zone)
    walls = zones.of_instants(hours.astype("datetime64[us]"))
    offsets = (walls - hours).astype("timedelta64[m]").astype(int)
    clock = [
        ClockReading(wall.replace(minute=0), int(offset))
        for wall, offset in zip(walls.tolist(), offsets, strict=True)
    ]
    assert is_one_place(turning_points(clock))
    assert not is_one_place(turning_points([*clock, ClockReading(clock[0].hour, 330)]))


def test_doubled_and_skipped_hours_of_a_tables_clock_count_from_before_the_change():
    zones = Zones("UTC", table="Europe/Paris")
    for wall, utc in (("2024-10-27T02:30", 0), ("2024-03-31T02:30", 1), ("2024-07-01T02:30", 0)):
        time = datetime.fromisoformat(wall)
        expected = time.replace(hour=utc)
        assert zones.wall(Time(time)) == expected
        assert zones.of_table(np.array([time], "datetime64[us]")).tolist() == [expected]


@st.composite
def cells(draw):
    """A time, as exports write it."""
    wall = draw(st.datetimes(datetime(1971, 1, 1), datetime(2199, 1, 1)))
    clock = draw(st.sampled_from(["", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", " %I:%M %p"]))
    day = draw(
        st.sampled_from(
            [
                *("%Y-%m-%d", "%d/%m/%Y", "%d.%m.%y", "%d.%m.%Y", "%m.%d.%Y"),
                *("%Y/%m/%d", "%d %B %Y", "%b %d, %Y", "%d-%b-%Y"),
            ]
        )
    )
    zone = draw(st.sampled_from(["", "Z", " +0530", "-04:00", "+02", " UTC", " EST", " +0537"]))
    mark = draw(st.sampled_from(["{}", " {}", "'{}", '="{}"', "{}\u00a0"]))
    return mark.format(wall.strftime(day + clock) + (zone if clock else ""))


@pytest.mark.parametrize("zone", [None, "America/New_York"])
@pytest.mark.parametrize("table", [None, "UTC"])
@settings(max_examples=25, deadline=None)
@given(st.lists(cells(), min_size=1, max_size=20))
def test_sql_reads_every_cell_as_python_does(zone, table, texts):
    zones = Zones(zone, table if zone else None)
    told = ["13/01/2024", "13.01.32", *texts]
    column = settle_dates(iter(told), DateSettings(zones=zones), name="c")
    con = tables.connect(1)
    column.register(con)
    con.execute("create table cells (n int, cell varchar)")
    con.executemany("insert into cells values (?, ?)", list(enumerate(told)))
    wall = column.sql("cell")
    found = con.sql(
        f"select cell, {wall}, {column.clock_sql('cell', wall)} % 256 - 128 from cells order by n"
    ).fetchall()
    for cell, read, quarters in found:
        time = in_python(column.cells, cell)
        assert read == (time and zones.wall(time)), cell
        offset = time.offset if time and zone is None else None
        assert quarters == (None if offset is None else offset // 15), cell


def in_python(spelling: TimeFormat, cell):
    try:
        return spelling.read(cell)
    except ValueError:
        return None


def test_a_day_has_no_zone():
    assert Zones("America/New_York", table="UTC").wall(Time(datetime(2024, 1, 5), is_day=True)) == (
        datetime(2024, 1, 5)
    )
