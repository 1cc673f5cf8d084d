import doctest
import json
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from evergreen.core.evaluation import decision as decision_module
from evergreen.core.evaluation import gate
from evergreen.core.evaluation.gate import (
    REASONS,
    Minimum,
    Outcomes,
    row_losses,
)
from evergreen.core.events.loss_scale import UNSCALED, LossScale

ANY_SIZE = Minimum(rows=1, minority=1, clients=1)
MINUS = "\N{MINUS SIGN}"
MARKET_MEAN, MARKET_CAP = 20.5, 980.0


def decide(kind, y_true, champion, challenger, *, clients=None, scale=UNSCALED, **demands):
    outcomes = Outcomes(kind, y_true, clients, scale)
    return gate.decide(outcomes, champion, challenger, **demands)


def sigmoid(logit):
    return 1 / (1 + np.exp(-logit))


def alternating(rows=600):
    """Rows of which every second bought, a champion that knows a little, a challenger more."""
    bought = np.arange(rows) % 2
    wave = np.sin(np.arange(rows)) / 10
    return bought, 0.40 + 0.20 * bought + wave, 0.35 + 0.30 * bought + wave


def spenders(rows=600):
    """Every second client spends 10 to 30; the challenger's amounts lie closer than the other's."""
    spend = np.where(np.arange(rows) % 2, 20 + 10 * np.sin(np.arange(rows)), 0)
    return spend, 0.2 * spend + 8, 0.6 * spend + 4


def buyers(rng, rows):
    score = rng.normal(size=rows) - 1
    return rng.random(rows) < sigmoid(score), score


def equally_good(rng, rows=4200):
    bought, score = buyers(rng, rows)
    return bought, *(sigmoid(score + 0.4 * rng.normal(size=rows)) for _ in range(2))


def one_percent_better(rng, rows=4200):
    """A retrained model: most of the champion's noise, less of it, and some noise of its own."""
    bought, score = buyers(rng, rows)
    noise, fresh = rng.normal(size=(2, rows))
    return bought, sigmoid(score + 0.5 * noise), sigmoid(score + 0.384 * noise + 0.2 * fresh)


def spending(rng, rows=4200):
    """Zero-inflated lognormal spend and what an ideal model would predict."""
    worth = rng.normal(size=rows)
    amount = np.exp(3 + 0.6 * worth + 1.2 * rng.normal(size=rows))
    spend = np.where(rng.random(rows) < sigmoid(worth - 1), amount, 0)
    return spend, sigmoid(worth - 1) * np.exp(3 + 0.6 * worth + 0.72)


def noisy_look(rng, kind, rows=300):
    if kind == "binary":
        return equally_good(rng, rows)
    spend, ideal = spending(rng, rows)
    return spend, *(ideal * np.exp(0.5 * rng.normal(size=rows)) for _ in range(2))


def share_of_reasons(looks, decide_one):
    counts = Counter(decide_one().reason for _ in range(looks))
    return {reason: counts[reason] / looks for reason in REASONS}


# --- losses


def test_log_loss_is_minus_the_log_of_the_probability_of_what_happened():
    np.testing.assert_allclose(row_losses("binary", [1, 0], [0.8, 0.8]), -np.log([0.8, 0.2]))


def test_log_loss_clips_certainty_at_one_in_ten_thousand():
    np.testing.assert_allclose(row_losses("binary", [1, 0], [0.0, 1.0]), -np.log([1e-4, 1e-4]))


def test_tweedie_deviance_agrees_with_its_general_formula():
    y, f, p = np.array([0.0, 1.0, 50.0]), np.array([3.0, 2.0, 20.0]), 1.5
    general = 2 * (
        y ** (2 - p) / ((1 - p) * (2 - p)) - y * f ** (1 - p) / (1 - p) + f ** (2 - p) / (2 - p)
    )
    np.testing.assert_allclose(row_losses("regression", y, f), general)


