import gzip
import io
import os
import shutil
import zipfile
from datetime import datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from openpyxl import Workbook

from evergreen.errors import DataError, EvergreenError
from evergreen.ingestion import decoding
from evergreen.store import spill

TEXT = "Client,Date,Total,Item\nJosé,2024-01-05,1,été\nb,2024-01-06,2,x\n"


def zipped(text, method=zipfile.ZIP_STORED):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method) as archive:
        archive.writestr("one.csv", text)
    return packed.getvalue()


def clients(shop):
    return sorted(row["client_id"] for row in shop.rows())


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "cp1252"]
)
def test_usual_encodings_are_found_out(shop, encoding):
    shop.lay("shop.csv", TEXT.encode(encoding))
    lines = shop.ingest()
    assert clients(shop) == ["José", "b"]
    assert ("inbox/shop.csv is read as" in lines[1]) == (not encoding.startswith("utf-8"))


def test_an_encoding_can_be_named(shop):
    shop.source["encoding"] = "cp850"
    shop.lay("shop.csv", TEXT.encode("cp850"))
    shop.ingest()
    assert clients(shop) == ["José", "b"]


def test_bytes_that_are_not_of_the_named_encoding_are_quarantined(shop):
    shop.source["encoding"] = "ascii"
    shop.lay("shop.csv", TEXT)
    shop.ingest()
    assert "bytes that are invalid in its encoding" in shop.quarantined()[0]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_usual_delimiters_are_found_out(shop, delimiter):
    shop.lay("shop.csv", TEXT.replace(",", delimiter))
    shop.ingest()
    assert clients(shop) == ["José", "b"]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_usual_ends_of_lines_are_read(shop, end):
    shop.lay("shop.csv", TEXT.replace("\n", end))
    shop.ingest()
    assert [row["text"] for row in shop.rows()] == ["été", "x"]


@pytest.mark.parametrize(
    ("name", "pack"),
    [
        ("shop.csv.gz", lambda text: gzip.compress(text.encode())),
        (
            "shop.csv.zst",
            lambda text: bytes(pa.compress(text.encode(), codec="zstd", asbytes=True)),
        ),
        ("shop.zip", zipped),
    ],
)
def test_packed_files_are_unpacked(shop, name, pack):
    shop.lay(name, pack(TEXT))
    shop.ingest()
    assert clients(shop) == ["José", "b"]


@pytest.mark.parametrize(
    "name", ["shop.csv.gz", "shop.csv.zst", "shop.zip", "shop.parquet", "shop.xlsx"]
)
def test_a_file_that_is_not_what_its_name_says_is_refused(shop, name):
    shop.lay(name, TEXT)
    with pytest.raises(DataError, match=rf"inbox/{name} can't be read: .*nothing was changed"):
        shop.ingest()


def test_a_packed_file_that_breaks_off_is_refused(shop):
    shop.lay("shop.csv.gz", gzip.compress(TEXT.encode() * 100)[:-20])
    with pytest.raises(DataError, match="can't be read"):
        shop.ingest()


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_damaged_archive_of_any_method_is_refused(shop, method):
    content = bytearray(zipped(TEXT * 100, method))
    for at in range(60, 90):
        content[at] ^= 0x55
    shop.lay("shop.zip", bytes(content))
    with pytest.raises(DataError, match=r"inbox/shop.zip can't be read: "):
        shop.ingest()


def test_what_a_mac_hides_in_an_archive_is_passed_over(shop):
    packed = io.BytesIO(zipped(TEXT))
    with zipfile.ZipFile(packed, "a") as archive:
        archive.writestr("__MACOSX/._one.csv", b"\0\5\26\7")
    shop.lay("shop.zip", packed.getvalue())
    shop.ingest()
    assert clients(shop) == ["José", "b"]


@pytest.mark.parametrize("target", ["nowhere.csv", "linked.csv"])
def test_a_link_to_nothing_is_told(shop, target):
    shop.lay("shop.csv", TEXT).with_name("linked.csv").symlink_to(target)
    assert "transactions: inbox/linked.csv is a broken link" in shop.ingest()


def test_a_name_that_is_no_utf8_is_refused(shop):
    shop.lay(os.fsdecode(b"shop-\xff.csv"), TEXT)
    with pytest.raises(DataError, match="inbox/shop-\ufffd\\.csv has a name that is not UTF-8"):
        shop.ingest()


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
def test_a_file_that_is_not_of_the_encoding_that_was_set_is_refused(shop, encoding):
    shop.source["encoding"] = encoding
    shop.lay("shop.csv", TEXT)
    with pytest.raises(DataError, match=rf"inbox/shop.csv can't be read as {encoding}: .* BOM"):
        shop.ingest()


def test_a_stray_quote_costs_one_line_and_not_the_rest_of_the_file(shop):
    rows = "".join(f"c{i},2024-01-05,{i},x\n" for i in range(100))
    shop.lay("shop.csv", "Client,Date,Total,Item\n" + rows.replace("c50,", '"c50,'))
    assert "99 accepted" in shop.ingest()[1]
    assert shop.quarantined()[0].startswith("inbox/shop.csv,52,")


def test_the_line_is_right_after_quoted_ends_of_lines_and_blank_lines(shop):
    shop.lay("shop.csv", 'Client,Date,Total,Item\na,2024-01-05,1,"x\ny"\n\nb,soon,1,x\n')
    shop.ingest()
    assert shop.quarantined()[0].startswith("inbox/shop.csv,5,Date,soon,")


