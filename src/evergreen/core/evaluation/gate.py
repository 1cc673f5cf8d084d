"""The promotion gate: when a challenger replaces the champion.

Both models predict the same rows of held-out clients. The challenger is promoted if the one-sided
lower bound of its relative gain is above zero and no guardrail proves that it is worse. Otherwise
the champion stays, with the reason. The decision depends on these rows alone: no resampling, no
randomness, no memory of earlier decisions.
"""

from dataclasses import dataclass, replace
from math import isfinite

import numpy as np
import numpy.typing as npt
import pandas as pd

from evergreen.core.evaluation.decision import (
    DEFAULT_MINIMUM,
    MAX_BAD_LABEL_SHARE,
    REASONS,
    Decision,
    Guardrail,
    Minimum,
)
from evergreen.core.evaluation.gain import (
    Gain,
    IntArray,
    relative_gain,
    standard_error,
    t_quantile,
)
from evergreen.core.evaluation.losses import (
    FloatArray,
    Kind,
    Outcomes,
    check_kind,
    check_labels,
    check_lengths,
    finite_or_none,
    minority_count,
    read_vector,
    row_losses,
)
from evergreen.core.events.loss_scale import LossScale

__all__ = [
    "REASONS",
    "Decision",
    "Guardrail",
    "Kind",
    "Minimum",
    "Outcomes",
    "decide",
    "lead_of",
    "row_losses",
]

GUARDRAIL_ALPHA = 0.01
MAX_ALPHA = 0.5


@dataclass(frozen=True, kw_only=True)
class _Rows:
    """The judged rows: checked, aligned, with finite labels and usable champion predictions."""

    kind: Kind
    labels: FloatArray
    champion: FloatArray
    challenger: FloatArray
    codes: IntArray
    scale: LossScale
    dropped_labels: int
    replaced_champion_predictions: int
    invalid_challenger_predictions: int

    @property
    def clients(self) -> int:
        return int(self.codes.max(initial=-1)) + 1

    @property
    def minority(self) -> int:
        return minority_count(self.kind, self.labels)


# Huge values may overflow: the standard error is then not finite, and the champion stays.
@np.errstate(over="ignore", invalid="ignore", divide="ignore")
def decide(
    outcomes: Outcomes,
    champion: npt.ArrayLike,
    challenger: npt.ArrayLike,
    *,
    alpha: float = 0.01,
    minimum: Minimum = DEFAULT_MINIMUM,
) -> Decision:
    """Decide whether the challenger replaces the champion.

    With per-row losses l_c and l_k (see `row_losses`) the gain is g = 1 - mean(l_k) / mean(l_c).
    Its influence values h_i = (l_k,i - (1 - g) l_c,i) / mean(l_c) are summed by client to S_j, and
    se = sqrt(G / (G - 1) * sum(S_j ** 2)) / n with G clients, n rows [1]_ [2]_. The challenger is
    promoted if g - t * se > 0, t the 1 - alpha quantile of Student's t with G - 1 degrees of
    freedom, unless a guardrail proves at one-sided level 0.01 that it is worse:

    - AUC (binary): DeLong's structural components [3]_, summed by client [4]_.
    - calibration in the large: |b_k| > |b_c|, where b is mean prediction minus mean label.

    Parameters
    ----------
    outcomes
        Labels of the judged rows. Those not finite are dropped and counted.
    champion, challenger
        Predictions for the same rows, shape (n,), matched by position. No row is ever dropped for
        its prediction: a champion's that is not finite becomes the mean of `outcomes.scale`, which
        serving falls back to (or the mean of the labels), and one out of range is clipped; a single
        such prediction of the challenger keeps the champion.
    alpha
        One-sided level; divide it by the number of candidates that are judged in one run.
    minimum
        The least evidence needed for a promotion.

    Returns
    -------
    Decision
        The decision, its reason and its figures.

    Raises
    ------
    ValueError
        If `kind` is unknown, `alpha` is not within (0, 0.5), an input is not one-dimensional or not
        numeric, lengths differ, a client id is missing, a finite label is not 0 or 1 (binary) or
        negative (regression).

    References
    ----------
    .. [1] Liang, Zeger (1986). Longitudinal data analysis using generalized linear models.
       Biometrika 73, 13-22.
    .. [2] Deng, Knoblich, Lu (2018). Applying the delta method in metric analytics. KDD,
       233-242 (ratios of means with clustered rows).
    .. [3] DeLong, DeLong, Clarke-Pearson (1988). Comparing the areas under two or more correlated
       receiver operating characteristic curves. Biometrics 44, 837-845.
    .. [4] Obuchowski (1997). Nonparametric analysis of clustered ROC curve data.
       Biometrics 53, 567-578.
    """
    if not 0 < alpha < MAX_ALPHA:
        raise ValueError(f"alpha must be above 0 and below {MAX_ALPHA}, found {alpha}")
    rows = _read_rows(outcomes, champion, challenger)
    obstacle = _obstacle(rows, minimum)
    decision = Decision(
        kind=rows.kind,
        promote=False,
        reason=obstacle or "",
        rows=rows.labels.size,
        clients=rows.clients,
        minority=rows.minority,
        dropped_labels=rows.dropped_labels,
        replaced_champion_predictions=rows.replaced_champion_predictions,
        invalid_challenger_predictions=rows.invalid_challenger_predictions,
        alpha=float(alpha),
        minimum=minimum,
    )
    return decision if obstacle else _weigh(decision, rows)


