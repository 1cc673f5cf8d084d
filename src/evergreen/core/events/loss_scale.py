"""What limits the loss of a single row of a regression: it follows from the training labels."""

from __future__ import annotations

from math import inf, isfinite
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import pandas as pd

CAP_QUANTILE = 0.999


class LossScale(NamedTuple):
    """The scale of the regression loss, so that no single row decides.

    Attributes
    ----------
    cap
        Labels and predictions count up to this amount, in units of the label. None, not finite or
        not positive: no cap.
    mean
        Mean training label: predictions are raised to 1 % of it. None, not finite or not positive:
        the mean of the labels that are judged.
    """

    cap: float | None = None
    mean: float | None = None

    @classmethod
    def of_labels(cls, labels: pd.Series) -> LossScale:
        """Compute the scale from the labels that a model is trained on."""
        return cls(float(labels.quantile(CAP_QUANTILE)), float(labels.mean()))

    def cap_for(self, kind: str) -> float:
        """The cap of labels and predictions; infinite where there is none."""
        return (positive_or_none(self.cap) if kind == "regression" else None) or inf


UNSCALED = LossScale()


def positive_or_none(value: float | None) -> float | None:
    """Return a scale that can be divided by, or None."""
    return value if value is not None and isfinite(value) and value > 0 else None
