"""What an amount is: a column, a sum of columns, or a number."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evergreen.errors import DataError, SettingsError
from evergreen.ingestion.amounts import summands
from evergreen.ingestion.inputs import Input

from .conftest import Shop

HEADER = "c,t,Item Total,Coupon,Shipping"
COLUMNS = {"client_id": "c", "timestamp": "t", "amount": "Item Total - Coupon + Shipping"}


def sums(shop, *cells, header=HEADER, name="a.csv"):
    """The amounts in cents of rows with these cells, in order."""
    shop.source["columns"] = shop.source["columns"] | {"text": "t"}
    rows = [f"a,2024-01-05 00:00:{n:02},{cell}" for n, cell in enumerate(cells)]
    shop.lay(name, "\n".join([header, *rows]))
    shop.ingest()
    return [row["amount_minor"] for row in sorted(shop.rows(), key=lambda row: row["timestamp"])]


@pytest.fixture
def summing(shop):
    shop.source["columns"] = COLUMNS
    return shop


def test_columns_are_added_and_taken_off(summing):
    assert sums(summing, "10.00,2.50,3", "1,,", ",,4.99", "10,10,0") == [1050, 100, 499, 0]


def test_a_blank_cell_is_nothing_unless_all_are_blank(summing):
    sums(summing, "10,N/A,", ",,", "5, ,-")
    reasons = [line.rpartition(",")[2] for line in summing.quarantined()]
    assert [row["amount_minor"] for row in summing.rows()] == [1000]
    assert reasons == ["amount is missing", "Shipping is not a number with decimal separator '.'"]


def test_a_sum_is_rounded_once(summing):
    assert sums(summing, "0.004,,0.004", "0.014,0.005,") == [1, 1]


def test_each_column_has_its_own_decimal_separator(summing):
    assert sums(summing, '"1.234,50",0.5,"2,00"') == [123600]


def test_amounts_of_several_currencies_are_not_added_up(summing):
    sums(summing, "€10.00,€2,", "€10.00,$2,")
    assert "amount is in more than one currency" in summing.quarantined()[0]
    assert len(summing.rows()) == 1


def test_a_wrong_column_of_a_sum_is_named_with_the_nearest_one(summing):
    with pytest.raises(DataError, match=r"lacks the column 'Coupon' .*nearest: 'Coupons'"):
        sums(summing, "1,2,3", header="c,t,Item Total,Coupons,Shipping")


@pytest.mark.parametrize(
    ("headers", "amount", "expected"),
    [
        (["Net - Tax"], "Net - Tax", ["+Net - Tax"]),
        (["Net", "Tax", "Net - Tax"], "Net - Tax", ["+Net - Tax"]),
        (["Net", "Tax"], "Net - Tax", ["+Net", "-Tax"]),
        (["Net", "Tax - EU", "Tip"], "Net - Tax - EU + Tip", ["+Net", "-Tax - EU", "+Tip"]),
        (["Net-Tax"], "Net-Tax", ["+Net-Tax"]),
    ],
)
def test_a_header_with_a_sign_in_it_wins_over_a_sum(headers, amount, expected):
    rows = Input("a.csv", headers, 1, None, None, None, lambda _: iter(()))
    assert [sign + header for sign, header in summands(rows, amount)] == expected


CENTS = st.one_of(st.none(), st.integers(-(10**9), 10**9))


@settings(max_examples=10, deadline=None)
@given(rows=st.lists(st.tuples(CENTS, CENTS, CENTS), min_size=1, max_size=20))
def test_sums_are_exact(tmp_path_factory, rows):
    with pytest.MonkeyPatch.context() as patch:
        shop = Shop(tmp_path_factory.mktemp("shop"))
        patch.chdir(shop.folder)
        shop.source["columns"] = COLUMNS
        cells = [
            ",".join("" if cents is None else str(Decimal(cents) / 100) for cents in row)
            for row in [(0, 0, 0), *rows]
        ]
        filled = [row for row in rows if row != (None, None, None)]
        expected = [(a or 0) - (b or 0) + (c or 0) for a, b, c in filled]
        assert sums(shop, *cells)[1:] == expected


def test_a_source_without_amounts_counts_purchases(shop):
    shop.source["columns"] = {"client_id": "c", "timestamp": "t", "amount": 1}
    shop.targets = ("purchase", "churn")
    shop.lay("a.csv", "c,t\na,2024-01-05\nb,2024-01-06\n")
    shop.ingest()
    assert [row["amount_minor"] for row in shop.rows()] == [100, 100]


def test_spend_is_not_predicted_from_a_constant_amount(shop):
    shop.source["columns"] = {"client_id": "c", "timestamp": "t", "amount": 1}
    with pytest.raises(SettingsError, match=r"no spend is known: remove targets\.clv"):
        shop.settings()


def test_a_client_is_the_first_of_several_columns_that_has_an_id(shop):
    shop.source["columns"] = {
        "client_id": ["Customer ID", "Email"],
        "timestamp": "t",
        "amount": "a",
    }
    shop.others = {"missing_ids": ["Guest"]}
    rows = ["17,x@y.z", ",x@y.z", "guest,x@y.z", "N/A,", "1.2E+11,x@y.z", ",1.2E+11"]
    lines = [f"2024-01-05,{n},{ids}" for n, ids in enumerate(rows)]
    shop.lay("a.csv", "\n".join(["t,a,Customer ID,Email", *lines]))
    shop.ingest()
    assert sorted(row["client_id"] for row in shop.rows()) == ["17", "x@y.z", "x@y.z"]
    reasons = [line.rpartition("client_id ")[2].split(" ")[0] for line in shop.quarantined()]
    assert reasons == ["is", "is", "is"]
    assert sum("lost digits" in line for line in shop.quarantined()) == 2
