"""The history: for each target the loss of every compared model, with promotions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure

from evergreen.plots.figures import DPI, svg, write_png
from evergreen.plots.target_figures import (
    INK,
    OTHER_STYLE,
    PALE,
    STYLES,
    framed,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH, PANEL = 10.0, 2.5
PANEL_WIDTH, PANEL_HEIGHT = 3.6, 3.1
PANEL_PLACE: Final = (0.21, 0.26, 0.76, 0.65)
PROMOTION: Final = "#009E73"
BY_HAND: Final = "by hand"
"""The name of models that no run trained."""
SHOWN: Final = ("champion", "incremental", "full", BY_HAND)


def draw_history(path: Path, rows: pd.DataFrame, *, loss_names: dict[str, str]) -> None:
    """Draw the loss on held-out clients, run by run; promotions are circled.

    Parameters
    ----------
    path : Path
        The PNG to write, 1500 pixels wide; its folder is made if need be.
    rows : DataFrame
        See `evergreen.history.run_summaries.loss_rows`.
    loss_names : dict
        For each target, in the order of the panels, the name of its loss.
    """
    figure = Figure(figsize=(WIDTH, PANEL * len(loss_names) + 0.9), dpi=DPI, facecolor="white")
    axes = figure.subplots(len(loss_names), 1, sharex=True, squeeze=False)[:, 0]
    for panel, (target, loss) in zip(axes, loss_names.items(), strict=True):
        draw_panel(panel, rows[rows["target"] == target], target, loss.replace("_", " "))
    mark_dates(axes[-1], at_most=10)
    handles: dict[str, Any] = {}
    for panel in axes:
        handles |= dict(zip(*panel.get_legend_handles_labels()[::-1], strict=True))
    figure.legend(
        handles.values(), handles.keys(), loc="lower center", ncols=5, frameon=False, fontsize=8.5
    )
    figure.suptitle(
        "Loss on held-out clients, run by run: lower is better",
        x=0.07,
        ha="left",
        fontsize=12,
        fontweight="bold",
        color=INK,
    )
    figure.subplots_adjust(left=0.07, right=0.985, top=0.9, bottom=0.12, hspace=0.28)
    write_png(figure, path)


def history_panel(target: str, loss: str, rows: pd.DataFrame) -> str:
    """Draw the losses of one target, run by run, as SVG; the rows are those of `draw_history`."""
    figure = Figure(figsize=(PANEL_WIDTH, PANEL_HEIGHT))
    axes = framed(figure, PANEL_PLACE)
    draw_panel(axes, rows[rows["target"] == target], "held-out loss, run by run", loss)
    mark_dates(axes, at_most=5)
    handles, names = axes.get_legend_handles_labels()
    figure.legend(handles, names, loc="lower center", ncols=4, frameon=False, fontsize=7.5)
    return svg(figure)


def mark_dates(axes: Axes, *, at_most: int) -> None:
    """Label days, months or years on the x axis; call it when everything is drawn."""
    first, last = axes.dataLim.intervalx
    if first == last:  # the default for a single run is four years
        axes.set_xlim(first - 1.5, last + 1.5)
    days = int(np.ptp(axes.get_xlim()))
    fewest = max(1, min(at_most // 2, days))  # with more ticks than days, they would be hours
    locator = AutoDateLocator(minticks=fewest, maxticks=at_most)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]


def draw_panel(axes: Axes, rows: pd.DataFrame, target: str, loss: str) -> None:
    """Draw the losses of one target, run by run; the rows are those of `draw_history`."""
    axes.set_title(target, loc="left", fontsize=10, color=INK, y=1.0)
    axes.set_ylabel(loss, fontsize=8.5, color=INK)
    axes.grid(color="0.92", linewidth=0.7)
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    # Baselines are opponents only until there is a champion, and so much worse that all other lines
    # would become one.
    judged = rows[rows["loss"].notna() & rows["model"].isin(SHOWN)]
    if judged.empty:
        axes.text(
            0.5, 0.5, "no model was compared", transform=axes.transAxes, ha="center", color=PALE
        )
        return
    for model, points in judged.groupby("model", sort=False):
        style = STYLES.get(str(model), OTHER_STYLE)
        apart = model in ("full", BY_HAND)
        line = {"linestyle": "none"} if apart else {"dashes": style.dash}
        days = pd.to_datetime(points["as_of"], format="ISO8601").to_numpy()
        axes.plot(
            days,
            points["loss"],
            color=style.colour,
            linewidth=style.width,
            marker=style.marker,
            markersize=5 if apart else 3,
            **line,
            label=str(model),
        )
    won = judged[judged["promoted"]]
    axes.scatter(
        pd.to_datetime(won["as_of"]).to_numpy(),
        won["loss"],
        s=90,
        facecolors="none",
        edgecolors=PROMOTION,
        linewidths=2,
        zorder=5,
        label="promoted",
    )
