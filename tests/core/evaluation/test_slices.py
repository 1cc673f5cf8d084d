import numpy as np
import pandas as pd
import pytest

from evergreen.core.evaluation.curves import ScoredRows
from evergreen.core.evaluation.losses import Outcomes
from evergreen.core.evaluation.slices import COLUMNS, bands, slice_rows


def features(rows, **columns):
    plain = {"tenure_days": 100.0, "recency_days": 3.0, "monetary": np.arange(rows, dtype=float)}
    return pd.DataFrame(plain | columns, index=range(rows))


def sliced(y, champion, challenger, *, clients=None):
    predictions = {"champion": champion, "full": challenger}
    every = np.arange(len(y)) if clients is None else clients
    return slice_rows(
        ScoredRows(Outcomes("binary", y, every), predictions),
        features(len(y)),
        reference="champion",
        challengers=("full",),
    )


def even(rows):
    """Labels of which every second is 1, and a champion and a better challenger."""
    y = np.arange(rows) % 2.0
    return y, np.full(rows, 0.5), np.where(y == 1, 0.7, np.where(np.arange(rows) % 3, 0.3, 0.6))


def of(table, band, model="full"):
    return table[(table["band"] == band) & (table["model"] == model)].iloc[0]


def test_bands_are_named_alike_in_every_run():
    known = features(
        6, tenure_days=[3, 29, 99, 99, 99, 99], recency_days=[1, 8, 28, 29, 200, np.nan]
    )
    found = {(band.slice, band.name): np.flatnonzero(band.inside).tolist() for band in bands(known)}
    assert found["client", "new"] == [0]
    assert [found["recency", name] for name in ("1 to 7 days", "8 to 28 days")] == [[0], [1, 2]]
    assert [found["recency", name] for name in ("29 to 91 days", "longer ago")] == [[3], [4]]
    assert found["recency", "never bought"] == [5]


def test_every_row_is_in_one_band_of_each_slice_and_equal_spend_in_the_same():
    known = features(100, monetary=np.repeat([0.0, 5.0], 50))
    for name in ("client", "recency", "value"):
        inside = np.sum([band.inside for band in bands(known) if band.slice == name], axis=0)
        assert inside.tolist() == [1] * 100
    lower, *_ = [band.inside for band in bands(known) if band.slice == "value"]
    assert lower.tolist() == [True] * 50 + [False] * 50


def test_a_feature_that_the_run_has_not_is_no_slice():
    assert {band.slice for band in bands(features(9)[["monetary"]])} == {"value"}


def test_a_slice_of_all_rows_has_the_losses_and_the_gain_of_all():
    y, champion, challenger = even(600)
    row = of(sliced(y, champion, challenger), "old")
    losses = [-np.log(np.where(y == 1, p, 1 - p)).mean() for p in (champion, challenger)]
    assert row["gain"] == pytest.approx(1 - losses[1] / losses[0])
    assert row["low"] < row["gain"] < row["high"]
    assert (row["rows"], row["clients"]) == (600, 600)


def test_rows_of_one_client_count_as_what_they_tell():
    alone = of(sliced(*even(600)), "old")
    copied = [np.repeat(values, 4) for values in even(600)]
    as_rows = of(sliced(*copied), "old")
    as_clients = of(sliced(*copied, clients=np.repeat(np.arange(600), 4)), "old")
    width = alone["high"] - alone["low"]
    assert as_clients["high"] - as_clients["low"] == pytest.approx(width, rel=0.01)
    assert as_rows["high"] - as_rows["low"] == pytest.approx(width / 2, rel=0.01)


@pytest.mark.parametrize(
    ("y", "clients"),
    [
        (np.arange(99) % 2.0, None),
        (np.arange(300) % 2.0, np.arange(300) % 29),
        (np.zeros(300), None),
    ],
    ids=["rows", "clients", "one class"],
)
def test_too_few_to_tell_are_counted_and_have_no_figures(y, clients):
    table = sliced(y, np.full(len(y), 0.5), np.full(len(y), 0.4), clients=clients)
    assert (table["rows"] > 0).all()
    assert table[["loss", "gain", "low", "high"]].isna().all(axis=None)


def test_no_rows_are_an_empty_table_of_the_same_columns():
    none = np.empty(0)
    table = sliced(none, none, none)
    assert len(table) == 0
    assert table.dtypes.astype(str).to_dict() == COLUMNS
