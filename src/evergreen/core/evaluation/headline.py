"""Headline metrics: the figures that DVC shows and compares from run to run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evergreen.core.evaluation.model_names import BASELINES, CHAMPION


def headline_metrics(
    comparison: Mapping[str, Any],
    evaluation: Mapping[str, Mapping[str, float | None]],
    *,
    promoted: str | None,
) -> dict[str, float | int]:
    """Select the headline metrics of one target, at most seven.

    Parameters
    ----------
    comparison
        The target's entry in ``reports/comparison.json``.
    evaluation
        The target's entry in ``reports/evaluation.json``: the metrics of every model.
    promoted
        The candidate that this run promoted; None if the champion stays.

    Returns
    -------
    dict
        loss (of the model that is served after this run) and baseline_loss (of the best baseline),
        both means over the held-out rows; gain, gain_low and gain_high (relative gain of the
        candidate promoted, else of the one with the largest gain, and its interval); promoted (0 or
        1) and rows. What is not known is left out: DVC would always show a null as a change.
    """
    losses = {name: metrics[comparison["loss"]] for name, metrics in evaluation.items()}
    baselines = [loss for name in BASELINES if (loss := losses.get(name)) is not None]
    judged = {k: c for k, c in comparison["candidates"].items() if c["gain"] is not None}
    candidate = promoted or max(judged, key=lambda name: judged[name]["gain"], default=None)
    figures = judged.get(candidate or "", {})
    low, high = figures.get("interval") or (None, None)
    metrics = {
        "loss": losses.get(promoted or CHAMPION),
        "baseline_loss": min(baselines, default=None),
        "gain": figures.get("gain"),
        "gain_low": low,
        "gain_high": high,
        "promoted": int(promoted is not None),
        "rows": comparison["rows"],
    }
    return {name: value for name, value in metrics.items() if value is not None}
