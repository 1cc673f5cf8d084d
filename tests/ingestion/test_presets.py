"""Presets read what the vendors' exports hold; see ``presets/README.md`` for the sums."""

from datetime import date
from pathlib import Path

import pytest

from evergreen.ingestion.ingest import preview

EXPORTS = Path(__file__).with_name("presets")


def test_a_column_may_have_other_names(shop):
    columns = {"client_id": "Client", "timestamp": "Date", "amount": "Total"}
    shop.source = {
        "files": "inbox/*",
        "aliases": {"Client": ["Kunde", "Cliente"], "Total": ["Summe"]},
        "columns": columns,
    }
    shop.lay("a.csv", "Client,Date,Total\na,2024-01-05,1\n")
    shop.lay("b.csv", "Kunde;Date;Summe\nb;2024-01-05;2,00\n")
    shop.lay("c.csv", "Kunde,Client,Date,Total\nx,c,2024-01-05,3\n")
    shop.ingest()
    amounts = {row["client_id"]: row["amount_minor"] for row in shop.rows()}
    assert amounts == {"a": 100, "b": 200, "c": 300}


@pytest.mark.parametrize(
    ("name", "net", "clients", "days", "excluded"),
    [
        (
            "shopify",
            "123.40",
            3,
            ("2024-03-08", "2024-03-30"),
            {"cancelled": 2, "test order": 1, "no client": 1, "further line of an order": 2},
        ),
        (
            "woocommerce",
            "100.91",
            3,
            ("2024-10-25", "2024-10-29"),
            {"not paid": 3, "no client": 1, "test order": 1, "further line of an order": 1},
        ),
        (
            "paypal",
            "1,244.00",
            4,
            ("2024-03-30", "2024-04-03"),
            {"not a sale": 6, "not completed": 2, "no client": 1, "not a refund": 12},
        ),
        (
            "magento",
            "216.00",
            4,
            ("2024-04-05", "2024-04-09"),
            {"not a sale": 2, "another currency": 1, "no client": 1},
        ),
        ("square", "80.00", 4, ("2024-03-09", "2024-03-12"), {"no client": 1}),
        (
            "stripe",
            "1,124.44",
            5,
            ("2024-03-31", "2024-04-03"),
            {"test payment": 1, "not paid": 2, "no client": 1},
        ),
        (
            "online-retail",
            "163.10",
            3,
            ("2010-12-01", "2010-12-06"),
            {"no client id": 1, "price of zero or below": 1, "stock code is not a product": 3},
        ),
    ],
)
def test_net_revenue_is_what_the_report_of_the_shop_says(shop, name, net, clients, days, excluded):
    shop.source = {"files": "inbox/*", "preset": name}
    shop.others = {"timezone": "Europe/Paris"} if name == "stripe" else {}
    if name == "woocommerce":  # it has no mark for tests
        shop.source["where"] = {"test order": "\"Email (Billing)\" <> 'test@shop.example'"}
    shop.lay(f"{name}.csv", (EXPORTS / f"{name}.csv").read_bytes())
    shop.max_bad_share = 0
    shown = preview(shop.settings(), through=date(2030, 1, 1))
    totals = shown.totals
    assert (totals.amount, totals.clients) == (net, clients)
    assert (str(totals.first_day), str(totals.last_day)) == days
    lines = [line.partition(" excluded: ") for line in shown.lines if " excluded: " in line]
    counts = [(reason, int(count.split()[-1])) for count, _, reason in lines]
    of_the_shop = dict.fromkeys(shop.source.get("where", ()), 0)  # are shown in any case
    assert dict(counts) == of_the_shop | excluded


def test_days_are_those_of_the_shop_on_both_sides_of_a_change_of_its_clock(shop):
    shop.source = {"files": "inbox/*", "preset": "stripe"}
    shop.others = {"timezone": "Europe/Paris"}
    shop.lay("stripe.csv", (EXPORTS / "stripe.csv").read_bytes())
    shop.ingest(date(2024, 4, 30))
    times = {row["invoice_id"]: str(row["timestamp"]) for row in shop.rows()}
    assert times["ch_0001"] == "2024-03-31 00:30:00"
    assert times["ch_0002"] == "2024-03-31 01:59:30"
    assert times["ch_0004"] == "2024-03-31 03:00:30"
    assert times["ch_0003"] == "2024-04-01 00:30:00"


def test_equal_lines_of_an_order_are_both_kept(shop):
    shop.source = {"files": "inbox/*", "preset": "square"}
    shop.lay("square.csv", (EXPORTS / "square.csv").read_bytes())
    shop.ingest(date(2024, 3, 31))
    assert [r["amount_minor"] for r in shop.rows() if r["invoice_id"] == "TX1"] == [1200, 1200]


def test_the_texts_of_all_lines_of_an_order_are_read_and_its_total_once(shop):
    shop.source = {"files": "inbox/*", "preset": "shopify"}
    shop.lay("shopify.csv", (EXPORTS / "shopify.csv").read_bytes())
    shop.ingest(date(2024, 3, 31))
    [order] = [row for row in shop.rows() if row["invoice_id"] == "#1001"]
    assert (order["amount_minor"], order["text"]) == (3092, "Mug Mug")
    assert str(order["timestamp"]) == "2024-03-08 21:30:00"


def test_an_order_that_comes_again_with_a_refund_is_corrected(shop):
    shop.source = {"files": "inbox/*", "preset": "shopify"}
    export = (EXPORTS / "shopify.csv").read_text()
    shop.lay("a.csv", export)
    shop.ingest(date(2024, 3, 29))
    first = export.index("#1002")
    again = export[first:].replace("Shopify Payments,,0.00", "Shopify Payments,,38.88", 1)
    shop.lay("b.csv", export[:first] + again)
    shop.ingest(date(2024, 3, 31))
    amounts = [row["amount_minor"] for row in shop.rows() if row["client_id"] == "bob@example.com"]
    assert sum(amounts) == 3240
