"""Panels of a report, each a picture of its own in SVG: sharp and legible at any width."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, Final

import matplotlib as mpl
from matplotlib.figure import Figure

from evergreen.core.evaluation.model_names import in_model_order
from evergreen.plots.history_figure import draw_panel, mark_dates
from evergreen.plots.target_figures import (
    draw_calibration,
    draw_gains,
    draw_legend,
    draw_roc,
    framed,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    from matplotlib.axes import Axes

    from evergreen.core.evaluation.curves import PlotRows
    from evergreen.core.evaluation.losses import Kind

# Text stays text, names within a picture follow from its content alone, and no title has to look
# for a place.
PLAIN: Final[Any] = {"svg.fonttype": "none", "svg.hashsalt": "evergreen", "axes.titley": 1.0}
WIDTH, HEIGHT = 3.6, 4.0
PLACE: Final = (0.17, 0.25, 0.8, 0.68)
HISTORY_HEIGHT: Final = 3.1
HISTORY_PLACE: Final = (0.21, 0.26, 0.76, 0.65)


def target_panels(
    target: str, kind: Kind, rows: PlotRows, auc: Mapping[str, float | None]
) -> dict[str, str]:
    """ROC (binary only), calibration and cumulative gains of a target: SVG by title."""
    roc, calibration, gains = (table[table["target"] == target] for table in rows)
    names = in_model_order({*calibration["model"], *gains["model"]})
    made = {}
    with mpl.rc_context(PLAIN):
        if kind == "binary":
            figure, axes = _empty()
            draw_roc(axes, roc, auc)
            made["ROC"] = _svg(figure, names)
        figure, axes = _empty()
        draw_calibration(axes, calibration, kind)
        made["Calibration"] = _svg(figure, names)
        figure, axes = _empty()
        draw_gains(axes, gains, target, kind)
        made["Cumulative gains"] = _svg(figure, names)
    return made


def history_panel(target: str, loss: str, rows: pd.DataFrame) -> str:
    """The losses of a target run by run, from `evergreen.history.run_summaries.loss_rows`."""
    with mpl.rc_context(PLAIN):
        figure = Figure(figsize=(WIDTH, HISTORY_HEIGHT))
        axes = framed(figure, HISTORY_PLACE)
        draw_panel(axes, rows[rows["target"] == target], "held-out loss, run by run", loss)
        mark_dates(axes, at_most=5)
        handles, names = axes.get_legend_handles_labels()
        figure.legend(handles, names, loc="lower center", ncols=4, frameon=False, fontsize=7.5)
        return _svg(figure, [])


def _empty() -> tuple[Figure, Axes]:
    figure = Figure(figsize=(WIDTH, HEIGHT))
    return figure, framed(figure, PLACE)


def _svg(figure: Figure, models: list[str]) -> str:
    if models:
        draw_legend(figure, models, ncols=3, fontsize=8, handlelength=2.8, columnspacing=1.2)
    file = io.StringIO()
    figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    return file.getvalue()