def test_tweedie_deviance_caps_labels_and_predictions_and_floors_predictions():
    loss = row_losses("regression", [900, 1], [400, 0], LossScale(100, 25))
    np.testing.assert_allclose(loss, [0, 4 * (1 - 0.5) ** 2 / 0.5])


@pytest.mark.parametrize("missing", [None, 0, -1, np.nan, np.inf])
def test_tweedie_deviance_ignores_a_cap_and_a_mean_that_say_nothing(missing):
    loss = row_losses("regression", [0, 8], [0, 8], LossScale(missing, missing))
    np.testing.assert_allclose(loss, [4 * np.sqrt(0.04), 0])


def test_losses_are_nan_only_where_label_or_prediction_is_not_finite():
    for kind in ("binary", "regression"):
        loss = row_losses(kind, [1, np.nan, np.inf, 0, 0], [1, 1, 1, np.nan, 0])
        assert np.isfinite(loss).tolist() == [True, False, False, False, True]


def test_losses_of_labels_without_any_positive_are_finite():
    np.testing.assert_allclose(row_losses("regression", [0, 0], [0, 4]), [0, 8], atol=1e-100)


def test_examples_in_the_docstrings_hold():
    assert doctest.testmod(gate).failed == 0


# --- the statistic


def test_interval_of_single_row_clients_is_the_delta_method_of_a_ratio():
    bought, champion, challenger = alternating()
    old, new = (row_losses("binary", bought, p) for p in (champion, challenger))
    ratio = new.mean() / old.mean()
    se = np.std(new - ratio * old, ddof=1) / old.mean() / np.sqrt(600)
    decision = decide("binary", bought, champion, challenger)
    t_99, t_80 = 2.332589, 0.842222  # of 599 degrees of freedom
    np.testing.assert_allclose(
        [decision.gain, *decision.interval, decision.detectable_gain],
        [1 - ratio, 1 - ratio - t_99 * se, 1 - ratio + t_99 * se, (t_99 + t_80) * se],
        rtol=1e-5,
    )


def test_interval_has_the_width_of_a_client_bootstrap():
    rng = np.random.default_rng(3)
    bought, champion, challenger = one_percent_better(rng)
    clients = rng.integers(700, size=bought.size)
    old, new = (
        np.bincount(clients, row_losses("binary", bought, p)) for p in (champion, challenger)
    )
    draws = rng.multinomial(700, np.full(700, 1 / 700), size=2000)
    spread = np.std(1 - (draws @ new) / (draws @ old))
    low, high = decide("binary", bought, champion, challenger, clients=clients).interval
    assert (high - low) / 2 == pytest.approx(2.33 * spread, rel=0.1)


@pytest.mark.parametrize(("kind", "rows"), [("binary", alternating), ("regression", spenders)])
def test_repeating_the_rows_of_a_client_proves_nothing_more(kind, rows):
    once = [np.asarray(values) for values in rows()]
    repeated = [np.repeat(values, 7) for values in once]
    clients = np.repeat(np.arange(600), 7)
    single = decide(kind, *once, scale=LossScale(mean=5))
    many = decide(kind, *repeated, clients=clients, scale=LossScale(mean=5))
    np.testing.assert_allclose(many.interval, single.interval)
    for one, other in zip(single.guardrails, many.guardrails, strict=True):
        assert other.deterioration_lower_bound == pytest.approx(one.deterioration_lower_bound)


def test_smaller_alpha_widens_the_interval_and_can_keep_the_champion():
    rng = np.random.default_rng(2)
    look = one_percent_better(rng, rows=1000)
    loose, strict = (decide("binary", *look, alpha=alpha) for alpha in (0.05, 0.001))
    assert (loose.reason, strict.reason) == ("gain_proven", "gain_not_proven")
    assert strict.interval[0] < loose.interval[0] < loose.gain == strict.gain


# --- the table of cases


def test_better_challenger_is_promoted():
    decision = decide("binary", *alternating())
    assert (decision.promote, decision.reason) == (True, "gain_proven")
    assert (decision.rows, decision.clients, decision.minority) == (600, 600, 300)
    assert decision.challenger_loss == pytest.approx(decision.champion_loss * (1 - decision.gain))


