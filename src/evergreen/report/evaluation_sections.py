"""What was judged of a target: gains, the figures of all models, value at a budget, slices."""

from __future__ import annotations

from math import isnan
from typing import TYPE_CHECKING, Any, Final

from evergreen.core.evaluation.slices import MIN_CLIENTS, MIN_MINORITY, MIN_ROWS
from evergreen.core.events.label_rules import RULES
from evergreen.plots.report_panels import history_panel, target_panels
from evergreen.report.components import (
    BAD,
    GOOD,
    Cell,
    Section,
    Table,
    gain_cells,
    note,
    number,
    row,
    share,
)

if TYPE_CHECKING:
    import pandas as pd

    from evergreen.report.report_data import Material

MODELS: Final = ("champion", "incremental", "full", "btyd", "last_period", "base_rate")
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
    "base_rate": "happened",
    "predicted_actual_ratio": "predicted / happened",
}
BUDGETS: Final = (0.05, 0.1, 0.2)
SLICES: Final = {
    ("client", "new"): "first seen in the last 28 days",
    ("client", "old"): "seen before that",
    ("recency", "longer ago"): "last bought longer ago",
    ("recency", "never bought"): "never bought",
}
WORDS: Final = {"recency": "last bought {} ago", "value": "spend so far: {}"}
TIMES: Final = "\N{MULTIPLICATION SIGN}"
ABOUT_SLICES: Final = (
    "Losses and gains as above, for a part of the clients at a time. One of twenty such "
    "intervals misses the truth, so no single one decides anything. There are no figures below "
    f"{MIN_ROWS} rows, {MIN_CLIENTS} clients or {MIN_MINORITY} labels of the rarer class."
)
WORDS_OF_ABSENCE: Final = {"no_new_candidate": "no full retrain was due in this run"}


def gains(material: Material, name: str) -> Section:
    """What each challenger gains over what it had to beat, drawn."""
    found = material.compared[name]
    candidates = {kind: found["candidates"][kind] for kind in MODELS if kind in found["candidates"]}
    known = f", whose outcome became known from {found['known_from']} to {found['known_through']}"
    notes = [
        note(
            f"Judged on {found['rows']:,} rows of {found['clients']:,} held-out clients"
            f"{known if found['known_from'] else ''}. Above zero is better than "
            f"{_opponent(found)}; promoted is what is better with its whole interval."
        )
    ]
    notes += [
        note(f"No {kind} candidate: {WORDS_OF_ABSENCE.get(why, why)}.")
        for kind, why in found["absent"].items()
    ]
    cells = gain_cells(
        [(one["gain"], *(one["interval"] or (None, None))) for one in candidates.values()]
    )
    rows = [
        [
            Cell(kind),
            drawn,
            Cell(f"{100 * (1 - 2 * one['alpha']):.4g} %"),
            Cell(share(one["detectable_gain"], 2)),
            Cell(*_outcome(kind, one, found["winner"], material.record.targets[name].action)),
        ]
        for (kind, one), drawn in zip(candidates.items(), cells, strict=True)
    ]
    columns = ["candidate", "gain in %", "level", "could be proven", "outcome"]
    return Section("Gain", notes, Table(columns, rows) if rows else None)


def _opponent(found: dict[str, Any]) -> str:
    if found["opponent"] is None:
        return "nothing: there is no baseline"
    if found["opponent"] == "champion":
        return f"the champion, {found['champion']}"
    return f"{found['opponent']}, the better baseline without a model, as there is no champion"


def _outcome(kind: str, one: dict[str, Any], winner: str | None, action: str) -> tuple[str, str]:
    if kind == winner:
        return ("promoted", GOOD) if action == "promoted" else ("proven, but held", "")
    return ("proven, but less" if one["promote"] else one["reason"].replace("_", " ")), ""


def figures(material: Material, name: str) -> Section:
    """Champion, challengers and baselines on the same rows, with their curves."""
    found, kind = material.measured[name], material.settings.targets[name].kind
    models = [model for model in MODELS if model in found]
    used = [key for key in METRICS if any(key in found[model] for model in models)]
    rows = [row(model, *(number(found[model].get(key)) for key in used)) for model in models]
    notes = [note(f"No {what}: {why}.") for what, why in _left_out(material, name).items()]
    pictures = target_panels(
        name,
        kind,
        material.curves,
        {model: values.get("roc_auc") for model, values in found.items()},
    )
    table = Table(["model", *(METRICS[key] for key in used)], rows) if rows else None
    return Section("Models and baselines", notes, table, pictures)


