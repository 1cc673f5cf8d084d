import pytest

from evergreen.errors import DataError
from evergreen.ingestion.cells import CellError
from evergreen.ingestion.dates import DateSettings, settle_dates
from evergreen.store import tables


def settled(*cells, date_format="auto", **options):
    settings = DateSettings(date_format, options.pop("date_order", None))
    return settle_dates(iter(cells), settings, name="shop: column 'Date'", **options)


def read_all(column, cells):
    con = tables.connect(1)
    column.register(con)
    con.execute("create table cells as select unnest(?::varchar[]) as cell", [cells])
    return [time for (time,) in con.sql(f"select {column.sql('cell')} from cells").fetchall()]


def read(column, cell):
    return read_all(column, [cell])[0]


@pytest.mark.parametrize(
    ("cell", "usual"),
    [
        ("2024-03-31", None),
        ("2024/3/31 9:05", None),
        ("20240331", "%Y%m%d"),
        ("31/03/2024", "%d/%m/%Y"),
        ("3/31/2024 8:26", "%m/%d/%Y %H:%M"),
        ("3/31/2024 8:26:30 PM", "%m/%d/%Y %I:%M:%S %p"),
        ("31.03.2024", "%d.%m.%Y"),
        ("31-Mar-2024", "%d-%b-%Y"),
        ("31 March 2024", "%d %B %Y"),
    ],
)
def test_the_format_is_detected_and_reads_the_cell(cell, usual):
    column = settled(cell)
    assert (column.usual or [None])[0] == usual
    assert str(read(column, cell)).startswith("2024-03-31")


@pytest.mark.parametrize(
    "cell",
    ["3/31/2024 8:26", "3/31/2024 08:26:30", "3/31/2024 8:26 PM", "3/31/2024 8:26:30.5"],
)
def test_times_are_read_in_any_usual_form(cell):
    time = read(settled(cell), cell)
    assert (time.hour % 12, time.minute) == (8, 26)


def test_day_and_month_are_settled_by_any_cell_however_late():
    assert settled(*["01/02/2024"] * 5000, "13/02/2024").cells.order == "day_first"
    assert settled(*["01/02/2024"] * 5000, "02/13/2024").cells.order == "month_first"
    assert settled(*["01/01/2024"] * 5000, "02/13/2024").cells.order == "month_first"


def test_day_and_month_are_never_guessed():
    with pytest.raises(DataError, match="such as '01/02/2024' in which day and month") as error:
        settled(*["01/01/2024"] * 5000, "01/02/2024", "03/04/2024")
    assert "set `date_order` of the source in params.yaml: day_first or month_first" in str(
        error.value
    )


def test_the_setting_settles_what_no_cell_tells():
    column = settled("01/02/2024", date_order="month_first")
    assert str(read(column, "01/02/2024")) == "2024-01-02 00:00:00"


@pytest.mark.parametrize("cells", [["03/03/2024"], ["1.2.2024"], ["2 January 2024", "2024-02-01"]])
def test_nothing_is_asked_where_nothing_is_unclear(cells):
    settled(*cells)


def test_a_number_that_comes_late_is_not_guessed_either():
    column = settled(*["2024-02-01"] * 5000, "03/02/2024")
    assert read(column, "03/02/2024") is None


@pytest.mark.parametrize("other", ["03/13/2024", "03-13-2024", "2024-03-13"])
def test_with_points_the_day_is_first_whatever_other_cells_tell(other):
    column = settled(other, "1.4.2024", "1.4.2024")
    assert str(read(column, "1.4.2024")) == "2024-04-01 00:00:00"
    assert str(read(column, other)) == "2024-03-13 00:00:00"
    assert read(column, "1.13.2024") is None
    column = settled("1.4.2024", date_order="month_first")
    assert str(read(column, "1.4.2024")) == "2024-01-04 00:00:00"


@pytest.mark.parametrize("cell", ["13.1.2024", "1.13.2024"])
def test_dates_with_points_do_not_tell_the_order_of_others(cell):
    with pytest.raises(DataError, match="such as '01/02/2024' in which day and month"):
        settled(cell, "01/02/2024")


DAYS = [(day, month) for month in (1, 2, 3) for day in range(1, 31) if (day, month) != (30, 2)]


@pytest.mark.parametrize("sep", ["/", "-", "."])
@pytest.mark.parametrize("others", [[], ["2024-03-01"], ["2024-03-01"] * 3000])
def test_years_of_two_digits_that_come_first_are_asked_about(sep, others):
    cells = [f"24{sep}{month:02}{sep}{day:02}" for day, month in DAYS]
    if len(others) < 3000:
        with pytest.raises(DataError, match="seem to begin with the year") as error:
            settled(*others, *cells)
        assert f'`date_format: "%y{sep}%m{sep}%d"`' in str(error.value)
        assert "`date_order`: day_first or month_first" in str(error.value)
    else:
        column = settled(*others, *cells)
        assert set(read_all(column, cells)) == {None}
    column = settled(*others, *cells, date_format=f"%y{sep}%m{sep}%d")
    assert str(read(column, cells[-1])) == "2024-03-30 00:00:00"


