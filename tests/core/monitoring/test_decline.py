import numpy as np
import pandas as pd
import pytest

from evergreen.core.evaluation.losses import Outcomes
from evergreen.core.events.loss_scale import UNSCALED, LossScale
from evergreen.core.monitoring.decline import RelativeLoss, judge_decline, relative_loss

CLIENTS, DAYS, WINDOW = 1400, 120, 14


def logistic(x):
    return 1 / (1 + np.exp(-x))


def shop(seed, *, declines_on=None, by=1.0, season=0.0):
    """A client is observed once a week; from a day on the scores tell less of the truth.

    The season moves everyone's chance up and down, and the model knows of it only in part.
    """
    random = np.random.default_rng(seed)
    taste = random.normal(0, 1.5, CLIENTS)
    day, client = np.divmod(np.arange(DAYS * CLIENTS // 7), CLIENTS // 7)
    client = client * 7 + day % 7
    swing = season * np.sin(day / 20)
    late = day >= (DAYS if declines_on is None else declines_on)
    truth = np.where(late, taste[client] * (1 - by) + by * random.normal(0, 1.5, day.size), 0)
    truth = np.where(late, truth, taste[client]) + swing
    return pd.DataFrame(
        {
            "day": day,
            "client_id": client,
            "label": (random.random(day.size) < logistic(truth)).astype(float),
            "prediction": logistic(taste[client] + 0.7 * swing),
        }
    )


def measured(rows, kind="binary", scale=UNSCALED):
    predicted = rows["prediction"].to_numpy()
    return relative_loss(Outcomes(kind, rows["label"], rows["client_id"], scale), predicted)


def alerts(rows):
    """The days of 100 daily looks on which a decline is reported; 350 clients were held out."""
    expected = measured(rows[(rows["day"] < WINDOW) & (rows["client_id"] < CLIENTS // 4)])
    return [
        day
        for day in range(DAYS - 100, DAYS)
        if judge_decline(
            expected,
            measured(rows[(rows["day"] <= day) & (rows["day"] > day - WINDOW)]),
            tolerated=0.02,
            false_alarms=0.05,
        ).alert
    ]


@pytest.mark.parametrize("seed", range(5))
def test_in_100_runs_without_a_decline_none_is_reported(seed):
    assert alerts(shop(seed)) == []


@pytest.mark.parametrize("seed", range(3))
def test_a_season_that_makes_everyone_harder_to_predict_is_no_decline(seed):
    assert alerts(shop(seed, season=0.8)) == []


@pytest.mark.parametrize("seed", range(3))
def test_a_decline_is_reported_within_ten_days(seed):
    found = alerts(shop(seed, declines_on=60, by=0.7))
    assert 60 < found[0] <= 70
    assert found == list(range(found[0], DAYS))


def test_telling_everyone_the_mean_has_a_relative_loss_of_one():
    rows = shop(1)
    rows["prediction"] = rows["label"].mean()
    assert measured(rows).value == pytest.approx(1)


def test_rows_of_one_client_are_one_piece_of_evidence():
    rows = shop(1)
    once = measured(rows)
    twice = measured(pd.concat([rows, rows]))
    assert twice.error == pytest.approx(once.error)
    assert twice.rows == 2 * once.rows


def test_a_looser_level_is_a_closer_bound():
    expected, live = RelativeLoss(0.7, 0.02, 900, 300), RelativeLoss(0.8, 0.02, 900, 300)
    strict, loose = (
        judge_decline(expected, live, tolerated=0, false_alarms=level) for level in (0.001, 0.4)
    )
    assert strict.growth == loose.growth == pytest.approx(1 / 7)
    assert strict.at_least < loose.at_least < loose.growth


@pytest.mark.parametrize(
    ("labels", "predicted", "reason"),
    [
        ([], [], "no prediction has a known outcome yet"),
        ([np.nan, 1.0], [0.5, np.nan], "no prediction has a known outcome yet"),
        ([1.0, 1.0], [0.5, 0.6], "all outcomes are equal: 1"),
    ],
)
def test_what_can_not_be_measured_says_why(labels, predicted, reason):
    rows = pd.DataFrame({"label": labels, "prediction": predicted, "client_id": range(len(labels))})
    assert measured(rows.astype(float)) == reason


def test_amounts_that_are_all_zero_say_so():
    rows = pd.DataFrame({"label": [0.0, 0.0], "prediction": [3.0, 1.0], "client_id": [1, 2]})
    assert measured(rows, "regression", scale=LossScale(mean=20.0)) == "all outcomes are equal: 0"


def test_a_single_client_can_not_tell():
    rows = shop(1).head(2).assign(client_id=1, label=[0.0, 1.0])
    assert measured(rows) == "all outcomes are of a single client"
