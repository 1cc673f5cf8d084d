"""Every name that ``params.yaml`` can choose from, in one place.

Reading this imports no library.
"""

from __future__ import annotations

from typing import Literal

Mode = Literal["auto", "incremental", "full", "compare"]
Demo = Literal["complete-journey", "cdnow", "simulated"]
EstimatorName = Literal["lightgbm", "random_forest", "linear", "blend"]
TextForm = Literal["components", "terms"]
Analyzer = Literal["word", "char_wb"]
Label = Literal["purchase", "no_purchase", "net_spend"]
Kind = Literal["binary", "regression"]
Backend = Literal["loky", "dask", "ray"]

KIND_OF_LABEL: dict[Label, Kind] = {
    "purchase": "binary",
    "no_purchase": "binary",
    "net_spend": "regression",
}


def prediction_column(target: str, kind: Kind) -> str:
    """The column of a target's predictions: ``churn_probability``, or ``clv``."""
    return f"{target}_probability" if kind == "binary" else target
