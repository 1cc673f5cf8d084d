import numpy as np
import pytest

from evergreen.core.evaluation.gate import row_losses
from evergreen.core.evaluation.metrics import BINARY_METRICS, REGRESSION_METRICS, evaluate
from evergreen.core.events.loss_scale import LossScale


def test_binary_figures_of_four_rows():
    metrics = evaluate("binary", [0, 0, 1, 1], [0.1, 0.6, 0.5, 0.8])

    assert metrics == {
        "log_loss": pytest.approx(-np.log([0.9, 0.4, 0.5, 0.8]).mean()),
        "brier": pytest.approx((0.01 + 0.36 + 0.25 + 0.04) / 4),
        "roc_auc": 0.75,
        "accuracy": 0.75,
        "base_rate": 0.5,
        "mean_prediction": 0.5,
    }


def test_regression_figures_of_four_rows():
    metrics = evaluate("regression", [0, 0, 4, 100], [1, 2, 4, 81], LossScale(90.0, 10.0))

    losses = row_losses("regression", [0, 0, 4, 100], [1, 2, 4, 81], LossScale(90, 10))
    assert metrics == {
        "tweedie_deviance": pytest.approx(losses.mean()),
        "r2": pytest.approx(1 - (1 + 4 + 19**2) / (26**2 * 2 + 22**2 + 74**2)),
        "mae": pytest.approx(22 / 4),
        "rmse": pytest.approx(np.sqrt(366 / 4)),
        "spearman": pytest.approx(0.9486833),
        "predicted_actual_ratio": pytest.approx(88 / 104),
    }


def test_certain_but_wrong_prediction_has_a_finite_log_loss():
    assert evaluate("binary", [1, 0], [0.0, 0.0])["log_loss"] == pytest.approx(
        -(np.log(1e-4) + np.log(1 - 1e-4)) / 2
    )


def test_one_class_has_no_auc_but_everything_else():
    metrics = evaluate("binary", [0, 0, 0], [0.1, 0.2, 0.3])

    assert metrics["roc_auc"] is None
    assert None not in {value for name, value in metrics.items() if name != "roc_auc"}


def test_constant_probability_tells_nothing_about_order():
    assert evaluate("binary", [0, 1, 1], [0.5, 0.5, 0.5])["roc_auc"] == 0.5


def test_constant_amount_has_no_rank_correlation():
    metrics = evaluate("regression", [0, 5, 9], [4, 4, 4])

    assert metrics["spearman"] is None
    assert metrics["r2"] == pytest.approx(1 - (16 + 1 + 25) / (0 + 25 + 81 - 14**2 / 3))


@pytest.mark.parametrize("y", [[0.0, 0.0], [0.0]])
def test_no_spend_leaves_variance_rank_and_ratio_undefined(y):
    metrics = evaluate("regression", y, np.ones(len(y)))

    assert (metrics["r2"], metrics["spearman"], metrics["predicted_actual_ratio"]) == (None,) * 3
    assert metrics["mae"] == 1.0


@pytest.mark.parametrize(
    ("kind", "names"), [("binary", BINARY_METRICS), ("regression", REGRESSION_METRICS)]
)
def test_without_rows_every_figure_is_there_and_none(kind, names):
    assert evaluate(kind, [], []) == dict.fromkeys(names)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_one_prediction_that_is_not_finite_leaves_the_model_without_figures(bad):
    binary = evaluate("binary", [0, 1], [0.2, bad])

    assert binary == {**dict.fromkeys(BINARY_METRICS), "base_rate": 0.5}
    assert evaluate("regression", [0, 1], [0.2, bad]) == dict.fromkeys(REGRESSION_METRICS)


def test_rows_with_an_unknown_label_are_left_out():
    known = evaluate("binary", [0, 1, 1], [0.2, 0.4, 0.9])

    assert evaluate("binary", [0, np.nan, 1, 1], [0.2, np.nan, 0.4, 0.9]) == known


def test_predictions_too_large_to_square_are_none_without_a_warning():
    metrics = evaluate("regression", [0.0, 1.0, 2.0], [1e200, 1.0, 2.0])

    assert metrics["rmse"] is None
    assert metrics["mae"] == pytest.approx(1e200 / 3)


def test_figures_are_plain_floats():
    values = [
        *evaluate("binary", [0, 1], [0.2, 0.7]).values(),
        *evaluate("regression", [0, 1], [0.2, 0.7]).values(),
    ]

    assert {type(value) for value in values} == {float}


def test_lengths_that_differ_are_rejected():
    with pytest.raises(ValueError, match="expected as many predictions as labels, found 1 for 2"):
        evaluate("binary", [0, 1], [0.5])


def test_unknown_kind_is_rejected():
    with pytest.raises(ValueError, match="kind must be 'binary' or 'regression', found 'ranking'"):
        evaluate("ranking", [0, 1], [0.5, 0.5])
