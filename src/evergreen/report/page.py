"""Write the report of a run: one self-contained HTML file, and the same in Markdown."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from evergreen.core.events.label_rules import RULES
from evergreen.history.run_summaries import loss_rows
from evergreen.plots.pages import embedded_svg, write_page
from evergreen.report import evaluation_sections, lineage, outlook
from evergreen.report.components import (
    BAD,
    GOOD,
    Cell,
    PageSection,
    PageTable,
    Sentence,
    gain_cells,
)
from evergreen.report.evaluation_sections import detectable, known_gain
from evergreen.report.report_data import ReportData, read_report_data
from evergreen.settings.pipeline import Settings

if TYPE_CHECKING:
    import pandas as pd


TERMS = {
    "gain": (
        "How much smaller a candidate's loss is than its opponent's on the same rows, in percent. "
        "The opponent is the champion or, as long as there is none, the best baseline. The "
        "interval counts clients rather than rows, as the rows of one client are alike. A "
        "candidate is promoted if the whole interval is above zero."
    ),
    "detectable gain (80 % power)": (
        "The smallest true gain that this many rows prove in four cases out of five. A smaller "
        "gain may be real, but these rows can't tell it from chance. Not shown for a gain that "
        "is proven."
    ),
    "btyd, last_period, base_rate": (
        "Baselines. btyd: the predictions of buy-till-you-die models. last_period: the "
        "coming weeks will be like the last. base_rate: the same prediction for everyone."
    ),
    "calibration": (
        "For points on the diagonal, predictions agree with outcomes. Bars are 95 % intervals, "
        "clustered by client."
    ),
    "held-out clients": (
        "A fixed share of the clients, chosen by a hash of their id. No model is trained on them."
    ),
}


class TargetPage(NamedTuple):
    """The part of the page on one target."""

    name: str
    question: str
    outcome: Cell
    verdict: str
    warnings: list[Sentence]
    sections: list[PageSection]


def write_report(settings: Settings, html: Path, markdown: Path) -> str:
    """Write the page and its Markdown from what the stages and the history hold.

    Both depend only on the run and those before it, so writing them again gives the same bytes.

    Returns
    -------
    str
        A line with their paths.

    Raises
    ------
    EvergreenError
        If the working folder does not hold a complete run.
    """
    data = read_report_data(settings)
    losses = loss_rows(data.records)
    targets = [_target_page(data, name, losses) for name in data.record.targets]
    content: dict[str, Any] = {
        "title": f"Run of {settings.as_of}",
        "subtitle": _subtitle(data),
        "overview": _overview(data, targets),
        "targets": targets,
        "sections": [
            outlook.false_promotions_section(data),
            outlook.next_steps_section(data),
            lineage.inputs_section(data),
        ],
        "terms": TERMS,
    }
    write_page(html, "report.html.jinja", embedded=embedded_svg, **content)
    write_page(markdown, "report.md.jinja", **content)
    return f"report: {html}, and for pull requests {markdown}"


def _subtitle(data: ReportData) -> str:
    record = data.record
    full = record.full_retrain_as_of
    retrained = "with a full retrain" if full == record.as_of else f"last full retrain {full}"
    release = f"Release {record.release}"
    if record.release is None:
        release = "No release yet"
    elif record.release == record.previous_release:
        release += ", unchanged"
    elif record.previous_release is not None:
        release += f", replacing {record.previous_release}"
    replaces = record.replaces
    again = f" Replaces the verdict {replaces.record}: {replaces.reason}." if replaces else ""
    return (
        f"{release}. Mode {record.mode}, {retrained}. {data.decision['scored']:,} clients scored."
        f"{again}"
    )


def _target_page(data: ReportData, name: str, losses: pd.DataFrame) -> TargetPage:
    target, record = data.settings.targets[name], data.record.targets[name]
    alerts, monitoring = evaluation_sections.monitoring_section(data, name)
    sections = [
        evaluation_sections.gain_section(data, name),
        evaluation_sections.models_section(data, name),
        evaluation_sections.budget_section(data, name),
        evaluation_sections.history_section(data, name, losses),
        *evaluation_sections.slice_sections(data, name),
        lineage.live_section(data, name),
        monitoring,
        lineage.lineage_section(data, name),
    ]
    warnings = [Sentence(f"Warning: {w}.", BAD) for w in data.comparison[name]["warnings"]]
    outcome = "held" if record.verdict.startswith("held") else record.action
    return TargetPage(
        name,
        RULES[target.label].question.format(days=target.horizon_days),
        Cell(outcome, GOOD if outcome == "promoted" else ""),
        f"{record.verdict[:1].upper()}{record.verdict[1:]}.",
        [*warnings, *alerts],
        [section for section in sections if section is not None],
    )


def _overview(data: ReportData, targets: list[TargetPage]) -> PageTable:
    """Return a row for each target with its best candidate."""
    best = [_best(data.comparison[target.name]) for target in targets]
    gains = gain_cells(known_gain(candidate) for _, candidate in best)
    rows = [
        [
            Cell(target.name),
            target.outcome,
            gain,
            Cell(kind),
            Cell(detectable(candidate)),
            Cell(str(len(target.warnings)), BAD) if target.warnings else Cell("none"),
        ]
        for target, (kind, candidate), gain in zip(targets, best, gains, strict=True)
    ]
    columns = ["target", "decision", "gain in %", "best candidate", "detectable gain (80 % power)"]
    return PageTable([*columns, "warnings"], rows)


def _best(compared: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return the winner, or else the candidate with the highest lower bound."""
    candidates = compared["candidates"]
    if compared["winner"] is not None:
        return compared["winner"], candidates[compared["winner"]]
    evaluated = [kind for kind, c in candidates.items() if c["interval"] is not None]
    if not evaluated:
        nothing = {"gain": None, "interval": None, "detectable_gain": None, "promote": False}
        return next(iter(candidates), "none"), nothing
    best = max(evaluated, key=lambda kind: candidates[kind]["interval"][0])
    return best, candidates[best]
