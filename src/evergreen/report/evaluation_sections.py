"""Sections on the evaluation of a target: gains, metrics, contact budget, slices, drift."""

from __future__ import annotations

from math import isnan
from typing import TYPE_CHECKING, Any, Final

from evergreen.core.evaluation.model_names import in_model_order
from evergreen.core.evaluation.slices import MIN_CLIENTS, MIN_MINORITY, MIN_ROWS
from evergreen.core.events.label_rules import RULES
from evergreen.plots.figures import svg
from evergreen.plots.history_figure import history_panel
from evergreen.plots.target_figures import draw_target
from evergreen.report.components import (
    BAD,
    GOOD,
    Cell,
    PageSection,
    PageTable,
    Sentence,
    gain_cells,
    number,
    row,
    share,
)

if TYPE_CHECKING:
    import pandas as pd

    from evergreen.report.report_data import ReportData

METRICS: Final = {
    "log_loss": "log loss",
    "tweedie_deviance": "Tweedie deviance",
    "roc_auc": "AUC",
    "brier": "Brier score",
    "accuracy": "accuracy",
    "r2": "R\N{SUPERSCRIPT TWO}",
    "mae": "MAE",
    "rmse": "RMSE",
    "spearman": "rank correlation",
    "mean_prediction": "predicted",
    "base_rate": "actual",
    "predicted_actual_ratio": "predicted / actual",
}
BUDGETS: Final = (0.05, 0.1, 0.2)
SLICES: Final = {
    ("client", "new"): "first seen in the last 28 days",
    ("client", "old"): "first seen earlier",
    ("recency", "longer ago"): "last bought longer ago",
    ("recency", "never bought"): "never bought",
}
SLICE_PATTERNS: Final = {"recency": "last bought {} ago", "value": "spend so far: {}"}
TIMES: Final = "\N{MULTIPLICATION SIGN}"
ABOUT_SLICES: Final = (
    "Losses and gains as above, for parts of the clients. One in twenty of these intervals misses "
    "the true gain by chance, so don't rely on a single one. Slices with fewer than "
    f"{MIN_ROWS} rows, {MIN_CLIENTS} clients or {MIN_MINORITY} labels of the minority class have "
    "no figures."
)
ABSENCES: Final = {"no_new_candidate": "no full retrain was due"}


def gain_section(data: ReportData, name: str) -> PageSection:
    """Show what each candidate gains over its opponent."""
    compared = data.comparison[name]
    candidates = {k: compared["candidates"][k] for k in in_model_order(compared["candidates"])}
    known = (
        f" Their outcomes became known from {compared['known_from']} to "
        f"{compared['known_through']}."
    )
    sentences = [
        Sentence(
            f"Evaluated on {compared['rows']:,} rows of {compared['clients']:,} held-out clients."
            f"{known if compared['known_from'] else ''} The gain is the reduction in loss "
            f"relative to {_opponent(compared)}. A candidate is promoted if its whole interval is "
            "above zero."
        )
    ]
    sentences += [
        Sentence(f"No {kind} candidate: {ABSENCES.get(reason, reason)}.")
        for kind, reason in compared["absent"].items()
    ]
    drawn = gain_cells(known_gain(candidate) for candidate in candidates.values())
    rows = [
        [
            Cell(kind),
            gain,
            Cell(f"{100 * (1 - 2 * candidate['alpha']):.4g} %"),
            Cell(detectable(candidate)),
            Cell(*_outcome(kind, candidate, compared["winner"], data.record.targets[name].action)),
        ]
        for (kind, candidate), gain in zip(candidates.items(), drawn, strict=True)
    ]
    columns = ["candidate", "gain in %", "confidence", "detectable gain (80 % power)", "outcome"]
    return PageSection("Gain", sentences, PageTable(columns, rows) if rows else None)


def known_gain(candidate: dict[str, Any]) -> tuple[float | None, float | None, float | None]:
    """Return a candidate's gain with the ends of its interval."""
    low, high = candidate["interval"] or (None, None)
    return candidate["gain"], low, high


def detectable(candidate: dict[str, Any]) -> str:
    """Format the gain that the rows could have proven; a dash if they did prove one."""
    return share(None if candidate["promote"] else candidate["detectable_gain"], 2)


def _opponent(compared: dict[str, Any]) -> str:
    if compared["opponent"] is None:
        return "nothing: there is no baseline"
    if compared["opponent"] == "champion":
        return f"the champion, {compared['champion']}"
    return f"{compared['opponent']}, the best baseline, as there is no champion yet"


def _outcome(
    kind: str, candidate: dict[str, Any], winner: str | None, action: str
) -> tuple[str, str]:
    if kind == winner:
        return ("promoted", GOOD) if action == "promoted" else ("gain proven, but held", "")
    if candidate["promote"]:
        return "gain proven, but smaller", ""
    return candidate["reason"].replace("_", " "), ""