def test_parquet_is_read_with_its_types(shop):
    table = pa.table(
        {
            "Client": pa.array([17.0, None], pa.float64()),
            "Date": pa.array([datetime(2024, 1, 5, 9)] * 2, pa.timestamp("ns")),
            "Total": pa.array([1.5, 2.5], pa.float32()),
            "Item": ["x", "y"],
        }
    )
    shop.source["decimal"] = ","
    pq.write_table(table, shop.lay("shop.parquet", b""))
    shop.ingest()
    assert [(row["client_id"], row["amount_minor"]) for row in shop.rows()] == [("17", 150)]
    assert shop.quarantined()[0].startswith("inbox/shop.parquet,2,Client,,client_id is missing")


def test_every_sheet_of_a_workbook_is_read(shop):
    book = Workbook()
    for client, sheet in enumerate((book.active, book.create_sheet("more"))):
        sheet.append(["Client", "Date", "Total", "Item"])
        sheet.append([client, datetime(2024, 1, 5, 9), 1.5, None])
    book.create_sheet("empty")
    book.save(shop.lay("shop.xlsx", b""))
    shop.ingest()
    assert [(row["client_id"], row["amount_minor"]) for row in shop.rows()] == [
        ("0", 150),
        ("1", 150),
    ]


def test_what_a_cluster_leaves_beside_its_parts_is_not_read(shop):
    shop.lay("part-0.csv", TEXT)
    shop.lay("part-1.csv", "")
    for name in ("_SUCCESS", ".part-0.csv.crc", "~$book.xlsx", "part-2.csv.crdownload"):
        shop.lay(name, "x")
    shop.lay("_temporary/0/part-0.csv".replace("/", "-"), TEXT)
    (shop.folder / "inbox/old").mkdir()
    lines = shop.ingest()
    assert lines[:6] == [
        "transactions: 2 files",
        "transactions: inbox/part-1.csv is empty",
        "transactions: inbox/.part-0.csv.crc and 2 more are not read: names beginning with _ or .",
        "transactions: inbox/part-2.csv.crdownload is not read: an unfinished copy or download",
        "transactions: inbox/~$book.xlsx is not read: the lock of an open workbook",
        "transactions: inbox/old is a folder, and not read: add inbox/old/* to `files`",
    ]
    assert clients(shop) == ["José", "b"]


def test_a_folder_that_a_cluster_left_is_not_read_by_a_deep_pattern(shop):
    shop.source["files"] = "inbox/**/*.csv"
    shop.lay("part-0.csv", TEXT)
    (shop.folder / "inbox/_temporary/0").mkdir(parents=True)
    (shop.folder / "inbox/_temporary/0/part-1.csv").write_text(TEXT.replace("b,", "c,"))
    shop.ingest()
    assert clients(shop) == ["José", "b"]


def test_a_file_that_is_named_itself_is_read(shop):
    shop.source["files"] = "inbox/_old.csv"
    shop.lay("_old.csv", TEXT)
    shop.ingest()
    assert clients(shop) == ["José", "b"]


@pytest.mark.parametrize(
    ("name", "step"), [("shop.json", "save it as CSV or Parquet"), ("shop.tar.gz", "unpack it")]
)
def test_a_file_of_another_kind_is_refused_with_the_way_on(shop, name, step):
    shop.lay(name, TEXT)
    with pytest.raises(DataError, match=f"inbox/{name} is not a file that can be read.*\n.*{step}"):
        shop.ingest()


def test_a_line_that_is_too_long_is_refused_with_the_limit(shop, monkeypatch):
    monkeypatch.setattr(decoding, "MAX_LINE_BYTES", 1 << 20)
    monkeypatch.setattr(decoding, "CHUNK_BYTES", 1 << 16)
    shop.lay("shop.csv", TEXT + "c,2024-01-05,1," + "x" * (1 << 21))
    with pytest.raises(DataError, match=r"inbox/shop.csv has a line of more than 1 MiB, .* limit"):
        shop.ingest()


def test_a_small_file_that_unpacks_to_a_huge_one_is_refused_with_the_limit(shop, monkeypatch):
    monkeypatch.setattr(decoding, "MAX_UNPACKED_BYTES", 1 << 20)
    monkeypatch.setattr(decoding, "CHUNK_BYTES", 1 << 16)
    shop.lay("shop.csv.gz", gzip.compress((TEXT + "\n" * (1 << 23)).encode()))
    with pytest.raises(DataError, match=r"inbox/shop.csv.gz unpacks to more than 1 MiB, .* limit"):
        shop.ingest()


def test_a_web_page_with_the_name_of_a_workbook_is_refused_with_the_way_on(shop):
    shop.lay("shop.xls", "<html><table><tr><td>Client</td></tr></table></html>")
    with pytest.raises(DataError, match="web page") as refused:
        shop.ingest()
    assert "save it as" in refused.value.next_step


def test_a_nested_column_of_parquet_is_named(shop):
    table = {"Client": ["a"], "Date": ["2024-01-05"], "Total": [{"value": 1.5}], "Item": [["x"]]}
    pq.write_table(pa.table(table), shop.lay("shop.parquet", b""))
    with pytest.raises(DataError, match=r"column 'Total' holds several values a row \(STRUCT"):
        shop.ingest()


def test_too_little_disk_is_told_before_anything_is_read(shop, monkeypatch):
    shop.lay("shop.csv", TEXT)
    monkeypatch.setattr(spill.shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(9, 9, 0))
    with pytest.raises(EvergreenError, match=r"this needs about .*MB of free disk in .*; only 0MB"):
        shop.ingest()
    assert not shop.stored()
