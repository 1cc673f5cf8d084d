"""Replays: loss by week, and gain over never retraining, by policy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from evergreen.plots.figures import DPI, write_png
from evergreen.plots.history_figure import mark_dates
from evergreen.plots.target_figures import INK

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe and Ito (2008), "Color Universal Design"; dashes distinguish the lines without colours.
LOOKS: Final = {
    "never": ("#000000", (0, ())),
    "incremental": ("#0072B2", (0, (6, 2))),
    "weekly": ("#D55E00", (0, (6, 2, 1, 2))),
    "default": ("#009E73", (0, ())),
    "higher": ("#CC79A7", (0, (3, 1.5))),
    "always": ("#E69F00", (0, (1, 1.2))),
    "yours": ("#56B4E9", (0, (4, 1, 1, 1))),
}
WIDTH, PANEL = 12.0, 2.9
LEAST_GAIN = 0.001


def draw_replay(
    path: Path,
    weeks: pd.DataFrame,
    *,
    loss_names: Mapping[str, str],
    promoted: Mapping[tuple[str, str], Sequence[str]],
) -> None:
    """Draw a row of two panels for each target.

    Parameters
    ----------
    path
        The PNG to write, 1800 pixels wide.
    weeks
        See `evergreen.replay.results.weekly`.
    loss_names
        For each target, in the order of the rows, the name of its loss.
    promoted
        For each target and policy the ISO dates of its promotions: a tick each, in a lane below
        the gains.
    """
    figure = Figure(figsize=(WIDTH, PANEL * len(loss_names) + 1.0), dpi=DPI, facecolor="white")
    grid = figure.subplots(len(loss_names), 2, sharex=True, squeeze=False)
    policies = list(weeks["policy"].unique())
    for (left, right), (target, loss) in zip(grid, loss_names.items(), strict=True):
        rows = weeks[weeks["target"] == target]
        _draw_lines(left, rows, policies, "loss")
        left.set_title(f"{target}: {loss.replace('_', ' ')} by week", **_TITLE)
        _draw_lines(right, rows, policies, "gain")
        if rows["gain"].abs().max() < LEAST_GAIN:  # or the scale would magnify a flat line
            right.set_ylim(-LEAST_GAIN, LEAST_GAIN)
        _draw_promotions(right, {p: promoted.get((target, p), ()) for p in policies})
        right.set_title(f"{target}: gain over never retraining, so far", **_TITLE)
        right.yaxis.set_major_formatter(FuncFormatter(_percent))
    for axes in grid[-1]:
        mark_dates(axes, at_most=8)
    handles, names = grid[0, 0].get_legend_handles_labels()
    figure.legend(handles, names, loc="lower center", ncols=len(names), frameon=False, fontsize=9)
    height = figure.get_figheight()
    figure.subplots_adjust(
        left=0.06, right=0.985, top=1 - 0.4 / height, bottom=0.75 / height, hspace=0.3, wspace=0.14
    )
    write_png(figure, path)


def _percent(share: float, _place: int) -> str:
    return f"{round(100 * share, 6):g}%"


_TITLE: Final = {"loc": "left", "fontsize": 10, "color": INK}


def _draw_lines(axes: Axes, rows: pd.DataFrame, policies: Sequence[str], column: str) -> None:
    axes.grid(color="0.92", linewidth=0.7)
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    for policy in policies:
        points = rows[rows["policy"] == policy]
        colour, dash = LOOKS[policy]
        axes.plot(
            pd.to_datetime(points["week"]).to_numpy(),
            points[column].to_numpy(np.float64),
            color=colour,
            linestyle=dash,
            linewidth=2.2 if policy in ("never", "default") else 1.5,
            label=policy,
        )


def _draw_promotions(axes: Axes, promoted: Mapping[str, Sequence[str]]) -> None:
    low, high = axes.get_ylim()
    step = 0.06 * (high - low)
    lanes = [policy for policy, days in promoted.items() if days]
    for lane, policy in enumerate(lanes, start=1):
        days = pd.to_datetime(list(promoted[policy])).to_numpy()
        place = np.full(len(days), low - lane * step)
        axes.plot(days, place, "|", color=LOOKS[policy][0], markersize=6, markeredgewidth=1.6)
    axes.set_ylim(low - (len(lanes) + 1) * step, high)
