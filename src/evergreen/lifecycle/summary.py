"""The outcome of the last run as a short table."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from evergreen.core.evaluation.model_names import in_model_order
from evergreen.errors import ModelError
from evergreen.history import run_records
from evergreen.history.alerts import alert_lines
from evergreen.history.tables import columns
from evergreen.settings import paths
from evergreen.settings.pipeline import Settings
from evergreen.store import files
from evergreen.store.label_outlook import outlook_sentence
from evergreen.store.machine import PROMISED
from evergreen.store.reports import as_named_now
from evergreen.vcs import run_log
from evergreen.vcs.git import files_at, show

NEXT = "dvc repro"


def summary(settings: Settings) -> Iterator[Table | str]:
    """Tables and lines for a terminal: models, gains, verdicts, and the paths of the pictures.

    While another command is at work, which may be making these reports anew, the committed ones are
    shown.

    Raises
    ------
    ModelError
        If there is no completed run.
    """
    read = _read
    if busy := run_log.at_work():
        yield f"{busy}, is at work; this is the last recorded run"
        read = _committed
    evaluation = read(paths.EVALUATION_REPORT)
    comparison = read(paths.COMPARISON_REPORT)
    decision = read(paths.DECISION_REPORT)
    targets = [name for name in settings.targets if name in decision["targets"]]
    yield _table(targets, evaluation, comparison, decision["as_of"])
    for name in targets:
        yield f"{name}: {decision['targets'][name]['verdict']}"
        yield from (
            f"{name}: warning: {warning}" for warning in comparison[name].get("warnings", ())
        )
    yield from alert_lines(as_named_now(read(paths.DRIFT_REPORT)))
    yield (
        f"release {decision['release']} in {paths.PRODUCTION}; "
        f"{decision['scored']:,} clients observed today are scored in {paths.SCORED}"
        if decision["release"]
        else f"no release yet: no model has beaten the baselines; {outlook_sentence(settings)}"
    )
    yield f"pictures: {', '.join(str(paths.FIGURES / f'{name}.png') for name in targets)}"
    yield from _platform_lines(date.fromisoformat(decision["as_of"]), decision["platform"])


def _platform_lines(as_of: date, platform: str) -> Iterator[str]:
    """Where the bytes of this run may differ from the recorded ones, or from other machines'."""
    is_recorded = run_records.path_of(as_of).is_file()
    machine = run_records.read(as_of).machine if is_recorded else None
    if machine is not None and machine.platform != platform:
        yield (
            f"last digits may differ from the recorded run, decisions should not: recorded on "
            f"{machine.platform}, this is {platform}"
        )
    elif platform != PROMISED:
        yield f"last digits may differ from other machines: computed on {platform}"


def _read(path: Path) -> Any:  # noqa: ANN401 - as wide as JSON
    return files.read_json(path, next_step=NEXT)


def _committed(path: Path) -> Any:  # noqa: ANN401 - as wide as JSON
    if not files_at("HEAD", path):
        raise ModelError("no run is recorded yet", "wait until the one at work has finished")
    return json.loads(show("HEAD", path))


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
