"""The curves of one target's models, for readers of the reports."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator

from evergreen.core.evaluation.model_names import in_model_order
from evergreen.plots.figures import DPI

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from evergreen.core.evaluation.curves import PlotRows
    from evergreen.core.evaluation.losses import Kind


class Style(NamedTuple):
    """The look of a model in every plot."""

    colour: str
    dash: tuple[float, ...]
    marker: str
    width: float


# Colours by Okabe and Ito (2008), "Color Universal Design"; the templates in .dvc/plots use the
# same. The champion is the widest and is drawn below the challengers, so that coinciding curves
# show as a coloured line with a black edge, and none hides another.
STYLES: Final = {
    "champion": Style("#000000", (), "o", 2.3),
    "incremental": Style("#0072B2", (6, 2), "s", 1.5),
    "full": Style("#D55E00", (6, 2, 1, 2), "^", 1.5),
    "btyd": Style("#E69F00", (8, 2), "P", 1.5),
    "last_period": Style("#009E73", (3, 1.5), "v", 1.5),
    "base_rate": Style("#CC79A7", (1, 1.5), "D", 1.5),
}
OTHER_STYLE: Final = Style("#56B4E9", (8, 2, 1, 2, 1, 2), "X", 1.5)

INK: Final = "0.15"
PALE: Final = "0.45"
RULE: Final = "0.6"
# Inches: the page, the left edge of the first panel, the size of a panel, the step to the next.
WIDTH, LEFT, BOTTOM, PANEL, STEP = 10.0, 0.66, 0.92, 2.6, 3.3
HEADING, LINE = 0.8, 0.17
SUBTITLE_CHARACTERS: Final = 130
NO_CURVE: Final = {
    "binary": "no curve: at most one class\namong these labels",
    "regression": "no curve: at most one value\namong these labels",
}


def draw_target(
    target: str,
    kind: Kind,
    rows: PlotRows,
    *,
    subtitle: str = "",
    auc: Mapping[str, float | None] | None = None,
) -> Figure:
    """Draw one target's models side by side: ROC (binary only), calibration, cumulative gains.

    Parameters
    ----------
    target : str
        Which rows of the tables to draw, and the beginning of the title.
    kind : {"binary", "regression"}
    rows : PlotRows
        Tables of `evergreen.core.evaluation.curves.plot_rows`. A panel without rows says so.
    subtitle : str
        The verdict, in a sentence; broken into lines of about 130 characters.
    auc : mapping of str to float or None, optional
        Area under the ROC curve by model, as reported, shown with three decimals. Without it,
        two decimals come from the points of the curve, which are too few for a third.

    Returns
    -------
    Figure
        10 inches wide.
    """
    roc, calibration, gains = (table[table["target"] == target] for table in rows)
    lines = textwrap.wrap(subtitle, SUBTITLE_CHARACTERS)
    height = BOTTOM + PANEL + HEADING + LINE * len(lines)
    figure = Figure(figsize=(WIDTH, height), dpi=DPI, facecolor="white")
    _write_heading(figure, f"{target}: held-out clients", lines)
    if kind == "binary":
        _draw_roc(_panel(figure, 0), roc, auc)
    _draw_calibration(_panel(figure, 1 if kind == "binary" else 0), calibration, kind)
    gains_panel = _panel(figure, 2) if kind == "binary" else _panel(figure, 1, wide=True)
    _draw_gains(gains_panel, gains, target, kind)
    _draw_legend(figure, in_model_order({*roc["model"], *calibration["model"], *gains["model"]}))
    return figure


def _write_heading(figure: Figure, title: str, lines: list[str]) -> None:
    left, height = LEFT / WIDTH, figure.get_figheight()
    # A dollar sign is money here, not mathematics.
    style: dict[str, Any] = {"va": "top", "color": INK, "parse_math": False}
    figure.text(left, 1 - 0.14 / height, title, fontsize=13, fontweight="bold", **style)
    text = "\n".join(lines)
    figure.text(left, 1 - 0.43 / height, text, fontsize=9, linespacing=1.25, **style)


def _panel(figure: Figure, position: int, *, wide: bool = False) -> Axes:
    left, width = LEFT + position * STEP, PANEL + STEP * wide
    height = figure.get_figheight()
    return framed(figure, (left / WIDTH, BOTTOM / height, width / WIDTH, PANEL / height))


def framed(figure: Figure, place: tuple[float, float, float, float]) -> Axes:
    """Add the axes of a panel at a place of a figure."""
    axes = figure.add_axes(place)
    axes.tick_params(labelsize=8, color=RULE, labelcolor=INK)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(RULE)
    return axes


def _draw_roc(axes: Axes, roc: pd.DataFrame, auc: Mapping[str, float | None] | None) -> None:
    """Draw the ROC curves of a target, with the areas under them."""
    _label(axes, "ROC", "false positive rate", "true positive rate")
    if roc.empty:
        _write_note(axes, NO_CURVE["binary"])
        return
    _reference(axes, 1.0, "diagonal: chance")
    for model, rows in _by_model(roc):
        x, y = rows["false_positive_rate"], rows["true_positive_rate"]
        axes.plot(x, y, label=_auc_text(model, rows, auc), **_line(model))
    legend = axes.legend(
        title="AUC",
        alignment="left",
        loc="lower right",
        fontsize=7.5,
        title_fontsize=7.5,
        handlelength=2.8,
        labelspacing=0.3,
        borderaxespad=0.2,
        edgecolor="none",
    )
    legend.set_zorder(20)


def _auc_text(model: str, rows: pd.DataFrame, auc: Mapping[str, float | None] | None) -> str:
    if auc is None:
        area = np.trapezoid(rows["true_positive_rate"], rows["false_positive_rate"])
        return f"{area:.2f}  {model}"
    exact = auc.get(model)
    return f"n/a  {model}" if exact is None else f"{exact:.3f}  {model}"


def _draw_calibration(axes: Axes, calibration: pd.DataFrame, kind: Kind) -> None:
    """Draw mean labels against mean predictions, with intervals."""
    if kind == "binary":
        _label(axes, "Calibration", "mean predicted probability", "observed share")
    else:
        scale = " (square-root scale)"
        _label(axes, "Calibration", f"mean predicted amount{scale}", f"mean observed amount{scale}")
    if calibration.empty:
        _write_note(axes, NO_CURVE[kind])
        return
    highest = float(np.nanmax(calibration[["predicted", "observed", "high"]].to_numpy()))
    _reference(axes, highest, "bars: 95 %, diagonal: perfect")
    if kind == "regression":
        _spread_small_amounts(axes, highest)
    for model, rows in _by_model(calibration):
        line = _line(model)
        bars = {"colors": line["color"], "zorder": line["zorder"], "linewidth": 1.0, "alpha": 0.5}
        axes.vlines(rows["predicted"], rows["low"], rows["high"], **bars)
        line["linewidth"] *= 0.6
        axes.plot(rows["predicted"], rows["observed"], **line, **_marker(model))


def _draw_gains(axes: Axes, gains: pd.DataFrame, target: str, kind: Kind) -> None:
    """Draw the share of the total that the clients with the highest predictions account for."""
    captured = f"share of {target} captured"
    _label(axes, "Cumulative gains", "share of clients, highest prediction first", captured)
    if gains.empty:
        _write_note(axes, NO_CURVE[kind])
        return
    _reference(axes, 1.0, "diagonal: random order")
    for model, rows in _by_model(gains):
        axes.plot(rows["contacted_share"], rows["captured_share"], **_line(model))


def _by_model(table: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    names = in_model_order(table["model"].unique())
    return [(name, table[table["model"] == name]) for name in names]


def _label(axes: Axes, title: str, x: str, y: str) -> None:
    axes.set_title(title, fontsize=10, color=INK, loc="left", y=1.0)
    axes.set_xlabel(x, fontsize=8.5, color=INK)
    axes.set_ylabel(y, fontsize=8.5, color=INK)


def _reference(axes: Axes, limit: float, note: str) -> None:
    """Give both axes the same scale from zero, and draw the diagonal."""
    axes.set(xlim=(0, limit * 1.03), ylim=(0, limit * 1.03))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
        axis.set_major_formatter(FuncFormatter(_short))
    axes.grid(color="0.92", linewidth=0.7)
    axes.set_axisbelow(True)
    axes.plot([0, limit], [0, limit], color=RULE, linewidth=0.9, zorder=1)
    axes.set_title(note, fontsize=7, color=PALE, loc="right", y=1.0)


def _spread_small_amounts(axes: Axes, limit: float) -> None:
    """Use square-root scales: few clients spend most, and all others crowd near zero."""
    roots = (lambda values: np.sqrt(np.maximum(values, 0)), np.square)
    axes.set_xscale("function", functions=roots)
    axes.set_yscale("function", functions=roots)
    ticks = sorted({_one_digit(limit * part**2) for part in (0.0, 0.25, 0.5, 0.75, 1.0)})
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(FixedLocator(ticks))
        axis.set_major_formatter(FuncFormatter(_short))


def _one_digit(value: float) -> float:
    """Round down to one digit and zeros, so that every tick is inside its axis."""
    if value <= 0:
        return 0.0
    unit = 10.0 ** math.floor(math.log10(value))
    return math.floor(value / unit) * unit


def _short(value: float, _position: int | None) -> str:
    """Format a tick so that it fits beside the panel: 0.25, 250, 2.5k, 3M."""
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:,.10g}{letter}"
    return f"{value:.10g}"


def _write_note(axes: Axes, words: str) -> None:
    axes.set(xticks=[], yticks=[])
    place: dict[str, Any] = {"transform": axes.transAxes, "ha": "center", "va": "center"}
    axes.text(0.5, 0.5, words, fontsize=9, color=PALE, **place)


def _draw_legend(figure: Figure, models: list[str]) -> None:
    """Name the models below the panels."""
    handles = [Line2D([], [], label=name, **_line(name), **_marker(name)) for name in models]
    figure.legend(
        handles=handles,
        loc="lower center",
        ncols=max(len(models), 1),
        fontsize=9,
        handlelength=3.4,
        frameon=False,
        labelcolor=INK,
    )


def _line(model: str) -> dict[str, Any]:
    style = STYLES.get(model, OTHER_STYLE)
    return {
        "color": style.colour,
        "linestyle": (0, style.dash) if style.dash else "-",
        "linewidth": style.width,
        "zorder": 3 + list(STYLES).index(model) if model in STYLES else 2,
    }


def _marker(model: str) -> dict[str, Any]:
    style = STYLES.get(model, OTHER_STYLE)
    return {"marker": style.marker, "markersize": 4.5, "markeredgecolor": "white"}