def _client_codes(clients: npt.ArrayLike | None, rows: int) -> IntArray:
    if clients is None:
        return np.arange(rows)
    shape = np.shape(clients)
    if shape != (rows,):
        raise ValueError(f"clients must hold one id for each of {rows} rows, found shape {shape}")
    # numpy would turn a list of mixed ids into strings and so merge 1 with "1".
    if not isinstance(clients, np.ndarray | pd.Series | pd.Index):
        clients = np.asarray(clients, dtype=object)
    codes, _ = pd.factorize(clients)
    if (codes < 0).any():
        raise ValueError(f"clients must all be given, found none at position {codes.argmin()}")
    return codes


def _read_rows(outcomes: Outcomes, champion: npt.ArrayLike, challenger: npt.ArrayLike) -> _Rows:
    kind, y_true, clients, scale = outcomes
    check_kind(kind)
    labels = read_vector("y_true", y_true)
    old, new = read_vector("champion", champion), read_vector("challenger", challenger)
    check_lengths(y_true=labels, champion=old, challenger=new)
    codes = _client_codes(clients, labels.size)
    check_labels("y_true", kind, labels)
    known = np.isfinite(labels)
    fallback = _fallback(scale.mean, labels[known])
    invalid = ~_is_valid(kind, old[known])
    return _Rows(
        kind=kind,
        labels=labels[known],
        champion=_usable(kind, old[known], fallback),
        challenger=new[known],
        codes=codes if known.all() else pd.factorize(codes[known])[0],
        scale=scale._replace(mean=fallback),
        dropped_labels=int(labels.size - known.sum()),
        replaced_champion_predictions=int(invalid.sum()),
        invalid_challenger_predictions=int((~_is_valid(kind, new)).sum()),
    )


def _fallback(mean: float | None, labels: FloatArray) -> float:
    if mean is not None and isfinite(mean):
        return mean
    return float(labels.mean()) if labels.size else 0.0


def _is_valid(kind: Kind, predictions: FloatArray) -> npt.NDArray[np.bool_]:
    highest = 1.0 if kind == "binary" else np.finfo(np.float64).max
    return (predictions >= 0) & (predictions <= highest)


def _usable(kind: Kind, predictions: FloatArray, fallback: float) -> FloatArray:
    filled = np.where(np.isfinite(predictions), predictions, fallback)
    return np.clip(filled, 0, 1 if kind == "binary" else None)


def _obstacle(rows: _Rows, minimum: Minimum) -> str | None:
    """Find what rules out a decision: invalid inputs first, then too little evidence."""
    n, dropped = rows.labels.size, rows.dropped_labels
    obstacles = {
        "bad_labels": dropped > MAX_BAD_LABEL_SHARE * (n + dropped),
        "challenger_invalid_predictions": rows.invalid_challenger_predictions > 0,
        "insufficient_rows": n < minimum.rows,
        "insufficient_groups": rows.clients < minimum.clients,
        "single_class": rows.minority == 0,
        "insufficient_minority_class": rows.minority < minimum.minority,
        "identical_predictions": np.array_equal(rows.champion, rows.challenger),
        "challenger_constant": _is_constant(rows.challenger) and not _is_constant(rows.champion),
    }
    return next((code for code, present in obstacles.items() if present), None)


def _is_constant(values: FloatArray) -> bool:
    return bool(np.all(values == values[:1]))


