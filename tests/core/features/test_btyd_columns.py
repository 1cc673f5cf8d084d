from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from evergreen.core.features.btyd_columns import Btyd, fit_btyd
from evergreen.core.features.numeric import numeric_features
from evergreen.core.models.bg_nbd import BgNbd
from evergreen.core.models.gamma_gamma import GammaGamma
from evergreen.core.models.likelihood import Unfitted

COMES = BgNbd(r=0.8, alpha=20.0, a=0.9, b=2.5, log_likelihood=0.0, clients=99)
SPENDS = GammaGamma(p=4.0, q=3.0, gamma=25.0, log_likelihood=0.0, clients=99)
REASON = Unfitted("too few clients")
TODAY = date(2024, 2, 10)


@pytest.fixture
def numeric(database, snapshots):
    """One who bought 40, 20 and 10 days ago; one who bought 10 days ago; one who is not known."""
    ago = {"often": (40, 20, 10), "once": (10,)}
    con = database([(c, TODAY - timedelta(days=d)) for c, days in ago.items() for d in days])
    rows = snapshots(("often", TODAY), ("once", TODAY), ("never", TODAY))
    return numeric_features(con, rows, windows_days=(7,), year_ago_days=28, minor_units=100)


def test_columns_come_from_repeat_purchases_last_purchase_and_tenure(numeric):
    made = Btyd((7, 28), COMES, SPENDS).transform(numeric)
    often = tuple(np.array([value]) for value in (2.0, 30.0, 40.0))
    assert made.columns.tolist() == [
        *("btyd_purchase_probability_7d", "btyd_purchase_probability_28d"),
        *("btyd_spend_7d", "btyd_spend_28d"),
    ]
    assert made["btyd_purchase_probability_28d"][0] == pytest.approx(
        1 - COMES.no_purchase_probability(*often, 28)[0]
    )
    times = COMES.expected_purchases(*often, 28)[0]
    each = SPENDS.expected_mean(np.array([3.0]), np.array([10.0]))[0]
    assert made["btyd_spend_28d"][0] == pytest.approx(times * each)


def test_one_purchase_is_enough_and_none_is_not(numeric):
    made = Btyd((7,), COMES, SPENDS).transform(numeric)
    assert made.notna().all(axis=1).tolist() == [True, True, False]


def test_names_are_the_columns_that_are_made(numeric):
    for fitted in (
        Btyd((7,), COMES, SPENDS),
        Btyd((7,), COMES, REASON),
        Btyd((7,), REASON, SPENDS),
    ):
        assert fitted.transform(numeric).columns.tolist() == fitted.names


def test_a_model_that_could_not_be_fitted_has_no_columns(numeric):
    few = fit_btyd(numeric, horizons_days=(7,))
    assert few.names == []
    assert few.purchases == Unfitted(
        "1 clients have bought on more than one day, and at least 50 are needed"
    )
    assert few.transform(numeric).shape == (3, 0)


def test_both_models_are_fitted_on_clients_who_have_bought():
    random = np.random.default_rng(1)
    numeric = pd.DataFrame(
        {
            "purchase_days": random.integers(0, 6, 900).astype(float),
            "recency_days": random.integers(1, 30, 900),
            "gap_mean": 7.0,
            "spend_mean": random.gamma(5.0, 4.0, 900),
        }
    )
    fitted = fit_btyd(numeric, horizons_days=(7,))
    assert fitted.purchases.clients == (numeric["purchase_days"] > 0).sum()
    assert fitted.transform(numeric).dropna().ge(0).all(axis=None)
