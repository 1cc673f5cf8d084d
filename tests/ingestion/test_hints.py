"""What the rows of a source show that its settings leave open."""

import pytest

from evergreen.ingestion.ingest import preview

from .conftest import END

HEAD = "Client,Date,Total,Item,Status\n"


def store(number, *equal):
    rows = [f"s{number}c{n},2024-01-05,{n + number}.00,x,paid" for n in range(8)]
    return HEAD + "\n".join([*rows, *equal]) + "\n"


EQUAL = "a,2024-01-05,3.00,coffee,paid"


def hints(shop):
    return [hint.message for hint in preview(shop.settings(), through=END).hints]


@pytest.mark.parametrize("one_by_one", [True, False])
def test_an_equal_sale_of_another_store_is_named(shop, one_by_one):
    shop.lay("1.csv", store(1, EQUAL))
    if one_by_one:
        shop.ingest()
    shop.lay("2.csv", store(2, EQUAL))
    [line] = [line for line in shop.ingest() if line.startswith("warning: ")]
    assert "1 row count once, as an equal one is in another file" in line
    assert "map columns.invoice_id" in line


@pytest.mark.parametrize("again", [store(1, EQUAL), store(1), store(1, EQUAL) + EQUAL + "\n"])
def test_exports_of_the_same_sales_are_no_matter(shop, again):
    shop.lay("1.csv", store(1, EQUAL))
    shop.ingest()
    shop.lay("2.csv", again)
    assert hints(shop) == []


def test_a_row_that_is_excluded_since_is_named_where_it_has_no_key(shop):
    shop.source["where"] = "Status = 'paid'"
    shop.lay("1.csv", store(1, EQUAL))
    shop.ingest()
    shop.lay("1.csv", store(1, EQUAL.replace("paid", "cancelled")))
    [hint] = hints(shop)
    assert "1 row that the source excludes now" in hint


def test_a_row_that_was_always_excluded_is_no_matter(shop):
    shop.source["where"] = "Status = 'paid'"
    cancelled = EQUAL.replace("paid", "cancelled")
    shop.lay("1.csv", store(1, cancelled))
    shop.ingest()
    shop.lay("2.csv", store(1, cancelled))
    assert hints(shop) == []


def test_ids_that_differ_in_case_alone_are_counted_and_named_with_care(shop):
    rows = "".join(
        f"{c},2024-01-05,1,x,paid\n" for c in ("Jane@Shop.org", "jane@shop.org", "B7", "b7")
    )
    shop.lay("1.csv", HEAD + rows)
    [hint] = preview(shop.settings(), through=END).hints
    assert hint.message == (
        "2 ids of clients occur in upper and in lower case, such as 'B7' and 'b7'; "
        "J...e@S... and j...e@s..."
    )
    assert hint.next_step.startswith("set source.fold_case: true")
    shop.others["fold_case"] = True
    assert hints(shop) == []
