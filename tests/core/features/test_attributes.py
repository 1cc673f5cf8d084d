from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evergreen.core.features.attributes import Attributes, fit_attributes, known_attributes

DAY = date(2024, 3, 1)


def told(client, valid_ago, known_ago=None, **values):
    """What is said of a client, by how many days before DAY it is valid and known."""
    known_ago = valid_ago if known_ago is None else known_ago
    return {
        "client_id": client,
        "valid_from": DAY - timedelta(days=valid_ago),
        "ingested_on": DAY - timedelta(days=known_ago),
        "number_age": values.get("age"),
        "level_segment": values.get("segment"),
    }


@pytest.fixture
def known(database, snapshots):
    """What is known on DAY of client a."""
    return lambda *rows: known_attributes(
        database([], attributes=rows), snapshots(("a", DAY), ("b", DAY))
    ).iloc[0]


def test_the_value_valid_and_known_last_holds(known):
    made = known(told("a", 30, age=1.0), told("a", 10, age=2.0), told("b", 5, age=3.0))
    assert made["number_age"] == 2.0


def test_what_becomes_valid_later_is_not_read(known):
    assert known(told("a", 30, age=1.0), told("a", -1, 20, age=2.0))["number_age"] == 1.0


def test_what_becomes_valid_on_the_day_and_was_known_before_is_read(known):
    assert known(told("a", 30, age=1.0), told("a", 0, 20, age=2.0))["number_age"] == 2.0


@pytest.mark.parametrize("known_ago", [0, -1])
def test_what_was_not_known_before_the_day_is_not_read(known, known_ago):
    assert known(told("a", 30, age=1.0), told("a", 10, known_ago, age=2.0))["number_age"] == 1.0


def test_a_correction_holds_from_when_it_became_known(known):
    assert known(told("a", 30, age=1.0), told("a", 30, 5, age=2.0))["number_age"] == 2.0


def test_a_blank_in_the_last_row_is_missing(known):
    made = known(told("a", 30, age=1.0, segment="gold"), told("a", 10, segment="silver"))
    assert np.isnan(made["number_age"])
    assert made["level_segment"] == "silver"


ROWS = st.builds(
    told,
    st.sampled_from("ab"),
    st.integers(-9, 9),
    st.integers(-9, 9),
    age=st.integers(0, 99).map(float),
    segment=st.sampled_from(["gold", "silver"]),
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(ROWS, unique_by=lambda row: (row["client_id"], row["valid_from"])))
def test_nothing_of_the_future_changes_what_was_known(database, snapshots, rows):
    at = snapshots(("a", DAY), ("b", DAY))
    past = [r for r in rows if r["valid_from"] <= DAY and r["ingested_on"] < DAY]
    by_now, by_then = (known_attributes(database([], attributes=r), at) for r in (rows, past))
    assert by_now.equals(by_then)


def fit(database, snapshots, *segments, support=0.5, **values):
    rows = [told(f"c{k}", 5, segment=word, **values) for k, word in enumerate(segments)]
    clients = snapshots(*((row["client_id"], DAY) for row in rows))
    return fit_attributes(database([], attributes=rows), clients, clients, support=support)


def test_levels_are_ranked_by_frequency_then_by_the_alphabet(database, snapshots):
    fitted, left_out = fit(database, snapshots, *["b"] * 5, *["a"] * 5, *["z"] * 9)
    assert fitted == Attributes((), {"level_segment": ("z", "a", "b")})
    assert set(left_out) == {"number_age", "number_visits"}


def test_a_word_of_few_clients_is_no_level(database, snapshots):
    fitted, _ = fit(database, snapshots, *["gold"] * 5, *["silver"] * 5, *["Jane Doe"] * 4)
    assert fitted.levels == {"level_segment": ("gold", "silver")}


def test_an_unknown_level_and_a_blank_are_missing(known):
    frozen = Attributes(("number_age",), {"level_segment": ("gold", "silver")})
    made = frozen.transform(known(told("a", 5, segment="platinum")).to_frame().T)
    assert made.dtypes.unique().tolist() == [np.float64]
    assert made.isna().all(axis=None)


def test_an_attribute_that_says_nothing_is_left_out_with_the_reason(database, snapshots):
    fitted, left_out = fit(database, snapshots, *["gold"] * 9, age=30.0)
    assert fitted is None
    assert left_out["number_age"] == "is the same for all training snapshots"
    assert left_out["number_visits"] == "first known before 0% of the training snapshots"


def test_an_attribute_that_is_newer_than_most_snapshots_is_left_out(database, snapshots):
    rows = [told(f"c{k}", 5, age=float(k)) for k in range(9)]
    con = database([], attributes=rows)
    clients = snapshots(*((row["client_id"], DAY) for row in rows))
    before = clients.assign(observed_on=clients["observed_on"] - timedelta(days=9))
    _, left_out = fit_attributes(con, before, clients, support=0.5)
    assert left_out["number_age"] == "first known before 0% of the training snapshots"