def test_worse_challenger_is_kept_out():
    bought, champion, challenger = alternating()
    assert decide("binary", bought, challenger, champion).reason == "gain_not_proven"


@pytest.mark.parametrize("inputs", [([], [], []), alternating(499)])
def test_too_few_rows_keep_the_champion(inputs):
    decision = decide("binary", *inputs)
    assert (decision.promote, decision.reason) == (False, "insufficient_rows")
    assert (decision.gain, decision.interval, decision.guardrails) == (None, None, ())


def test_exactly_the_minimum_suffices():
    bought, champion, challenger = alternating(500)
    bought = np.where(np.arange(500) < 100, bought, 0)
    decision = decide("binary", bought, champion, challenger, clients=np.arange(500) % 200)
    assert (decision.rows, decision.clients, decision.minority) == (500, 200, 50)
    assert decision.gain is not None


def test_too_few_clients_keep_the_champion():
    decision = decide("binary", *alternating(), clients=np.arange(600) % 199)
    assert (decision.reason, decision.clients) == ("insufficient_groups", 199)


@pytest.mark.parametrize("common", [0, 1])
def test_too_few_labels_of_the_minority_class_keep_the_champion(common):
    _, champion, challenger = alternating()
    bought = np.where(np.arange(600) < 49, 1 - common, common)
    decision = decide("binary", bought, champion, challenger)
    assert (decision.reason, decision.minority) == ("insufficient_minority_class", 49)


def test_too_few_positive_amounts_keep_the_champion():
    spend, champion, challenger = spenders()
    spend = np.where(np.arange(600) < 98, spend, 0)
    decision = decide("regression", spend, champion, challenger)
    assert (decision.reason, decision.minority) == ("insufficient_minority_class", 49)


@pytest.mark.parametrize(("kind", "label"), [("binary", 0), ("binary", 1), ("regression", 0)])
def test_a_single_class_keeps_the_champion(kind, label):
    _, champion, challenger = alternating()
    assert decide(kind, np.full(600, label), champion, challenger).reason == "single_class"


def test_amounts_may_all_be_positive():
    spend, champion, challenger = spenders()
    assert decide("regression", spend + 1, champion + 1, challenger + 1).promote


@pytest.mark.parametrize("missing", [None, np.nan, np.inf, -np.inf, pd.NA])
def test_labels_that_are_not_finite_are_dropped_and_counted(missing):
    bought, champion, challenger = alternating()
    holes = [missing] * 30 + bought[30:].tolist()
    decision = decide("binary", holes, champion, challenger)
    assert (decision.promote, decision.rows, decision.dropped_labels) == (True, 570, 30)
    without = decide("binary", bought[30:], champion[30:], challenger[30:])
    assert decision.interval == pytest.approx(without.interval)


def test_more_than_a_twentieth_of_bad_labels_keeps_the_champion():
    bought, champion, challenger = alternating()
    holes = np.where(np.arange(600) < 31, np.nan, bought)
    assert decide("binary", holes, champion, challenger).reason == "bad_labels"


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, -1e-9, 1 + 1e-9, None])
def test_one_invalid_challenger_prediction_keeps_the_champion(bad):
    bought, champion, challenger = alternating()
    decision = decide("binary", bought, champion, [bad, *challenger[1:]])
    assert decision.reason == "challenger_invalid_predictions"
    assert (decision.rows, decision.invalid_challenger_predictions) == (600, 1)


def test_an_invalid_challenger_prediction_counts_even_where_the_label_is_dropped():
    bought, champion, challenger = alternating()
    holes = [np.nan, *bought[1:]]
    decision = decide("binary", holes, champion, [np.nan, *challenger[1:]])
    assert decision.reason == "challenger_invalid_predictions"


def test_negative_amount_predicted_by_the_challenger_keeps_the_champion():
    spend, champion, challenger = spenders()
    decision = decide("regression", spend, champion, np.append(challenger[:-1], -0.01))
    assert decision.reason == "challenger_invalid_predictions"


