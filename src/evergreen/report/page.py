"""The report of a run: one HTML file that needs nothing else, and the same in Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from evergreen.core.events.label_rules import RULES
from evergreen.history.run_summaries import loss_rows
from evergreen.plots.pages import embedded_svg, write_page
from evergreen.report import evaluation_sections, lineage, outlook
from evergreen.report.components import (
    BAD,
    BAR,
    GOOD,
    Cell,
    Section,
    Table,
    gain_cells,
    note,
    share,
)
from evergreen.report.report_data import read_material

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from evergreen.report.report_data import Material
    from evergreen.settings.pipeline import Settings

TERMS = {
    "gain": (
        "How much smaller the loss is than that of what the candidate had to beat, in percent, on "
        "the same rows. Its interval counts clients, not rows, since the rows of one client are "
        "alike. A candidate is promoted when the whole interval lies above zero."
    ),
    "could be proven": (
        "The smallest true gain that as many rows would prove in four of five cases. A smaller "
        "gain may be real; these rows can't tell it from luck."
    ),
    "btyd, last_period, base_rate": (
        "Baselines: what buy-till-you-die models expect of each client; that the next weeks will "
        "be like the last; the same for everyone."
    ),
    "calibration": (
        "Where points lie on the diagonal, what was predicted is what happened. Bars are 95 % "
        "intervals that count clients."
    ),
    "held-out clients": (
        "A quarter of the clients, chosen by a hash of their id, of whom no model ever learns."
    ),
}


class TargetPage(NamedTuple):
    """One target's part of the page."""

    name: str
    question: str
    outcome: Cell
    verdict: str
    warnings: list[Cell]
    sections: list[Section]


def write_report(settings: Settings, html: Path, markdown: Path) -> str:
    """Write the page and its Markdown from what the stages and the history hold.

    Both depend on the run and those before it alone, so they are the same bytes whenever they are
    written.

    Returns
    -------
    str
        Where they are, in a line.

    Raises
    ------
    EvergreenError
        If the working folder does not hold a complete run.
    """
    material = read_material(settings)
    rows = loss_rows(material.records)
    targets = [_target(material, name, rows) for name in material.record.targets]
    content: dict[str, Any] = {
        "title": f"Run of {settings.as_of}",
        "subtitle": _subtitle(material),
        "glance": _glance(material, targets),
        "targets": targets,
        "sections": [
            outlook.false_promotions(material),
            outlook.what_is_next(material),
            lineage.inputs(material),
        ],
        "terms": TERMS.items(),
    }
    write_page(html, "report.html.jinja", width=BAR, embedded=embedded_svg, **content)
    write_page(markdown, "report.md.jinja", **content)
    return f"report: {html}, and for a pull request {markdown}"


def _subtitle(material: Material) -> str:
    record = material.record
    full = record.full_retrain_as_of
    retrained = "with a full retrain" if full == record.as_of else f"last full retrain {full}"
    return (
        f"Release {record.release or 'none'}; before, {record.previous_release or 'none'}. "
        f"Mode {record.mode}, {retrained}. {material.decided['scored']:,} clients scored."
    )


def _target(material: Material, name: str, rows: pd.DataFrame) -> TargetPage:
    target, record = material.settings.targets[name], material.record.targets[name]
    warned, drift = evaluation_sections.alerts(material, name)
    sections = [
        evaluation_sections.gains(material, name),
        evaluation_sections.figures(material, name),
        evaluation_sections.captured(material, name),
        evaluation_sections.over_time(material, name, rows),
        *evaluation_sections.slices(material, name),
        lineage.live_performance(material, name),
        drift,
        lineage.lineage(material, name),
    ]
    warnings = [note(f"Warning: {w}.", BAD) for w in material.compared[name]["warnings"]]
    outcome = "held" if record.verdict.startswith("held") else record.action
    return TargetPage(
        name,
        RULES[target.label].question.format(days=target.horizon_days),
        Cell(outcome, GOOD if outcome == "promoted" else ""),
        record.verdict,
        [*warnings, *warned],
        [section for section in sections if section is not None],
    )


def _glance(material: Material, targets: list[TargetPage]) -> Table:
    """A row for each target: its best candidate, or that there was none."""
    best = [_best(material.compared[target.name]) for target in targets]
    cells = gain_cells([(o["gain"], *(o["interval"] or (None, None))) for _, o in best])
    rows = [
        [
            Cell(target.name),
            target.outcome,
            drawn,
            Cell(kind),
            Cell(share(one["detectable_gain"], 2)),
            Cell(
                str(len(target.warnings)) if target.warnings else "none",
                BAD * bool(target.warnings),
            ),
        ]
        for target, (kind, one), drawn in zip(targets, best, cells, strict=True)
    ]
    columns = ["target", "decision", "gain in %", "candidate", "could be proven", "warnings"]
    return Table(columns, rows)


def _best(found: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The winner, else the candidate with the highest lower bound."""
    candidates = found["candidates"]
    nothing = {"gain": None, "interval": None, "detectable_gain": None}
    if found["winner"] is not None:
        return found["winner"], candidates[found["winner"]]
    judged_ones = [kind for kind, one in candidates.items() if one["interval"] is not None]
    if not judged_ones:
        return next(iter(candidates), "none"), nothing
    best = max(judged_ones, key=lambda kind: candidates[kind]["interval"][0])
    return best, candidates[best]