def models_section(data: ReportData, name: str) -> PageSection:
    """Show champion, candidates and baselines on the same rows, with their curves."""
    measured, kind = data.metrics[name], data.settings.targets[name].kind
    models = in_model_order(measured)
    metrics = [key for key in METRICS if any(key in measured[model] for model in models)]
    rows = [row(m, *(number(measured[m].get(key)) for key in metrics)) for m in models]
    sentences = [Sentence(f"No {what}: {why}.") for what, why in _left_out(data, name).items()]
    auc = {model: values.get("roc_auc") for model, values in measured.items()}
    pictures = {"curves": svg(draw_target(name, kind, data.curves, auc=auc))}
    table = PageTable(["model", *(METRICS[key] for key in metrics)], rows) if rows else None
    return PageSection("Models and baselines", sentences, table, pictures)


def _left_out(data: ReportData, name: str) -> dict[str, str]:
    """Return the missing baselines with the reasons."""
    measured = data.metrics[name]
    if not measured:
        return {"metrics": "there was neither a model nor a baseline to evaluate"}
    reasons = {}
    if "btyd" not in measured and "base_rate" in measured:
        parts = dict.fromkeys(("purchases", RULES[data.settings.targets[name].label].measure))
        why = [f"{part}: {data.unfitted[part]}" for part in parts if part in data.unfitted]
        reasons["btyd (buy till you die)"] = "; ".join(why) or "it was last fitted on another day"
    if "last_period" not in measured and "base_rate" in measured:
        days = data.settings.targets[name].horizon_days
        reasons["last_period"] = (
            f"the history is too short for features of the last {days} days, or these are equal "
            "for all clients"
        )
    return reasons


def budget_section(data: ReportData, name: str) -> PageSection:
    """Show what contacting a share of the clients reaches, by model."""
    gains = data.curves.gains
    gains = gains[gains["target"] == name]
    rows = []
    for model in in_model_order(gains["model"].unique()):
        curve = gains[gains["model"] == model].set_index("contacted_share")["captured_share"]
        reached = [(float(curve.loc[budget]), budget) for budget in BUDGETS]
        rows.append(row(model, *(f"{share(r, 1)} ({r / b:.1f}{TIMES})" for r, b in reached)))
    positives = RULES[data.settings.targets[name].label].positives
    about = (
        f"The clients with the highest predictions account for this share of {positives}; in "
        "brackets, how many times that of clients chosen at random."
    )
    if not rows:
        about = "Nothing to rank: all labels are equal."
    table = PageTable(["model", *(f"top {share(budget, 0)}" for budget in BUDGETS)], rows)
    return PageSection("Value at a contact budget", [Sentence(about)], table if rows else None)


def slice_sections(data: ReportData, name: str) -> list[PageSection]:
    """Show for each candidate the slices on which it is better or worse."""
    slices = data.slices[data.slices["target"] == name]
    opponent = data.comparison[name]["opponent"]
    candidates: list[str | None] = [*in_model_order(data.comparison[name]["candidates"])]
    if slices.empty:
        return [PageSection("Slices", [Sentence("No rows, or no features to slice them by.")])]
    first, *others = [_slice_section(slices, opponent, kind) for kind in candidates or [None]]
    return [first._replace(sentences=[Sentence(ABOUT_SLICES)]), *others]


def _slice_section(slices: pd.DataFrame, opponent: str, candidate: str | None) -> PageSection:
    key = ["slice", "band"]
    old = slices[slices["model"] == opponent].set_index(key)
    new = old if candidate is None else slices[slices["model"] == candidate].set_index(key)
    gains = gain_cells(new[["gain", "low", "high"]].itertuples(index=False, name=None))
    rows = []
    for place, line in enumerate(old.reset_index().to_dict("records")):
        gain = Cell("too few") if isnan(line["loss"]) else gains[place]
        counts = (f"{line['clients']:,}", f"{line['rows']:,}")
        values = (line["mean_label"], new["mean_prediction"].iloc[place], line["loss"])
        who = Cell(_slice_title(str(line["slice"]), str(line["band"])))
        rows.append([who, gain, *row(*counts, *(number(value, 3) for value in values))])
    columns = ["slice", "gain in % (95 %)", "clients", "rows", "actual"]
    columns += [f"predicted by {candidate or opponent}", f"loss of {opponent}"]
    title = f"Slices: {candidate} against {opponent}" if candidate else f"Slices: {opponent}"
    return PageSection(title, [], PageTable(columns, rows), brief=False)


def _slice_title(kind: str, band: str) -> str:
    return SLICES.get((kind, band)) or SLICE_PATTERNS[kind].format(band)


def history_section(data: ReportData, name: str, losses: pd.DataFrame) -> PageSection | None:
    """Draw the losses run by run; None before the second run."""
    if losses["as_of"].nunique() < 2:  # noqa: PLR2004 - a line needs two points
        return None
    panel = history_panel(name, METRICS[data.comparison[name]["loss"]], losses)
    return PageSection("Run by run", [], None, {"Held-out loss, run by run": panel})


def monitoring_section(data: ReportData, name: str) -> tuple[list[Sentence], PageSection]:
    """Return the alerts for the top of the page, and the section on all that was checked."""
    report = data.drift[name]
    alerts = [
        Sentence(f"{alert['kind']} since {alert['since']}: {alert['message']}", BAD)
        for alert in report["alerts"]
    ]
    calm = [] if alerts else [Sentence("No alerts.", GOOD)]
    checked = [Sentence(f"{check['kind']}: {check['message']}") for check in report["checked"]]
    return alerts, PageSection("Drift and performance decline", [*alerts, *calm, *checked])