@pytest.mark.parametrize(("bad", "used"), [(np.nan, 0.3), (np.inf, 0.3), (-0.5, 0.0), (7, 1.0)])
def test_invalid_champion_predictions_are_replaced_and_counted(bad, used):
    bought, champion, challenger = alternating()
    broken, mended = ([value, value, *champion[2:]] for value in (bad, used))
    decision = decide("binary", bought, broken, challenger, scale=LossScale(mean=0.3))
    assert (decision.rows, decision.replaced_champion_predictions) == (600, 2)
    assert decision.champion_loss == row_losses("binary", bought, mended).mean()


def test_a_champion_without_any_valid_prediction_counts_as_the_label_mean():
    spend, _, challenger = spenders()
    decision = decide("regression", spend, np.full(600, np.nan), challenger)
    constant = decide("regression", spend, np.full(600, spend.mean()), challenger)
    assert decision.replaced_champion_predictions == 600
    assert (decision.promote, decision.gain) == (True, pytest.approx(constant.gain))


def test_identical_predictions_keep_the_champion():
    bought, champion, _ = alternating()
    assert decide("binary", bought, champion, champion.copy()).reason == "identical_predictions"


def test_a_constant_challenger_keeps_a_real_champion():
    bought, _, challenger = alternating()
    decision = decide("binary", bought, 1 - challenger, np.full(600, 0.5))
    assert decision.reason == "challenger_constant"


def test_a_constant_challenger_may_replace_a_constant_champion():
    bought = np.arange(600) % 4 == 0
    assert decide("binary", bought, np.full(600, 0.6), np.full(600, 0.25)).promote


def test_predictions_that_differ_only_beyond_the_clipping_have_no_standard_error():
    bought, champion, _ = alternating()
    champion, challenger = (np.where(champion < 0.4, tiny, champion) for tiny in (1e-5, 1e-6))
    decision = decide("binary", bought, champion, challenger)
    assert (decision.reason, decision.gain) == ("standard_error_zero", 0)
    assert (decision.interval, decision.detectable_gain) == (None, None)


def test_equal_losses_in_all_but_rounding_have_no_standard_error():
    bought, champion, _ = alternating()
    decision = decide("binary", bought, champion, champion * (1 + 1e-15))
    assert decision.reason == "standard_error_zero"


def test_a_single_client_has_no_standard_error():
    decision = decide("binary", *alternating(), clients=["same"] * 600, minimum=ANY_SIZE)
    assert decision.reason == "standard_error_zero"


def test_a_champion_without_any_loss_cannot_be_beaten():
    spend, champion, _ = spenders()
    decision = decide("regression", spend + 1, spend + 1, champion)
    assert (decision.reason, decision.champion_loss) == ("standard_error_zero", 0)
    assert decision.gain is None


def test_amounts_beyond_what_can_be_summed_keep_the_champion():
    spend, champion, challenger = (values * 1e306 for values in spenders())
    assert decide("regression", spend, champion, challenger).reason == "standard_error_zero"


def test_a_bound_of_exactly_zero_keeps_the_champion():
    assert gate._reason((0.0, 0.1), ()) == "gain_not_proven"
    assert gate._reason((5e-324, 0.1), ()) == "gain_proven"


def test_broken_inputs_are_reported_before_lacking_evidence():
    nan = float("nan")
    assert decide("binary", [nan, 1], [0.5, 0.5], [0.5, nan]).reason == "bad_labels"
    decision = decide("binary", [0, 1], [0.5, 0.5], [0.5, nan])
    assert decision.reason == "challenger_invalid_predictions"


