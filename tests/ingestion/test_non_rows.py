import pytest

TABLE = "Client;Date;Total;Item\na;2024-01-05;1,50;x\nb;2024-01-06;2,50;y\n"
TOLD = {
    "blank": (";;;\n;;;\n", {"blank line": 2}),
    "blank and shorter": (";;\n", {"blank line": 1}),
    "ruled": ("--------+------\n", {"ruled line": 1}),
    "the header": ("Client;Date;Total;Item\n", {"repeated header": 1}),
    "subtotal": ("*;;3,00;\n", {"subtotal": 1}),
    "groups": ("Ann;;;\nTotal for Ann;;3,00;\n", {"heading": 1, "subtotal": 1}),
    "total": ("Total;;4,00;\n", {"footer": 1}),
    "total of another column": ("Grand total:;;;2\n", {"footer": 1}),
    "total in German": ("Summe;;4,00 EUR;\n", {"footer": 1}),
    "sum": (";;4,00;\n", {"footer": 1}),
    "sum with a word and a date": ("Total;2024-01-31;4,00;\n", {"footer": 1}),
    "end": ("-- End of report --\n", {"footer": 1}),
    "count": ("(2 rows)\n\n", {"footer": 1}),
    "count and seller": ("\n2;record(s) downloaded;;\n\nSeller ID : shop\n", {"footer": 2}),
}


def excluded(lines):
    texts = [line.split(" excluded: ") for line in lines if " excluded: " in line]
    return {kind: int(count.split()[-1]) for count, kind in texts}


@pytest.mark.parametrize("case", TOLD)
def test_lines_that_are_not_rows_are_counted_apart(shop, case):
    lines, kinds = TOLD[case]
    shop.lay("shop.csv", TABLE + lines)
    report = shop.ingest()
    assert excluded(report) == kinds
    assert [row["amount_minor"] for row in shop.rows()] == [150, 250]
    assert shop.quarantined() == []
    assert ("inbox/shop.csv: line 4" in " ".join(report)) == (
        "footer" in kinds and case != "count and seller"
    )


@pytest.mark.parametrize(
    ("line", "skip"),
    [("Prices are without tax", 1), (";;4,01;", 1), ("Terms\n\nPrices are without tax", 3)],
)
def test_other_lines_at_the_end_are_bad_and_the_reason_names_the_setting(shop, line, skip):
    shop.lay("shop.csv", TABLE + line + "\n\n\n")
    shop.ingest()
    rows = shop.quarantined()
    assert len(rows) == len([part for part in line.split("\n") if part])
    assert all(f"if it is a footer, set `skip_footer: {skip}`" in row for row in rows)
    shop.source["skip_footer"] = skip
    shop.ingest()
    assert shop.quarantined() == []


@pytest.mark.parametrize(
    "line", ["Total;2024-01-31;4,01;", "Total;2024-01-31;0;", "Ann;2024-01-31;4,00;"]
)
def test_a_client_who_looks_like_a_total_but_is_not_the_sum_is_kept(shop, line):
    shop.lay("shop.csv", f"{TABLE}{line}\n")
    shop.ingest()
    assert len(shop.rows()) == 3


def test_a_total_with_another_date_is_bad(shop):
    shop.lay("shop.csv", TABLE + "Total;31/31/2024;4,01;\n")
    shop.ingest()
    assert len(shop.quarantined()) == 1


def test_a_list_in_frames_is_read(shop):
    rule = "-" * 30 + "\n"
    shop.lay(
        "shop.txt",
        f"Dynamic List Display\n\n{rule}|Client |Date      |   Total|Item |\n{rule}"
        f"|100    |31.12.2023|1.234,50|Hose |\n|101    |30.12.2023|  34,50-|Hemd |\n{rule}"
        f"|*      |          |1.200,00|     |\n{rule}",
    )
    lines = shop.ingest()
    assert [row["amount_minor"] for row in shop.rows()] == [-3450, 123450]
    assert excluded(lines) == {"ruled line": 3, "subtotal": 1}


def test_lines_that_continue_an_order_are_not_taken_for_a_footer(shop):
    shop.lay("shop.csv", TABLE + ";;;lens\n;;;strap\n")
    shop.ingest()
    assert [row.split(",")[-1] for row in shop.quarantined()] == ["client_id is missing"] * 2


def test_rows_that_a_filter_excludes_stay_excluded_by_it(shop):
    shop.source["where"] = "Item <> 'z'"
    shop.lay("shop.csv", TABLE + ";;1,00;z\n")
    assert excluded(shop.ingest()) == {"does not meet Item <> 'z'": 1}


def test_an_odd_last_row_of_another_table_is_bad(shop):
    shop.others["notes"] = {
        "files": "notes.csv",
        "columns": {"client_id": "c", "timestamp": "t", "text": "x"},
    }
    shop.lay("shop.csv", TABLE)
    (shop.folder / "notes.csv").write_text("c,t,x\na,2024-01-05,y\n,,z\nend\n")
    assert "1 accepted" in " ".join(shop.ingest()[-6:])
