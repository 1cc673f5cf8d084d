from datetime import date, timedelta

NEXT = timedelta(days=1)


def ledger(con):
    return con.sql(
        "select client_id, day, known_on, purchases, returns, spend, returned from ledger "
        "order by client_id, day, known_on"
    ).fetchall()


def test_lines_of_one_invoice_are_one_purchase(database):
    day = date(2024, 1, 5)
    con = database(
        [
            {"client_id": "a", "timestamp": day, "amount_minor": 300, "invoice_id": "x"},
            {"client_id": "a", "timestamp": day, "amount_minor": 200, "invoice_id": "x"},
        ]
    )
    assert ledger(con) == [("a", day, day + NEXT, 1, 0, 500, 0)]


def test_an_invoice_without_value_is_no_purchase(database):
    day = date(2024, 1, 5)
    con = database([("a", day, 0)])
    assert ledger(con) == [("a", day, day + NEXT, 0, 0, 0, 0)]


def test_a_return_is_counted_apart_and_lowers_the_spend(database):
    con = database([("a", date(2024, 1, 5), 500), ("a", date(2024, 1, 8), -200)])
    assert ledger(con)[1][3:] == (0, 1, -200, 200)


def test_a_late_correction_takes_the_purchase_back_from_the_day_after_it_came_in(database):
    day, late = date(2024, 1, 5), date(2024, 2, 1)
    con = database(
        [
            {"client_id": "a", "timestamp": day, "amount_minor": 500, "invoice_id": "x"},
            {
                "client_id": "a",
                "timestamp": day,
                "amount_minor": -500,
                "invoice_id": "x",
                "ingested_on": late,
            },
        ]
    )
    assert ledger(con) == [
        ("a", day, day + NEXT, 1, 0, 500, 0),
        ("a", day, late + NEXT, -1, 0, -500, 0),
    ]
