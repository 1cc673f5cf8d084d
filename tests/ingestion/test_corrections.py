"""Orders that come again with another status, where rows have a key."""

from datetime import date

import pytest

from evergreen.ingestion.rebuild import rebuild

HEAD = "Client,Date,Total,Item,Order,Status\n"
PAID, OTHER = "a,2024-01-05,10.00,silk,o1,paid\n", "b,2024-01-05,7.00,belt,o2,paid\n"
CANCELLED = PAID.replace("paid", "cancelled")
LATER = "c,2024-01-{},1.00,pin,o{},paid\n"


@pytest.fixture
def orders(shop):
    shop.source["columns"]["row_id"] = "Order"
    shop.source["where"] = "Status <> 'cancelled'"
    shop.lay("1.csv", HEAD + PAID + OTHER)
    shop.ingest()
    return shop


def net(shop, client="a"):
    return sum(row["amount_minor"] for row in shop.rows() if row["client_id"] == client)


def test_an_order_that_is_cancelled_since_is_reversed_on_the_day_that_became_known(orders):
    orders.lay("2.csv", HEAD + CANCELLED + LATER.format("08", 8))
    lines = orders.ingest()
    assert "transactions: 1 ingested row withdrawn: excluded in the source now" in lines
    versions = [(r["ingested_on"].day, r["amount_minor"]) for r in orders.rows() if net_row(r)]
    assert versions == [(5, 1000), (8, -1000)]


def net_row(row):
    return row["client_id"] == "a"


def test_it_is_reversed_once(orders):
    orders.lay("2.csv", HEAD + CANCELLED + LATER.format("08", 8))
    orders.ingest()
    orders.lay("3.csv", HEAD + CANCELLED + LATER.format("09", 9))
    assert not any("withdrawn" in line for line in orders.ingest())
    assert net(orders) == 0


def test_it_waits_for_a_new_day(orders):
    orders.lay("2.csv", HEAD + CANCELLED)
    orders.ingest()
    assert net(orders) == 1000
    orders.lay("3.csv", HEAD + LATER.format("08", 8))
    orders.ingest()
    assert net(orders) == 0


def test_it_counts_again_when_it_is_restored(orders):
    for day, row in (("08", CANCELLED), ("09", PAID), ("10", CANCELLED), ("11", PAID)):
        orders.lay(f"{day}.csv", HEAD + row + LATER.format(day, day))
        orders.ingest()
    assert [r["amount_minor"] for r in orders.rows() if net_row(r)] == [1000, -1000] * 2 + [1000]


def test_excluded_lines_of_an_order_do_not_withdraw_it(orders):
    orders.lay("2.csv", HEAD + PAID + CANCELLED + LATER.format("08", 8))
    orders.ingest()
    assert net(orders) == 1000


def test_a_first_ingestion_takes_the_last_status(orders):
    orders.lay("1.csv", HEAD + "d,2024-01-06,3.00,x,o4,paid\n" + LATER.format("07", 7))
    orders.lay("2.csv", HEAD + "d,2024-01-06,3.00,x,o4,cancelled\n")
    lines = orders.ingest()
    assert net(orders, "d") == 0
    assert any("1 replaced by a later version" in line for line in lines)


def test_a_rebuild_keeps_what_was_known(orders):
    orders.lay("2.csv", HEAD + CANCELLED + LATER.format("08", 8))
    orders.ingest()
    before = orders.stored()
    list(rebuild(orders.settings(), through=date(2024, 1, 31)))
    assert orders.stored() == before


def test_an_id_that_one_file_repeats_is_warned_of(orders):
    silk, tea = "x,2024-01-08,10.00,silk,o7,paid\n", "x,2024-01-08,5.00,tea,o7,paid\n"
    orders.lay("2.csv", HEAD + silk + tea + LATER.format("09", 9) * 2)
    lines = orders.ingest()
    assert net(orders, "x") == 500
    assert any("1 duplicate in the same file + 1 replaced by a later version" in x for x in lines)
    assert lines[-1] == (
        "warning: transactions: 2 ids of `row_id` column 'Order' occur more than once in one file, "
        "such as inbox/2.csv, lines 2 and 3; the last row counts; if they are lines of one order, "
        "map a key of the lines, or set `amount_per: order` if the amount is that of the order"
    )


def test_an_id_in_two_files_is_no_reason_to_warn(orders):
    orders.lay("2.csv", HEAD + LATER.format("08", 8))
    orders.lay("3.csv", HEAD + LATER.format("08", 8))
    lines = orders.ingest()
    assert any("1 duplicate in another file" in line for line in lines)
    assert not any("warning" in line for line in lines)


def test_of_several_files_the_later_by_number_counts(orders):
    for number in (9, 10, 100):
        orders.lay(f"v{number}.csv", HEAD + f"x,2024-01-08,{number}.00,silk,o7,paid\n")
    orders.ingest()
    assert net(orders, "x") == 10000
