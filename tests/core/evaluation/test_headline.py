import pytest

from evergreen.core.evaluation.headline import headline_metrics
from evergreen.core.evaluation.model_names import in_model_order

EVALUATION = {
    name: {"log_loss": loss, "roc_auc": 0.8}
    for name, loss in {
        "champion": 0.55,
        "incremental": 0.54,
        "full": 0.53,
        "base_rate": 0.67,
        "last_period": 0.60,
    }.items()
}


def judged(gain, interval=(0.01, 0.05)):
    return {"gain": gain, "interval": list(interval)}


def comparison(**candidates):
    return {"loss": "log_loss", "rows": 4073, "candidates": candidates}


def test_a_promotion_shows_the_new_model_and_its_gain():
    judgement = comparison(incremental=judged(0.02), full=judged(0.04))
    assert headline_metrics(judgement, EVALUATION, promoted="incremental") == {
        "loss": 0.54,
        "baseline_loss": 0.60,
        "gain": 0.02,
        "gain_low": 0.01,
        "gain_high": 0.05,
        "promoted": 1,
        "rows": 4073,
    }


def test_without_a_promotion_the_champion_is_served_and_the_largest_gain_shown():
    judgement = comparison(incremental=judged(-0.02), full=judged(0.004, (-0.01, 0.02)))
    metrics = headline_metrics(judgement, EVALUATION, promoted=None)
    assert (metrics["loss"], metrics["promoted"]) == (0.55, 0)
    assert (metrics["gain"], metrics["gain_low"], metrics["gain_high"]) == (0.004, -0.01, 0.02)


@pytest.mark.parametrize("candidates", [{}, {"full": {"gain": None, "interval": None}}])
def test_without_a_judged_candidate_there_is_no_gain(candidates):
    metrics = headline_metrics(comparison(**candidates), EVALUATION, promoted=None)
    assert metrics.keys() == {"loss", "baseline_loss", "promoted", "rows"}


def test_what_is_not_known_is_left_out():
    unknown = {"full": {"log_loss": None}, "base_rate": {"log_loss": None}}
    judgement = comparison(full=judged(0.01, ()))
    assert headline_metrics(judgement, unknown, promoted=None) == {
        "gain": 0.01,
        "promoted": 0,
        "rows": 4073,
    }


def test_models_have_one_order_and_unknown_ones_come_last():
    names = ["zebra", "base_rate", "btyd", "antelope", "full", "champion"]
    assert in_model_order(names) == ["champion", "full", "btyd", "base_rate", "antelope", "zebra"]