# --- wrong arguments


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"kind": "ranking"},
            "kind must be 'binary' or 'regression', found 'ranking'",
        ),
        ({"alpha": 0.5}, "alpha must be above 0 and below 0.5, found 0.5"),
        ({"alpha": 0}, "alpha must be above 0 and below 0.5, found 0"),
        ({"alpha": np.nan}, "alpha must be above 0 and below 0.5, found nan"),
        (
            {"challenger": [0.5]},
            "all inputs must have one length, found y_true 4, champion 4, challenger 1",
        ),
        (
            {"clients": ["a", "b"]},
            r"clients must hold one id for each of 4 rows, found shape \(2,\)",
        ),
        (
            {"clients": ["a", "b", None, "c"]},
            "clients must all be given, found none at position 2",
        ),
        (
            {"y_true": [0, 1, 2, 3]},
            r"y_true must be 0 or 1 for kind 'binary', found 2 at position 2 \(2 such labels\)",
        ),
        (
            {"kind": "regression", "y_true": [0, 1, 2, -3]},
            "y_true must be at least 0 for kind 'regression', found -3 at position 3",
        ),
        (
            {"champion": np.full((4, 2), 0.5)},
            r"champion must be one-dimensional, found shape \(4, 2\)",
        ),
        (
            {"champion": ["high", 0.1, 0.1, 0.1]},
            "champion must hold real numbers, found other values: .*'high'",
        ),
        ({"champion": [1j, 0, 0, 0]}, "champion must hold real numbers, found dtype complex128"),
    ],
)
def test_wrong_arguments_name_what_was_expected_found_and_where(change, message):
    half = [0.5, 0.5, 0.5, 0.5]
    arguments = {"kind": "binary", "y_true": [0, 1, 0, 1], "champion": half, "challenger": half}
    with pytest.raises(ValueError, match=f"^{message}"):
        decide(**(arguments | change))


def test_a_minimum_below_one_is_refused():
    with pytest.raises(ValueError, match=r"^Minimum.minority must be at least 1, found 0$"):
        Minimum(minority=0)


# --- guardrails


def test_auc_and_its_influence_agree_with_counting_pairs():
    labels = np.array([1, 0, 1, 0, 0, 1])
    scores = np.array([0.9, 0.5, 0.5, 0.1, 0.9, 0.7])
    pairs = scores[labels == 1][:, None] - scores[labels == 0]
    wins = (pairs > 0) + 0.5 * (pairs == 0)
    auc, influence = gate._auc(labels, scores)
    assert auc == pytest.approx(wins.mean())
    np.testing.assert_allclose(influence[labels == 1], 2 * (wins.mean(axis=1) - auc))
    np.testing.assert_allclose(influence[labels == 0], 2 * (wins.mean(axis=0) - auc))


def test_a_proven_gain_with_a_proven_loss_of_auc_is_vetoed():
    rng = np.random.default_rng(1)
    bought, score = buyers(rng, 4200)
    overconfident, noisy = sigmoid(3 * score), sigmoid(score + 0.4 * rng.normal(size=4200))
    decision = decide("binary", bought, overconfident, noisy)
    assert (decision.promote, decision.reason) == (False, "guardrail_auc")
    assert decision.explain() == (
        "kept: gain +27.4 % (98 % interval +24.6 to +30.2 %), "
        "but the AUC falls from 0.7309 to 0.7103 (lower bound of the fall: 0.01159)"
    )


def test_a_proven_gain_with_a_proven_bias_is_vetoed():
    rng = np.random.default_rng(1)
    bought, score = buyers(rng, 20_000)
    noisy, shifted = sigmoid(score + 0.9 * rng.normal(size=20_000)), sigmoid(score + 0.4)
    decision = decide("binary", bought, noisy, shifted)
    assert (decision.promote, decision.reason) == (False, "guardrail_calibration")
    assert decision.explain() == (
        "kept: gain +9.2 % (98 % interval +8.1 to +10.2 %), but the mean prediction is off by "
        "0.0769, the champion's by 0.01976 (lower bound of the difference: 0.05424)"
    )


def test_calibration_of_amounts_compares_capped_values():
    spend, champion, challenger = spenders()
    spend = np.append(spend[:-1], 1e6)
    guardrail = decide("regression", spend, champion, challenger, scale=LossScale(15)).guardrails[0]
    capped = [np.minimum(values, 15).mean() for values in (spend, champion, challenger)]
    found = [guardrail.champion, guardrail.challenger]
    np.testing.assert_allclose(found, [capped[1] - capped[0], capped[2] - capped[0]])


