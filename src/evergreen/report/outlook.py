"""Sections at the end: expected false promotions of the month, and what happens next."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from evergreen.core.wording import plural
from evergreen.history.alerts import unanswered_in
from evergreen.history.retraining_plan import plan_retraining
from evergreen.report.components import PageSection, Sentence
from evergreen.settings import paths
from evergreen.store import challengers, tables
from evergreen.store.label_counts import COUNTS
from evergreen.store.label_outlook import outlook_sentence
from evergreen.store.releases import load_release

if TYPE_CHECKING:
    from evergreen.report.report_data import ReportData


def false_promotions_section(data: ReportData) -> PageSection:
    """Bound the expected number of false promotions in this month."""
    as_of = data.record.as_of
    month, replaced = (
        [r for r in records if (r.as_of.year, r.as_of.month) == (as_of.year, as_of.month)]
        for records in (data.records, data.replaced)
    )
    tests = [
        (name, candidate.alpha)
        for record in (*month, *replaced)
        for name, target in record.targets.items()
        for candidate in target.candidates.values()
    ]
    known = [(name, alpha) for name, alpha in tests if alpha is not None]
    total = sum(alpha for _, alpha in known)
    each = {name: sum(a for n, a in known if n == name) for name in data.record.targets}
    also = f" and {plural(len(replaced), 'replaced verdict')}" if replaced else ""
    text = (
        f"So far in {as_of:%B %Y}, the gate has tested {plural(len(tests), 'candidate')} in "
        f"{plural(len(month), 'run')}{also}. Even if no candidate were better than its champion, "
        f"expect at most {total:.2f} promotions by chance "
        f"({', '.join(f'{name} {alpha:.2f}' for name, alpha in each.items())})."
    )
    if len(known) < len(tests):
        text += f" This leaves out {len(tests) - len(known)} without a recorded level."
    return PageSection("Expected false promotions", [Sentence(text)])


def next_steps_section(data: ReportData) -> PageSection:
    """Say when the next full retrain is due, what is served, and how to undo this run."""
    settings, record = data.settings, data.record
    latest = settings.full_retrain.as_of + timedelta(days=settings.schedule.full_after_days)
    models = load_release(paths.PRODUCTION).models
    bases = challengers.following(models, max_updates=settings.incremental.max_updates)
    tomorrow = record.as_of + timedelta(days=1)
    labels = tables.read_frame(COUNTS, made_by="collect_labels")
    alert = unanswered_in(data.records, settings.full_retrain.as_of)
    plan = plan_retraining(settings, tomorrow, "auto", bases, labels, alert=alert)
    full = (
        f"A full retrain is due in the next run: {plan.full_reason}."
        if plan.full
        else f"The next full retrain is due by {latest}, or earlier if there are enough new labels "
        "or an alert."
    )
    sentences = [full, *_served(data), *_undo(data)]
    return PageSection("What happens next", [Sentence(text) for text in sentences])


def _served(data: ReportData) -> list[str]:
    record = data.record
    if record.release is None:
        expected = outlook_sentence(data.settings)
        return [
            "Nothing is served: no model has beaten the baselines.",
            f"{expected[0].upper()}{expected[1:]}.",
        ]
    days = ", ".join(
        f"{name} from {record.as_of + timedelta(days=target.horizon_days)}"
        for name, target in data.settings.targets.items()
    )
    return [
        serving_sentence(data),
        (
            f"Outcomes of the {data.decision['scored']:,} scores of {record.as_of} become known: "
            f"{days}."
        ),
    ]


def serving_sentence(data: ReportData) -> str:
    """Say what happens to the release, and what an approval does if one is required."""
    record, day = data.record, data.record.as_of
    if record.release == record.previous_release:
        return f"Release {record.release} stays in {paths.CURRENT}; the next run starts from it."
    instead = f" in place of {record.previous_release}" if record.previous_release else ""
    if data.settings.promotion.mode == "review" and len(data.records) > 1:
        return (
            f"This run needs a manual approval. `evergreen approve {day}`, or merging the pull "
            f"request, serves release {record.release}{instead}; the next run starts from it. "
            f'`evergreen reject {day} --reason "..."`, or closing it, keeps what is served.'
        )
    return (
        f"`evergreen finish` verifies release {record.release} and serves it from "
        f"{paths.CURRENT}{instead}; the next run starts from it."
    )


def _undo(data: ReportData) -> list[str]:
    return [
        f'To undo: `evergreen rollback {name} --to {target.champion} --reason "..."`; add '
        "`--hold` to keep it from being replaced."
        for name, target in data.record.targets.items()
        if target.action == "promoted" and target.champion
    ]
