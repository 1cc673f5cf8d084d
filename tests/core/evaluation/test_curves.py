import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn.metrics import roc_auc_score

from evergreen.core.evaluation.curves import (
    CALIBRATION_COLUMNS,
    GAINS_COLUMNS,
    ROC_COLUMNS,
    ScoredRows,
    calibration_points,
    gains_points,
    plot_rows,
    roc_points,
)
from evergreen.core.evaluation.losses import Outcomes
from evergreen.core.evaluation.model_names import in_model_order

COLUMNS = {
    roc_points: ROC_COLUMNS,
    calibration_points: CALIBRATION_COLUMNS,
    gains_points: GAINS_COLUMNS,
}
every_curve = pytest.mark.parametrize("points", COLUMNS)


def rows_of(kind, y, clients, predictions):
    return ScoredRows(Outcomes(kind, y, clients), predictions)


def buyers(rows, seed=7):
    rng = np.random.default_rng(seed)
    score = rng.random(rows)
    return (rng.random(rows) < score).astype(float), score


@every_curve
@pytest.mark.parametrize(
    ("y", "prediction"),
    [
        ([], []),
        ([0.0, 0.0], [0.1, 0.2]),
        ([1.0, 1.0], [0.1, 0.2]),
        ([np.nan, np.nan], [0.1, 0.2]),
        ([0.0, 1.0], [0.1, np.nan]),
    ],
    ids=["no rows", "all zero", "one class", "no known label", "prediction not finite"],
)
def test_undefined_curve_is_an_empty_table_with_the_usual_dtypes(points, y, prediction):
    table = points(y, prediction)

    assert len(table) == 0
    assert table.dtypes.astype(str).to_dict() == COLUMNS[points]


@every_curve
def test_dtypes_of_a_filled_table(points):
    assert points([0, 1], [0.1, 0.2]).dtypes.astype(str).to_dict() == COLUMNS[points]


@every_curve
def test_row_order_does_not_matter_and_inputs_stay_as_they_are(points):
    y, prediction = buyers(300)
    copies = y.copy(), prediction.copy()

    pd.testing.assert_frame_equal(points(y, prediction), points(y[::-1], prediction[::-1]))
    np.testing.assert_array_equal((y, prediction), copies)


@every_curve
def test_lengths_that_differ_are_rejected(points):
    with pytest.raises(ValueError, match="expected as many predictions as labels, found 1 for 2"):
        points([0, 1], [0.5])


def test_roc_of_few_rows_has_the_exact_corners():
    table = roc_points([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])

    assert table.to_numpy().tolist() == [[0, 0], [0, 0.5], [0.5, 0.5], [0.5, 1], [1, 1]]


def test_roc_of_a_constant_is_the_diagonal():
    assert roc_points([0, 1, 1], [0.3, 0.3, 0.3]).to_numpy().tolist() == [[0, 0], [1, 1]]


def test_thinned_roc_keeps_both_ends_and_the_area():
    y, prediction = buyers(20_000)
    table = roc_points(y, prediction)

    assert len(table) == 101
    assert table.iloc[[0, -1]].to_numpy().tolist() == [[0, 0], [1, 1]]
    area = np.trapezoid(table["true_positive_rate"], table["false_positive_rate"])
    assert area == pytest.approx(roc_auc_score(y, prediction), abs=5e-4)


def test_calibration_bins_hold_equally_many_rows():
    table = calibration_points(*buyers(1000), bins=10)

    assert table["rows"].tolist() == [100] * 10
    assert table["predicted"].is_monotonic_increasing


def test_calibration_keeps_equal_predictions_together():
    table = calibration_points([0, 1, 0, 1, 1], [0.2, 0.2, 0.2, 0.2, 0.9], bins=5)

    assert table[["predicted", "observed", "rows"]].to_numpy().tolist() == [
        [0.2, 0.5, 4],
        [0.9, 1.0, 1],
    ]


def test_calibration_of_a_constant_is_one_point():
    table = calibration_points([0, 1, 1, 1], [0.7] * 4)

    assert table[["predicted", "observed", "rows"]].to_numpy().tolist() == [[0.7, 0.75, 4]]


@pytest.mark.parametrize("bought", [0, 3, 20])
def test_binary_calibration_has_wilson_intervals(bought):
    y = [1] * bought + [0] * (20 - bought) + [0, 1]
    table = calibration_points(y, [0.3] * 20 + [0.8, 0.8], bins=2)

    expected = binomtest(bought, 20).proportion_ci(0.95, method="wilson")
    assert table.loc[0, ["low", "high"]].tolist() == pytest.approx([expected.low, expected.high])


def test_calibration_counts_the_rows_of_one_client_as_what_they_tell():
    y, prediction = buyers(2000)
    alone = calibration_points(y, prediction)
    copied = calibration_points(
        np.repeat(y, 5), np.repeat(prediction, 5), clients=np.repeat(np.arange(2000), 5)
    )

    np.testing.assert_allclose(copied[["low", "high"]], alone[["low", "high"]], rtol=0.002)


@pytest.mark.parametrize("kind", ["binary", "regression"])
def test_clustered_calibration_intervals_hold_what_they_promise(kind):
    """Eight rows a client who is all one way: 95 % of the intervals hold the true share."""
    rng, held = np.random.default_rng(3), 0
    for _ in range(400):
        y = np.repeat((rng.random(120) < 0.3).astype(float), 8)
        table = calibration_points(
            y, np.full(960, 0.3), kind=kind, clients=np.repeat(np.arange(120), 8)
        )
        held += bool(table.loc[0, "low"] <= 0.3 <= table.loc[0, "high"])

    assert 0.92 < held / 400 < 0.98


