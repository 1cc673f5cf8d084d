import numpy as np
import pandas as pd
import pytest

from evergreen.replay.recommend import recommend
from evergreen.replay.results import (
    PolicyResult,
    captured,
    count_promotions,
    gain_over,
    match_outcomes,
    summarise,
    weekly_figures,
)
from evergreen.settings.loading import load_settings


@pytest.fixture
def settings():
    settings = load_settings()
    return settings.model_copy(update={"targets": {"purchase": settings.targets["purchase"]}})


def records(seconds=1.0, rows_trained=100, **decided):
    target = {"promoted": None, "candidates": {}} | decided
    return [{"seconds": seconds, "rows_trained": rows_trained, "targets": {"purchase": target}}]


def candidate(low, high):
    return {"hindsight": {"gain": (low + high) / 2, "interval": [low, high], "rows": 9}}


def advice(settings, rows, **rows_trained):
    policies = [c for c in rows.columns if c not in ("client_id", "observed_on", "label")]
    results = {
        p: PolicyResult(records(rows_trained=rows_trained.get(p, 100)), pd.DataFrame())
        for p in policies
    }
    outcomes = {"purchase": rows}
    summary = summarise(settings, results, outcomes, budget=0.1)
    return " ".join(recommend(settings, summary, outcomes))


def test_identical_policies_have_identical_figures(settings, judged):
    rows = judged(never=0.5, default=0.5)
    weeks = (
        weekly_figures(settings, {"purchase": rows}).set_index("policy").drop(columns=["target"])
    )
    pd.testing.assert_frame_equal(
        weeks.loc[["never"]].reset_index(drop=True), weeks.loc[["default"]].reset_index(drop=True)
    )
    assert gain_over("binary", rows, "default", "never", alpha=0.05) == (None, None)


def test_only_rows_that_every_policy_predicted_count(settings):
    def predicted(*clients):
        return pd.DataFrame(
            {
                "client_id": clients,
                "observed_on": pd.Timestamp("2024-04-01"),
                "target": "purchase",
                "prediction": 0.5,
            }
        )

    labels = predicted("a", "b").rename(columns={"prediction": "label"})
    results = {
        "never": PolicyResult([], predicted("a", "b", "c")),
        "default": PolicyResult([], predicted("b")),
    }
    rows = match_outcomes(settings, results, labels)["purchase"]
    assert rows["client_id"].tolist() == ["b"]


def test_a_policy_that_knows_more_is_recommended(settings, judged):
    text = advice(settings, judged(never=1.0, default=0.2))
    assert "Continuous training pays here" in text
    assert "Recommended: default" in text


def test_a_cheaper_policy_that_is_as_good_is_preferred(settings, judged):
    rows = judged(never=1.0, default=0.2)
    rows["weekly"] = rows["default"] + 1e-6
    text = advice(settings, rows, default=1000, weekly=100)
    assert "Recommended: weekly" in text


def test_a_policy_that_does_harm_is_named(settings, judged):
    text = advice(settings, judged(never=0.2, always=1.2))
    assert "Continuous training does not pay here" in text
    assert "always is proven worse than never retraining on purchase" in text


def test_a_policy_without_the_gate_is_not_recommended(settings, judged):
    text = advice(settings, judged(never=1.0, weekly=0.6, always=0.1))
    assert "Recommended: weekly" in text
    assert "always (like default, but promotes whatever is newest) is proven better still" in text


def test_promotions_are_judged_by_what_came_after():
    runs = [
        *records(promoted="full", candidates={"full": candidate(0.01, 0.02)}),
        *records(promoted="full", candidates={"full": candidate(-0.02, -0.01)}),
        *records(promoted="full", candidates={"full": candidate(-0.02, 0.01)}),
        *records(candidates={"full": candidate(0.01, 0.02), "incremental": {"hindsight": None}}),
    ]
    assert count_promotions(runs, "purchase") == {
        "promoted": 3,
        "right": 1,
        "wrong": 1,
        "missed": 1,
    }


def test_the_budget_goes_to_the_highest_predictions_of_each_day():
    rows = pd.DataFrame(
        {
            "client_id": list("abcdabcd"),
            "observed_on": pd.to_datetime(["2024-04-01"] * 4 + ["2024-04-02"] * 4),
            "label": [8.0, 4.0, 2.0, 1.0, 1.0, 2.0, 4.0, 8.0],
            "never": [4, 3, 2, 1, 4, 3, 2, 1],
            "default": [4, 3, 2, 1, 1, 2, 3, 4],
        }
    )
    assert captured(rows, "never", budget=0.25)[0] == 8 + 1
    total, extra, interval = captured(rows, "default", budget=0.25)
    assert (total, extra) == (16, 7)
    assert interval is not None
    assert interval[0] < 7 < interval[1]


def test_weeks_begin_on_monday_and_gains_add_up(settings, judged):
    rows = judged(never=1.0, default=0.2)
    weeks = weekly_figures(settings, {"purchase": rows})
    assert set(pd.to_datetime(weeks["week"]).dt.day_of_week) == {0}
    last = weeks[weeks["policy"] == "default"].iloc[-1]
    whole, _ = gain_over("binary", rows, "default", "never", alpha=0.05)
    assert last["gain"] == pytest.approx(whole)
    assert np.isfinite(weeks["loss"]).all()
