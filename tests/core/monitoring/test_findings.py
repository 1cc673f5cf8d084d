import numpy as np
import pandas as pd
import pytest

from evergreen.core.events.loss_scale import LossScale
from evergreen.core.monitoring import findings
from evergreen.core.monitoring.drift import reference
from evergreen.settings.pipeline import DriftSettings, Gate

EXPECTED = {"relative_loss": 0.7, "error": 0.01, "rows": 4000, "clients": 500}
GATE = Gate(min_rows=500, min_minority=50, min_clients=200)
DRIFT = DriftSettings(max_distance=0.15, min_clients=100, false_alarms=0.05, tolerated_decline=0.02)


def predictions(n=2000, *, noise=0.0, share=0.5, seed=1):
    """Labels and their predictions; with noise the predictions are overconfident."""
    random = np.random.default_rng(seed)
    score = random.normal(np.log(share / (1 - share)), 2, n)
    truth = 1 / (1 + np.exp(-score))
    days = pd.to_datetime("2024-03-01") + pd.to_timedelta(np.arange(n) % 14, unit="D")
    predicted = 1 / (1 + np.exp(-(score + noise * random.normal(size=n))))
    label = (random.random(n) < truth).astype(float)
    return pd.DataFrame(
        {"client_id": np.arange(n) // 2, "observed_on": days, "label": label}
        | {"prediction": predicted}
    )


def decline(live, kind="binary", expected=EXPECTED):
    return findings.check_decline(
        kind,
        expected,
        live,
        scale=LossScale(100.0, 10.0),
        gate=GATE,
        drift=DRIFT,
    )


def test_a_decline_is_an_alert_in_words():
    found = decline(predictions(noise=3.0))
    assert found.since == "2024-03-01"
    assert "expected 0.700: +" in found.message
    assert (
        "2,000 predictions for 1,000 clients observed from 2024-03-01 to 2024-03-14"
        in found.message
    )


def test_a_loss_as_expected_is_no_alert():
    found = decline(predictions())
    assert found.since is None
    assert found.numbers["growth"] < 0.02


@pytest.mark.parametrize(
    ("live", "reason"),
    [
        (predictions().head(0), "no prediction has a known outcome yet"),
        (predictions(100), "100 predictions with a known outcome, but 500 are needed"),
        (predictions().assign(prediction=np.nan), "no prediction has a known outcome yet"),
        (predictions().assign(label=1.0), "all outcomes are equal: 1"),
        (predictions(600, share=0.005, noise=0.1), "outcomes of the minority class, but 50"),
        (
            predictions().assign(client_id=np.arange(2000) % 150),
            "150 clients with a known",
        ),
    ],
)
def test_what_can_not_be_judged_says_why(live, reason):
    found = decline(live)
    assert found.since is None
    assert found.message.startswith("not checked: ")
    assert reason in found.message


def test_amounts_that_are_all_zero_are_not_judged():
    found = decline(predictions().assign(label=0.0), "regression")
    assert found.message == "not checked: all outcomes are equal: 0"


@pytest.fixture
def kept():
    """What a model keeps of its training: two columns, one of them constant."""
    random = np.random.default_rng(0)
    return {
        "active": "purchases_28d",
        "columns": {
            "purchases_28d": reference(1.0 + random.poisson(2, 4000), clients=1000).to_dict(),
            "number_age": reference(np.full(4000, 40.0), clients=1000).to_dict(),
        },
        "predictions": reference(random.random(4000), clients=1000).to_dict(),
        "unknown_words": 0.05,
    }


def clients(n=300, **columns):
    random = np.random.default_rng(1)
    usual = {"purchases_28d": 1.0 + random.poisson(2, n), "number_age": 40.0}
    return pd.DataFrame(usual | {"observed_on": pd.Timestamp("2024-04-01")} | columns)


def inputs(kept, recent, words=(0.05, 300)):
    return findings.check_inputs(kept, findings.active(kept, recent), words=words, drift=DRIFT)


def test_inputs_as_at_training_are_no_alert(kept):
    found = inputs(kept, clients())
    assert found.since is None
    assert found.message.startswith("the distributions of all 3 inputs are close to training")


def test_the_inputs_that_have_drifted_are_named(kept):
    found = inputs(kept, clients(number_age=55.0))
    assert found.since == "2024-04-01"
    assert found.numbers["drifted"] == ["number_age"]
    assert "distribution of 1 of 3 inputs differs from training: number_age" in found.message


def test_new_words_are_drift(kept):
    assert inputs(kept, clients(), words=(0.6, 300)).numbers["drifted"] == ["unknown_words"]
    assert inputs(kept, clients(), words=None).since is None
    assert inputs(kept, clients(), words=(0.6, 50)).since is None


def test_clients_who_have_gone_are_no_drift(kept):
    gone = clients(400).assign(purchases_28d=0.0)
    found = inputs(kept, pd.concat([clients(), gone]))
    assert found.since is None
    assert "300 active clients" in found.message


def test_too_few_clients_are_not_checked(kept):
    assert inputs(kept, clients(99)).message == (
        "not checked: 99 active clients were observed, but 100 are needed"
    )


def predicted(kept, values):
    return findings.check_predictions(kept, clients(len(values), prediction=values), drift=DRIFT)


def test_predictions_that_have_drifted_are_an_alert(kept):
    random = np.random.default_rng(2)
    assert predicted(kept, random.random(300)).since is None
    assert predicted(kept, random.random(300) ** 6).since == "2024-04-01"


def test_predictions_that_are_not_finite_are_not_checked(kept):
    values = np.where(np.arange(300) < 3, np.nan, 0.5)
    assert predicted(kept, values).message == "not checked: 3 of 300 are not finite"


def test_alerts_and_what_is_well_stand_apart(kept):
    made = findings.report([inputs(kept, clients(number_age=55.0)), decline(predictions())])
    assert [alert["kind"] for alert in made["alerts"]] == ["inputs"]
    assert [one["kind"] for one in made["checked"]] == ["decline"]
    assert made["numbers"].keys() == {"inputs", "decline"}