def test_a_smaller_bias_to_the_other_side_is_no_deterioration():
    rng = np.random.default_rng(1)
    bought, score = buyers(rng, 20_000)
    high, low = sigmoid(score + 0.5), sigmoid(score - 0.4)
    biases = decide("binary", bought, high, low).guardrails[1]
    assert biases.champion > 0 > biases.challenger
    assert biases.deterioration < 0
    assert not biases.breached


def test_guardrails_never_veto_models_that_rank_and_calibrate_alike():
    bought, score = buyers(np.random.default_rng(4), 4200)
    decision = decide("binary", bought, sigmoid(score / 2 - 0.6), sigmoid(score))
    auc = decision.guardrails[0]
    assert (decision.promote, auc.deterioration, auc.breached) == (True, 0, False)


# --- words


def test_a_promotion_is_explained():
    look = one_percent_better(np.random.default_rng(1))
    decision = decide("binary", *look, clients=np.arange(4200) // 2, alpha=0.05)
    assert decision.explain() == (
        "promoted: gain +1.15 % (90 % interval +0.71 to +1.60 %) on 4,200 rows of 2,100 clients"
    )


def test_an_unproven_gain_is_explained_with_the_detectable_gain():
    look = one_percent_better(np.random.default_rng(3), rows=1000)
    assert decide("binary", *look).explain() == (
        f"kept: gain +0.4 % (98 % interval {MINUS}0.9 to +1.7 %); "
        "detectable gain (80 % power): 1.8 %"
    )


def test_a_bound_next_to_zero_is_written_with_its_sign():
    look = one_percent_better(np.random.default_rng(2), rows=1000)
    explanation = decide("binary", *look).explain()
    assert f"gain +1.346 % (98 % interval {MINUS}0.004 to +2.695 %)" in explanation


def test_a_level_shared_by_three_candidates_is_explained():
    look = one_percent_better(np.random.default_rng(1))
    assert "(99.33 % interval " in decide("binary", *look, alpha=0.01 / 3).explain()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"rows": 312}, "kept: 312 rows, but 500 are needed"),
        ({"rows": 1}, "kept: 1 row, but 500 are needed"),
        ({"clients": np.arange(600) // 4}, "kept: 150 clients, but 200 are needed"),
        (
            {"y_true": np.arange(600) < 20},
            "kept: 20 labels of the minority class, but 50 are needed",
        ),
        (
            {"y_true": np.zeros(600)},
            "kept: 0 labels of the minority class among 600 rows, but 50 are needed",
        ),
        (
            {"y_true": np.zeros(600), "kind": "regression"},
            "kept: 0 positive labels among 600 rows, but 50 are needed",
        ),
        (
            {"y_true": np.full(600, np.nan)},
            "kept: 600 labels of 600 not finite, at most 5 % are allowed",
        ),
        (
            {"challenger": np.full(600, 1.2)},
            "kept: 600 challenger predictions of 600 not finite or not within 0 and 1",
        ),
        (
            {"challenger": np.full(600, 0.5)},
            "kept: the challenger predicts the same value for all 600 rows, the champion does not",
        ),
        (
            {"champion": np.full(600, 0.5), "challenger": np.full(600, 0.5)},
            "kept: champion and challenger predict the same for all 600 rows",
        ),
        (
            {"champion": np.full(600, 2.0), "challenger": np.full(600, 1.0)},
            (
                "kept: champion and challenger predict the same for all 600 rows; "
                "600 invalid champion predictions replaced"
            ),
        ),
        (
            {"champion": np.full(600, 1e-5), "challenger": np.full(600, 1e-6)},
            (
                "kept: the differences in loss on 600 rows of 600 clients have no usable "
                "standard error"
            ),
        ),
    ],
)
def test_a_champion_kept_for_lack_of_evidence_is_explained_with_the_numbers(change, sentence):
    names = ("y_true", "champion", "challenger")
    arguments = dict(zip(names, alternating(change.pop("rows", 600)), strict=True)) | change
    assert decide(**({"kind": "binary"} | arguments)).explain() == sentence