def _left_out(material: Material, name: str) -> dict[str, str]:
    """Baselines that there are not, and why."""
    found = material.measured[name]
    if not found:
        return {"figures": "there was neither a model nor a baseline to judge"}
    reasons = {}
    if "btyd" not in found and "base_rate" in found:
        measure = RULES[material.settings.targets[name].label].measure
        parts = dict.fromkeys(("purchases", measure))
        why = [f"{p}: {material.unfitted[p]}" for p in parts if p in material.unfitted]
        reasons["btyd (buy till you die)"] = "; ".join(why) or "its last fit is of another day"
    if "last_period" not in found and "base_rate" in found:
        days = material.settings.targets[name].horizon_days
        reasons["last_period"] = (
            f"the history was too short for features of the last {days} days, or all clients are "
            "alike in them"
        )
    return reasons


def captured(material: Material, name: str) -> Section:
    """What a contact budget reaches, model by model."""
    rows_of = material.curves.gains
    rows_of = rows_of[rows_of["target"] == name]
    rows = []
    for model in [model for model in MODELS if model in set(rows_of["model"])]:
        own = rows_of[rows_of["model"] == model].set_index("contacted_share")["captured_share"]
        held = [float(own.loc[budget]) for budget in BUDGETS]
        pairs = zip(held, BUDGETS, strict=True)
        rows.append(row(model, *(f"{share(h, 1)} ({h / b:.1f}{TIMES})" for h, b in pairs)))
    label = material.settings.targets[name].label
    told = (
        f"Of {RULES[label].positives}, the share that the clients with the highest prediction "
        "hold, and how many times as much as clients drawn by lot."
    )
    if not rows:
        told = "No order to judge: at most one class, or one amount, among these labels."
    table = Table(["model", *(f"top {share(budget, 0)}" for budget in BUDGETS)], rows)
    return Section("Value at a contact budget", [note(told)], table if rows else None)


def slices(material: Material, name: str) -> list[Section]:
    """Where each challenger is better and where it is not."""
    found = material.slices[material.slices["target"] == name]
    reference = material.compared[name]["opponent"]
    candidates = material.compared[name]["candidates"]
    challengers: list[str | None] = [kind for kind in MODELS if kind in candidates]
    if found.empty:
        return [Section("Slices", [note("No rows, or no features to cut them by.")])]
    sections = [_slices_of(found, reference, challenger) for challenger in challengers or [None]]
    return [sections[0]._replace(notes=[note(ABOUT_SLICES)]), *sections[1:]]


def _slices_of(found: pd.DataFrame, reference: str, challenger: str | None) -> Section:
    key = ["slice", "band"]
    old = found[found["model"] == reference].set_index(key)
    new = old if challenger is None else found[found["model"] == challenger].set_index(key)
    cells = gain_cells(list(new[["gain", "low", "high"]].itertuples(index=False, name=None)))
    rows = []
    for place, one in enumerate(old.reset_index().to_dict("records")):
        who = Cell(_who(str(one["slice"]), str(one["band"])))
        gain = Cell("too few to tell") if isnan(one["loss"]) else cells[place]
        counts = (f"{one['clients']:,}", f"{one['rows']:,}")
        told = (one["mean_label"], new["mean_prediction"].iloc[place], one["loss"])
        rows.append([who, gain, *row(*counts, *(number(value, 3) for value in told))])
    columns = ["who", "gain in % (95 %)", "clients", "rows", "happened"]
    columns += [f"predicted by {challenger or reference}", f"loss of {reference}"]
    title = f"Slices: {challenger} against {reference}" if challenger else f"Slices: {reference}"
    return Section(title, [], Table(columns, rows), brief=False)


def _who(kind: str, band: str) -> str:
    return SLICES.get((kind, band)) or WORDS[kind].format(band)


def over_time(material: Material, name: str, rows: pd.DataFrame) -> Section | None:
    """The losses run by run; nothing before there are two runs."""
    if rows["as_of"].nunique() < 2:  # noqa: PLR2004 - a line
        return None
    drawn = history_panel(name, METRICS[material.compared[name]["loss"]], rows)
    return Section("Run by run", [], None, {"Held-out loss, run by run": drawn})


def alerts(material: Material, name: str) -> tuple[list[Cell], Section]:
    """What drift and decline there are, for the top of the page and as a section."""
    found = material.drift[name]
    warned = [
        note(f"{one['kind']} since {one['since']}: {one['message']}", BAD)
        for one in found["alerts"]
    ]
    calm = [] if warned else [note("No alert.", GOOD)]
    told = [note(f"{one['kind']}: {one['message']}") for one in found["checked"]]
    return warned, Section("Drift and decline", [*warned, *calm, *told])