@pytest.mark.parametrize("sep", ["/", "-", "."])
@pytest.mark.parametrize("cells", [["24 03 14"], ["14 03 24", "14 04 24"], ["24 03 14 09:30"]])
def test_a_year_of_two_digits_that_may_be_at_either_end_is_asked_about(sep, cells):
    cells = [cell.replace(" ", sep, 2) for cell in cells]
    with pytest.raises(DataError, match="may begin or end with the year") as error:
        settled(*cells)
    clock = " %H:%M" if ":" in cells[0] else ""
    assert f'`date_format: "%y{sep}%m{sep}%d{clock}"`' in str(error.value)
    column = settled(*cells, date_order="day_first")
    assert read(column, cells[0]).day == int(cells[0][:2])


@pytest.mark.parametrize(
    "cells",
    [
        [f"{day:02}-{month:02}-24" for day, month in DAYS],
        [f"{month:02}/{day:02}/24" for day, month in DAYS],
        ["01/01/24"] * 3000 + ["01/13/24"],
        ["14.03.99"],
        ["5.1.24"],
    ],
    ids=lambda cells: cells[-1],
)
def test_years_of_two_digits_come_last_where_cells_tell(cells):
    column = settled(*cells)
    assert all(read(column, cell).year in (2024, 1999) for cell in {cells[0], cells[-1]})


def test_a_year_of_two_digits_after_the_sample_is_not_guessed():
    column = settled(*["14.03.2024"] * 5000, "24.03.14")
    assert read(column, "24.03.14") is None


@pytest.mark.parametrize(
    ("cells", "found", "setting"),
    [
        (["xyz"], "found 'xyz'", "`date_format` of the source"),
        (["42799", "42800.5"], "found numbers of 5 digits", "`date_format: excel`"),
        (["1488326400"], "found numbers of 10 digits", "`date_format: epoch`"),
        (["1488326400000"], "found numbers of 13 digits", "`date_format: epoch_ms`"),
        (["20170330", "20170331", "7"], "found numbers of 8 digits", '`date_format: "%Y%m%d"`'),
        (["12:30"], "found '12:30'", "`date_format` of the source"),
        (["2017-03-01 12:00 EST"], "a time zone's abbreviation may mean several", "UTC offsets"),
    ],
)
def test_a_column_without_dates_is_named_with_the_setting(cells, found, setting):
    with pytest.raises(DataError, match="shop: column 'Date' was expected to hold dates") as error:
        settled(*cells)
    assert found in str(error.value)
    assert setting in str(error.value)


@pytest.mark.parametrize(
    ("date_format", "cell"),
    [
        ("excel", "42824"),
        ("excel", "42824.7395833333"),
        ("excel", "42824,7395833333"),
        ("epoch", "1490895900"),
        ("epoch_ms", "1490895900000"),
        ("%d|%m|%Y %H.%M", "30|03|2017 17.45"),
        ("%m/%d/%Y %H:%M %z", "03/30/2017 17:45 -0500"),
        ("%d/%m/%Y", "2017-03-30T17:45"),
        ("iso", "2017-03-30 17:45"),
    ],
)
def test_a_setting_says_how_cells_are_read(date_format, cell):
    time = read(settled(cell, date_format=date_format), cell)
    assert str(time) in ("2017-03-30 17:45:00", "2017-03-30 00:00:00")


@pytest.mark.parametrize(
    ("date_format", "cell"),
    [
        ("iso", "30/03/2017"),
        ("%d/%m/%Y", "03/30/2017"),
        ("%d/%m/%Y %H:%M", "30/03/2017 17:45 +0530"),
        ("%m/%d/%Y %H:%M %z", "03/30/2017 17:45"),
        ("%Y-%d-%m", "2017-03-30"),
        ("epoch", "now"),
    ],
)
def test_a_setting_excludes_all_else(date_format, cell):
    assert read(settled(cell, date_format=date_format), cell) is None


@pytest.mark.parametrize("cell", ["1490895900000", "9" * 30])
def test_milliseconds_are_not_taken_for_seconds(cell):
    with pytest.raises(CellError, match="set date_format to epoch_ms"):
        settled("1490895900", date_format="epoch").cells.read(cell)


def test_numbers_are_dates_in_a_workbook_column_of_dates():
    column = settled("2017-03-30 00:00:00", "42824", serials=True)
    assert str(read(column, "42824.5")) == "2017-03-30 12:00:00"
