"""Read everything that a report shows from what the stages and the history hold."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from pandas.errors import EmptyDataError

from evergreen.core.evaluation.curves import PlotRows
from evergreen.errors import DataError
from evergreen.history import run_records
from evergreen.history.run_recorder import record_of
from evergreen.settings import paths
from evergreen.settings.pipeline import Settings
from evergreen.store import files, models
from evergreen.store.reports import read_drift

NEXT = "dvc repro"


@dataclass(frozen=True)
class ReportData:
    """A run, and the runs before it.

    Attributes
    ----------
    metrics, comparison, decision, drift
        ``evaluation.json``, ``comparison.json``, ``decision.json`` and ``drift.json``.
    curves, slices
        The rows of the plots.
    record, records
        The run's own record, and those of all runs up to it, in order.
    replaced
        The records up to its date that later ones have replaced.
    production
        The manifest of each model in production after the run.
    unfitted
        Why there are no buy-till-you-die models, by part: purchases, spend.
    """

    settings: Settings
    metrics: dict[str, Any]
    comparison: dict[str, Any]
    decision: dict[str, Any]
    drift: dict[str, Any]
    curves: PlotRows
    slices: pd.DataFrame
    record: run_records.RunRecord
    records: list[run_records.RunRecord]
    replaced: list[run_records.RunRecord]
    production: dict[str, models.Manifest]
    unfitted: dict[str, str]


def read_report_data(settings: Settings) -> ReportData:
    """Read everything; the working folder must hold a complete run.

    Raises
    ------
    EvergreenError
        If a file is missing, with the command that writes it.
    """
    record = record_of(settings)
    earlier = [run for run in run_records.read_all() if run.as_of < settings.as_of]
    return ReportData(
        settings=settings,
        metrics=files.read_json(paths.EVALUATION_REPORT, next_step=NEXT),
        comparison=files.read_json(paths.COMPARISON_REPORT, next_step=NEXT),
        decision=files.read_json(paths.DECISION_REPORT, next_step=NEXT),
        drift=read_drift(next_step=NEXT),
        curves=PlotRows(*(_rows(paths.PLOT_ROWS / f"{name}.csv") for name in PlotRows._fields)),
        slices=_rows(paths.PLOT_ROWS / "slices.csv"),
        record=record,
        records=[*earlier, record],
        replaced=[run for run in run_records.replaced() if run.as_of <= settings.as_of],
        production={
            name: models.read_manifest(paths.PRODUCTION / name)
            for name, target in record.targets.items()
            if target.version is not None
        },
        unfitted=_unfitted(),
    )


def _rows(path: Path) -> pd.DataFrame:
    try:
        return pd.read_csv(path)
    except (FileNotFoundError, EmptyDataError):
        raise DataError(f"{path} is missing or empty", "dvc repro compare") from None


def _unfitted() -> dict[str, str]:
    content = files.read_json(paths.EXTRACTOR / "extractor.json", next_step="dvc repro featurize")
    return {
        part: fit["reason"]
        for part, fit in content["btyd"].items()
        if isinstance(fit, dict) and "reason" in fit
    }
