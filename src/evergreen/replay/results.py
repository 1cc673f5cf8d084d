"""How the policies of a replay compare: weekly losses, gains, promotions, clients reached."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from evergreen.core.evaluation import gate, metrics
from evergreen.core.evaluation.losses import LOSS_NAME, FloatArray, Kind
from evergreen.core.events.label_selection import KEYS
from evergreen.core.events.loss_scale import LossScale
from evergreen.settings.pipeline import Settings

BASIS = "never"
"""The policy that the others are compared with."""
ANY = gate.Minimum(rows=2, minority=1, clients=2)
LEVEL = 0.05


@dataclass(frozen=True)
class PolicyResult:
    """The result of one policy.

    Attributes
    ----------
    records
        One for each run; see `evergreen.replay.policy_run.replay_policy`.
    predictions
        client_id, observed_on, target, prediction: made before the outcome existed.
    """

    records: list[dict[str, Any]]
    predictions: pd.DataFrame


def match_outcomes(
    settings: Settings, results: Mapping[str, PolicyResult], labels: pd.DataFrame
) -> dict[str, pd.DataFrame]:
    """Join the predictions of all policies with the outcomes, for each target.

    Parameters
    ----------
    labels
        target, client_id, observed_on and label, as known at the end of the history.

    Returns
    -------
    dict of DataFrame
        client_id, observed_on, label, and a column for each policy; only rows with a known outcome
        and a prediction of every policy. Targets without such rows are left out.
    """
    outcomes = {}
    for target in settings.targets:
        rows = labels[labels["target"] == target][[*KEYS, "label"]]
        for policy, result in results.items():
            predicted = result.predictions[result.predictions["target"] == target]
            predicted = predicted[[*KEYS, "prediction"]].rename(columns={"prediction": policy})
            rows = rows.merge(predicted, on=KEYS, validate="one_to_one")
        rows = rows.dropna(subset=list(results))
        if len(rows):
            outcomes[target] = rows.sort_values(KEYS[::-1]).reset_index(drop=True)
    return outcomes


def weekly_figures(settings: Settings, outcomes: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Measure each policy by the week in which it predicted.

    Returns
    -------
    DataFrame
        week (ISO date of its Monday), target, policy, rows, loss, and gain: the relative gain in
        loss over `BASIS` on all rows so far; then roc_auc, mae, mean_prediction and mean_label
        (NaN where not defined).
    """
    lines = []
    for target, rows in outcomes.items():
        kind = settings.targets[target].kind
        monday = rows["observed_on"] - pd.to_timedelta(rows["observed_on"].dt.day_of_week, unit="D")
        policies = [c for c in rows.columns if c not in (*KEYS, "label")]
        scale = LossScale.of_labels(rows["label"], rows["client_id"])
        losses = rows[policies].apply(
            lambda predicted, kind=kind, rows=rows, scale=scale: gate.row_losses(
                kind, rows["label"], predicted, scale
            )
        )
        sums = losses.groupby(monday).sum().cumsum()
        for week, part in rows.groupby(monday):
            for policy in policies:
                measured = metrics.evaluate(kind, part["label"], part[policy], scale)
                lines.append(
                    {
                        "week": str(week)[:10],
                        "target": target,
                        "policy": policy,
                        "rows": len(part),
                        "loss": measured[LOSS_NAME[kind]],
                        "gain": 1 - sums.loc[week, policy] / sums.loc[week, BASIS],
                        "roc_auc": measured.get("roc_auc"),
                        "mae": measured.get("mae"),
                        "mean_prediction": float(part[policy].mean()),
                        "mean_label": float(part["label"].mean()),
                    }
                )
    return pd.DataFrame(lines)


def gain_over(
    kind: Kind, rows: pd.DataFrame, policy: str, basis: str, *, alpha: float
) -> tuple[float | None, tuple[float, float] | None]:
    """Return the relative gain in loss of one policy over another, and its interval.

    Two-sided at level `alpha`, clustered by client, as in the gate. None if both policies predict
    the same for every row.
    """
    if not len(rows) or rows[policy].equals(rows[basis]):
        return None, None
    decision = gate.decide(
        gate.Outcomes(
            kind,
            rows["label"],
            rows["client_id"],
            LossScale.of_labels(rows["label"], rows["client_id"]),
        ),
        rows[basis],
        rows[policy],
        alpha=alpha / 2,
        minimum=ANY,
    )
    return decision.gain, decision.interval


