"""Totals of orders are taken once, whether they are on the first line or repeated on each."""

import pytest

from evergreen.errors import DataError, SettingsError

HEADER = "Name,Email,Created,Total,Item,Qty,Status"
COLUMNS = {
    "client_id": "Email",
    "timestamp": "Created",
    "amount": "Total",
    "text": "Item",
    "quantity": "Qty",
    "invoice_id": "Name",
}


@pytest.fixture
def orders(shop):
    shop.source |= {"amount_per": "order", "columns": dict(COLUMNS)}
    return shop


def lay(shop, *rows, name="a.csv"):
    shop.lay(name, "\n".join([HEADER, *rows]))


def stored(shop):
    rows = [
        (row["invoice_id"], row["amount_minor"], row["text"], row["quantity"])
        for row in shop.rows()
    ]
    return sorted(rows, key=str)


FIRST = [
    "#1,a@x.y,2024-01-05,30,tea,1,paid",
    "#1,,,,cup,2,",
    "#2,b@x.y,2024-01-06,7.50,pot,1,paid",
    "#1,,,,spoon,1,",
]
ONE, TWO = ("#1", 3000, "tea cup spoon", 4.0), ("#2", 750, "pot", 1.0)


def test_a_total_on_the_first_line_is_that_of_the_order(orders):
    lay(orders, *FIRST)
    assert "transactions:   2 excluded: further line of an order" in orders.ingest()
    assert stored(orders) == [ONE, TWO]


def test_a_total_that_each_line_repeats_is_taken_once(orders):
    lay(orders, "#1,a@x.y,2024-01-05,30,tea,1,paid", "#1,a@x.y,2024-01-05,30.00,cup,2,paid")
    orders.ingest()
    assert stored(orders) == [("#1", 3000, "tea cup", 3.0)]
    assert orders.quarantined() == []


def test_the_line_that_is_complete_is_kept(orders):
    lay(orders, "#1,,,30,tea,1,paid", "#1,a@x.y,2024-01-05,30,cup,1,paid")
    orders.ingest()
    assert stored(orders) == [("#1", 3000, "tea cup", 2.0)]


def test_an_order_with_different_totals_is_bad(orders):
    lay(orders, *FIRST, "#3,a@x.y,2024-01-05,30,tea,1,paid", "#3,a@x.y,2024-01-05,5,cup,2,paid")
    orders.ingest()
    assert stored(orders) == [ONE, TWO]
    reasons = {line.rpartition(",")[2] for line in orders.quarantined()}
    assert reasons == {"amount differs between the lines of an order"}
    assert len(orders.quarantined()) == 2


def test_an_order_without_a_total_and_a_line_without_an_order_are_bad(orders):
    lay(orders, *FIRST, "#3,a@x.y,2024-01-05,,tea,1,paid", ",a@x.y,2024-01-05,5,cup,2,paid")
    orders.ingest()
    assert [line.rpartition(",")[2] for line in orders.quarantined()] == [
        "amount is missing on all lines of an order",
        "invoice_id is missing",
    ]


def test_an_order_that_the_filter_excludes_is_counted_by_its_first_line(orders):
    orders.source["where"] = {"cancelled order": "Status = 'paid'"}
    lay(orders, *FIRST, "#3,a@x.y,2024-01-05,9,tea,1,cancelled", "#3,,,,cup,1,")
    lines = orders.ingest()
    assert "transactions:   3 excluded: further line of an order" in lines
    assert "transactions:   1 excluded: cancelled order" in lines
    assert stored(orders) == [ONE, TWO]
    assert orders.quarantined() == []


def test_an_order_may_span_two_files_and_two_ingestions(orders):
    lay(orders, *FIRST)
    lay(orders, "#2,,,,lid,1,", "#4,b@x.y,2024-01-07,1,x,1,paid", name="b.csv")
    orders.ingest()
    lay(orders, "#4,,,,y,1,", "#5,b@x.y,2024-01-08,2,z,1,paid", name="c.csv")
    orders.ingest()
    assert sum(amount for _, amount, *_ in stored(orders)) == 3000 + 750 + 100 + 200
    assert orders.quarantined() == []


