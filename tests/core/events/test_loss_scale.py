import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evergreen.core.evaluation.baselines import fit_baselines, predict_baseline
from evergreen.core.evaluation.losses import row_losses
from evergreen.core.events.loss_scale import LossScale, shared_maximum

WILD = st.floats(0, 1e14)
ROWS = 600


def retailer(seed=1):
    """600 labels of 200 clients, one in three positive, with what they spent before."""
    random = np.random.default_rng(seed)
    clients = np.repeat(np.arange(200), 3)
    labels = random.lognormal(3, 1, ROWS) * (random.random(ROWS) < 1 / 3)
    spent = labels * random.lognormal(0, 0.5, ROWS)
    features = pd.DataFrame({"spend_28d": spent, "btyd_spend_28d": np.sqrt(labels) + 1})
    return clients, pd.Series(labels), features


def with_wild(labels, values):
    changed = labels.copy()
    changed.iloc[: len(values)] = values
    return changed


@given(st.lists(WILD, min_size=1, max_size=3))
def test_the_scale_is_bounded_whatever_one_client_spends(values):
    clients, labels, _ = retailer()
    usual = LossScale.of_labels(labels, clients)
    scale = LossScale.of_labels(with_wild(labels, values), clients)
    assert usual.cap / 1.5 < scale.cap < 1.5 * usual.cap
    assert usual.mean / 1.2 < scale.mean < 1.2 * usual.mean


@given(st.lists(WILD, min_size=1, max_size=3))
def test_baselines_are_bounded_whatever_one_client_spends(values):
    clients, labels, features = retailer()
    predictions = []
    for changed in (labels, with_wild(labels, values)):
        scale = LossScale.of_labels(changed, clients)
        fitted = fit_baselines(
            "net_spend", features, scale.capped("regression", changed), horizon_days=28
        )
        predictions.append({n: predict_baseline(b, features) for n, b in fitted.items()})
    usual, wild = predictions
    assert list(wild) == ["base_rate", "last_period", "btyd"]
    for name, expected in usual.items():
        # The mean of the bin of those who spent nothing before is near zero.
        assert np.abs(wild[name] - expected).max() < 0.5 * labels.mean() + 0.3 * expected.max()


@given(WILD)
def test_losses_of_models_differ_whatever_one_client_spends(value):
    clients, labels, _ = retailer()
    changed = with_wild(labels, [value])
    scale = LossScale.of_labels(changed, clients)
    close = row_losses("regression", changed, labels, scale).mean()
    same = row_losses("regression", changed, np.full(ROWS, labels.mean()), scale).mean()
    assert close < 0.5 * same


@pytest.mark.parametrize(
    ("maxima", "expected"),
    [
        ([], 0),
        ([0, 0], 0),
        ([7], 7),
        ([7, 1e14], 7),
        ([1, 7, 1e14], 7),
        ([*range(9), 1e14], 5),
        ([*range(1, 10), 1e14], 1),
        ([*range(1, 30), 1e14], 21),
    ],
)
def test_the_shared_maximum_is_the_tenth_largest_or_the_median_of_fewer(maxima, expected):
    assert shared_maximum(np.array(maxima, dtype=float)) == expected


def test_a_wild_transaction_in_several_labels_of_its_client_does_not_set_the_cap():
    labels, clients = np.r_[np.arange(1.0, 997), np.full(4, 36e9)], np.r_[np.arange(996), [7] * 4]
    assert LossScale.of_labels(labels, clients).cap == 988
