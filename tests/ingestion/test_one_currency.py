"""Amounts of one currency are kept; those of others are excluded, or all are refused."""

import json

import pytest

from evergreen.errors import DataError, SettingsError
from evergreen.settings import paths

from .conftest import END

ROWS = ["a,10,EUR", "b,20,usd", "c,30,€", "d,$40,US $", "e,50,EUR"]


@pytest.fixture
def mapped(shop):
    shop.source["columns"] = {"client_id": "c", "timestamp": "t", "amount": "a"}
    return shop


def lay(shop, *rows, column="Currency", name="a.csv"):
    lines = [f"2024-01-05,{row}" for row in rows]
    shop.lay(name, "\n".join([f"t,c,a,{column}", *lines]))


def clients(shop):
    return sorted(row["client_id"] for row in shop.rows())


def test_rows_in_other_currencies_are_excluded_and_counted(mapped):
    mapped.source["columns"] |= {"currency": "Money"}
    mapped.data = {"currency": "EUR"}
    lay(mapped, *ROWS, column="Money")
    assert "transactions:   2 excluded: in USD" in mapped.ingest()
    assert clients(mapped) == ["a", "c", "e"]
    report = json.loads((paths.QUARANTINE / f"transactions-{END}.json").read_text())
    assert report["excluded"] == {"in USD": 2}


def test_a_column_called_currency_is_read_without_being_mapped(mapped):
    lay(mapped, *ROWS)
    with pytest.raises(DataError, match=r"2 currencies \(3 in EUR, 2 in USD\)") as error:
        mapped.ingest()
    assert "set `currency: EUR` in `data`" in error.value.next_step
    mapped.data = {"currency": "€"}
    mapped.ingest()
    assert clients(mapped) == ["a", "c", "e"]


def test_excluded_rows_may_be_in_any_currency(mapped):
    mapped.source["where"] = {"other currency": "Currency in ('EUR', '€')"}
    lay(mapped, *ROWS)
    mapped.ingest()
    assert clients(mapped) == ["a", "c", "e"]


def test_one_currency_needs_no_setting(mapped):
    lay(mapped, "a,10,EUR", "b,20,€", "c,30,eur")
    mapped.ingest()
    assert clients(mapped) == ["a", "b", "c"]


def test_another_currency_later_is_refused(mapped):
    lay(mapped, "a,10,EUR")
    mapped.ingest()
    lay(mapped, "b,10,USD", name="b.csv")
    with pytest.raises(DataError, match=r"another currency \(1 in USD\) than .* in EUR"):
        mapped.ingest()


def test_a_symbol_of_several_currencies_is_the_one_that_is_kept(mapped):
    mapped.data = {"currency": "USD"}
    lay(mapped, "a,$10,USD", "b,$20,", "c,CA$5,", "d,7,kr")
    mapped.ingest()
    assert clients(mapped) == ["a", "b"]


def test_a_mapped_currency_has_to_be_one_and_to_fit_the_amount(mapped):
    mapped.source["columns"] |= {"currency": "Currency"}
    lay(mapped, "a,10,EUR", "b,10,", "c,10,apples", "d,€10,USD")
    mapped.ingest()
    assert clients(mapped) == ["a"]
    assert [line.rpartition(",")[2] for line in mapped.quarantined()] == [
        "currency is missing",
        "currency is not a currency of ISO 4217",
        "currency is another one than beside the amount",
    ]


@pytest.mark.parametrize("written", ["$", "euros", "XYZ"])
def test_the_currency_to_keep_is_a_code(mapped, written):
    mapped.data = {"currency": written}
    with pytest.raises(SettingsError, match="must be a code of ISO 4217, such as EUR"):
        mapped.settings()


def test_amounts_of_returns_are_negative_and_those_that_are_already_are_bad(shop):
    shop.source |= {
        "sign": "negative",
        "columns": {"client_id": "c", "timestamp": "t", "amount": "a", "quantity": "q"},
    }
    shop.lay("a.csv", "t,c,a,q\n2024-01-05,a,10,2\n2024-01-05,b,0,-1\n2024-01-05,c,-3,1\n")
    shop.ingest()
    rows = {row["client_id"]: (row["amount_minor"], row["quantity"]) for row in shop.rows()}
    assert rows == {"a": (-1000, -2), "b": (0, -1)}
    assert "amount is negative already, but `sign: negative` is set" in shop.quarantined()[0]


def test_a_table_of_refunds_is_taken_off_the_sales(shop):
    columns = {"client_id": "c", "timestamp": "t", "price": "p", "quantity": "q"}
    shop.source = [
        {"files": "inbox/s*", "columns": columns},
        {"name": "refunds", "files": "inbox/r*", "columns": columns, "sign": "negative"},
    ]
    shop.lay("s.csv", "t,c,p,q\n2024-01-05,a,10,2\n")
    shop.lay("r.csv", "t,c,p,q\n2024-01-06,a,10,-1\n2024-01-07,a,0.5,1\n")
    shop.ingest()
    assert sorted(row["amount_minor"] for row in shop.rows()) == [-1000, -50, 2000]


def test_a_symbol_with_a_point_is_the_same(mapped):
    lay(mapped, "a,1.00,kr", "b,2.00,kr.")
    mapped.ingest()
    assert clients(mapped) == ["a", "b"]