def test_left_out_labels_and_replaced_predictions_are_mentioned():
    bought, champion, challenger = alternating()
    holes, broken = [np.nan, *bought[1:]], [*champion[:-2], -1, np.nan]
    assert (
        decide("binary", holes, broken, challenger)
        .explain()
        .endswith("; 1 label dropped as not finite; 2 invalid champion predictions replaced")
    )


def test_every_reason_has_a_sentence():
    assert decision_module._SENTENCES.keys() == REASONS.keys()


# --- properties


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 10**6), kind=st.sampled_from(["binary", "regression"]))
def test_row_order_is_harmless(seed, kind):
    rng = np.random.default_rng(seed)
    look = noisy_look(rng, kind)
    clients = rng.integers(100, size=300).astype(str)
    order = rng.permutation(300)
    straight = decide(kind, *look, clients=clients, minimum=ANY_SIZE)
    shuffled = decide(kind, *(v[order] for v in look), clients=clients[order], minimum=ANY_SIZE)
    assert shuffled.reason == straight.reason
    np.testing.assert_allclose(shuffled.interval, straight.interval, atol=1e-9)


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 10**6), kind=st.sampled_from(["binary", "regression"]))
def test_champion_and_challenger_never_both_win(seed, kind):
    label, champion, challenger = noisy_look(np.random.default_rng(seed), kind)
    there = decide(kind, label, champion, challenger, alpha=0.49, minimum=ANY_SIZE)
    back = decide(kind, label, challenger, champion, alpha=0.49, minimum=ANY_SIZE)
    assert not (there.promote and back.promote)


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 10**6), unit=st.sampled_from([1e-200, 0.01, 1.7, 1e200]))
def test_the_currency_of_amounts_is_harmless(seed, unit):
    look = noisy_look(np.random.default_rng(seed), "regression")
    euros = decide("regression", *look, scale=LossScale(60, 10), minimum=ANY_SIZE)
    scaled = [values * unit for values in look]
    other = decide("regression", *scaled, scale=LossScale(60 * unit, 10 * unit), minimum=ANY_SIZE)
    assert other.reason == euros.reason
    np.testing.assert_allclose(other.interval, euros.interval, rtol=1e-6, atol=1e-9)
    bias, scaled_bias = (look.guardrails[0].deterioration_lower_bound for look in (euros, other))
    np.testing.assert_allclose(scaled_bias / unit, bias, rtol=1e-6, atol=1e-9)


ANY_FLOAT = st.floats(allow_nan=True, allow_infinity=True)
SOME = st.integers(0, 12)


@settings(deadline=None, max_examples=150)
@given(
    rows=SOME.flatmap(
        lambda n: st.tuples(
            arrays(float, n, elements=st.sampled_from([0.0, 1.0, np.nan, np.inf])),
            arrays(float, n, elements=ANY_FLOAT),
            arrays(float, n, elements=ANY_FLOAT | st.floats(0, 1)),
        )
    ),
    kind=st.sampled_from(["binary", "regression"]),
    cap=st.none() | ANY_FLOAT,
    mean=st.none() | ANY_FLOAT,
)
def test_any_input_gives_a_reason_a_sentence_and_strict_json(rows, kind, cap, mean):
    decision = decide(kind, *rows, scale=LossScale(cap, mean), minimum=ANY_SIZE)
    figures = json.loads(json.dumps(decision.to_dict(), allow_nan=False))
    assert figures["reason"] in REASONS
    assert figures["promote"] == (figures["reason"] == "gain_proven")
    assert figures["explanation"].startswith(("promoted: ", "kept: "))
    assert "nan" not in figures["explanation"]


@settings(deadline=None, max_examples=150)
@given(amounts=arrays(float, (3, 6), elements=st.floats(0, allow_nan=False, allow_infinity=False)))
def test_any_amounts_give_strict_json(amounts):
    decision = decide("regression", *amounts, minimum=ANY_SIZE)
    json.dumps(decision.to_dict(), allow_nan=False)


