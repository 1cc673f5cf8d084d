"""The rules of labels: all that distinguishes one label of ``params.yaml`` from another.

A further label is a name with its kind in `evergreen.settings`, and an entry in `RULES`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from evergreen.settings.names import KIND_OF_LABEL, Label


@dataclass(frozen=True)
class LabelRule:
    """How a label is computed, explained, and predicted without a model.

    Attributes
    ----------
    sql
        The label, from the sums of ``purchases`` and ``spend`` (minor units) in its window;
        ``{minor_units}`` stands for the number of minor units in a major one.
    question
        What is predicted, for people; ``{days}`` stands for the horizon.
    positives
        What the labels add up to, for people.
    measure
        The quantity behind the label. The baselines are its value in the last period, and what
        buy-till-you-die models expect of it: the probability of a purchase, or the spend.
    offset, slope
        The expected label is offset + slope x that expectation.
    expected
        The expected label, from the probability of no purchase and the expected spend.
    """

    sql: str
    question: str
    positives: str
    measure: Literal["purchases", "spend"]
    offset: float
    slope: float
    expected: Callable[[np.ndarray, np.ndarray], np.ndarray]


RULES: dict[Label, LabelRule] = {
    "purchase": LabelRule(
        sql="(purchases > 0)::int::double",
        question="Will the client buy within {days} days?",
        positives="all clients who bought",
        measure="purchases",
        offset=0.0,
        slope=1.0,
        expected=lambda no_purchase, _spend: 1 - no_purchase,
    ),
    "no_purchase": LabelRule(
        sql="(purchases <= 0)::int::double",
        question="Will the client stay away for {days} days?",
        positives="all clients who stayed away",
        measure="purchases",
        offset=1.0,
        slope=-1.0,
        expected=lambda no_purchase, _spend: no_purchase,
    ),
    "net_spend": LabelRule(
        sql="greatest(spend, 0)::double / {minor_units}",
        question="How much will the client spend in {days} days?",
        positives="all that was spent",
        measure="spend",
        offset=0.0,
        slope=1.0,
        expected=lambda _no_purchase, spend: spend,
    ),
}
if not set(get_args(Label)) == RULES.keys() == KIND_OF_LABEL.keys():
    raise NotImplementedError("every label needs an entry in RULES and in KIND_OF_LABEL")
