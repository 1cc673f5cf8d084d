from datetime import date

import pyarrow as pa
import pytest

from evergreen.core.events.external_predictions import create_unmatched
from evergreen.store import tables

DAY = date(2024, 1, 10)
KEYS = [("target", pa.string()), ("client_id", pa.string()), ("observed_on", pa.date32())]


def unmatched(*, predicted=(), outcomes=(), labels=(), clients=None, complete_until):
    con = tables.connect(1)
    keys = {"predicted": predicted, "outcomes": outcomes, "labels": labels}
    for name, of_name in keys.items():
        rows = [{"target": "t", "client_id": c, "observed_on": DAY} for c in of_name]
        con.register(name, pa.Table.from_pylist(rows, schema=pa.schema(KEYS)))
    known = [*predicted, *outcomes] if clients is None else clients
    since = (DAY - date(1970, 1, 1)).days
    con.register("clients", pa.Table.from_pylist([{"client_id": c, "since": since} for c in known]))
    create_unmatched(con, horizons_days={"t": 7}, complete_until=complete_until)
    return con.sql("select unmatched, client_id from unmatched").fetchall()


@pytest.mark.parametrize(("day", "count"), [(16, 0), (17, 1)])
def test_a_prediction_misses_its_outcome_once_its_window_has_closed(day, count):
    found = unmatched(predicted="ab", labels="b", complete_until=date(2024, 1, day))
    assert found == [("prediction without an outcome", "a")] * count


def test_an_outcome_misses_its_prediction_where_there_are_any():
    until = date(2024, 1, 17)
    assert unmatched(outcomes="a", labels="a", complete_until=until) == []
    assert unmatched(outcomes="ab", predicted="b", labels="ab", complete_until=until) == [
        ("outcome without a prediction", "a")
    ]


def test_an_outcome_of_a_client_who_is_not_known_is_told():
    found = unmatched(outcomes="ab", clients="b", complete_until=DAY)
    assert found == [("outcome of a client not known by that day", "a")]