@pytest.mark.parametrize(
    "convert",
    [
        list,
        tuple,
        pd.Series,
        lambda values: np.array(values, dtype=object),
        lambda values: pd.Series(values, index=range(7, 607)),
        pd.array,
    ],
)
def test_containers_of_any_kind_are_read_by_position(convert):
    look = alternating()
    clients = [f"client {i // 2}" for i in range(600)]
    converted = decide("binary", *(convert(v) for v in look), clients=convert(clients))
    assert converted == decide("binary", *look, clients=np.arange(600) // 2)


@pytest.mark.parametrize("dtype", [bool, int, "int8", "float32", "boolean", "Int64"])
def test_labels_of_any_dtype_mean_the_same(dtype):
    bought, champion, challenger = alternating()
    labels = pd.Series(bought).astype(dtype)
    assert decide("binary", labels, champion, challenger) == decide("binary", *alternating())


def test_client_ids_of_mixed_types_stay_apart():
    clients = [1, "1", *range(2, 600)]
    assert decide("binary", *alternating(), clients=clients).clients == 600


def test_inputs_are_not_mutated():
    bought, champion, challenger = alternating()
    inputs = [np.append(bought[1:], np.nan), np.append(champion[1:], np.nan), challenger]
    clients = np.arange(600).astype(str).astype(object)
    before = [values.copy() for values in (*inputs, clients)]
    decide("binary", *inputs, clients=clients)
    for values, original in zip((*inputs, clients), before, strict=True):
        np.testing.assert_array_equal(values, original)


def test_read_only_inputs_are_accepted():
    look = [np.asarray(values, dtype=float) for values in alternating()]
    for values in look:
        values.flags.writeable = False
    assert decide("binary", *look).promote


# --- what the gate promises, by simulation


def test_equally_good_models_are_rarely_promoted():
    rng = np.random.default_rng(11)
    reasons = share_of_reasons(2000, lambda: decide("binary", *equally_good(rng)))
    assert reasons["gain_proven"] <= 0.02


def test_seven_equal_rows_a_client_do_not_raise_false_promotions():
    rng = np.random.default_rng(12)
    clients = np.repeat(np.arange(600), 7)

    def look():
        rows = (np.repeat(values, 7) for values in equally_good(rng, 600))
        return decide("binary", *rows, clients=clients)

    assert share_of_reasons(2000, look)["gain_proven"] <= 0.025


def test_a_true_gain_of_one_percent_is_found_and_rarely_vetoed():
    rng = np.random.default_rng(13)
    assert decide("binary", *one_percent_better(rng, 2_000_000)).gain == pytest.approx(
        0.01, abs=5e-4
    )
    reasons = share_of_reasons(600, lambda: decide("binary", *one_percent_better(rng)))
    assert reasons["gain_proven"] >= 0.85
    assert reasons["guardrail_auc"] + reasons["guardrail_calibration"] <= 0.005


@pytest.mark.parametrize("noise", [0.0, 0.5, 1.0])
def test_an_amount_model_shrunk_to_a_third_is_never_promoted(noise):
    rng = np.random.default_rng(14)

    def look():
        spend, ideal = spending(rng)
        champion = ideal * np.exp(noise * rng.normal(size=spend.size) - noise**2 / 2)
        scale = LossScale(MARKET_CAP, MARKET_MEAN)
        return decide("regression", spend, champion, 0.3 * champion, alpha=0.05, scale=scale)

    assert share_of_reasons(200, look)["gain_proven"] == 0


def test_equally_good_amount_models_are_rarely_promoted():
    rng = np.random.default_rng(15)

    def look():
        spend, ideal = spending(rng)
        noise = np.exp(0.3 * rng.normal(size=(2, spend.size)))
        scale = LossScale(MARKET_CAP, MARKET_MEAN)
        return decide("regression", spend, ideal * noise[0], ideal * noise[1], scale=scale)

    assert share_of_reasons(1000, look)["gain_proven"] <= 0.025
