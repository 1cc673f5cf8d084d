"""The outcome of the last run as a short table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.table import Table
from rich.text import Text

from evergreen.core.evaluation.model_names import in_model_order
from evergreen.history.alerts import alert_lines
from evergreen.history.tables import columns
from evergreen.settings import paths
from evergreen.settings.pipeline import Settings
from evergreen.store import files
from evergreen.store.label_outlook import outlook_sentence
from evergreen.store.reports import read_drift

NEXT = "dvc repro"


def summary(settings: Settings) -> Iterator[Table | str]:
    """Tables and lines for a terminal: models, gains, verdicts, and the paths of the pictures.

    Raises
    ------
    ModelError
        If there is no completed run.
    """
    evaluation = files.read_json(paths.EVALUATION_REPORT, next_step=NEXT)
    comparison = files.read_json(paths.COMPARISON_REPORT, next_step=NEXT)
    decision = files.read_json(paths.DECISION_REPORT, next_step=NEXT)
    targets = [name for name in settings.targets if name in decision["targets"]]
    yield _table(targets, evaluation, comparison, decision["as_of"])
    for name in targets:
        yield f"{name}: {decision['targets'][name]['verdict']}"
        yield from (
            f"{name}: warning: {warning}" for warning in comparison[name].get("warnings", ())
        )
    yield from alert_lines(read_drift(next_step=NEXT))
    yield (
        f"release {decision['release']} in {paths.PRODUCTION}; "
        f"{decision['scored']:,} clients observed today are scored in {paths.SCORED}"
        if decision["release"]
        else f"no release yet: no model has beaten the baselines; {outlook_sentence(settings)}"
    )
    yield f"pictures: {', '.join(str(paths.FIGURES / f'{name}.png') for name in targets)}"


def _table(
    targets: list[str], evaluation: dict[str, Any], comparison: dict[str, Any], as_of: str
) -> Table:
    table = Table(
        "target",
        *columns("model", "loss", "gain", "interval", "decision", numbers={"loss", "gain"}),
        title=f"As of {as_of}, on held-out clients",
        title_justify="left",
    )
    for name in targets:
        report, models = comparison[name], evaluation[name]
        heading = Text(name).append(f"\n{report['loss'].replace('_', ' ')}", style="dim")
        for model in in_model_order(models):
            loss = models[model][report["loss"]]
            table.add_row(
                heading,
                model,
                "-" if loss is None else f"{loss:.4f}",
                *_verdict(model, report),
            )
            heading = Text()
        table.add_section()
    return table


def _verdict(model: str, report: dict[str, Any]) -> tuple[str, str, str | Text]:
    if model == report["opponent"]:
        return "", "", "to beat"
    candidate = report["candidates"].get(model)
    if candidate is None:
        return "", "", ""
    promoted = model == report["winner"]
    decision = Text("promoted", style="green") if promoted else Text("not promoted")
    if candidate["gain"] is None or candidate["interval"] is None:
        return "-", candidate["reason"], decision
    low, high = candidate["interval"]
    gain, interval = f"{candidate['gain']:+.1%}", f"{100 * low:+.1f} to {100 * high:+.1f} %"
    return gain, interval, decision
