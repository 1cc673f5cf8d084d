import numpy as np
import pandas as pd
import pytest

from evergreen.core.monitoring.live_metrics import live_metrics, with_outcomes

DAY = pd.Timestamp("2024-03-01")


def frame(**columns):
    n = len(next(iter(columns.values())))
    keys = {"client_id": list("abcdef"[:n]), "observed_on": DAY, "known_on": DAY}
    return pd.DataFrame(keys | columns)


def predicted(**columns):
    return frame(**columns).drop(columns="known_on")


def test_each_release_is_measured_on_the_outcomes_of_its_own_predictions():
    made = predicted(release=["r1", "r1", "r2"], purchase_probability=[0.9, 0.2, 0.5])
    matched = with_outcomes(made, frame(label=[1.0, 0, 1]), "purchase_probability")
    found = live_metrics("binary", matched)
    assert found["r1"]["rows"] == 2
    assert found["r1"]["log_loss"] == pytest.approx(-(np.log(0.9) + np.log(0.8)) / 2)
    assert found["r2"]["mean_label"] == 1


def test_predictions_without_an_outcome_yet_wait():
    made = predicted(release=["r1", "r1"], clv=[10.0, 20.0])
    found = live_metrics("regression", with_outcomes(made, frame(label=[12.0]), "clv"))
    assert found["r1"]["rows"] == found["r1"]["clients"] == 1


def test_before_the_second_run_there_is_nothing_to_measure():
    none = predicted(release=pd.Series([], dtype="str"), clv=pd.Series([], dtype="float64"))
    for made in (none.head(0), pd.DataFrame()):
        matched = with_outcomes(made, frame(label=[12.0]), "clv")
        assert len(matched) == 0
        assert live_metrics("regression", matched) == {}


def test_a_day_without_a_release_predicted_nothing():
    made = predicted(release=[None, "r1"], clv=[np.nan, 3.0])
    matched = with_outcomes(made, frame(label=[1.0, 3.0]), "clv")
    assert live_metrics("regression", matched)["r1"]["rows"] == 1