def test_the_same_orders_again_add_nothing_and_a_changed_total_corrects(orders):
    lay(orders, *FIRST)
    orders.ingest()
    before = orders.stored()
    lay(orders, *FIRST, name="again.csv")
    orders.ingest()
    assert orders.stored() == before
    changed = [FIRST[0].replace("30", "20"), *FIRST[1:], "#9,c@x.y,2024-01-20,1,x,1,paid"]
    lay(orders, *changed, name="b.csv")
    orders.ingest()
    assert sum(row["amount_minor"] for row in orders.rows()) == 2000 + 750 + 100


def test_an_order_that_is_cancelled_later_is_withdrawn(orders):
    orders.source["where"] = {"cancelled order": "Status = 'paid'"}
    lay(orders, *FIRST)
    orders.ingest()
    lay(
        orders,
        FIRST[0].replace("paid", "cancelled"),
        *FIRST[1:],
        "#9,c@x.y,2024-01-20,1,x,1,paid",
        name="b.csv",
    )
    orders.ingest()
    assert sum(row["amount_minor"] for row in orders.rows()) == 750 + 100


def test_refunded_orders_of_a_table_of_their_own(orders):
    refunds = {"name": "refunds", "files": "inbox/r*", "sign": "negative", "amount_per": "order"}
    orders.source = [orders.source | {"files": "inbox/a*"}, refunds | {"columns": COLUMNS}]
    lay(orders, *FIRST)
    lay(orders, "#1,a@x.y,2024-01-09,4,tea,1,", "#1,,,,cup,1,", name="r.csv")
    orders.ingest()
    assert [(row[0], row[1]) for row in stored(orders)] == [("#1", -400), ("#1", 3000), ("#2", 750)]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"invoice_id": None}, "amount_per: order needs columns.invoice_id"),
        ({"row_id": "Name"}, "remove row_id"),
        ({"amount": None, "price": "Total"}, "needs columns.invoice_id and columns.amount"),
    ],
)
def test_settings_say_what_an_order_needs(orders, changes, message):
    columns = COLUMNS | changes
    orders.source["columns"] = {role: name for role, name in columns.items() if name}
    with pytest.raises(SettingsError, match=message):
        orders.settings()


def test_totals_that_are_taken_per_line_are_noticed(shop):
    shop.source["columns"] = dict(COLUMNS)
    lines = [f"#{n},a@x.y,2024-01-05,{n},{item},1,paid" for n in range(8) for item in "xy"]
    lay(shop, *lines)
    assert shop.ingest()[-1] == (
        "warning: transactions: amounts repeat within orders: in 8 of 8 orders with several lines, "
        "all lines have the same one; if it is the total of the order, set `amount_per: order`"
    )
    lay(shop, *[f"#{n},a@x.y,2024-01-06,{n}{i},x,1,paid" for n in range(8) for i in "01"])
    assert not any("warning" in line for line in shop.ingest())


def test_blank_amounts_of_further_lines_name_the_setting(shop):
    shop.max_bad_share = 0.01
    shop.source["columns"] = dict(COLUMNS) | {"client_id": "Name"}
    lay(shop, *(row.replace(",,,", ",a@x.y,2024-01-05,") for row in FIRST))
    with pytest.raises(DataError, match="amount is missing") as error:
        shop.ingest()
    assert "`amount_per: order`" in error.value.next_step


@pytest.mark.parametrize(
    ("second", "what"),
    [
        ("#3,d@x.y,2024-01-05,30,cup,1,paid", "client"),
        ("#3,d@x.y,2024-01-08,5,cup,1,paid", "client"),
        ("#3,d@x.y,2024-01-05,,cup,1,", "client"),
        ("#3,c@x.y,2024-01-08,30,cup,1,paid", "day"),
    ],
)
def test_a_number_that_two_orders_have_is_bad(orders, second, what):
    lay(orders, *FIRST, "#3,c@x.y,2024-01-05,30,tea,1,paid", second, "#3,,,,lid,1,")
    orders.ingest()
    assert stored(orders) == [ONE, TWO]
    reason = f",Name,\"#3\",the order has more than one {what}: is 'Name' unique?"
    assert [line.partition(",")[2] for line in orders.quarantined()] == [
        f"{number}{reason}" for number in (6, 7, 8)
    ]


def test_an_excluded_line_of_another_client_leaves_an_order_as_it_is(orders):
    orders.source["where"] = {"cancelled order": "Status = 'paid'"}
    lay(orders, *FIRST, "#2,d@x.y,2024-01-08,30,cup,1,cancelled")
    orders.ingest()
    assert stored(orders) == [ONE, TWO]
