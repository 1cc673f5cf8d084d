"""What a month of looks costs, and what comes after this run."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from evergreen.core.wording import plural
from evergreen.history.alerts import unanswered_in
from evergreen.history.retraining_plan import foresee
from evergreen.report.components import Cell, Section, note
from evergreen.settings import paths
from evergreen.store import challengers, tables
from evergreen.store.releases import load_release

if TYPE_CHECKING:
    from evergreen.report.report_data import Material


def false_promotions(material: Material) -> Section:
    """How many promotions of no better model are to be expected at most, this month."""
    as_of = material.record.as_of
    month = [
        r for r in material.records if (r.as_of.year, r.as_of.month) == (as_of.year, as_of.month)
    ]
    looks = [
        (name, candidate.alpha)
        for record in month
        for name, target in record.targets.items()
        for candidate in target.candidates.values()
    ]
    known = [(name, alpha) for name, alpha in looks if alpha is not None]
    total = sum(alpha for _, alpha in known)
    each = {name: sum(a for n, a in known if n == name) for name in material.record.targets}
    told = (
        f"In {as_of:%B %Y} so far {len(looks)} looks at candidates in "
        f"{plural(len(month), 'run')}. Were no candidate better than its champion, at "
        f"most {total:.2f} would be expected to be promoted by chance "
        f"({', '.join(f'{name} {alpha:.2f}' for name, alpha in each.items())})."
    )
    if len(known) < len(looks):
        told += f" Not counted are {len(looks) - len(known)} of them, whose records lack the level."
    return Section("False promotions to expect", [note(told)])


def what_is_next(material: Material) -> Section:
    """When the next full retrain is due, what is served, and how to undo this run."""
    settings, record = material.settings, material.record
    latest = settings.full_retrain.as_of + timedelta(days=settings.schedule.full_after_days)
    labels = tables.read_frame(paths.LABELS / "labels.parquet", made_by="collect_labels")
    training = labels[~labels["holdout"]]
    models = load_release(paths.PRODUCTION).models
    bases = challengers.following(models, max_updates=settings.incremental.max_updates)
    tomorrow = record.as_of + timedelta(days=1)
    alert = unanswered_in(material.records, settings.full_retrain.as_of)
    due, _ = foresee(settings, tomorrow, "auto", bases, training, alert=alert)
    full = (
        f"A full retrain is due at the next run: {due.why_full}."
        if due.full
        else f"The next full retrain is due on {latest} at the latest, earlier where labels come "
        "faster than foreseen or a decline is found."
    )
    return Section("What happens next", [note(full), *_served(material), *_undo(material)])


def _served(material: Material) -> list[Cell]:
    record = material.record
    if record.release is None:
        return [
            note("Nothing is served: no model has beaten the baselines. The next run tries again.")
        ]
    days = ", ".join(
        f"{name} from {record.as_of + timedelta(days=target.horizon_days)}"
        for name, target in material.settings.targets.items()
    )
    return [
        note(served_words(material)),
        note(
            f"The {material.decided['scored']:,} scores of {record.as_of} meet their outcomes: "
            f"{days}."
        ),
    ]


def served_words(material: Material) -> str:
    """What becomes of the release, and what an approval does where one is asked for."""
    record, day = material.record, material.record.as_of
    if record.release == record.previous_release:
        return f"Release {record.release} stays in {paths.CURRENT}; the next run starts from it."
    instead = f" in place of {record.previous_release}" if record.previous_release else ""
    if material.settings.promotion.mode == "review" and len(material.records) > 1:
        return (
            f"A person decides. `evergreen approve {day}`, or merging the pull request, serves "
            f"release {record.release}{instead}; the next run starts from it. `evergreen reject "
            f'{day} --reason "..."`, or closing it, keeps what is served.'
        )
    return (
        f"`evergreen finish` verifies release {record.release} and serves it from "
        f"{paths.CURRENT}{instead}; the next run starts from it."
    )


def _undo(material: Material) -> list[Cell]:
    replaced = [
        n for n, t in material.record.targets.items() if t.action == "promoted" and t.champion
    ]
    return [
        note(
            f"To undo: `evergreen rollback {name} --to {material.record.targets[name].champion} "
            '--reason "..."`, with `--hold` to keep it so.'
        )
        for name in replaced
    ]
