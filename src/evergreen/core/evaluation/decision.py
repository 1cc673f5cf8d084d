"""The gate's decision: figures for reports, and one sentence for people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import floor, isfinite, log10
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from evergreen.settings.pipeline import Gate

if TYPE_CHECKING:
    from evergreen.core.evaluation.losses import Kind
from evergreen.core.wording import plural

MAX_BAD_LABEL_SHARE = 0.05
# From here on, percentages are written as powers of ten.
UNREADABLE = 1e6
MAX_DECIMALS = 9
REASONS: Mapping[str, str] = MappingProxyType(
    {
        "gain_proven": "the lower bound of the gain is above zero and no guardrail is breached",
        "gain_not_proven": "the lower bound of the gain is not above zero",
        "insufficient_rows": "fewer rows with a known label than the minimum",
        "insufficient_groups": "fewer distinct clients than the minimum",
        "insufficient_minority_class": "fewer labels of the minority class (regression: "
        "positive labels) than the minimum",
        "single_class": "one class only (regression: no positive label)",
        "bad_labels": "too many labels are not finite",
        "challenger_invalid_predictions": "a challenger prediction is not finite or out of range",
        "identical_predictions": "both models predict the same for every row",
        "challenger_constant": "the challenger predicts one value, the champion does not",
        "standard_error_zero": "the gain's standard error is zero or not finite",
        "guardrail_auc": "the gain is proven, but the AUC is proven to be lower",
        "guardrail_calibration": "the gain is proven, but the calibration in the large is proven "
        "to be worse",
    }
)
_SENTENCES: Mapping[str, str] = MappingProxyType(
    {
        "gain_proven": "{gain} on {rows} of {clients}",
        "gain_not_proven": "{gain}; detectable gain (80 % power): {detectable} %",
        "insufficient_rows": "{rows}, but {minimum.rows:,} are needed",
        "insufficient_groups": "{clients}, but {minimum.clients:,} are needed",
        "insufficient_minority_class": "{minority}, but {minimum.minority:,} are needed",
        "single_class": "{minority} among {rows}, but {minimum.minority:,} are needed",
        "bad_labels": "{dropped} of {seen:,} not finite, at most {tolerated} are allowed",
        "challenger_invalid_predictions": "{invalid} of {seen:,} not finite or not {range}",
        "identical_predictions": "champion and challenger predict the same for all {rows}",
        "challenger_constant": "the challenger predicts the same value for all {rows}, "
        "the champion does not",
        "standard_error_zero": "the differences in loss on {rows} of {clients} have no usable "
        "standard error",
        "guardrail_auc": "{gain}, but the AUC falls from {auc[champion]} to "
        "{auc[challenger]} (lower bound of the fall: {auc[deterioration_lower_bound]})",
        "guardrail_calibration": "{gain}, but the mean prediction is off by "
        "{calibration[challenger]}, the champion's by {calibration[champion]} (lower bound of the "
        "difference: {calibration[deterioration_lower_bound]})",
    }
)


@dataclass(frozen=True, kw_only=True)
class Minimum:
    """The least evidence on which the gate gives a verdict.

    Parameters
    ----------
    rows
        Rows with a finite label.
    minority
        Labels of the minority class; for regression, positive labels.
    clients
        Distinct clients.

    Raises
    ------
    ValueError
        If one of them is below 1.
    """

    rows: int = 500
    minority: int = 50
    clients: int = 200

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if value < 1:
                raise ValueError(f"Minimum.{name} must be at least 1, found {value}")

    @classmethod
    def of(cls, gate: Gate) -> Minimum:
        """Take the minimum from the settings."""
        return cls(rows=gate.min_rows, minority=gate.min_minority, clients=gate.min_clients)


DEFAULT_MINIMUM = Minimum()


@dataclass(frozen=True, kw_only=True)
class Guardrail:
    """A second figure of both models, which can only veto a promotion.

    Attributes
    ----------
    name
        "auc", or "calibration" (mean prediction minus mean label, in units of the label).
    champion, challenger
        The figure of each model.
    deterioration
        How much worse the challenger is; negative if better.
    deterioration_lower_bound
        Lower bound of the deterioration at one-sided level 0.01, clustered by client.
    """

    name: str
    champion: float
    challenger: float
    deterioration: float
    deterioration_lower_bound: float

    @property
    def breached(self) -> bool:
        """Whether the challenger is proven to be worse."""
        return self.deterioration_lower_bound > 0

    def words(self) -> dict[str, str]:
        """Format the figures with four significant digits."""
        figures = {name: value for name, value in asdict(self).items() if name != "name"}
        return {name: _minus(f"{value:.4g}") for name, value in figures.items()}


@dataclass(frozen=True, kw_only=True)
class Decision:
    """The decision on one challenger, with the figures behind it.

    Attributes
    ----------
    kind
        "binary" or "regression".
    promote
        Whether the challenger replaces the champion.
    reason
        A key of `REASONS`.
    gain
        1 - challenger_loss / champion_loss; 0.01 is one percent less loss.
    interval
        Two-sided interval of the gain at level 1 - 2 * alpha: its low end is the one-sided bound.
    detectable_gain
        The true gain that would be detected with 80 % power at level alpha; see `Gain`.
    champion_loss, challenger_loss
        Mean losses (see `row_losses`).
    rows, clients
        Rows judged, and the clients they belong to.
    minority
        Labels of the minority class; for regression, positive labels.
    dropped_labels
        Rows dropped because their label is not finite.
    replaced_champion_predictions
        Champion predictions replaced by the label mean or clipped to the range.
    invalid_challenger_predictions
        Challenger predictions that are not finite or out of range.
    alpha, minimum
        The level and the least evidence, as given to the gate.
    guardrails
        Figures that can veto a proven gain; empty if no gain was computed.

    Notes
    -----
    Figures that could not be computed are None.
    """

    kind: Kind
    promote: bool
    reason: str
    rows: int
    clients: int
    minority: int
    dropped_labels: int
    replaced_champion_predictions: int
    invalid_challenger_predictions: int
    alpha: float
    minimum: Minimum
    gain: float | None = None
    interval: tuple[float, float] | None = None
    detectable_gain: float | None = None
    champion_loss: float | None = None
    challenger_loss: float | None = None
    guardrails: tuple[Guardrail, ...] = ()

    def explain(self) -> str:
        """Return the decision and its figures in one sentence."""
        verdict = "promoted" if self.promote else "kept"
        sentence = _SENTENCES[self.reason].format_map(self._words())
        return f"{verdict}: {sentence}{self._remarks()}"

    def to_dict(self) -> dict[str, Any]:
        """Return all figures and the explanation for JSON; what is not finite becomes None."""
        figures = asdict(self)
        figures["guardrails"] = {
            guardrail.name: asdict(guardrail) | {"breached": guardrail.breached}
            for guardrail in self.guardrails
        }
        return {**_jsonable(figures), "explanation": self.explain()}

    def _words(self) -> dict[str, Any]:
        decimals = decimals_of(self.interval)
        minority = "label of the minority class" if self.kind == "binary" else "positive label"
        return {
            "gain": gain_in_words(self.gain, self.interval, self.alpha),
            "detectable": _signed(100 * (self.detectable_gain or 0), decimals)[1:],
            "rows": plural(self.rows, "row"),
            "clients": plural(self.clients, "client"),
            "minority": plural(self.minority, minority, minority.replace("label", "labels", 1)),
            "dropped": plural(self.dropped_labels, "label"),
            "invalid": plural(self.invalid_challenger_predictions, "challenger prediction"),
            "range": "within 0 and 1" if self.kind == "binary" else "at least 0",
            "seen": self.rows + self.dropped_labels,
            "tolerated": f"{100 * MAX_BAD_LABEL_SHARE:g} %",
            "minimum": self.minimum,
            **{guardrail.name: guardrail.words() for guardrail in self.guardrails},
        }

    def _remarks(self) -> str:
        dropped = plural(self.dropped_labels, "label")
        replaced = plural(self.replaced_champion_predictions, "invalid champion prediction")
        remarks = ""
        if self.dropped_labels and self.reason != "bad_labels":
            remarks += f"; {dropped} dropped as not finite"
        if self.replaced_champion_predictions:
            remarks += f"; {replaced} replaced"
        return remarks


def gain_in_words(gain: float | None, interval: tuple[float, float] | None, alpha: float) -> str:
    """Format a gain with its two-sided interval at level 1 - 2 * alpha."""
    if gain is None or interval is None:
        return "gain unknown"
    decimals = decimals_of(interval)
    middle, low, high = (_signed(100 * value, decimals) for value in (gain, *interval))
    return f"gain {middle} % ({100 * (1 - 2 * alpha):.4g} % interval {low} to {high} %)"


def decimals_of(interval: tuple[float, float] | None) -> int:
    """Choose decimals that show two digits of the half-width, and the sign of the low end."""
    if interval is None or interval[0] == interval[1]:
        return 2
    low, high = (100 * end for end in interval)
    enough = min(max(1 - floor(log10((high - low) / 2)), 0), MAX_DECIMALS)
    return next((d for d in range(enough, MAX_DECIMALS) if round(low, d)), enough)


def _signed(value: float, decimals: int) -> str:
    if abs(value) >= UNREADABLE:
        return _minus(f"{value:+.1e}")
    # Adding zero turns a rounded -0.0 into 0.0.
    return _minus(f"{round(value, decimals) + 0.0:+.{decimals}f}")


def _minus(number: str) -> str:
    return number.replace("-", "\N{MINUS SIGN}")


def _jsonable(value: Any) -> Any:  # noqa: ANN401 - any JSON value, inside out
    if isinstance(value, dict):
        return {key: _jsonable(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [_jsonable(item) for item in value]
    return None if isinstance(value, float) and not isfinite(value) else value
