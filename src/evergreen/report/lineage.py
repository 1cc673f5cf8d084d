"""Where a model comes from, and how its predictions have fared since."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evergreen.core.evaluation.losses import LOSS_NAME
from evergreen.history import run_records
from evergreen.history.parameter_changes import parameters_changed
from evergreen.history.run_summaries import live, versions
from evergreen.report.components import (
    Cell,
    Section,
    Table,
    note,
    number,
    row,
)
from evergreen.vcs.dvc_internals import pin_file, pinned_md5
from evergreen.vcs.git import show
from evergreen.vcs.tracked_paths import INPUTS

if TYPE_CHECKING:
    from datetime import date

    from evergreen.report.report_data import Material

DIGITS = 12
"""Of a digest, as many as tell one from another at a glance."""
LIVE_SHOWN = 8
PARENTS_SHOWN = 6


def lineage(material: Material, name: str) -> Section:
    """The model in production: parents, data, and parameters changed since the champion."""
    model = material.production.get(name)
    if model is None:
        return Section("Lineage", [note("No model is in production.")])
    parents = _parents(material, name, model.version)
    notes = [
        note(
            f"In production: {model.version}, {model.estimator}, trained on {model.rows:,} labels "
            f"of {model.clients:,} clients, known through {model.trained_through}; "
            f"{model.updates} updates since its full fit."
        ),
        note(
            f"Parents: {', before it '.join(parents)}."
            if parents
            else "Fitted from scratch: no parent."
        ),
        note(
            f"Made from labels {model.data['labels'][:DIGITS]} and features "
            f"{model.data['features'][:DIGITS]}, by the extractor {model.extractor[:DIGITS]} of "
            f"{model.extractor_fitted_on}."
        ),
    ]
    return Section("Lineage", [*notes, *_changes(material, name)], brief=False)


def _parents(material: Material, name: str, version: str) -> list[str]:
    parent_of = {v.version: v.parent for v in versions(material.records) if v.target == name}
    chain: list[str] = []
    while (parent := parent_of.get(chain[-1] if chain else version)) is not None:
        chain.append(parent)
    more = len(chain) - PARENTS_SHOWN
    return [*chain[:PARENTS_SHOWN], f"{more} more"] if more > 0 else chain


def _changes(material: Material, name: str) -> list[Cell]:
    """Parameters and features that are not what they were when the champion was made."""
    champion = material.record.targets[name].champion
    if champion is None:
        return []
    made_on = _made_on(material, name, champion)
    if made_on is None:
        return [note(f"The champion {champion} was made by no run of this history.")]
    changed = parameters_changed(run_records.commit_of(made_on))
    told = "; ".join(
        f"{key}: {before} \N{RIGHTWARDS ARROW} {now}" for key, (before, now) in changed.items()
    )
    notes = [note(f"Parameters changed since the champion {champion} was made: {told or 'none'}.")]
    if features := material.record.features_changed.get(name):
        notes.append(note(f"Features that the new model reads otherwise: {len(features)} changes."))
    return notes


def _made_on(material: Material, name: str, version: str) -> date | None:
    days = [v.as_of for v in versions(material.records) if (v.target, v.version) == (name, version)]
    earlier = [day for day in days if day < material.record.as_of]
    return earlier[0] if earlier else None


def live_performance(material: Material, name: str) -> Section:
    """What releases have said of all clients, against what happened and the expected loss."""
    kind = material.settings.targets[name].kind
    found = [one for one in live(material.record, material.records) if one.target == name]
    if not found:
        horizon = material.settings.targets[name].horizon_days
        return Section(
            "Live against expected loss",
            [note(f"No prediction has met its outcome yet: that takes {horizon} days.")],
        )
    found = sorted(found, key=lambda one: one.release)[-LIVE_SHOWN:]
    rows = [
        row(
            one.release,
            f"{one.rows:,}",
            number(one.loss),
            number(one.expected),
            number(one.mean_prediction),
            number(one.mean_label),
        )
        for one in found
    ]
    told = (
        "Predictions of all clients, made before their outcome existed. Promised is the loss on "
        "held-out clients when the model was promoted; the weeks differ, so the two need not agree."
    )
    columns = ["release", "predictions", f"live {LOSS_NAME[kind].replace('_', ' ')}", "expected"]
    columns += ["predicted", "happened"]
    return Section("Live against expected loss", [note(told)], Table(columns, rows))


def inputs(material: Material) -> Section:
    """The digests of what the run was made from, next to those of the run before."""
    before = material.records[-2].as_of if len(material.records) > 1 else None
    commit = run_records.commit_of(before) if before else None
    rows = []
    for path in INPUTS:
        pinned = pin_file(path)
        now = pinned_md5(pinned.read_text(encoding="utf-8"))[:DIGITS]
        then = pinned_md5(show(commit, pinned))[:DIGITS] if commit else ""
        rows.append(row(str(path), now, then))
    told = note(
        f"Platform {material.decided['platform']}. dvc.lock {material.record.lock[:DIGITS]}. With "
        "the commit of this run, `dvc repro` gives the same bytes again."
    )
    columns = ["pinned input", "this run (MD5)", f"run of {before}" if before else "run before"]
    return Section("Inputs", [told], Table(columns, rows), brief=False)
