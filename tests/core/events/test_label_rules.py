from typing import get_args

import numpy as np
import pytest

from evergreen.core.events.label_rules import RULES
from evergreen.settings.names import KIND_OF_LABEL, Label


def test_every_label_has_a_rule_and_a_kind():
    assert set(get_args(Label)) == RULES.keys() == KIND_OF_LABEL.keys()


@pytest.mark.parametrize(("label", "kind"), KIND_OF_LABEL.items())
def test_amounts_are_measured_by_spend_and_probabilities_by_purchases(label, kind):
    assert RULES[label].measure == ("purchases" if kind == "binary" else "spend")


@pytest.mark.parametrize("label", RULES)
def test_the_expectation_of_the_simulation_and_of_the_baseline_are_the_same(label):
    no_purchase, spend = np.array([0.0, 0.25, 1.0]), np.array([9.0, 4.0, 0.0])
    rule = RULES[label]
    quantity = spend if rule.measure == "spend" else 1 - no_purchase
    expected = rule.expected(no_purchase, spend)
    np.testing.assert_allclose(expected, rule.offset + rule.slope * quantity)
