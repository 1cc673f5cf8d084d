from datetime import date, datetime

from openpyxl import Workbook

HEAD = ["Invoice", "StockCode", "Description", "Quantity", "InvoiceDate", "Price", "Customer ID",
        "Country"]  # fmt: skip


def line(day, *, client=13085, code="85048", quantity=2, price=1.5, invoice=489434):
    return [invoice, code, "LIGHTS", quantity, datetime(2010, 12, day, 8), price, client, "UK"]


SHEETS = [
    [line(1), line(9), line(9), line(9, client=None), line(9, code="POST"), line(9, price=0)],
    [line(1), line(9), line(10, invoice="C489434", quantity=-2)],
]
LINES = "read 9 rows = 4 accepted + 0 already ingested + 0 after the requested date + "


def ingest(shop, name, content=None):
    shop.source = {"files": f"inbox/{name}", "preset": "online-retail"}
    if content:
        shop.lay(name, content)
    else:
        book = Workbook()
        for sheet, lines in zip((book.active, book.create_sheet("more")), SHEETS, strict=True):
            for row in [HEAD, *lines]:
                sheet.append(row)
        book.save(shop.lay(name, b""))
    return shop.ingest(date(2011, 12, 9))


def as_csv():
    rows = [HEAD, *SHEETS[0], *SHEETS[1]]
    return "\n".join(",".join("" if v is None else str(v) for v in row) for row in rows)


def test_every_line_of_the_workbook_is_accounted_for(shop):
    assert ingest(shop, "online_retail_II.xlsx")[1:] == [
        f"transactions: {LINES}2 duplicate in another file + 3 excluded + 0 quarantined",
        "transactions:   1 excluded: no client id",
        "transactions:   1 excluded: price of zero or below",
        "transactions:   1 excluded: stock code is not a product",
        "transactions:   inbox/online_retail_II.xlsx, sheet Sheet: 3 excluded",
        "transactions:   inbox/online_retail_II.xlsx, sheet more: 2 duplicate in another file",
    ]


def test_the_overlap_of_its_sheets_is_found_in_one_file_too(shop):
    assert f"{LINES}2 duplicate in another file" in ingest(shop, "retail.csv", as_csv())[1]


def test_the_older_names_of_columns_are_known(shop):
    older = as_csv().replace("Customer ID", "CustomerID").replace("Invoice,", "InvoiceNo,")
    assert "4 accepted" in ingest(shop, "retail.csv", older.replace(",Price", ",UnitPrice"))[1]


def test_a_return_is_a_negative_amount_of_its_own_invoice(shop):
    ingest(shop, "online_retail_II.xlsx")
    assert [(r["invoice_id"], r["amount_minor"]) for r in shop.rows()] == [
        ("489434", 300),
        ("489434", 300),
        ("489434", 300),
        ("C489434", -300),
    ]


def test_client_ids_that_were_written_as_fractions_are_whole(shop):
    ingest(shop, "retail.csv", as_csv().replace(",13085,", ",13085.0,"))
    assert {row["client_id"] for row in shop.rows()} == {"13085"}