def test_a_bin_of_equal_labels_counts_its_clients():
    table = calibration_points(
        [0] * 40 + [0, 1], [0.1] * 40 + [0.9] * 2, 2, clients=[*("abcd" * 10), "e", "f"]
    )

    expected = binomtest(0, 4).proportion_ci(0.95, method="wilson")
    assert table.loc[0, "high"] == pytest.approx(expected.high)


def test_amounts_have_normal_intervals_that_stop_at_zero():
    table = calibration_points([0, 0, 6, 10, 12, 14], [1, 1, 1, 9, 9, 9], 2, kind="regression")

    half = 1.959964 * np.array([np.sqrt(12 / 3), np.sqrt(4 / 3)])
    assert table["observed"].tolist() == [2, 12]
    assert table["low"].tolist() == pytest.approx([0, 12 - half[1]])
    assert table["high"].tolist() == pytest.approx([2 + half[0], 12 + half[1]])


def test_amount_alone_in_its_bin_has_no_interval():
    table = calibration_points([0, 0, 50], [1, 1, 9], 2, kind="regression")

    assert table["high"].isna().tolist() == [False, True]


def test_gains_follow_the_highest_predictions_first():
    table = gains_points([10, 0, 30, 60], [0.2, 0.1, 0.3, 0.4]).set_index("contacted_share")

    assert table["captured_share"].loc[[0, 0.25, 0.5, 0.75, 1]].tolist() == pytest.approx(
        [0, 0.6, 0.9, 1, 1]
    )
    assert len(table) == 101


def test_gains_within_ties_are_what_random_order_gives_on_average():
    table = gains_points([1, 0, 1, 0], [0.9, 0.5, 0.5, 0.5]).set_index("contacted_share")

    assert table["captured_share"].loc[[0.25, 0.5, 0.75, 1]].tolist() == pytest.approx(
        [1 / 2, 2 / 3, 5 / 6, 1]
    )


@given(
    st.lists(
        st.tuples(st.integers(0, 5), st.sampled_from([0.1, 0.2, 0.5])), min_size=2, max_size=30
    ).filter(lambda rows: len({value for value, _ in rows}) > 1)
)
def test_every_curve_starts_at_zero_and_rises_to_one(rows):
    value, prediction = np.array(rows, dtype=float).T
    bought = (value > 0).astype(float)
    for table in (gains_points(value, prediction), roc_points(bought, prediction)):
        points = table.to_numpy()
        if len(points):
            assert points[[0, -1]].tolist() == [[0, 0], [1, 1]]
            assert (np.diff(points, axis=0) >= -1e-12).all()


@given(
    st.lists(st.tuples(st.integers(0, 1), st.floats(0, 1)), min_size=2, max_size=60).filter(
        lambda rows: len({label for label, _ in rows}) > 1
    ),
    st.integers(1, 12),
)
def test_calibration_counts_every_row_once_and_brackets_what_was_observed(rows, bins):
    y, prediction = np.array(rows, dtype=float).T
    table = calibration_points(y, prediction, bins)

    assert len(table) <= bins
    assert table["rows"].sum() == len(y)
    assert (table["rows"] * table["observed"]).sum() == pytest.approx(y.sum())
    assert (
        table[["low", "observed", "high"]].apply(lambda row: row.is_monotonic_increasing, 1).all()
    )
    assert table["low"].min() >= 0
    assert table["high"].max() <= 1


def test_models_come_in_one_order_whatever_the_input():
    names = ["last_period", "zeta", "btyd", "full", "base_rate", "champion", "alpha", "incremental"]

    assert in_model_order(names) == [
        *("champion", "incremental", "full", "btyd", "last_period", "base_rate"),
        *("alpha", "zeta"),
    ]


def test_plot_rows_are_long_tables_with_targets_in_the_given_order():
    rows = plot_rows(
        {
            "purchase": rows_of(
                "binary", [0, 1], list("ab"), {"full": [0.1, 0.2], "champion": [0.2, 0.1]}
            ),
            "clv": rows_of("regression", [0, 9], list("ab"), {"base_rate": [3, 3]}),
        }
    )

    for table in rows:
        assert table.columns[:2].tolist() == ["target", "model"]
    order = rows.gains[["target", "model"]].drop_duplicates().to_numpy().tolist()
    assert order == [["purchase", "champion"], ["purchase", "full"], ["clv", "base_rate"]]


def test_plot_rows_have_a_roc_curve_for_binary_targets_only():
    rows = plot_rows(
        {
            "churn": rows_of("binary", [0, 1], list("ab"), {"full": [0.1, 0.2]}),
            "clv": rows_of("regression", [0, 9], list("ab"), {"full": [3, 4]}),
        }
    )

    assert set(rows.roc["target"]) == {"churn"}
    assert set(rows.calibration["target"]) == {"churn", "clv"}


def test_plot_rows_are_rounded_to_six_decimals():
    rows = plot_rows(
        {"churn": rows_of("binary", [0, 1, 1], list("abc"), {"full": [1 / 3, 2 / 3, 1 / 7]})}
    )

    assert rows.calibration["predicted"].tolist() == [0.142857, 0.333333, 0.666667]


def test_plot_rows_of_nothing_are_empty_and_keep_their_dtypes():
    filled = plot_rows({"churn": rows_of("binary", [0, 1], list("ab"), {"full": [0.1, 0.2]})})
    for scored in ({}, {"churn": rows_of("binary", [0, 0], list("ab"), {"full": [0.1, 0.2]})}):
        for table, same in zip(plot_rows(scored), filled, strict=True):
            assert len(table) == 0
            assert table.dtypes.to_dict() == same.dtypes.to_dict()
