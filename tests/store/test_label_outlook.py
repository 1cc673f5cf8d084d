from datetime import date

import pytest

from evergreen.store.label_outlook import label_outlook, outlook_sentence
from evergreen.store.label_rows import LabelSelection


@pytest.mark.parametrize("target_rows", [200, 5000])
def test_labels_are_counted_as_the_gate_sees_them(repository, target_rows):
    repository.set("gate.target_rows", target_rows)
    settings = repository.settings
    repository.run("collect_labels")
    labels = LabelSelection(settings).to_judge()
    assert settings.as_of == date.fromisoformat(repository.values["as_of"])
    for outlook in label_outlook(settings):
        judged = labels[labels["target"] == outlook.target]
        assert outlook.labels.rows == len(judged) > 0
        assert outlook.labels.clients == judged["client_id"].nunique()
        assert outlook.labels.positive == (judged["label"] > 0).sum()
        assert outlook.way_out is None


def test_what_is_lacking_is_named_with_the_horizons_that_have_enough(repository):
    repository.set("targets.purchase.horizon_days", 1)
    minority = {o.target: o.labels for o in label_outlook(repository.settings)}["purchase"].positive
    repository.set("gate.min_minority", minority + 1)
    purchase, *_ = label_outlook(repository.settings)
    assert f"{minority:,} labels of the minority class, {minority + 1:,} are needed" in str(
        purchase
    )
    assert str(purchase).startswith("purchase in 1 day: ")
    assert purchase.way_out.startswith("set targets.purchase.horizon_days to 7 (")


def test_no_horizon_may_be_enough(repository):
    repository.set("gate.min_rows", 10**6)
    repository.set("gate.max_rows", 10**6)
    purchase, churn, clv = label_outlook(repository.settings)
    assert purchase.way_out.startswith("wait for more data: no horizon that the history allows")
    assert "(1,300 labels, 1,000,000 are needed): wait for more data" in outlook_sentence(
        repository.settings
    )
    assert churn.lacking == clv.lacking


def test_a_horizon_beyond_the_history_has_no_label(repository):
    repository.set("targets.churn.horizon_days", 182)
    _, churn, _ = label_outlook(repository.settings)
    assert str(churn).startswith("churn in 182 days: no label (0 labels, ")
