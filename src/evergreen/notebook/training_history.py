"""One history: the models of all runs, and those that were saved by hand."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from evergreen.core.evaluation.losses import LOSS_NAME
from evergreen.errors import DataError
from evergreen.history import run_records, run_summaries
from evergreen.notebook import saved_models
from evergreen.plots.history_figure import BY_HAND, draw_history
from evergreen.settings import paths
from evergreen.store.releases import load_release

if TYPE_CHECKING:
    from collections.abc import Mapping


def entries() -> list[dict[str, Any]]:
    """Every model that was judged or saved, by time; see `ContinuousTrainer.training_history`."""
    judged: list[dict[str, Any]] = [
        {
            "model_name": one.target,
            "version": one.version,
            "origin": one.kind,
            "at": one.as_of.isoformat(),
            "loss": one.loss,
            "promoted": one.promoted,
            "by_hand": False,
            "metrics": {},
        }
        for one in run_summaries.versions(run_records.read_all())
    ]
    saved = [
        {
            "model_name": entry["model_name"],
            "version": entry["version"],
            "origin": entry["metrics"].get("origin"),
            "at": entry["saved_at"],
            "loss": _loss(entry["metrics"]),
            "promoted": False,
            "by_hand": True,
            "metrics": entry["metrics"],
        }
        for entry in saved_models.read_log()
    ]
    return sorted([*judged, *saved], key=lambda one: datetime.fromisoformat(str(one["at"])))


def best(name: str) -> Path:
    """The model in production, else the best one saved; see `ContinuousTrainer.get_best_model`."""
    if paths.CURRENT.is_dir() and name in load_release(paths.CURRENT).models:
        return paths.CURRENT / name
    saved = [entry for entry in saved_models.read_log() if entry["model_name"] == name]
    ranked = [entry for entry in saved if _rank(entry["metrics"]) is not None]
    if not saved:
        raise _unknown(name)
    if not ranked:
        raise DataError(
            f"no version of {name!r} was saved with a figure on held-out rows",
            "save_model_version(model, name, metrics) with the metrics that came with the model",
        )
    return Path(min(ranked, key=lambda entry: _rank(entry["metrics"]) or ())["path"])


def draw(name: str, path: Path) -> None:
    """Draw a model's history; see `ContinuousTrainer.plot_training_history`."""
    records = run_records.read_all()
    judged = run_summaries.loss_rows(records)
    saved = pd.DataFrame(
        [
            {"as_of": one["at"], "target": name, "model": BY_HAND, "loss": one["loss"]}
            for one in entries()
            if one["by_hand"] and one["model_name"] == name
        ],
        columns=["as_of", "target", "model", "loss"],
    ).assign(promoted=False)
    parts = [part for part in (judged[judged["target"] == name], saved) if len(part)]
    if not parts:
        raise _unknown(name)
    losses = [record.targets[name].loss for record in records if name in record.targets]
    drawn = pd.concat(parts, ignore_index=True)
    draw_history(path, drawn, loss_names={name: losses[-1] if losses else "loss"})


def _loss(metrics: Mapping[str, Any]) -> float | None:
    """The held-out loss that the gate decides by, whichever the kind of the model has."""
    return next((metrics[n] for n in LOSS_NAME.values() if metrics.get(n) is not None), None)


def _rank(metrics: Mapping[str, Any]) -> tuple[int, float] | None:
    """Smaller is better: the loss, or where it is not known what there is instead."""
    loss = _loss(metrics)
    if loss is not None:
        return 0, loss
    scores = [metrics[name] for name in ("accuracy", "r2") if metrics.get(name) is not None]
    return (1, -scores[0]) if scores else None


def _unknown(name: str) -> DataError:
    known = sorted({str(one["model_name"]) for one in entries()})
    return DataError(f"there is no model {name!r}; there are {', '.join(known) or 'none'}")
