"""Rows of their own kind in one file are told apart by `where`, and each amount counts once."""

import pytest

COLUMNS = {"client_id": "Buyer", "timestamp": "Date", "amount": "Net"}


def ingested(shop, source, text):
    """The sum in major units of what is ingested; no row is bad."""
    shop.source = source
    shop.lay("export.csv", text)
    shop.ingest()
    assert shop.quarantined() == []
    return sum(row["amount_minor"] for row in shop.rows()) / 100


PAYOUTS = """Date,Type,Order,Buyer,Net
2024-01-05,Order,o1,ann,40.00
2024-01-05,Order,o2,bob,10.00
2024-01-06,Refund,o1,ann,-15.00
2024-01-07,Payout,,,-35.00
2024-01-08,Order,o3,ann,5.00
2024-01-09,Hold,o3,ann,-5.00
"""


def test_payouts_and_holds_that_repeat_a_sale_are_no_sales(shop):
    source = {"files": "inbox/*", "columns": COLUMNS | {"invoice_id": "Order"}}
    where = {"payout": "Type <> 'Payout'", "hold": "Type not in ('Hold', 'Release')"}
    assert ingested(shop, source | {"where": where}, PAYOUTS) == 40.00


ORDER_ABOVE_ITEMS = """Date,Order,Buyer,Title,Quantity,Item price,Order total
2024-01-05,o1,ann,,3,,25.00
2024-01-05,o1,,Mug,1,5.00,
2024-01-05,o1,,Pot,2,10.00,
2024-01-06,o2,bob,Mug,1,5.00,7.50
"""


@pytest.mark.parametrize("per_order", [True, False])
def test_an_order_row_above_its_items_counts_once(shop, per_order):
    columns = COLUMNS | {"amount": "Order total", "invoice_id": "Order", "text": "Title"}
    source = {"files": "inbox/*", "columns": columns}
    if per_order:
        source["amount_per"] = "order"
    else:
        source["where"] = {"item": '"Order total" is not null'}
    assert ingested(shop, source, ORDER_ABOVE_ITEMS) == 32.50
    texts = [row["text"] for row in shop.rows() if row["client_id"] == "ann"]
    assert texts == (["Mug Pot"] if per_order else [None])


SUBTOTALS = """Date,Buyer,Net,Mark
2024-01-05,ann,40.00,
2024-01-05,bob,10.00,
2024-01-05,,50.00,*
2024-01-06,ann,5.00,
2024-01-06,,5.00,*
2024-01-06,all clients,55.00,**
"""


def test_subtotals_with_a_mark_are_no_sales(shop):
    source = {"files": "inbox/*", "columns": COLUMNS, "where": {"subtotal": "Mark not like '*%'"}}
    assert ingested(shop, source, SUBTOTALS) == 55.00


def test_sales_and_refunds_in_one_file_are_two_tables_with_a_column_each(shop):
    text = (
        "Date,Buyer,Kind,Paid,Returned\n"
        "2024-01-05,ann,sale,40.00,\n2024-01-06,ann,refund,40.00,15.00\n2024-01-07,bob,sale,9,\n"
    )
    sales = {
        "files": "inbox/*",
        "where": {"refund": "Kind = 'sale'"},
        "columns": COLUMNS | {"amount": "Paid"},
    }
    refunds = {
        "name": "refunds",
        "files": "inbox/*",
        "sign": "negative",
        "where": {"sale": "Kind = 'refund'"},
        "columns": COLUMNS | {"amount": "Returned"},
    }
    assert ingested(shop, [sales, refunds], text) == 34.00


def test_sales_and_refunds_of_one_row_are_a_sum_of_columns(shop):
    text = (
        "Date,Buyer,Total,Refunded Amount,Status\n"
        "2024-01-05,ann,40.00,15.00,partially refunded\n2024-01-06,bob,9.00,,paid\n"
        "2024-01-07,bob,9.00,,voided\n"
    )
    columns = COLUMNS | {"amount": "Total - Refunded Amount"}
    source = {"files": "inbox/*", "columns": columns, "where": "Status <> 'voided'"}
    assert ingested(shop, source, text) == 34.00
