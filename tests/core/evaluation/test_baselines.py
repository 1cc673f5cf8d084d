import numpy as np
import pandas as pd
import pytest

from evergreen.core.evaluation.baselines import columns_of, fit_baselines, predict_baseline

FEATURES = pd.DataFrame({"purchases_7d": [0, 0, 2, 1], "spend_7d": [0, -5.0, 20, 10]})


def test_base_rate_is_the_mean_label():
    made = fit_baselines("purchase", FEATURES, pd.Series([0, 1, 1, 1]), horizon_days=7)
    assert predict_baseline(made["base_rate"], FEATURES).tolist() == [0.75] * 4


def test_last_period_is_the_mean_label_of_those_who_were_alike_in_it():
    made = fit_baselines("purchase", FEATURES, pd.Series([0, 1, 1, 1]), horizon_days=7)
    assert predict_baseline(made["last_period"], FEATURES).tolist() == [0.5, 0.5, 1, 1]


def test_last_period_of_an_amount_is_what_such_clients_spent_next():
    made = fit_baselines("net_spend", FEATURES, pd.Series([1.0, 3, 9, 7]), horizon_days=7)
    assert predict_baseline(made["last_period"], FEATURES).tolist() == [1, 3, 9, 7]
    beyond = pd.DataFrame({"spend_7d": [1e9, -1e9]})
    assert predict_baseline(made["last_period"], beyond).tolist() == [9, 3]


def test_last_period_has_at_most_ten_bins():
    features = pd.DataFrame({"spend_7d": np.arange(1000.0)})
    made = fit_baselines("net_spend", features, pd.Series(np.arange(1000.0)), horizon_days=7)
    assert len(made["last_period"]["means"]) == 10
    assert len(set(predict_baseline(made["last_period"], features))) == 10


def test_last_period_is_left_out_where_the_history_is_too_short():
    made = fit_baselines("net_spend", FEATURES, pd.Series(np.ones(4)), horizon_days=28)
    assert list(made) == ["base_rate"]


def test_last_period_is_left_out_where_all_are_alike():
    idle = pd.DataFrame({"purchases_7d": [0, 0]})
    assert list(fit_baselines("purchase", idle, pd.Series([0.0, 1]), horizon_days=7)) == [
        "base_rate"
    ]


EXPECTED = pd.DataFrame(
    {"btyd_purchase_probability_7d": [0.9, 0.2, np.nan], "btyd_spend_7d": [30.0, 4, np.nan]}
)


@pytest.mark.parametrize(
    ("label", "labels", "expected"),
    [
        ("purchase", [1.0, 0, 1], [0.9, 0.2, 2 / 3]),
        ("no_purchase", [0.0, 1, 0], [0.1, 0.8, 1 / 3]),
        ("net_spend", [40.0, 0, 5], [30, 4, 15]),
    ],
)
def test_btyd_is_what_it_expects_and_the_mean_for_those_who_never_bought(label, labels, expected):
    made = fit_baselines(label, EXPECTED, pd.Series(labels), horizon_days=7)
    assert predict_baseline(made["btyd"], EXPECTED) == pytest.approx(expected)
    assert columns_of(made) == [made["btyd"]["column"]]


def test_btyd_is_left_out_where_it_could_not_be_fitted():
    made = fit_baselines("purchase", FEATURES, pd.Series([0, 1, 1, 1]), horizon_days=7)
    assert list(made) == ["base_rate", "last_period"]
