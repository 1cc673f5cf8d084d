"""Sections on where a model comes from, and how its predictions have done since."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from evergreen.core.evaluation.losses import LOSS_NAME
from evergreen.core.wording import plural
from evergreen.history import forget_records, run_records
from evergreen.history.parameter_changes import parameters_changed
from evergreen.history.run_summaries import live, versions
from evergreen.report.components import PageSection, PageTable, Sentence, number, row
from evergreen.store.machine import PROMISED
from evergreen.vcs.dvc_internals import pin_file, pinned_md5
from evergreen.vcs.git import show
from evergreen.vcs.tracked_paths import INPUTS

if TYPE_CHECKING:
    from evergreen.report.report_data import ReportData
    from evergreen.store.models import Manifest

DIGITS = 12
"""Digits of a digest that are shown."""
LIVE_SHOWN = 8
PARENTS_SHOWN = 6


def lineage_section(data: ReportData, name: str) -> PageSection:
    """Show the production model's parents and data, and parameters changed since the champion."""
    model = data.production.get(name)
    if model is None:
        return PageSection("Lineage", [Sentence("No model is in production.")])
    parents = _parents(data, name, model.version)
    sentences = [
        (
            f"In production: {model.version} ({model.estimator}), trained on {model.rows:,} labels "
            f"{_drawn(model)}of {model.clients:,} clients known through {model.trained_through}, "
            f"updated {plural(model.updates, 'time')} since its full fit."
        ),
        f"Parents, latest first: {', '.join(parents)}."
        if parents
        else "Fitted from scratch, so it has no parent.",
        (
            f"Made from labels {model.data['labels'][:DIGITS]} and features "
            f"{model.data['features'][:DIGITS]} with feature extractor "
            f"{model.extractor[:DIGITS]} of {model.extractor_fitted_on}."
        ),
        *_changes(data, name),
    ]
    return PageSection("Lineage", [Sentence(text) for text in sentences], brief=False)


def _drawn(model: Manifest) -> str:
    """Say of how many labels those of the last full fit were drawn, if they were."""
    return f"(drawn from {model.drawn_from:,} at its full fit) " if model.drawn_from else ""


def _parents(data: ReportData, name: str, version: str) -> list[str]:
    parent_of = {v.version: v.parent for v in versions(data.records) if v.target == name}
    chain: list[str] = []
    while (parent := parent_of.get(chain[-1] if chain else version)) is not None:
        chain.append(parent)
    more = len(chain) - PARENTS_SHOWN
    return [*chain[:PARENTS_SHOWN], f"{more} more"] if more > 0 else chain


def _changes(data: ReportData, name: str) -> list[str]:
    """List parameters and features that have changed since the champion was made."""
    champion = data.record.targets[name].champion
    if champion is None:
        return []
    made_on = _made_on(data, name, champion)
    if made_on is None:
        return [f"The champion {champion} was not made by a run of this history."]
    changed = "; ".join(
        f"{key}: {before} \N{RIGHTWARDS ARROW} {now}"
        for key, (before, now) in parameters_changed(run_records.commit_of(made_on)).items()
    )
    sentences = [f"Parameters changed since the champion {champion} was made: {changed or 'none'}."]
    if features := data.record.features_changed.get(name):
        sentences.append(f"Features that the new model reads differently: {len(features)}.")
    return sentences


def _made_on(data: ReportData, name: str, version: str) -> date | None:
    days = [v.as_of for v in versions(data.records) if (v.target, v.version) == (name, version)]
    return next((day for day in days if day < data.record.as_of), None)


def live_section(data: ReportData, name: str) -> PageSection:
    """Compare what releases predicted for all clients with what happened."""
    target, title = data.settings.targets[name], "Live performance"
    measured = [line for line in live(data.record, data.records) if line.target == name]
    if not measured:
        waiting = f"No outcome of a prediction is known yet: they take {target.horizon_days} days."
        return PageSection(title, [Sentence(waiting)])
    rows = [
        row(
            line.release,
            f"{line.rows:,}",
            *map(number, (line.loss, line.expected, line.mean_prediction, line.mean_label)),
        )
        for line in sorted(measured, key=lambda line: line.release)[-LIVE_SHOWN:]
    ]
    about = (
        "Predictions for all clients, made before the outcome existed. The expected loss is that "
        "on held-out clients when the model was promoted. It was measured in other weeks, so the "
        "two may differ."
    )
    loss = LOSS_NAME[target.kind].replace("_", " ")
    columns = ["release", "predictions", f"live {loss}", "expected loss (at promotion)"]
    columns += ["predicted", "actual"]
    return PageSection(title, [Sentence(about)], PageTable(columns, rows))


def inputs_section(data: ReportData) -> PageSection:
    """Show the digests of the run's inputs next to those of the previous run."""
    previous = data.records[-2].as_of if len(data.records) > 1 else None
    commit = run_records.commit_of(previous) if previous else None
    rows = []
    for path in INPUTS:
        pinned = pin_file(path)
        now = pinned_md5(pinned.read_text(encoding="utf-8"))[:DIGITS]
        then = pinned_md5(show(commit, pinned))[:DIGITS] if commit else ""
        rows.append(row(str(path), now, then))
    made = f"Computed on {_machine(data)}, dvc.lock {data.record.lock[:DIGITS]}."
    about = Sentence(f"{made} {_how_to_repeat(data)}")
    columns = ["pinned input", "this run (MD5)", f"run of {previous}" if previous else "before"]
    return PageSection("Inputs", [about], PageTable(columns, rows), brief=False)


def _how_to_repeat(data: ReportData) -> str:
    if any(data.record.as_of in record.not_reproducible for record in forget_records.read_all()):
        return (
            "Clients were forgotten since, so the rows of them that it used are gone, and `dvc "
            "repro --force` gives other bytes."
        )
    return (
        "Check out the commit of this run, and `dvc repro` gives the same bytes again on "
        f"{_where(data)}."
    )


def _machine(data: ReportData) -> str:
    platform, machine = data.decision["platform"], data.record.machine
    if machine is None:
        return str(platform)
    return f"{platform} ({machine.level}, glibc {machine.glibc or 'none'})"


def _where(data: ReportData) -> str:
    promised = data.decision["platform"] == PROMISED
    return "any x86-64-v3 Linux machine" if promised else "machines of this platform"
