import numpy as np
import pandas as pd
import pytest

from evergreen.core.events.loss_scale import UNSCALED, LossScale
from evergreen.core.monitoring.live_metrics import live_metrics, live_sums


def matched(*rows):
    """(release, prediction, label, or also the label that a correction replaces)."""
    names = ["release", "prediction", "label", "previous"]
    return pd.DataFrame([(*row, np.nan)[:4] for row in rows], columns=names)


def measured(kind, *days, scale=UNSCALED):
    return live_metrics(kind, [live_sums(kind, matched(*rows), scale) for rows in days])


def test_each_release_is_measured_on_the_outcomes_of_its_own_predictions():
    found = measured("binary", [("r1", 0.9, 1.0), ("r1", 0.2, 0.0), ("r2", 0.5, 1.0)])
    assert found["r1"]["rows"] == 2
    assert found["r1"]["log_loss"] == pytest.approx(-(np.log(0.9) + np.log(0.8)) / 2)
    assert found["r1"]["accuracy"] == 1
    assert found["r2"]["mean_label"] == 1


def test_days_add_up():
    rows = [("r", 0.9, 1.0), ("r", 0.3, 1.0), ("r", 0.2, 0.0), ("q", 0.4, 0.0)]
    whole, by_day = measured("binary", rows), measured("binary", rows[:1], rows[1:], [])
    assert whole.keys() == by_day.keys()
    for release, metrics in whole.items():
        assert metrics == pytest.approx(by_day[release])


def test_a_corrected_outcome_counts_as_it_is_now():
    scale = LossScale(100.0, 20.0)
    found = measured("regression", [("r", 10.0, 12.0)], [("r", 10.0, 30.0, 12.0)], scale=scale)
    assert found == measured("regression", [("r", 10.0, 30.0)], scale=scale)
    assert found["r"]["mean_label"] == 30


def test_before_the_second_run_there_is_nothing_to_measure():
    assert measured("regression") == measured("regression", []) == {}