def captured(
    rows: pd.DataFrame, policy: str, *, budget: float
) -> tuple[float, float, tuple[float, float] | None]:
    """Measure what is reached by contacting the clients with the highest predictions.

    Each day, the share `budget` of the clients observed is contacted.

    Returns
    -------
    (captured, difference, interval)
        The sum of the labels of the contacted clients, how much more that is than with `BASIS`, and
        the 95 % interval of the difference, clustered by client, given the choice of clients.
    """
    chosen, by_basis = (_contacted(rows, name, budget) for name in (policy, BASIS))
    label = rows["label"].to_numpy()
    by_client = pd.Series(label * (chosen - by_basis)).groupby(rows["client_id"].to_numpy()).sum()
    total, clients = float(by_client.sum()), len(by_client)
    if clients < 2 or not by_client.any():  # noqa: PLR2004 - a spread needs two
        return float(label @ chosen), total, None
    spread = float(np.sqrt(clients * by_client.var(ddof=1)))
    reach = float(stdtrit(clients - 1, 1 - LEVEL / 2)) * spread
    return float(label @ chosen), total, (total - reach, total + reach)


def _contacted(rows: pd.DataFrame, policy: str, budget: float) -> FloatArray:
    days = rows.groupby("observed_on")[policy]
    rank = days.rank(method="first", ascending=False)
    chosen: FloatArray = (rank <= np.ceil(budget * days.transform("size"))).to_numpy(np.float64)
    return chosen


def count_promotions(records: list[dict[str, Any]], target: str) -> dict[str, int]:
    """Count the decisions on a target that hindsight proves right or wrong.

    A promotion was right, or wrong, if the weeks after it prove a gain, or a loss, of the candidate
    over the champion (95 %, clustered by client), and unclear otherwise. A candidate was missed if
    it was not promoted and those weeks prove its gain.
    """
    counts = dict.fromkeys(("promoted", "right", "wrong", "missed"), 0)
    for record in records:
        decided = record["targets"][target]
        for kind, candidate in decided["candidates"].items():
            low, high = (candidate["hindsight"] or {}).get("interval") or (0, 0)
            won = decided["promoted"] == kind
            counts["promoted"] += won
            counts["right"] += won and low > 0
            counts["wrong"] += won and high < 0
            counts["missed"] += not won and low > 0
    return counts


def summarise(
    settings: Settings,
    results: Mapping[str, PolicyResult],
    outcomes: Mapping[str, pd.DataFrame],
    *,
    budget: float,
) -> pd.DataFrame:
    """Compute one line for each target and policy.

    Returns
    -------
    DataFrame
        target, policy, rows, loss, roc_auc, r2, mae, mean_prediction, mean_label; gain, low and
        high: the relative gain over `BASIS` and its 95 % interval; sure_low and sure_high: the
        interval that holds for all policies and targets at once (Bonferroni); captured, extra,
        extra_low, extra_high: see `captured`; promoted, right, wrong, missed: see
        `count_promotions`; seconds and rows_trained of the whole policy.
    """
    comparisons = max(1, len(outcomes) * (len(results) - 1))
    lines = []
    for target, rows in outcomes.items():
        kind = settings.targets[target].kind
        scale = LossScale.of_labels(rows["label"], rows["client_id"])
        for policy, result in results.items():
            measured = metrics.evaluate(kind, rows["label"], rows[policy], scale)
            gain, interval = gain_over(kind, rows, policy, BASIS, alpha=LEVEL)
            _, sure = gain_over(kind, rows, policy, BASIS, alpha=LEVEL / comparisons)
            total, extra, reach = captured(rows, policy, budget=budget)
            low, high = interval or (0.0, 0.0)
            sure_low, sure_high = sure or (0.0, 0.0)
            extra_low, extra_high = reach or (0.0, 0.0)
            lines.append(
                {
                    "target": target,
                    "policy": policy,
                    "rows": len(rows),
                    "loss": measured[LOSS_NAME[kind]],
                    "roc_auc": measured.get("roc_auc"),
                    "r2": measured.get("r2"),
                    "mae": measured.get("mae"),
                    "mean_prediction": float(rows[policy].mean()),
                    "mean_label": scale.mean,
                    "gain": gain or 0.0,
                    "low": low,
                    "high": high,
                    "sure_low": sure_low,
                    "sure_high": sure_high,
                    "captured": total,
                    "extra": extra,
                    "extra_low": extra_low,
                    "extra_high": extra_high,
                    **count_promotions(result.records, target),
                    "seconds": sum(record["seconds"] for record in result.records),
                    "rows_trained": sum(record["rows_trained"] for record in result.records),
                }
            )
    return pd.DataFrame(lines)
