import re
import zipfile

import pytest
from openpyxl import Workbook

from evergreen.errors import DataError

TABLE = "Client,Date,Total,Item\na,2024-01-05,1,x\n,2024-01-06,2,y\n"
TITLES = {
    "title lines": "Sales report\n\nFrom,2024-01-01\nBy Client\n",
    "a spreadsheet's separator": "sep=,\n",
    "comments": "# exported by the till\n# 2 rows\n",
    "a title with a stray quote": '"Sales\n',
}


@pytest.mark.parametrize("titles", TITLES.values(), ids=TITLES)
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
def test_the_header_is_found_below_other_lines_and_bad_rows_keep_their_line(shop, titles, encoding):
    shop.lay("shop.csv", (titles + TABLE).encode(encoding))
    lines = shop.ingest()
    header = titles.count("\n") + 1
    assert f"transactions: inbox/shop.csv: its header is on line {header}" in lines
    assert [row["client_id"] for row in shop.rows()] == ["a"]
    [bad] = shop.quarantined()
    assert bad.startswith(f"inbox/shop.csv,{header + 2},Client,")


def test_a_header_can_be_named_by_its_line(shop):
    shop.source["header_row"] = 2
    shop.lay("shop.csv", "Client,Date,Total,Item,of,last,year\n" + TABLE)
    shop.ingest()
    assert [row["client_id"] for row in shop.rows()] == ["a"]


def test_a_line_of_the_header_beyond_the_end_is_refused(shop):
    shop.source["header_row"] = 9
    shop.lay("shop.csv", TABLE)
    with pytest.raises(DataError, match=r"has no line 9, where header_row says .*\n.*`header_row`"):
        shop.ingest()


def test_a_header_in_a_sheet_is_found_below_merged_titles(shop, tmp_path):
    book = Workbook()
    sheet = book.active
    sheet["A1"] = "Sales report"
    sheet.merge_cells("A1:D1")
    sheet.append([])
    for row in TABLE.splitlines():
        sheet.append(row.split(","))
    book.create_sheet("About").append(["Made by the till"])
    hidden = book.create_sheet("Old")
    hidden.sheet_state = "hidden"
    hidden.append(["secret"])
    shop.lay("shop.xlsx", b"")
    book.save(tmp_path / "inbox/shop.xlsx")
    lines = shop.ingest()
    assert lines[1:4] == [
        "transactions: inbox/shop.xlsx, sheet Sheet: its header is on line 3",
        "transactions: inbox/shop.xlsx, sheet Old is hidden, and not read",
        "transactions: inbox/shop.xlsx, sheet About has none of the columns, and is not read",
    ]
    assert [row["client_id"] for row in shop.rows()] == ["a"]
    assert 'sheet Sheet",5,Client' in shop.quarantined()[0]


@pytest.mark.parametrize(
    "header",
    [
        'Client ," Date",Total,Item',
        '\ufeff\ufeff"Client",Date,Total,Item',
        '"Client\n",Date,Total,Item',
        "Client,Date,Total,Item,",
    ],
)
def test_stray_blanks_marks_and_line_breaks_in_a_header_do_not_matter(shop, header):
    shop.lay("shop.csv", TABLE.replace("Client,Date,Total,Item", header))
    shop.ingest()
    assert [row["client_id"] for row in shop.rows()] == ["a"]


def test_rows_may_end_in_a_delimiter(shop):
    shop.lay("shop.csv", TABLE.replace("x\n", "x,\n").replace("y\n", "y,\n"))
    shop.ingest()
    assert [row["client_id"] for row in shop.rows()] == ["a"]


@pytest.mark.parametrize("dimension", [None, b'<dimension ref="A1:D3"/>', b""])
def test_a_stray_cell_far_out_is_refused_with_the_limit(shop, dimension):
    book = Workbook()
    for row in TABLE.splitlines():
        book.active.append(row.split(","))
    book.active["XFD1048576"] = "x"
    path = shop.lay("shop.xlsx", b"")
    book.save(path)
    if dimension is not None:  # which nothing has to tell, or to tell truly
        with zipfile.ZipFile(path) as before:
            parts = {name: before.read(name) for name in before.namelist()}
        with zipfile.ZipFile(path, "w") as after:
            for name, part in parts.items():
                after.writestr(name, re.sub(rb"<dimension[^>]*>", dimension, part))
    with pytest.raises(DataError, match=r"reaches to cell XFD1048576: the limit is 67,108,864"):
        shop.ingest()
