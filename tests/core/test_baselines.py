import numpy as np
import pandas as pd

from evergreen.core.baselines import fit_baselines, predict_baseline

FEATURES = pd.DataFrame({"purchases_7d": [0, 0, 2, 1], "spend_7d": [0, -5.0, 20, 10]})


def test_base_rate_is_the_mean_label():
    made = fit_baselines("binary", FEATURES, pd.Series([0, 1, 1, 1]), horizon_days=7)
    assert predict_baseline(made["base_rate"], FEATURES).tolist() == [0.75] * 4


def test_last_period_of_a_binary_target_is_the_share_among_active_and_idle():
    made = fit_baselines("binary", FEATURES, pd.Series([0, 1, 1, 1]), horizon_days=7)
    assert predict_baseline(made["last_period"], FEATURES).tolist() == [0.5, 0.5, 1, 1]


def test_last_period_of_an_amount_is_what_was_spent_and_never_negative():
    made = fit_baselines("regression", FEATURES, pd.Series([0.0, 1, 2, 3]), horizon_days=7)
    assert predict_baseline(made["last_period"], FEATURES).tolist() == [0, 0, 20, 10]


def test_last_period_is_left_out_where_the_history_is_too_short():
    made = fit_baselines("regression", FEATURES, pd.Series(np.ones(4)), horizon_days=28)
    assert list(made) == ["base_rate"]


def test_last_period_is_left_out_where_all_are_alike():
    idle = pd.DataFrame({"purchases_7d": [0, 0]})
    assert list(fit_baselines("binary", idle, pd.Series([0.0, 1]), horizon_days=7)) == ["base_rate"]