def lead_of(
    other: npt.ArrayLike,
    outcomes: Outcomes,
    champion: npt.ArrayLike,
    *,
    alpha: float,
    minimum: Minimum,
) -> Gain | None:
    """Compute the gain over the champion of predictions that are not up for promotion.

    Unlike in `decide`, constant predictions may win, and there are no guardrails: a champion that
    is worse than one value for everyone is worse, whatever else that value is good for.

    Parameters
    ----------
    other
        Predictions for the same rows, shape (n,).
    outcomes, champion, alpha, minimum
        As for `decide`.

    Returns
    -------
    Gain or None
        None unless the lower bound of the gain is above zero, and the evidence would be enough
        for a promotion.
    """
    rows = _read_rows(outcomes, champion, other)
    if _obstacle(rows, minimum) not in (None, "challenger_constant"):
        return None
    gain = relative_gain(*_losses(rows), rows.codes, alpha=alpha)
    return gain if gain.interval is not None and gain.interval[0] > 0 else None


def _losses(rows: _Rows) -> tuple[FloatArray, FloatArray]:
    old = row_losses(rows.kind, rows.labels, rows.champion, rows.scale)
    return old, row_losses(rows.kind, rows.labels, rows.challenger, rows.scale)


def _weigh(decision: Decision, rows: _Rows) -> Decision:
    old, new = _losses(rows)
    gain = relative_gain(old, new, rows.codes, alpha=decision.alpha)
    guardrails = _guardrails(rows)
    reason = _reason(gain.interval, guardrails)
    return replace(
        decision,
        promote=reason == "gain_proven",
        reason=reason,
        gain=gain.gain,
        interval=gain.interval,
        detectable_gain=gain.detectable,
        champion_loss=finite_or_none(float(old.mean())),
        challenger_loss=finite_or_none(float(new.mean())),
        guardrails=guardrails,
    )


def _reason(interval: tuple[float, float] | None, guardrails: tuple[Guardrail, ...]) -> str:
    if interval is None:
        return "standard_error_zero"
    if not interval[0] > 0:
        return "gain_not_proven"
    breached = (guardrail.name for guardrail in guardrails if guardrail.breached)
    return next((f"guardrail_{name}" for name in breached), "gain_proven")


def _guardrails(rows: _Rows) -> tuple[Guardrail, ...]:
    calibration = _calibration_guardrail(rows)
    return (_auc_guardrail(rows), calibration) if rows.kind == "binary" else (calibration,)


def _auc_guardrail(rows: _Rows) -> Guardrail:
    champion, old = _auc(rows.labels, rows.champion)
    challenger, new = _auc(rows.labels, rows.challenger)
    margin = t_quantile(GUARDRAIL_ALPHA, rows.clients) * standard_error(old - new, rows.codes)
    return Guardrail(
        name="auc",
        champion=champion,
        challenger=challenger,
        deterioration=champion - challenger,
        deterioration_lower_bound=champion - challenger - margin,
    )


def _auc(labels: FloatArray, scores: FloatArray) -> tuple[float, FloatArray]:
    """Compute the AUC and each row's influence on it, from DeLong's structural components.

    A positive row's component is the share of negatives scored below it, a negative row's the share
    of positives above it; ties count half.
    """
    values, place = np.unique(scores, return_inverse=True)
    positive = labels == 1
    positives_at = np.bincount(place[positive], minlength=values.size)
    negatives_at = np.bincount(place[~positive], minlength=values.size)
    positives, negatives = positives_at.sum(), negatives_at.sum()
    below = (np.cumsum(negatives_at) - negatives_at / 2) / negatives
    above = (positives - np.cumsum(positives_at) + positives_at / 2) / positives
    component = np.where(positive, below[place], above[place])
    auc = component[positive].mean()
    weight = labels.size / np.where(positive, positives, negatives)
    return float(auc), weight * (component - auc)


def _calibration_guardrail(rows: _Rows) -> Guardrail:
    """Bound |b_k| - |b_c| from below, b the mean prediction minus the mean label.

    With s the sign of b_k, |b_k| > |b_c| holds exactly if s b_k - b_c > 0 and s b_k + b_c > 0. Both
    are smooth, so each has an ordinary bound, and demanding both costs no level (intersection-union
    test: Berger 1982, Technometrics 24, 295-300). The level is halved since s is read from the same
    rows. Both together imply that b_k itself is proven to differ from zero.
    """
    cap = rows.scale.cap_for(rows.kind)
    labels = np.minimum(rows.labels, cap)
    old, new = np.minimum(rows.champion, cap) - labels, np.minimum(rows.challenger, cap) - labels
    champion, challenger = float(old.mean()), float(new.mean())
    outward = np.copysign(1.0, challenger) * new
    t = t_quantile(GUARDRAIL_ALPHA / 2, rows.clients)
    bounds = [
        float(margin.mean()) - t * standard_error(margin, rows.codes)
        for margin in (outward - old, outward + old)
    ]
    return Guardrail(
        name="calibration",
        champion=champion,
        challenger=challenger,
        deterioration=abs(challenger) - abs(champion),
        deterioration_lower_bound=min(bounds),
    )
